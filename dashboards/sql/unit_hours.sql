-- The chosen carrier by hour: measured, and estimated where evidence is missing in between; no evidence is a gap.
with cell as (
    select $__timeGroup(start, $__interval) as time, sum(amount) as amount, sum(amount * (1 - measured)) as estimated,
           avg(completeness) as completeness
    from unit_hour
    where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}) and scope = 'unit' and carrier = ${carrier:sqlstring} and $__timeFilter(start)
    group by 1
)
select g.time, c.amount, nullif(c.estimated, 0) as estimated
from generate_series(
    time_bucket($__interval_ms * interval '1 millisecond', $__timeFrom()::timestamptz), $__timeTo()::timestamptz, $__interval_ms * interval '1 millisecond'
) g (time)
left join cell c on c.time = g.time
order by 1
