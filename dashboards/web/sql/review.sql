-- A review, and what a person of this role is told of it.
select id, unit_code, unit_name, year, origin, state, visited_on, conclusion, failed, concluded_on, due, overdue,
       corrected_on, rechecked_on, closed_on
from review_list where id = %(review)s
