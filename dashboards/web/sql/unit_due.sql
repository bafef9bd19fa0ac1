-- Meters of a unit in use that are past their verification, will be within 90 days, or of which nothing is known.
select meter_no, point, name, place, state as verification, verification_due, days_left
from verification_state
where unit_code = %(unit)s and status <> 'out_of_use' and (verification_due is null or days_left < 90)
order by days_left nulls last, meter_no limit 500
