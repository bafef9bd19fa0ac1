-- Meters whose verification ends, by month: this month and the next twelve; a month of none has no bar and no number.
with ends as materialized (
    select date_trunc('month', verification_due) as month, count(*) as meters
    from verification_term where verification_due >= (select local_day(now()))
    group by 1
)
select to_char(m.month, 'YYYY-MM') as month, e.meters
from generate_series(date_trunc('month', local_day(now())), date_trunc('month', local_day(now())) + interval '12 months', interval '1 month') m (month)
left join ends e on e.month = m.month
order by m.month
