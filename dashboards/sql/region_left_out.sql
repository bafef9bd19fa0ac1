-- Carriers of the days shown that have no factor, and so are in no figure of coal equivalent.
select carrier, sum(amount) as amount, unit
from unit_day
where scope = 'unit' and tce is null and amount <> 0
    and day between (select local_day($__timeFrom()::timestamptz)) and (select local_day($__timeTo()::timestamptz))
    and day < (select local_day(now()))
group by carrier, unit
order by abs(sum(amount)) desc, carrier
