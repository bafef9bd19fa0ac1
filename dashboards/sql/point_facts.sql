-- The point and the meter that stands there.
select m.name, m.meter_no, m.status, m.accuracy_class, m.multiplier, m.verification_due::text as verification_due, m.place, p.carrier,
       p.level, p.parent_point, m.model, m.installed_from, p.unit_name, p.point
from ledger_point p
left join ledger_meter m on m.point_id = p.point_id and m.installed_to is null
where p.unit_code = ${unit:sqlstring} and p.point = ${point:sqlstring}
limit 1
