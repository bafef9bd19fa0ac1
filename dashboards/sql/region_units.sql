-- Every unit as it stands today: its latest judgement with its day, and how complete the data of the last seven full days is.
with recent as materialized (   -- a day without any data counts as none
    select unit_id, sum(completeness) / (7 * count(distinct carrier)) as completeness from unit_day
    where scope = 'unit' and day between (select local_day(now()) - 7) and (select local_day(now()) - 1)
    group by unit_id
)
select u.unit_name, coalesce(c.state, 'unknown') as state, coalesce(a.alerts, 0) as alerts, coalesce(o.overdue, 0) as overdue,
       round((100 * r.completeness)::numeric, 1)::float8 as completeness, c.serious, c.findings, nullif(c.grade, '') as grade,
       c.tce_year, c.day::text as judged_for, c.meters, u.unit_code, c.edition
from unit_list u
left join lateral (
    select * from compliance_list l where l.unit_id = u.unit_id order by l.day desc limit 1
) c on true
left join recent r on r.unit_id = u.unit_id
left join (
    select unit_id, sum(meters)::int8 as overdue from verification_count where state = 'overdue' group by 1
) o on o.unit_id = u.unit_id
left join (
    select unit_id, count(*) as alerts from alert_list where state in ('open', 'acknowledged', 'clearing') group by 1
) a on a.unit_id = u.unit_id
order by array_position(array['serious', 'findings', 'unknown', 'compliant'], coalesce(c.state, 'unknown')), a.alerts desc nulls last,
    u.unit_code
limit 500
