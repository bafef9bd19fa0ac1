-- The unit's alerts that stand.
select severity, title_zh, title_en, point, raised_at, energy_affected, energy_unit, state, case_number, case_state, meter_no,
       case when point is null then 'enterprise' else 'point' end as board, id as alert, case_id
from alert_list
where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}) and state in ('open', 'acknowledged', 'clearing')
order by array_position(array['serious', 'warning', 'info'], severity), raised_at
limit 200
