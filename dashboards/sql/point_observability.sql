-- What could be seen of the meter's faults at all, the smallest error that would show, and how long a jam would hide.
select question, verdict as observable, reason as why, 100 * smallest_30d as smallest_30d, 100 * smallest_90d as smallest_90d, hours_typical, hours_worst, as_of
from observability_list
where point_id = (
        select point_id from ledger_point where unit_code = ${unit:sqlstring} and point = ${point:sqlstring})
order by question
