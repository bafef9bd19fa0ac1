-- What the chosen carrier cost over the time shown, by the periods of the day for which a price was entered; hours without one stand apart.
with mine as (
    select unit_id from unit_list where unit_code = ${unit:sqlstring}
), priced as materialized (
    select since, period, hours, price, unit, currency from tariff_list
    where unit_id = (select unit_id from mine) and carrier = ${carrier:sqlstring}
), used as materialized (
    select start at time zone (select local_zone()) as local, amount, unit from unit_hour
    where unit_id = (select unit_id from mine) and scope = 'unit' and carrier = ${carrier:sqlstring}
        and amount is not null and $__timeFilter(start)
), hour as (
    select u.local, u.amount, u.unit, (select max(p.since) from priced p where p.since <= u.local::date) as since from used u
), cost as (
    select coalesce(p.period, 'none') as tariff_period, round(sum(h.amount)::numeric, 6)::float8 as amount, h.unit, p.price,
           round(sum(h.amount * p.price)::numeric, 4)::float8 as cost, p.currency
    from hour h
    left join priced p on p.since = h.since and p.unit = h.unit and (p.hours >> extract(hour from h.local)::int4) & 1 = 1
    where exists (select from priced)
    group by coalesce(p.period, 'none'), h.unit, p.price, p.currency
)
select tariff_period, amount, unit, price, cost, currency, 100 * cost / nullif(sum(cost) over (partition by currency), 0) as cost_share
from cost
order by cost desc nulls last, tariff_period
