-- What does not hold of the standard, clause by clause, and what to do next.
select severity, verdict, clause, level, carrier, point, required_zh, required, found_zh, found, next_step_zh, next_step_en, array_to_string(meters, ', ') as meters,
       opened_at, edition
from finding_list
where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}) and closed_at is null and verdict in ('fail', 'person')
order by array_position(array['fail', 'person'], verdict), array_position(array['serious', 'warning', 'info'], severity), clause,
    level, carrier, point
limit 500
