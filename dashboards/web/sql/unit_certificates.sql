-- Certificates of a unit that stand, the newest of each instrument first.
select meter_no, kind as certificate_kind, number as certificate_number, body, verified_on,
       conclusion as certificate_conclusion, due as holds_until, accuracy_class, scan, id as _certificate
from certificate_list where unit_id = %(unit_id)s
order by meter_no, cycle limit 500
