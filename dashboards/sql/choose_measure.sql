-- The unit that the point's consumption is counted in.
select unit from ledger_point where unit_code = ${unit:sqlstring} and point = ${point:sqlstring}
