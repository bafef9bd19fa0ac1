-- When the point last gave evidence, and how much of the range has it.
with asked as (   -- an hour counts when it has been over for ten minutes, so that its readings may be there
    select date_trunc('hour', now() - interval '10 minutes') as over, (
        select count(*) from generate_series(
            date_trunc('hour', $__timeFrom()::timestamptz + interval '1 hour' - interval '1 microsecond'),
            least($__timeTo()::timestamptz, date_trunc('hour', now() - interval '10 minutes') - interval '1 hour'), interval '1 hour')
        ) as hours
    offset 0
)
select max(start) + interval '1 hour' as last_evidence,
       100 * sum(completeness) filter (where start < (select over from asked)) / greatest((select hours from asked), 1)
           as completeness,
       100 * sum(case when quality & 1 = 1 then amount else 0 end) / nullif(sum(amount), 0) as estimated_share,
       count(*) filter (where revision > 0) as revised
from point_hour
where point_id = (
        select point_id from ledger_point where unit_code = ${unit:sqlstring} and point = ${point:sqlstring}) and $__timeFilter(start)
