-- Detections of the point as marks in the charts.
select started_at as time, coalesce(ended_at, $__timeTo()::timestamptz) as "timeEnd", kind as code,
       evidence ->> 'what' as what, evidence ->> 'what_en' as what_en
from detection_list
where point_id = (
        select point_id from ledger_point where unit_code = ${unit:sqlstring} and point = ${point:sqlstring}) and state <> 'withdrawn'
    and started_at <= $__timeTo()::timestamptz and coalesce(ended_at, 'infinity') >= $__timeFrom()::timestamptz
order by started_at
limit 200
