-- What was found about the meter: how large, between which bounds, and how much energy it touches.
select severity, kind, state, started_at, ended_at, magnitude, magnitude_low, magnitude_high, magnitude_unit, energy_affected,
       energy_affected_low, energy_affected_high, energy_unit, confidence
from detection_list
where point_id = (
        select point_id from ledger_point where unit_code = ${unit:sqlstring} and point = ${point:sqlstring})
order by (state = 'open') desc, started_at desc
limit 200
