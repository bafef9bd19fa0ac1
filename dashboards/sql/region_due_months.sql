-- Meters whose verification ends, by month: this month and the next twelve.
select to_char(m.month, 'YYYY-MM') as month, count(v.meter_id) as meters
from generate_series(date_trunc('month', local_day(now())), date_trunc('month', local_day(now())) + interval '12 months', interval '1 month') m (month)
left join verification_state v
    on v.verification_due >= m.month::date and v.verification_due < (m.month + interval '1 month')::date
    and v.verification_due >= local_day(now())
group by m.month
order by m.month
