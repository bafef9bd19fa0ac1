-- Consumption an hour (over long ranges the mean of the hours known) by quality: measured, estimated over a gap, suspect; revised where it was corrected later. A gap is a gap.
with cell as (
    select $__timeGroup(start, $__interval) as time, sum(amount) / count(*) as amount, bit_or(quality) as quality, max(revision) as revision
    from point_hour
    where point_id = (
        select point_id from ledger_point where unit_code = ${unit:sqlstring} and point = ${point:sqlstring}) and $__timeFilter(start)
    group by 1
)
select g.time, case when c.quality & 9 = 0 then c.amount end as measured, case when c.quality & 1 = 1 then c.amount end as estimated,
       case when c.quality & 8 = 8 then c.amount end as suspect, case when c.revision > 0 then c.amount end as revised
from generate_series(
    time_bucket($__interval_ms * interval '1 millisecond', $__timeFrom()::timestamptz), $__timeTo()::timestamptz, $__interval_ms * interval '1 millisecond'
) g (time)
left join cell c on c.time = g.time
order by 1
