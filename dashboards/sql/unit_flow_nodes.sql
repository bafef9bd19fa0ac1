-- Metering points of the chosen carrier as nodes of its flow: what each metered over the days shown, and its share of the point above it.
with asked as (
    select local_day($__timeFrom()::timestamptz) as first, local_day($__timeTo()::timestamptz) - 1 as last offset 0
), whole as (   -- the months that are whole: summed already
    select first, last, (date_trunc('month', first - 1) + interval '1 month')::date as month,
           greatest(date_trunc('month', last + 1), date_trunc('month', first - 1) + interval '1 month')::date as rest
    from asked offset 0
), day as materialized (
    select point_id, sum(amount) as amount
    from (
        select point_id, amount from point_month
        where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring})
            and month >= (select month from whole) and month < (select rest from whole)
        union all
        select point_id, amount from point_day
        where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring})
            and day between (select first from whole) and (select least(last, month - 1) from whole)
        union all
        select point_id, amount from point_day
        where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring})
            and day between (select rest from whole) and (select last from whole)
    ) d
    group by point_id
), used as materialized (
    select p.point, p.parent_point, p.name, p.unit, d.amount
    from (
        select point_id, point, parent_point, coalesce(nullif(equipment, ''), nullif(sub_unit, ''), '') as name, unit
        from ledger_point where unit_code = ${unit:sqlstring} and carrier = ${carrier:sqlstring} and direction = 'in'
    ) p
    full join day d on d.point_id = p.point_id   -- a left join, but never by comparing each with each
    where coalesce(p.point_id, 0) <> 0
)
select u.point as id, concat_ws(' ', u.point, nullif(u.name, '')) as title,
       coalesce(to_char(round(u.amount), 'FM999,999,999,990') || ' ' || u.unit, '–') as mainstat,
       coalesce(to_char(100 * u.amount / nullif(a.amount, 0), 'FM990.0') || ' %', '') as secondarystat
from used u
left join used a on a.point = u.parent_point
order by u.point
limit 300
