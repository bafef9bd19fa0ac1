-- Alerts of a point.
select id as alert, severity, state, title_zh, title_en, raised_at, case_number, unit_code as _unit, case_id as _case
from alert_list
where point_id = (select point_id from ledger_point where unit_code = %(unit)s and point = %(point)s)
order by (state in ('open', 'acknowledged', 'clearing')) desc, raised_at desc limit 50
