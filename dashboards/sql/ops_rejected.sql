-- Readings that were refused, by hour and reason.
select hour as time, reason as metric, sum(readings) as readings
from rejected_by_reason where $__timeFilter(hour)
group by 1, 2 order by 1, 2
