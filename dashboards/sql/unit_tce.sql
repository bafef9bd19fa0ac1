-- Coal equivalent of the days shown, and of the same days a year before; a day that is not over does not count, nor what is not known.
with asked as (
    select local_day($__timeFrom()::timestamptz) as first,
           case when local_day($__timeFrom()::timestamptz) < local_day(now())
               then least(local_day($__timeTo()::timestamptz), local_day(now()) - 1)
               else local_day($__timeTo()::timestamptz) end as last
    offset 0
), before as (
    select (first - interval '1 year')::date as first, (last - interval '1 year')::date as last from asked offset 0
), this as (
    select sum(tce) as tce, count(distinct day) as days from unit_day
    where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}) and scope = 'unit'
        and day between (select first from asked) and (select last from asked)
), year as (
    select sum(tce) as tce, count(distinct day) as days from unit_day
    where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}) and scope = 'unit'
        and day between (select first from before) and (select last from before)
)
select t.tce, case when y.days >= least(t.days, b.last - b.first + 1) then y.tce end as tce_last_year   -- not of fewer days
from this t cross join year y cross join before b
