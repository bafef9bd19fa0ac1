-- Metering points of the chosen carrier as nodes of its flow: what each metered over the days shown, and its share of the point above it.
with day as materialized (
    select point_id, sum(amount) as amount from point_day
    where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring})
        and day between (select local_day($__timeFrom()::timestamptz)) and (select local_day($__timeTo()::timestamptz)) - 1
    group by point_id
), used as materialized (
    select p.point, p.parent_point, coalesce(nullif(p.equipment, ''), nullif(p.sub_unit, ''), '') as name, p.unit, d.amount
    from ledger_point p
    left join day d on d.point_id = p.point_id
    where p.unit_code = ${unit:sqlstring} and p.carrier = ${carrier:sqlstring} and p.direction = 'in'
)
select u.point as id, concat_ws(' ', u.point, nullif(u.name, '')) as title,
       coalesce(to_char(round(u.amount), 'FM999,999,999,990') || ' ' || u.unit, '–') as mainstat,
       coalesce(to_char(100 * u.amount / nullif(a.amount, 0), 'FM990.0') || ' %', '') as secondarystat
from used u
left join used a on a.point = u.parent_point
order by u.point
limit 300
