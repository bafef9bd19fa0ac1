-- Age of the oldest reading that was fetched and is not yet stored, by partition.
select s.time, concat('P', s.partition) as metric, s.fence_age
from (
    select $__timeGroup(at, $__interval) as time, partition, max(fence_age_s) as fence_age
    from partition_samples where $__timeFilter(at)
    group by 1, 2
) s
order by 1, 2
