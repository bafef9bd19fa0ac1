-- The point and the meter that stands there.
select p.unit_name, p.point, p.carrier, p.level, p.parent_point, m.meter_no, m.name, m.model, m.accuracy_class, m.multiplier,
       m.place, m.status, m.verification_due::text as verification_due, m.installed_from
from ledger_point p
left join ledger_meter m on m.point_id = p.point_id and m.installed_to is null
where p.unit_code = ${unit:sqlstring} and p.point = ${point:sqlstring}
limit 1
