-- What the chosen carrier cost over the time shown, by the periods of the day for which a price was entered; hours without one stand apart.
with mine as (
    select unit_id from unit_list where unit_code = ${unit:sqlstring}
), priced as materialized (
    select since, period, hours, price, unit, currency from tariff_list
    where unit_id = (select unit_id from mine) and carrier = ${carrier:sqlstring}
), term as materialized (   -- when prices hold: until the next ones
    select since, coalesce(lead(since) over (order by since), 'infinity') as until from priced group by since
), used as materialized (   -- nothing is read where no price was entered
    select start at time zone (select local_zone()) as local, amount, unit from unit_hour
    where (select exists (select from priced))
        and unit_id = (select unit_id from mine) and scope = 'unit' and carrier = ${carrier:sqlstring}
        and amount is not null and $__timeFilter(start)
), hour as materialized (
    select t.since, extract(hour from u.local)::int4 as hour, u.unit, sum(u.amount) as amount
    from used u
    left join term t on u.local >= t.since and u.local < t.until
    group by 1, 2, 3
), cost as (
    select coalesce(p.period, 'none') as tariff_period, round(sum(h.amount)::numeric, 6)::float8 as amount, h.unit, p.price,
           round(sum(h.amount * p.price)::numeric, 4)::float8 as cost, p.currency
    from hour h
    left join priced p on p.since = h.since and p.unit = h.unit and (p.hours >> h.hour) & 1 = 1
    group by coalesce(p.period, 'none'), h.unit, p.price, p.currency
)
select tariff_period, amount, unit, price, cost, currency, 100 * cost / nullif(sum(cost) over (partition by currency), 0) as cost_share
from cost
order by cost desc nulls last, tariff_period
