-- Installed meters by how their verification stands today.
select coalesce(sum(meters) filter (where state = 'valid'), 0) as valid,
       coalesce(sum(meters) filter (where state = 'due_90'), 0) as due_90,
       coalesce(sum(meters) filter (where state = 'due_30'), 0) as due_30,
       coalesce(sum(meters) filter (where state = 'overdue'), 0) as overdue,
       coalesce(sum(meters) filter (where state = 'unknown'), 0) as unknown
from verification_count having count(*) > 0
