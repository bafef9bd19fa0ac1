-- Serious alerts that nobody has answered, the oldest first.
select id as alert, severity, title_zh, title_en, unit_name, point, raised_at, unit_code as _unit
from alert_list where state = 'open' and severity = 'serious'
order by raised_at, id limit 20
