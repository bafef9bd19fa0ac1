-- Instruments verified by law: how many are within their verification, by energy and by the body that verified last.
select carrier, nullif(body, '') as body, sum(instruments) as instruments, sum(valid) as in_force,
       100.0 * sum(valid) / sum(instruments) as covered, max(as_of)::text as as_of
from mandatory_coverage
group by carrier, nullif(body, '')
order by covered, carrier, 2
