-- Cases, those that are open and late first.
select id as _case, number, kind, state as case_state, unit_name, point, due_on, overdue as late, assignee_name, verdict as verdict_on_site,
       opened_at, unit_code as _unit
from case_list
where %(state)s::text = 'all' or closed_at is null
order by closed_at is not null, due_on nulls last, id desc limit 300
