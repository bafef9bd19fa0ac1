-- Months that a report can be of: from the first day with totals until now.
select to_char(g, 'YYYY-MM') as month
from generate_series(
    date_trunc('month', coalesce((
        select min(day) from unit_day where unit_id = (select unit_id from unit_list where unit_code = %(unit)s)
    ), local_day(now()))::timestamp), local_day(now())::timestamp, interval '1 month') g
order by 1 desc limit 36
