-- Faults found, by the day they began and their kind.
select local_day(started_at)::timestamp at time zone local_zone() as time, kind as metric, count(*) as faults
from detection_list
where $__timeFilter(started_at) and severity <> 'info'
group by 1, 2
order by 1, 2
