-- What an alert stands on: detections of its point and kind since it began.
select severity, kind, state, started_at, ended_at, evidence ->> 'what' as what, evidence ->> 'what_en' as what_en,
       (evidence ->> 'before')::float8 as dial_before, (evidence ->> 'at')::float8 as dial_at, (evidence ->> 'after')::float8 as dial_after
from detection_list
where point_id = %(point_id)s and state <> 'withdrawn' and coalesce(ended_at, 'infinity') >= %(since)s::timestamptz - interval '1 day'
order by started_at desc limit 20
