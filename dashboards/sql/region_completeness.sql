-- How complete the units' data is, all units together; an hour without any data is a gap.
with cell as (
    select $__timeGroup(start, $__interval) as time, avg(completeness) as completeness, avg(measured) as measured
    from unit_hour
    where scope = 'unit' and $__timeFilter(start) and $__interval_ms < 86400000
    group by 1
    union all
    select $__timeGroup(day::timestamptz, $__interval), avg(completeness), avg(measured)
    from unit_day
    where scope = 'unit' and day between local_day($__timeFrom()::timestamptz) and local_day($__timeTo()::timestamptz)
        and $__interval_ms >= 86400000
    group by 1
)
select g.time, 100 * c.completeness as completeness, 100 * c.measured as measured
from generate_series(
    time_bucket($__interval_ms * interval '1 millisecond', $__timeFrom()::timestamptz), $__timeTo()::timestamptz, $__interval_ms * interval '1 millisecond'
) g (time)
left join cell c on c.time = g.time
order by 1
