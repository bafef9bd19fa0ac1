-- How complete the data of the unit's metered points is by day, and how much of it was measured; no data is a gap.
select g.day::timestamp at time zone local_zone() as time, 100 * c.completeness as completeness, 100 * c.measured as measured
from generate_series(local_day($__timeFrom()::timestamptz), local_day($__timeTo()::timestamptz), interval '1 day') g (day)
left join (
    select day, completeness, measured from unit_completeness
    where unit_code = ${unit:sqlstring}
        and day between local_day($__timeFrom()::timestamptz) and local_day($__timeTo()::timestamptz)
) c on c.day = g.day::date
order by 1
