-- Who sends what is refused, and how much of it nobody has sent again.
select unit_code, reason, sum(records) as records, sum(readings) as readings, sum(pending) as pending, max(last_at) as last_at
from rejected_by_reason where $__timeFilter(hour)
group by 1, 2 order by 4 desc limit 100
