-- Time of one transaction, on average, and time spent waiting for a database that was away, a second.
select $__timeGroup(at, $__interval) as time, sum(transaction_s) / nullif(sum(transactions), 0) as transaction_time,
       sum(database_wait_s) / nullif(sum(span_s), 0) as database_wait
from worker_samples where $__timeFilter(at)
group by 1 order by 1
