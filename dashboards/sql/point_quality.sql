-- What is known of each hour: 1 measured, 2 partly or wholly estimated, 3 suspect or under a fault that was found, 0 nothing.
with fault as materialized (   -- faults that make what is counted wrong
    select started_at, coalesce(ended_at, 'infinity') as ended_at from detection_list
    where point_id = (
        select point_id from ledger_point where unit_code = ${unit:sqlstring} and point = ${point:sqlstring})
        and state <> 'withdrawn' and severity in ('warning', 'serious')
        and kind in ('stuck', 'scale', 'ratio', 'gain_step', 'gain_drift')
), cell as (
    select $__timeGroup(start, $__interval) as time, bit_or(quality) as quality
    from point_hour
    where point_id = (
        select point_id from ledger_point where unit_code = ${unit:sqlstring} and point = ${point:sqlstring}) and $__timeFilter(start)
    group by 1
)
select g.time, case when c.time is null then 0 when c.quality & 8 = 8 or exists (
           select from fault f where f.started_at < g.time + $__interval_ms * interval '1 millisecond' and f.ended_at > g.time) then 3 when c.quality & 1 = 1 then 2 else 1 end as quality
from generate_series(
    time_bucket($__interval_ms * interval '1 millisecond', $__timeFrom()::timestamptz), least($__timeTo()::timestamptz, now()) - interval '1 hour',
    $__interval_ms * interval '1 millisecond'
) g (time)
left join cell c on c.time = g.time
order by 1
