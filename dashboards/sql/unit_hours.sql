-- The chosen carrier an hour (over long ranges the mean of the hours known), how much of it was estimated, and the same hours a year before; no evidence is a gap.
with cell as (
    select $__timeGroup(start, $__interval) as time, sum(amount) / count(distinct start) as amount,
           sum(amount * (1 - measured)) / count(distinct start) as estimated
    from unit_hour
    where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}) and scope = 'unit' and carrier = ${carrier:sqlstring} and $__timeFilter(start)
    group by 1
), before as (
    select $__timeGroup(start + interval '1 year', $__interval) as time, sum(amount) / count(distinct start) as amount
    from unit_hour
    where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}) and scope = 'unit' and carrier = ${carrier:sqlstring}
        and start between $__timeFrom()::timestamptz - interval '1 year' and $__timeTo()::timestamptz - interval '1 year'
        and start + interval '1 year' - interval '1 year' = start   -- no 29 February on top of the 28th
    group by 1
)
select g.time, c.amount, nullif(c.estimated, 0) as estimated, b.amount as last_year
from generate_series(
    time_bucket($__interval_ms * interval '1 millisecond', $__timeFrom()::timestamptz), $__timeTo()::timestamptz, $__interval_ms * interval '1 millisecond'
) g (time)
left join cell c on c.time = g.time
left join before b on b.time = g.time
order by 1
