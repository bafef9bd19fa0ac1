-- Meters of which only registers came in the last week whose names nobody knows: nothing of them is counted.
with nothing_counted as materialized (
    select l.unit_id, l.unit_code, l.point_id, l.point, l.meter_no, l.register, l.register_id
    from register_list l
    where l.register not in ('main', 'device_status') and l.unit_code = coalesce(%(unit)s, l.unit_code)
        and not exists (select from point_day d where d.point_id = l.point_id and d.day >= local_day(now()) - 7)
)
select u.unit_name, n.point, n.meter_no, array_agg(n.register order by n.register) as registers, max(h.measured_at) as last_at,
       n.unit_code as _unit
from nothing_counted n
join unit_list u on u.unit_id = n.unit_id
cross join lateral (
    select r.measured_at from reading r
    where r.register_id = n.register_id and r.day >= local_day(now()) - 8 and r.measured_at >= now() - interval '7 days'
    order by r.measured_at desc limit 1
) h
group by u.unit_name, n.unit_code, n.point, n.meter_no
order by n.unit_code, n.meter_no limit 200
