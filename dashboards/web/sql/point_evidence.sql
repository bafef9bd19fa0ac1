-- Detections of a point with their evidence.
select severity, kind, state, started_at, ended_at, meter_no, magnitude, magnitude_low, magnitude_high, energy_affected, energy_unit, confidence,
       evidence
from detection_list
where point_id = (select point_id from ledger_point where unit_code = %(unit)s and point = %(point)s) and state <> 'withdrawn'
order by (state = 'open') desc, started_at desc limit 100
