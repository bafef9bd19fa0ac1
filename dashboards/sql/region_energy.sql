-- What all units took in by day and carrier, in tonnes of coal equivalent, and the net of all: what was given away counts less than nothing.
with used as (
    select day, carrier, tce
    from unit_day
    where scope = 'unit' and tce is not null
        and day between (select local_day($__timeFrom()::timestamptz)) and (select local_day($__timeTo()::timestamptz))
        and day < (select local_day(now()))
)
select day::timestamp at time zone local_zone() as time, carrier as metric, sum(tce) as tce
from used
group by day, carrier
union all
select day::timestamp at time zone local_zone(), 'net', sum(tce)
from used
group by day
order by 1, 2
