-- What was done in a case, step by step.
select at, coalesce(by_name, shared_by) as by_name, action, state as case_state, coalesce(note, shared_note) as note
from case_history where case_id = %(case)s order by id
