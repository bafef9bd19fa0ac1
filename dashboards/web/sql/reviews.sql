-- Reviews of the authority, or self-checks of enterprises; those under way first.
select id as review_no, unit_code, unit_name, year, origin as review_origin, state as review_state, visited_on,
       conclusion as review_conclusion, failed, due as due_on, overdue as late, id as _review
from review_list
where (origin = 'self_check') = %(own)s and (%(year)s::int4 is null or year = %(year)s)
order by state in ('closed', 'handed_over'), overdue desc nulls last, due nulls last, id desc limit 300
