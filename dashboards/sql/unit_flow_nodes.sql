-- Metering points of the chosen carrier as nodes of its flow: what each metered over the days shown, and its share of the point above it.
with used as materialized (
    select p.point, p.parent_point, coalesce(nullif(p.equipment, ''), nullif(p.sub_unit, ''), '') as name, p.unit, sum(d.amount) as amount
    from ledger_point p
    left join point_day d on d.point_id = p.point_id
        and d.day between (select local_day($__timeFrom()::timestamptz)) and (select local_day($__timeTo()::timestamptz)) - 1
    where p.unit_code = ${unit:sqlstring} and p.carrier = ${carrier:sqlstring} and p.direction = 'in'
    group by 1, 2, 3, 4
)
select u.point as id, concat_ws(' ', u.point, nullif(u.name, '')) as title,
       coalesce(to_char(round(u.amount), 'FM999,999,999,990') || ' ' || u.unit, '–') as mainstat,
       coalesce(to_char(100 * u.amount / nullif(a.amount, 0), 'FM990.0') || ' %', '') as secondarystat
from used u
left join used a on a.point = u.parent_point
order by u.point
limit 300
