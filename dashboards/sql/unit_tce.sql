-- Coal equivalent of the days shown, and of the same days a year before; null where not known.
select (
           select sum(tce) from unit_day
           where unit_id = u.unit_id and scope = 'unit'
               and day between (select local_day($__timeFrom()::timestamptz)) and (select local_day($__timeTo()::timestamptz))
       ) as tce,
       (
           select sum(tce) from unit_day
           where unit_id = u.unit_id and scope = 'unit'
               and day between (local_day($__timeFrom()::timestamptz) - interval '1 year')::date
                       and (local_day($__timeTo()::timestamptz) - interval '1 year')::date
       ) as tce_last_year
from unit_list u
where u.unit_code = ${unit:sqlstring}
