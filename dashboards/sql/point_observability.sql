-- What could be seen of the meter's faults at all, the smallest error that would show, how long a jam would hide, until when an error that was found is being learnt, and the highest rate that was learnt of its register.
select question, verdict as observable, reason as why, 100 * smallest_30d as smallest_30d, 100 * smallest_90d as smallest_90d, hours_typical, hours_worst,
       detail ->> 'learnt_since' as learnt_since, detail ->> 'learnt_until' as learnt_until,
       (detail ->> 'learnt_per_h')::float8 as learnt_rate, as_of
from observability_list
where point_id = (
        select point_id from ledger_point where unit_code = ${unit:sqlstring} and point = ${point:sqlstring})
order by question
