-- Alerts that stand, by age and severity; a bar of nothing has no number, which would be as loud as the others.
select b.age, nullif(count(a.id) filter (where a.severity = 'serious'), 0) as serious,
       nullif(count(a.id) filter (where a.severity = 'warning'), 0) as warning,
       nullif(count(a.id) filter (where a.severity = 'info'), 0) as info
from (values (1, '< 1 d', 0, 1), (2, '1–3 d', 1, 3), (3, '3–7 d', 3, 7), (4, '7–30 d', 7, 30), (5, '> 30 d', 30, 1000000))
    b (place, age, at_least, below)
left join alert_list a
    on a.state in ('open', 'acknowledged', 'clearing')
    and extract(epoch from now() - a.raised_at) / 86400 >= b.at_least
    and extract(epoch from now() - a.raised_at) / 86400 < b.below
group by b.place, b.age
order by b.place
