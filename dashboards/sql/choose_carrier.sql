-- Energy carriers that the unit has totals of, the unit that each is counted in, and the one used most first.
select carrier, string_agg(distinct unit, ', ') as unit, row_number() over (order by sum(tce) desc nulls last, carrier) as place
from unit_day
where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}) and scope = 'unit' and day >= local_day(now()) - 400
group by carrier
order by place
