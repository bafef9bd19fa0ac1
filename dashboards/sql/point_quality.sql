-- What is known of each hour: 1 measured, 2 partly or wholly estimated, 3 suspect, 0 nothing.
with cell as (
    select $__timeGroup(start, $__interval) as time, bit_or(quality) as quality
    from point_hour
    where point_id = (
        select point_id from ledger_point where unit_code = ${unit:sqlstring} and point = ${point:sqlstring}) and $__timeFilter(start)
    group by 1
)
select g.time, case when c.time is null then 0 when c.quality & 8 = 8 then 3 when c.quality & 1 = 1 then 2 else 1 end as quality
from generate_series(
    time_bucket($__interval_ms * interval '1 millisecond', $__timeFrom()::timestamptz), least($__timeTo()::timestamptz, now()) - interval '1 hour',
    $__interval_ms * interval '1 millisecond'
) g (time)
left join cell c on c.time = g.time
order by 1
