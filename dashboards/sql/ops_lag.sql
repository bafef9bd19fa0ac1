-- Records of each partition that are not yet stored; no sample is a gap.
select s.time, concat('P', s.partition) as metric, s.lag
from (
    select $__timeGroup(at, $__interval) as time, partition, max(lag) as lag
    from partition_samples where $__timeFilter(at)
    group by 1, 2
) s
order by 1, 2
