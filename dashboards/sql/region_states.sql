-- How many units stand how, by each unit's latest judgement; a unit that was never judged is unknown.
select count(*) filter (where c.state = 'compliant') as compliant, count(*) filter (where c.state = 'findings') as findings,
       count(*) filter (where c.state = 'serious') as serious_findings,
       count(*) filter (where coalesce(c.state, 'unknown') = 'unknown') as to_check
from unit_list u
left join lateral (
    select l.state from compliance_list l where l.unit_id = u.unit_id order by l.day desc limit 1
) c on true
