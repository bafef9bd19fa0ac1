-- The last 13 months by carrier, what nobody could explain beside it (and not in it), against the same month a year before, the month that runs up to yesterday in both years.
with asked as (
    select local_day(now()) as today, (local_day(now()) - interval '1 year')::date as before,
           date_trunc('month', local_day(now()))::date as month
    offset 0
), used as materialized (
    select date_trunc('month', day)::date as month, day, carrier, unit, amount, tce, completeness
    from unit_day
    where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}) and scope = 'unit'
        and day between (select month - interval '25 months' from asked)::date and (select today - 1 from asked)
), month as (
    select month, carrier, unit, sum(amount) as amount, sum(tce) as tce, count(distinct day) as days, avg(completeness) as completeness
    from used
    group by 1, 2, 3
), before as (
    select month, carrier, unit, sum(amount) as amount, sum(tce) as tce, count(*) as days
    from used
    where day < (select before from asked)
    group by 1, 2, 3
), apart as (
    select date_trunc('month', day)::date as month, carrier, unit, sum(unexplained) as unexplained
    from unexplained_difference
    where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring})
        and day >= (select month - interval '13 months' from asked)::date
    group by 1, 2, 3
)
select to_char(m.month, 'YYYY-MM') as month, m.carrier, m.amount, m.unit, m.tce, a.unexplained, y.amount as last_year,
       100 * (m.amount / nullif(y.amount, 0) - 1) as change, m.days, round((100 * m.completeness)::numeric, 1)::float8 as completeness
from month m
left join before y
    on y.month = (m.month - interval '1 year')::date and y.carrier = m.carrier and y.unit = m.unit
    and y.days >= least(m.days, extract(day from y.month + interval '1 month' - interval '1 day'))   -- not of fewer days
left join apart a on (a.month, a.carrier, a.unit) = (m.month, m.carrier, m.unit)
where m.month >= (select month - interval '13 months' from asked)
order by m.month desc, m.carrier
