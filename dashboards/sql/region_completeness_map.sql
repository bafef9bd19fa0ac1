-- The 25 units whose data is least complete, hour by hour (day by day over long ranges); no data has no colour.
with cell as (
    select unit_id, $__timeGroup(start, $__interval) as time, avg(completeness) as completeness
    from unit_hour
    where scope = 'unit' and $__timeFilter(start) and $__interval_ms < 86400000
    group by 1, 2
    union all
    select unit_id, $__timeGroup(day::timestamptz, $__interval) as time, avg(completeness)
    from unit_day
    where scope = 'unit' and day between local_day($__timeFrom()::timestamptz) and local_day($__timeTo()::timestamptz)
        and $__interval_ms >= 86400000
    group by 1, 2
), grid as (
    select distinct time from cell
), worst as (
    select u.unit_id, u.unit_name, coalesce(sum(c.completeness), 0) as total
    from unit_list u left join cell c on c.unit_id = u.unit_id
    group by 1, 2
    order by 3, u.unit_name
    limit 25
)
select g.time, w.unit_name as metric, round((100 * c.completeness)::numeric, 1)::float8 as completeness
from worst w
cross join grid g
left join cell c on c.unit_id = w.unit_id and c.time = g.time
order by g.time, w.total, w.unit_name
