-- The unit's latest judgement.
select state, nullif(grade, '') as grade, serious, findings, person, edition, day::text as judged_for
from compliance_list where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}) order by day desc limit 1
