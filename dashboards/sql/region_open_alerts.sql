-- Alerts that stand, by severity.
select count(*) filter (where severity = 'serious') as serious, count(*) filter (where severity = 'warning') as warning,
       count(*) filter (where severity = 'info') as info
from alert_list where state in ('open', 'acknowledged', 'clearing')
