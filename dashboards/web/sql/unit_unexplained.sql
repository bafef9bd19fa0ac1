-- What registers rose by and nobody could explain: beside the amounts, never in them.
select point, meter_no, carrier, started_at, unexplained, unit, dial_before, dial_after
from unexplained_difference where unit_code = %(unit)s
order by started_at desc limit 100
