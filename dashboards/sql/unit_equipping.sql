-- Meters present against meters required, by carrier and level.
select carrier, level, needed, present, unknown as undecided, rate, required, rate - required as rate_margin,
       verdict, array_to_string(missing, ', ') as missing
from equipping_rate_list
where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring})
    and day = (select max(day) from equipping_rate_list where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}))
order by carrier, array_position(array['unit', 'sub_unit', 'equipment'], level)
