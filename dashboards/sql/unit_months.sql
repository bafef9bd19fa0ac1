-- The last 13 months by carrier against the same month a year before, with the share of days that had evidence.
with month as (
    select date_trunc('month', day)::date as month, carrier, unit, sum(amount) as amount, sum(tce) as tce,
           count(distinct day) as days, avg(completeness) as completeness
    from unit_day
    where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}) and scope = 'unit' and day >= date_trunc('month', local_day(now())) - interval '25 months'
    group by 1, 2, 3
)
select to_char(m.month, 'YYYY-MM') as month, m.carrier, m.amount, m.unit, m.tce, y.amount as last_year,
       100 * (m.amount / nullif(y.amount, 0) - 1) as change, y.tce as tce_last_year, m.days, round((100 * m.completeness)::numeric, 1)::float8 as completeness
from month m
left join month y on y.month = (m.month - interval '1 year')::date and y.carrier = m.carrier and y.unit = m.unit
where m.month >= date_trunc('month', local_day(now())) - interval '13 months'
order by m.month desc, m.carrier
