-- The dial as the meter said it, the last reading of each interval.
with mine as materialized (
    select register_id from register_list
    where unit_code = ${unit:sqlstring} and point = ${point:sqlstring} and register = 'main'
)
select $__timeGroup(measured_at, $__interval) as time, concat(meter_no, ' · ', unit) as metric, last(value, measured_at) as value
from readings($__timeFrom()::timestamptz, $__timeTo()::timestamptz)
where register_id = any (array(select register_id from mine))
    -- mostly it is one, and a number is compared faster than an array where a chunk in use is looked through
    and register_id between (select min(register_id) from mine) and (select max(register_id) from mine)
    and point = ${point:sqlstring}
group by 1, 2
order by 1
