-- What waits today, in numbers; how many meters are overdue is told by their list.
select count(*) filter (where a.state = 'open' and a.severity = 'serious') as unanswered,
       count(*) filter (where a.state in ('open', 'acknowledged', 'clearing')) as standing,
       (select count(*) from case_list where overdue) as cases_late,
       count(*) filter (where a.raised_at > now() - interval '1 day') as new_today
from alert_list a
