-- Percent of the last hour's readings that were refused.
select 100 * coalesce(sum(rejected), 0) / greatest(sum(readings) + sum(rejected), 1) as value
from worker_samples where at > now() - interval '1 hour'
