-- What went through each metering point of a carrier over the days shown, and what stands above it; no data is no amount.
with day as materialized (   -- by the unit first: as an enterprise a join by points alone reads the days of all
    select point_id, sum(amount) as amount from point_day
    where unit_id = (select unit_id from unit_list where unit_code = %(unit)s)
        and day between (select local_day(%(since__)s)) and (select local_day(%(until__)s)) - 1
    group by point_id
)
select p.point, p.parent_point, coalesce(nullif(p.equipment, ''), nullif(p.sub_unit, ''), '') as name, p.unit, d.amount
from ledger_point p
left join day d on d.point_id = p.point_id
where p.unit_code = %(unit)s and p.carrier = %(carrier)s and p.direction = 'in'
order by p.point
