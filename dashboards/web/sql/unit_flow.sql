-- What went through each metering point of a carrier over the days shown, and what stands above it; no data is no amount.
with asked as (
    select local_day(%(since__)s) as first, local_day(%(until__)s) - 1 as last offset 0
), whole as (   -- the months that are whole: summed already
    select first, last, (date_trunc('month', first - 1) + interval '1 month')::date as month,
           greatest(date_trunc('month', last + 1), date_trunc('month', first - 1) + interval '1 month')::date as rest
    from asked offset 0
), used as materialized (   -- by the unit first: as an enterprise a join by points alone reads the days of all
    select point_id, sum(amount) as amount
    from (
        select point_id, amount from point_month
        where unit_id = (select unit_id from unit_list where unit_code = %(unit)s)
            and month >= (select month from whole) and month < (select rest from whole)
        union all
        select point_id, amount from point_day
        where unit_id = (select unit_id from unit_list where unit_code = %(unit)s)
            and day between (select first from whole) and (select least(last, month - 1) from whole)
        union all
        select point_id, amount from point_day
        where unit_id = (select unit_id from unit_list where unit_code = %(unit)s)
            and day between (select rest from whole) and (select last from whole)
    ) d
    group by point_id
)
select p.point, p.parent_point, p.name, p.unit, d.amount
from (
    select point_id, point, parent_point, coalesce(nullif(equipment, ''), nullif(sub_unit, ''), '') as name, unit
    from ledger_point where unit_code = %(unit)s and carrier = %(carrier)s and direction = 'in'
) p
full join used d on d.point_id = p.point_id   -- a left join, but never by comparing each with each: walls hide how many there are
where coalesce(p.point_id, 0) <> 0
order by p.point
