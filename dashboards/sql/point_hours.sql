-- Consumption an hour (over long ranges the mean of the hours known) by quality: measured, estimated over a gap, suspect; revised where it was corrected later; what it should have been by the error found. A gap is a gap.
with point as materialized (
    select point_id from ledger_point where unit_code = ${unit:sqlstring} and point = ${point:sqlstring}
), fault as materialized (   -- of a share of what went through: -0.02 counts 2 % too little
    select started_at, coalesce(ended_at, 'infinity') as ended_at, magnitude from detection_list
    where point_id = (select point_id from point) and state <> 'withdrawn' and magnitude_unit = 'share' and magnitude > -0.99
), cell as (
    select $__timeGroup(start, $__interval) as time, sum(amount) / count(*) as amount, bit_or(quality) as quality, max(revision) as revision
    from point_hour
    where point_id = (select point_id from point) and $__timeFilter(start)
    group by 1
)
select g.time, case when c.quality & 9 = 0 then c.amount end as measured, case when c.quality & 1 = 1 then c.amount end as estimated,
       case when c.quality & 8 = 8 then c.amount end as suspect, case when c.revision > 0 then c.amount end as revised,
       c.amount / (1 + f.magnitude) as expected
from generate_series(
    time_bucket($__interval_ms * interval '1 millisecond', $__timeFrom()::timestamptz), $__timeTo()::timestamptz, $__interval_ms * interval '1 millisecond'
) g (time)
left join cell c on c.time = g.time
left join lateral (
    select magnitude from fault
    where started_at < g.time + $__interval_ms * interval '1 millisecond' and ended_at > g.time
    order by started_at desc limit 1
) f on c.amount is not null
order by 1
