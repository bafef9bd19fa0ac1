-- Meters whose verification is overdue, the longest first.
select unit_name, point, meter_no, name, verification_due, -days_left as days_over, unit_code as _unit
from verification_state where state = 'overdue'
order by days_left, unit_code, point limit 20
