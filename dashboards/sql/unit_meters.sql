-- The unit's meters: verification, open faults, and how complete their data of the last 7 days is.
select v.point, v.meter_no, v.name, v.carrier, v.level, v.accuracy_class, v.state as verification, v.verification_due::text as verification_due,
       f.severity, f.kind, round((100 * c.completeness)::numeric, 1)::float8 as completeness, v.place
from verification_state v
left join lateral (
    select d.severity, d.kind from detection_list d
    where d.unit_code = ${unit:sqlstring} and d.point_id = v.point_id and d.state = 'open' and d.severity <> 'info'
    order by array_position(array['serious', 'warning'], d.severity), d.started_at
    limit 1
) f on true
left join (
    select point_id, sum(completeness) / 7 as completeness from point_day
    where unit_code = ${unit:sqlstring} and day between local_day(now()) - 7 and local_day(now()) - 1
    group by point_id
) c on c.point_id = v.point_id
where v.unit_code = ${unit:sqlstring}
order by array_position(array['serious', 'warning'], f.severity), array_position(array['overdue', 'due_30', 'unknown'], v.state),
    v.point
limit 5000
