-- Alerts that stand, by severity, and those raised since yesterday.
select count(*) filter (where severity = 'serious') as serious, count(*) filter (where severity = 'warning') as warning,
       count(*) filter (where severity = 'info') as info,
       count(*) filter (where raised_at > now() - interval '1 day') as new_today
from alert_list where state in ('open', 'acknowledged', 'clearing')
