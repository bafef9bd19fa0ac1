-- Alerts, those that stand first.
select id as alert, severity, state, title_zh, title_en, unit_name, point, raised_at, case_number, unit_code as _unit,
       case_id as _case
from alert_list
where (%(state)s::text = 'all' or state in ('open', 'acknowledged', 'clearing'))
    and (%(severity)s::text is null or severity = %(severity)s)
order by array_position(array['open', 'acknowledged', 'clearing'], state), array_position(array['serious', 'warning', 'info'], severity),
    raised_at desc, id desc
limit 300
