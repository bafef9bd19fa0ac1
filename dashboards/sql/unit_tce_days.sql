-- Coal equivalent by day and carrier.
select day::timestamp at time zone local_zone() as time, carrier as metric, tce
from unit_day
where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}) and scope = 'unit' and tce is not null
    and day between (select local_day($__timeFrom()::timestamptz)) and (select local_day($__timeTo()::timestamptz))
order by 1, 2
