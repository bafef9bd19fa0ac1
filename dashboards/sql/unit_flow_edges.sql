-- From which metering point each other one of the chosen carrier is fed.
select p.point as id, p.parent_point as source, p.point as target
from ledger_point p
where p.unit_code = ${unit:sqlstring} and p.carrier = ${carrier:sqlstring} and p.direction = 'in'
    and p.parent_point in (
        select a.point from ledger_point a
        where a.unit_code = ${unit:sqlstring} and a.carrier = ${carrier:sqlstring} and a.direction = 'in')
order by p.point
limit 300
