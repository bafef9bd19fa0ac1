-- How complete the units' data is, all units together; an hour without any data is a gap.
with cell as (
    select $__timeGroup(h.start, $__interval) as time, sum(h.completeness) / sum(h.n) as completeness,
           sum(h.measured) / sum(h.n) as measured
    from (
        select start, sum(completeness) as completeness, sum(measured) as measured, count(*) as n
        from unit_hour
        where scope = 'unit' and $__timeFilter(start) and $__interval_ms < 86400000
        group by start
    ) h
    group by 1
    union all
    select $__timeGroup(d.at, $__interval), sum(d.completeness) / sum(d.n), sum(d.measured) / sum(d.n)
    from (
        select day::timestamptz as at, sum(completeness) as completeness, sum(measured) as measured, count(*) as n
        from unit_day
    where scope = 'unit' and day between (select local_day($__timeFrom()::timestamptz)) and (select local_day($__timeTo()::timestamptz))
            and $__interval_ms >= 86400000
        group by day
    ) d
    group by 1
)
select g.time, 100 * c.completeness as completeness, 100 * c.measured as measured
from generate_series(
    time_bucket($__interval_ms * interval '1 millisecond', $__timeFrom()::timestamptz), $__timeTo()::timestamptz, $__interval_ms * interval '1 millisecond'
) g (time)
left join cell c on c.time = g.time
order by 1
