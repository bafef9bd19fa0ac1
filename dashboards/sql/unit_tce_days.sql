-- Coal equivalent by day and carrier, and of all carriers on the same day a year before; a day that is not over is not drawn.
select day::timestamp at time zone (select local_zone()) as time, carrier as metric, tce
from unit_day
where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}) and scope = 'unit' and tce is not null
    and day between (select local_day($__timeFrom()::timestamptz)) and (select local_day($__timeTo()::timestamptz))
    and day < (select local_day(now()))
union all
select (day + interval '1 year') at time zone (select local_zone()), 'tce_last_year', sum(tce)
from unit_day
where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}) and scope = 'unit' and tce is not null
    and day between ((select local_day($__timeFrom()::timestamptz)) - interval '1 year')::date
        and ((select local_day($__timeTo()::timestamptz)) - interval '1 year')::date
    and day + interval '1 year' - interval '1 year' = day   -- no 29 February on top of the 28th
group by day
order by 1, 2
