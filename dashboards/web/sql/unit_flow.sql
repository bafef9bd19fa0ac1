-- What went through each metering point of a carrier over the days shown, and what stands above it; no data is no amount.
select p.point, p.parent_point, coalesce(nullif(p.equipment, ''), nullif(p.sub_unit, ''), '') as name, p.unit,
       sum(d.amount) as amount
from ledger_point p
left join point_day d on d.point_id = p.point_id and d.day between local_day(%(since__)s) and local_day(%(until__)s) - 1
where p.unit_code = %(unit)s and p.carrier = %(carrier)s and p.direction = 'in'
group by p.point, p.parent_point, p.equipment, p.sub_unit, p.unit
order by p.point
