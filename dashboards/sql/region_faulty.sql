-- Open faults of meters, those that touch most energy first.
select severity, kind, unit_code, unit_name, point, meter_no, carrier, started_at, magnitude, magnitude_unit, energy_affected,
       energy_unit, confidence
from detection_list
where state = 'open' and severity in ('warning', 'serious')
order by energy_affected desc nulls last, started_at
limit 100
