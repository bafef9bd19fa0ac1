-- Coal equivalent an hour by carrier (over long ranges the mean of the hours known), and of all carriers a year before.
select $__timeGroup(start, $__interval) as time, carrier as metric, sum(tce) / count(distinct start) as tce
from unit_hour
where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}) and scope = 'unit' and tce is not null and $__timeFilter(start)
group by 1, 2
union all
select $__timeGroup(start + interval '1 year', $__interval) as time, 'tce_last_year', sum(tce) / count(distinct start)
from unit_hour
where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}) and scope = 'unit' and tce is not null
    and start between $__timeFrom()::timestamptz - interval '1 year' and $__timeTo()::timestamptz - interval '1 year'
        and start + interval '1 year' - interval '1 year' = start   -- no 29 February on top of the 28th
group by 1
order by 1, 2
