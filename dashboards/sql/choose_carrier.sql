-- Energy carriers that the unit has totals of.
select distinct carrier from unit_day
where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}) and scope = 'unit' and day >= local_day(now()) - 400
order by carrier
