-- Every unit as it stands today.
select u.unit_code, u.unit_name, coalesce(c.state, 'unknown') as state, nullif(c.grade, '') as grade, c.serious, c.findings,
       round((100 * c.completeness)::numeric, 1)::float8 as completeness, c.meters, c.meters_overdue as overdue,
       coalesce(a.alerts, 0) as alerts, c.tce_year, c.edition
from unit_list u
left join lateral (
    select * from compliance_list l where l.unit_id = u.unit_id order by l.day desc limit 1
) c on true
left join (
    select unit_id, count(*) as alerts from alert_list where state in ('open', 'acknowledged', 'clearing') group by 1
) a on a.unit_id = u.unit_id
order by array_position(array['serious', 'findings', 'unknown', 'compliant'], coalesce(c.state, 'unknown')), a.alerts desc nulls last,
    u.unit_code
limit 500
