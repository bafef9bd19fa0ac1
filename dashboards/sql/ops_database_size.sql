-- Size of the database.
select $__timeGroup(at, $__interval) as time, max(database_bytes) as database_size
from worker_samples where $__timeFilter(at)
group by 1 order by 1
