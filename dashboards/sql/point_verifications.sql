-- Certificates of the meters that ever stood at the point.
select v.meter_no, v.verified_on::text as verified_on, v.verification_due::text as verification_due, v.cycle_months
from verification_list v
where v.unit_code = ${unit:sqlstring} and v.meter_no in (
    select meter_no from ledger_meter where unit_code = ${unit:sqlstring} and point = ${point:sqlstring}
)
order by v.verification_due desc nulls last, v.verified_on desc nulls last
