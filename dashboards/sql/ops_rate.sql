-- Readings stored and refused a second, all workers together; a time without samples is a gap, not zero.
with cell as (
    select $__timeGroup(at, $__interval) as time, sum(readings) / sum(span_s) * count(distinct worker) as stored,
           sum(rejected) / sum(span_s) * count(distinct worker) as refused
    from worker_samples where $__timeFilter(at) and span_s > 0
    group by 1
)
select g.time, c.stored, c.refused
from generate_series(
    time_bucket($__interval_ms * interval '1 millisecond', $__timeFrom()::timestamptz), $__timeTo()::timestamptz, $__interval_ms * interval '1 millisecond'
) g (time)
left join cell c on c.time = g.time
order by 1
