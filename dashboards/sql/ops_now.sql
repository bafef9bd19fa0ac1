-- The pipeline now: what waits, how old the oldest fetched reading is, and when a worker last said how it does.
select (select sum(lag) from partition_samples where at = s.at and worker = s.worker) as lag,
       (select max(fence_age_s) from partition_samples where at = s.at and worker = s.worker) as fence_age,
       extract(epoch from now() - s.at) as sample_age
from worker_samples s where s.at > now() - interval '1 day' order by s.at desc limit 1
