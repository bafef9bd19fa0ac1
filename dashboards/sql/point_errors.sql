-- What was found about the meter: what it rests on, how large, between which bounds, and how much energy it touches.
select severity, kind, evidence ->> 'what' as what, evidence ->> 'what_en' as what_en, state, started_at, ended_at,
       k.percent * magnitude as magnitude, magnitude_unit, energy_affected, energy_unit, k.percent * magnitude_low as magnitude_low,
       k.percent * magnitude_high as magnitude_high, energy_affected_low, energy_affected_high, confidence
from detection_list
cross join lateral (select case magnitude_unit when 'share' then 100 else 1 end as percent) k
where point_id = (
        select point_id from ledger_point where unit_code = ${unit:sqlstring} and point = ${point:sqlstring})
order by (state = 'open') desc, started_at desc
limit 200
