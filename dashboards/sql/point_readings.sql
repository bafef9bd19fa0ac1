-- The dial as the meter said it, the last reading of each interval.
select $__timeGroup(measured_at, $__interval) as time, concat(meter_no, ' · ', unit) as metric, last(value, measured_at) as value
from readings($__timeFrom()::timestamptz, $__timeTo()::timestamptz)
where register_id = any (array(
        select register_id from register_list
        where unit_code = ${unit:sqlstring} and point = ${point:sqlstring} and register = 'main'))
    and point = ${point:sqlstring}
group by 1, 2
order by 1
