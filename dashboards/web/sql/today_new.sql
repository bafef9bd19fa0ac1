-- Alerts raised since yesterday, the newest first.
select id as alert, severity, state, title_zh, title_en, unit_name, point, raised_at, unit_code as _unit
from alert_list where raised_at > now() - interval '1 day'
order by raised_at desc, id desc limit 20
