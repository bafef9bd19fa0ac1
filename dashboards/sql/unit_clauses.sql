-- Standing judgements by clause.
select clause, count(*) filter (where verdict = 'pass') as pass, count(*) filter (where verdict = 'fail') as fail,
       count(*) filter (where verdict = 'person') as person, count(*) filter (where verdict = 'not_applicable') as not_applicable
from finding_list
where unit_id = (select unit_id from unit_list where unit_code = ${unit:sqlstring}) and closed_at is null
group by clause
order by clause
