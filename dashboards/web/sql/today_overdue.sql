-- Meters whose verification is overdue, the longest first, and how many there are: all meters are looked through once for both.
select p.unit_name, p.point, m.meter_no, m.name, d.verification_due, (select local_day(now())) - d.verification_due as days_over,
       p.unit_code as _unit, d.meters as _meters
from (
    select *, count(*) over () as meters from verification_term where verification_due < (select local_day(now()))
    order by verification_due, point_id limit 20
) d
join ledger_point p on p.point_id = d.point_id
join ledger_meter m on m.point_id = d.point_id and m.meter_id = d.meter_id and m.installed_to is null
order by d.verification_due, p.unit_code, p.point
