-- The chosen carrier by day, and on the same day a year before; a day that is not over is not drawn.
with asked as (
    select local_day($__timeFrom()::timestamptz) as first, local_day($__timeTo()::timestamptz) as last, local_day(now()) as today offset 0
), used as materialized (
    select day, sum(amount) as amount from unit_day
    where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}) and scope = 'unit' and carrier = ${carrier:sqlstring}
        and (day between (select first from asked) and (select least(last, today - 1) from asked)
            or day between (select (first - interval '1 year')::date from asked) and (select (last - interval '1 year')::date from asked))
    group by day
)
select g.day::timestamp at time zone (select local_zone()) as time, t.amount, b.amount as last_year
from asked a
cross join lateral (
    select d::date as day, (d - interval '1 year')::date as before from generate_series(a.first, a.last, interval '1 day') d
) g
left join used t on t.day = g.day and t.day < a.today
left join used b on b.day = g.before
order by 1
