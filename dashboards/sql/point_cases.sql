-- What was done about it: cases of the point, step by step.
select c.number, h.at, h.action, h.state as case_state, h.by_name, h.note, case when h.action = 'verdict' then c.verdict end as verdict_on_site, c.due_on::text as due_on
from case_list c
left join case_history h on h.case_id = c.id
where c.point_id = (
        select point_id from ledger_point where unit_code = ${unit:sqlstring} and point = ${point:sqlstring})
order by c.opened_at desc, h.at desc, h.id desc
limit 200
