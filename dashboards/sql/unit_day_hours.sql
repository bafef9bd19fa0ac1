-- What the chosen carrier used in each hour of the day, day by day; no data has no colour.
select local_day(start)::timestamptz as time, to_char(start at time zone local_zone(), 'HH24') as metric, sum(amount) as amount
from unit_hour
where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}) and scope = 'unit'
    and carrier = ${carrier:sqlstring} and $__timeFilter(start)
group by 1, 2
order by 1, 2
