-- Meters of which only registers came in the last week whose names nobody knows: nothing of them is counted.
with named as materialized (
    select unit_id, unit_code, point_id, point, meter_no, register, register_id
    from register_list where register not in ('main', 'device_status')
)
select u.unit_name, n.point, n.meter_no, array_agg(n.register order by n.register) as registers, max(h.measured_at) as last_at,
       n.unit_code as _unit
from named n
cross join lateral (   -- one look for each of the few, where a join would go through the days of all
    select exists (select from point_day d where d.point_id = n.point_id and d.day >= local_day(now()) - 7) as anything
) c
cross join lateral (
    select r.measured_at from reading r
    where r.register_id = n.register_id and r.day >= local_day(now()) - 8 and r.measured_at >= now() - interval '7 days'
    order by r.measured_at desc limit 1
) h
join unit_list u on u.unit_id = n.unit_id
where not c.anything
group by u.unit_name, n.unit_code, n.point, n.meter_no
order by n.unit_code, n.meter_no limit 2000
