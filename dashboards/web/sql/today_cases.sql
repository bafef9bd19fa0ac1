-- Cases past their deadline.
select id as _case, number, kind, unit_name, point, state as case_state, due_on, assignee_name, unit_code as _unit
from case_list where overdue
order by due_on, id limit 20
