-- Units by state, day after day; a day that was not judged is a gap.
select g.day::timestamp at time zone local_zone() as time, r.compliant, r.with_findings as findings, r.serious as serious_findings, r.unknown as to_check
from generate_series(local_day($__timeFrom()::timestamptz), local_day($__timeTo()::timestamptz), interval '1 day') g (day)
left join compliance_region r
    on r.day = g.day::date
    and r.day between (select local_day($__timeFrom()::timestamptz)) and (select local_day($__timeTo()::timestamptz))
order by 1
