-- Metering points of the unit.
select point from ledger_point where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}) order by point
