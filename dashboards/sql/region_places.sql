-- Units where the ledger has them on the map, each with its latest judgement and the alerts that stand.
select u.unit_name, coalesce(c.state, 'unknown') as state, coalesce(a.alerts, 0) as alerts, u.longitude, u.latitude, u.unit_code
from unit_list u
left join lateral (
    select l.state from compliance_list l where l.unit_id = u.unit_id order by l.day desc limit 1
) c on true
left join (
    select unit_id, count(*) as alerts from alert_list where state in ('open', 'acknowledged', 'clearing') group by 1
) a on a.unit_id = u.unit_id
where u.longitude is not null
order by array_position(array['compliant', 'unknown', 'findings', 'serious'], coalesce(c.state, 'unknown')), u.unit_code   -- the worst is drawn last
limit 2000
