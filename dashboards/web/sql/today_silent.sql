-- Meters whose data stopped coming.
select unit_name, point, meter_no, started_at, severity, unit_code as _unit
from detection_list where kind = 'silence' and state = 'open'
order by array_position(array['serious', 'warning', 'info'], severity), started_at limit 20
