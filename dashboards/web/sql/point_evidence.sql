-- Detections of a point with their evidence in words.
select severity, kind, state, started_at, ended_at, evidence ->> 'what' as what, evidence ->> 'what_en' as what_en,
       (evidence ->> 'before')::float8 as dial_before, (evidence ->> 'at')::float8 as dial_at,
       (evidence ->> 'after')::float8 as dial_after, meter_no
from detection_list
where point_id = (select point_id from ledger_point where unit_code = %(unit)s and point = %(point)s) and state <> 'withdrawn'
order by (state = 'open') desc, started_at desc limit 100
