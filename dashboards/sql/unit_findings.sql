-- What does not hold of the standard, clause by clause, and what to do next.
select severity, next_step_zh, next_step_en, found_zh, found, required_zh, required, point, clause, verdict, opened_at, carrier, level,
       array_to_string(meters, ', ') as meters, edition, case when point is null then 'enterprise' else 'point' end as board
from finding_list
where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}) and closed_at is null and verdict in ('fail', 'person')
order by array_position(array['fail', 'person'], verdict), array_position(array['serious', 'warning', 'info'], severity), clause,
    level, carrier, point
limit 500
