-- Records not yet stored, all partitions together.
select coalesce(sum(lag), 0) as value from partition_samples where at > now() - interval '2 minutes'
