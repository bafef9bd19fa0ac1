-- What happened to an alert, and who said what.
select at, coalesce(by_name, shared_by) as by_name, action as alert_action, coalesce(note, shared_note) as note
from alert_history where alert_id = %(alert)s order by id
