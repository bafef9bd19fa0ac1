-- Age of the oldest reading that was fetched and is not yet stored, by partition.
select $__timeGroup(at, $__interval) as time, concat('P', partition) as metric, max(fence_age_s) as fence_age
from partition_samples where $__timeFilter(at)
group by 1, 2 order by 1, 2
