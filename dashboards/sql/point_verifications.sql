-- Certificates of the meters that ever stood at the point.
select v.meter_no, v.verified_on::text as verified_on, v.verification_due::text as verification_due, v.cycle_months
from verification_list v
where v.meter_id = any (array(
    select meter_id from ledger_meter where point_id = (
        select point_id from ledger_point where unit_code = ${unit:sqlstring} and point = ${point:sqlstring})
))
order by v.verification_due desc nulls last, v.verified_on desc nulls last
