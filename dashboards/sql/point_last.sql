-- When the point last gave evidence, and how much of the range has it.
select max(start) + interval '1 hour' as last_evidence,
       100 * sum(completeness) / greatest(
           extract(epoch from least($__timeTo()::timestamptz, now()) - $__timeFrom()::timestamptz) / 3600, 1) as completeness,
       100 * sum(case when quality & 1 = 1 then amount else 0 end) / nullif(sum(amount), 0) as estimated_share,
       count(*) filter (where revision > 0) as revised
from point_hour
where point_id = (
        select point_id from ledger_point where unit_code = ${unit:sqlstring} and point = ${point:sqlstring}) and $__timeFilter(start)
