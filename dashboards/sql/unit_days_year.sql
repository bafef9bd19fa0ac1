-- The chosen carrier by day, and on the same day a year before; a day that is not over is not drawn.
select g.day::timestamp at time zone (select local_zone()) as time, sum(t.amount) as amount, sum(b.amount) as last_year
from generate_series(local_day($__timeFrom()::timestamptz), local_day($__timeTo()::timestamptz), interval '1 day') g (day)
left join unit_day t
    on t.day = g.day::date and t.day < (select local_day(now())) and t.unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}) and t.scope = 'unit' and t.carrier = ${carrier:sqlstring}
left join unit_day b
    on b.day = (g.day - interval '1 year')::date and b.unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}) and b.scope = 'unit'
    and b.carrier = ${carrier:sqlstring}
group by g.day
order by 1
