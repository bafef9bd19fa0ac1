-- What waits to be done: serious alerts that nobody answered, cases past due, overdue meters and data that stopped, the oldest of each first.
select t.todo, t.unit_name, t.point, t.meter_no, t.since, t.unit_code, case when t.point is null then 'enterprise' else 'point' end as board
from (
    (select 1 as place, 'unanswered' as todo, unit_name, point, meter_no, raised_at as since, unit_code
     from alert_list where state = 'open' and severity = 'serious' order by raised_at, id limit 20)
    union all
    (select 2, 'case_late', unit_name, point, meter_no, due_on::timestamptz, unit_code
     from case_list where overdue order by due_on, id limit 20)
    union all
    (select 3, 'silent', unit_name, point, meter_no, started_at, unit_code
     from detection_list where kind = 'silence' and state = 'open' and severity in ('warning', 'serious') order by started_at, id limit 20)
    union all
    (select 4, 'overdue', p.unit_name, p.point, m.meter_no, d.verification_due::timestamptz, p.unit_code
     from (
         select * from verification_term where verification_due < (select local_day(now()))
         order by verification_due, point_id limit 20
     ) d
     join ledger_point p on p.point_id = d.point_id
     join ledger_meter m on m.point_id = d.point_id and m.meter_id = d.meter_id and m.installed_to is null)
) t
order by t.place, t.since
