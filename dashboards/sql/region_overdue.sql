-- Units whose meters' verification is overdue or soon due, the worst first.
select u.unit_name, coalesce(sum(v.meters) filter (where v.state = 'overdue'), 0) as overdue,
       coalesce(sum(v.meters) filter (where v.state = 'due_30'), 0) as due_30, coalesce(sum(v.meters) filter (where v.state = 'due_90'), 0) as due_90,
       coalesce(sum(v.meters) filter (where v.state = 'unknown'), 0) as unknown,
       sum(v.meters) as meters, u.unit_code
from verification_count v
join unit_list u on u.unit_id = v.unit_id
group by u.unit_code, u.unit_name
having sum(v.meters) filter (where v.state in ('overdue', 'due_30', 'due_90', 'unknown')) > 0
order by 2 desc nulls last, 3 desc nulls last, 4 desc nulls last, u.unit_code
limit 50
