-- Metering points of the unit.
select point from ledger_point where unit_code = ${unit:sqlstring} order by point
