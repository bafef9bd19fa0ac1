-- What waits today, in numbers.
select count(*) filter (where a.state = 'open' and a.severity = 'serious') as unanswered,
       count(*) filter (where a.state in ('open', 'acknowledged', 'clearing')) as standing,
       (select count(*) from case_list where overdue) as cases_late,
       (select coalesce(sum(meters), 0) from verification_count where state = 'overdue') as meters_overdue,
       count(*) filter (where a.raised_at > now() - interval '1 day') as new_today
from alert_list a
