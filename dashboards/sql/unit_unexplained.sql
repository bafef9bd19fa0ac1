-- What registers rose by and nobody could explain, over the days shown: beside the amounts until a person has decided.
select started_at, point, meter_no, carrier, dial_before, dial_after, unexplained, unit
from unexplained_difference
where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring})
    and day between (select local_day($__timeFrom()::timestamptz)) and (select local_day($__timeTo()::timestamptz))
order by started_at desc
limit 500
