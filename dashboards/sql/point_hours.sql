-- Consumption an hour (over long ranges the mean of the hours known) by quality: measured, estimated over a gap, suspect; revised where it was corrected later; what it should have been by the error found. A gap is a gap.
with point as materialized (
    select point_id from ledger_point where unit_code = ${unit:sqlstring} and point = ${point:sqlstring}
), fault as materialized (   -- a share is of what went through: -0.02 counts 2 % too little
    select started_at, coalesce(ended_at, 'infinity') as ended_at,
           case when magnitude_unit = 'share' and magnitude > -0.99 then magnitude end as error,
           severity in ('warning', 'serious') and kind in ('stuck', 'scale', 'ratio', 'gain_step', 'gain_drift') as suspect   -- as the strip of quality has it
    from detection_list
    where point_id = (select point_id from point) and state <> 'withdrawn'
), cell as (
    select $__timeGroup(start, $__interval) as time, sum(amount) / count(*) as amount, bit_or(quality) as quality, max(revision) as revision
    from point_hour
    where point_id = (select point_id from point) and $__timeFilter(start)
    group by 1
)
select g.time, case when c.quality & 9 = 0 and f.suspect is not true then c.amount end as measured,
       case when c.quality & 1 = 1 then c.amount end as estimated,
       case when c.quality & 8 = 8 or c.quality & 1 = 0 and f.suspect then c.amount end as suspect,
       case when c.revision > 0 then c.amount end as revised, c.amount / (1 + f.error) as expected
from generate_series(
    time_bucket($__interval_ms * interval '1 millisecond', $__timeFrom()::timestamptz), $__timeTo()::timestamptz, $__interval_ms * interval '1 millisecond'
) g (time)
left join cell c on c.time = g.time
left join lateral (
    select bool_or(suspect) as suspect, (array_agg(error order by started_at desc) filter (where error is not null))[1] as error
    from fault where started_at < g.time + $__interval_ms * interval '1 millisecond' and ended_at > g.time
) f on c.amount is not null
order by 1
