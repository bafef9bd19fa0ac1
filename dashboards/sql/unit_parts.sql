-- Sub-units and main equipment over the days shown, the largest first.
select scope as level, case scope when 'sub_unit' then name else coalesce(nullif(sub_unit, ''), '–') end as sub_unit,
       case scope when 'sub_unit' then '–' else name end as name, carrier, sum(amount) as amount, unit, sum(tce) as tce,
       100 * sum(tce) / nullif((
           select sum(w.tce) from unit_day w
           where w.unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}) and w.scope = 'unit'
               and w.day between (select local_day($__timeFrom()::timestamptz)) and (select local_day($__timeTo()::timestamptz))), 0) as share,
       round((100 * avg(completeness))::numeric, 1)::float8 as completeness
from unit_day
where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}) and scope in ('sub_unit', 'equipment')
    and day between (select local_day($__timeFrom()::timestamptz)) and (select local_day($__timeTo()::timestamptz))
group by scope, sub_unit, name, carrier, unit
order by sum(tce) desc nulls last, sum(amount) desc nulls last
limit 200
