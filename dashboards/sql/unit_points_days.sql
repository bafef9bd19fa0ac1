-- The 25 points of the unit whose data of the days shown is least complete, day by day; no data has no colour.
with point as materialized (
    select p.point_id, p.point, coalesce(sum(d.completeness), 0) as total
    from ledger_point p
    left join point_day d on d.point_id = p.point_id
        and d.day between (select local_day($__timeFrom()::timestamptz)) and (select local_day($__timeTo()::timestamptz))
    where p.unit_code = ${unit:sqlstring}
        and p.point_id in (
            select v.point_id from verification_state v
            where v.unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}))
    group by 1, 2
    order by 3, 2
    limit 25
)
select $__timeGroup(d.day::timestamptz, $__interval) as time, p.point as metric,
       round((100 * avg(d.completeness))::numeric, 1)::float8 as completeness
from point p
join point_day d on d.point_id = p.point_id
    and d.day between (select local_day($__timeFrom()::timestamptz)) and (select local_day($__timeTo()::timestamptz))
group by 1, 2
union all   -- a point without any data has a row of its own, with nothing in it
select $__timeFrom()::timestamptz, point, null from point where total = 0
order by 1, 2
