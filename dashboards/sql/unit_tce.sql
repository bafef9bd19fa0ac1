-- Coal equivalent of the days shown, and of the same days a year before; null where not known.
select sum(tce) filter (where day between local_day($__timeFrom()::timestamptz) and local_day($__timeTo()::timestamptz)) as tce,
       sum(tce) filter (where day between (local_day($__timeFrom()::timestamptz) - interval '1 year')::date
                        and (local_day($__timeTo()::timestamptz) - interval '1 year')::date) as tce_last_year
from unit_day
where unit_code = ${unit:sqlstring} and scope = 'unit'
    and (day between local_day($__timeFrom()::timestamptz) and local_day($__timeTo()::timestamptz)
         or day between (local_day($__timeFrom()::timestamptz) - interval '1 year')::date
                    and (local_day($__timeTo()::timestamptz) - interval '1 year')::date)
