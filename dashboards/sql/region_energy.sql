-- What all units took in by day and carrier, in tonnes of coal equivalent; no factor, no tce, and no day that is not over.
select day::timestamp at time zone local_zone() as time, carrier as metric, sum(tce) as tce
from unit_day
where scope = 'unit' and tce is not null
    and day between (select local_day($__timeFrom()::timestamptz)) and (select local_day($__timeTo()::timestamptz))
    and day < (select local_day(now()))
group by day, carrier
order by 1, 2
