-- How complete the data of the unit's metered points is by day, and how much of it was measured; no data is a gap, a day that is not over is not drawn.
with asked as (
    select local_zone() as zone, local_day($__timeFrom()::timestamptz) as first, least(local_day($__timeTo()::timestamptz), local_day(now()) - 1) as last
    offset 0
), stood as (   -- days on which a point had a meter, whichever it was
    select unnest(range_agg(daterange(
               (m.installed_from at time zone a.zone)::date,
               ((coalesce(m.installed_to, 'infinity') - interval '1 microsecond') at time zone a.zone)::date, '[]'))) as days
    from ledger_meter m cross join asked a
    where m.unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring})
    group by m.point_id
), change as (
    select greatest(lower(s.days), a.first) as day, 1 as points from stood s cross join asked a where upper(s.days) > a.first
    union all
    select upper(s.days), -1 from stood s cross join asked a where upper(s.days) > a.first
), had as materialized (
    select day, completeness, measured from unit_data_day
    where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring})
        and day between (select first from asked) and (select last from asked)
), expected as (
    select d.day, sum(coalesce(sum(c.points), 0)) over (order by d.day) as points
    from asked a cross join lateral (select g::date as day from generate_series(a.first, a.last, interval '1 day') g) d
    left join change c on c.day = d.day
    group by d.day
)
select e.day::timestamp at time zone a.zone as time, 100 * h.completeness / nullif(e.points, 0) as completeness,
       100 * h.measured / nullif(e.points, 0) as measured
from expected e
cross join asked a
left join had h on h.day = e.day
order by 1
