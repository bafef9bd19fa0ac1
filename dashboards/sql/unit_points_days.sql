-- The 25 points of the unit whose data of the days shown is least complete, day by day; no data has no colour.
with cell as materialized (
    select point_id, day, completeness from point_day
    where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring})
        and day between (select local_day($__timeFrom()::timestamptz)) and (select local_day($__timeTo()::timestamptz))
), point as materialized (
    select v.point_id, v.point, coalesce(sum(c.completeness), 0) as total
    from verification_state v   -- points where a meter stands
    left join cell c on c.point_id = v.point_id
    where v.unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring})
    group by 1, 2
    order by 3, 2
    limit 25
)
select $__timeGroup(c.day::timestamptz, $__interval) as time, p.point as metric,
       round((100 * avg(c.completeness))::numeric, 1)::float8 as completeness
from point p
join cell c on c.point_id = p.point_id
group by 1, 2
union all   -- a point without any data has a row of its own, with nothing in it
select $__timeFrom()::timestamptz, point, null from point where total = 0
order by 1, 2
