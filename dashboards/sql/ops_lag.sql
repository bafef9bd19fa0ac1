-- Records of each partition that are not yet stored; no sample is a gap.
select $__timeGroup(at, $__interval) as time, concat('P', partition) as metric, max(lag) as lag
from partition_samples where $__timeFilter(at)
group by 1, 2 order by 1, 2
