-- The dial as the meter said it, the last reading of each interval.
select $__timeGroup(measured_at, $__interval) as time, concat(meter_no, ' · ', unit) as metric, last(value, measured_at) as value
from readings($__timeFrom()::timestamptz, $__timeTo()::timestamptz)
where unit_code = ${unit:sqlstring} and meter_no in (
    select meter_no from ledger_meter where unit_code = ${unit:sqlstring} and point = ${point:sqlstring}
) and point = ${point:sqlstring} and register = 'main'
group by 1, 2
order by 1
