-- The 25 units whose data is least complete, hour by hour (day by day over long ranges); no data has no colour.
with total as (
    select unit_id, sum(completeness) as total from unit_hour
    where scope = 'unit' and $__timeFilter(start) and $__interval_ms < 86400000
    group by 1
    union all
    select unit_id, sum(completeness) from unit_day
    where scope = 'unit' and $__interval_ms >= 86400000
        and day between (select local_day($__timeFrom()::timestamptz)) and (select local_day($__timeTo()::timestamptz))
    group by 1
), worst as materialized (
    select u.unit_id, u.unit_name, coalesce(t.total, 0) as total
    from unit_list u left join total t on t.unit_id = u.unit_id
    order by 3, u.unit_name
    limit 25
), cell as materialized (
    select unit_id, $__timeGroup(start, $__interval) as time, avg(completeness) as completeness
    from unit_hour
    where unit_id = any (array(select unit_id from worst)) and scope = 'unit' and $__timeFilter(start)
        and $__interval_ms < 86400000
    group by 1, 2
    union all
    select unit_id, $__timeGroup(day::timestamptz, $__interval) as time, avg(completeness)
    from unit_day
    where unit_id = any (array(select unit_id from worst)) and scope = 'unit' and $__interval_ms >= 86400000
        and day between (select local_day($__timeFrom()::timestamptz)) and (select local_day($__timeTo()::timestamptz))
    group by 1, 2
)
select c.time, w.unit_name as metric, round((100 * c.completeness)::numeric, 1)::float8 as completeness
from cell c join worst w on w.unit_id = c.unit_id
union all   -- a unit without any data has a row of its own, with nothing in it
select coalesce((select min(time) from cell), $__timeFrom()::timestamptz), w.unit_name, null
from worst w where w.total = 0
order by 1, 2
