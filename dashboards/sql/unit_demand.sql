-- The highest hour of electricity over the time shown, as its mean power, when it was, and the mean of all hours.
with hour as materialized (
    select start, sum(amount) as amount
    from unit_hour
    where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}) and scope = 'unit'
        and carrier = 'electricity' and unit = 'kWh' and $__timeFilter(start)
    group by start
)
select max(amount) as demand, (select start from hour where amount is not null order by amount desc, start limit 1) as demand_at,
       round(avg(amount)::numeric, 3)::float8 as demand_mean
from hour
