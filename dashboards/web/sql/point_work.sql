-- What registers of a point rose by and nobody could explain.
select meter_no, started_at, unexplained, unit, dial_before, dial_after
from unexplained_difference where unit_code = %(unit)s and point = %(point)s order by started_at desc limit 50
