-- The unit's meters: verification, open faults, and how complete their data of the last 7 days is.
with fault as materialized (
    select distinct on (point_id) point_id, severity, kind
    from detection_list
    where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}) and state = 'open' and severity <> 'info'
    order by point_id, array_position(array['serious', 'warning'], severity), started_at
), recent as materialized (
    select point_id, sum(completeness) / 7 as completeness from point_day
    where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring})
        and day between (select local_day(now()) - 7) and (select local_day(now()) - 1)
    group by point_id
)
select v.point, v.name, v.state as verification, v.verification_due::text as verification_due,
       coalesce(f.severity, 'none') as fault, coalesce(f.kind, 'none') as fault_kind,
       round((100 * c.completeness)::numeric, 1)::float8 as completeness, v.place, v.meter_no, v.carrier, v.level, v.accuracy_class
from (
    select * from verification_state where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring})
) v
left join fault f on f.point_id = v.point_id
full join recent c on c.point_id = v.point_id   -- a left join, but never by comparing each with each: walls hide how many there are
where coalesce(v.point_id, 0) <> 0
order by array_position(array['serious', 'warning'], f.severity), array_position(array['overdue', 'due_30', 'unknown'], v.state),
    v.point
limit 5000
