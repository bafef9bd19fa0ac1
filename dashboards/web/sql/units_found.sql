-- Units as they stand today, and those whose name, code or meter a text finds; a plate's text has a serial number in it.
with found as (
    select u.unit_id, u.unit_code, u.unit_name, null::text as meter_no, null::text as point
    from unit_list u
    where %(text)s::text is null or u.unit_code ilike %(like)s or u.unit_name ilike %(like)s
    union all
    select * from (
        select distinct on (m.unit_id, m.meter_no) m.unit_id, m.unit_code, m.unit_name, m.meter_no, m.point
        from ledger_meter m
        where %(text)s::text is not null and (m.meter_no ilike %(like)s or m.serial_no ilike %(like)s
            or (length(m.serial_no) >= 5 and position(lower(m.serial_no) in lower(%(text)s)) > 0))
        order by m.unit_id, m.meter_no, m.installed_from desc
        limit 100
    ) m
)
select f.unit_code, f.unit_name, f.point, f.meter_no, coalesce(c.state, 'unknown') as state, nullif(c.grade, '') as grade,
       c.serious, c.findings, 100 * c.completeness as completeness, c.meters, c.meters_overdue as overdue,
       coalesce(a.alerts, 0) as alerts, c.tce_year
from found f
left join lateral (
    select * from compliance_list l where l.unit_id = f.unit_id order by l.day desc limit 1
) c on true
left join (
    select unit_id, count(*) as alerts from alert_list where state in ('open', 'acknowledged', 'clearing') group by 1
) a on a.unit_id = f.unit_id
order by array_position(array['serious', 'findings', 'unknown', 'compliant'], coalesce(c.state, 'unknown')),
    a.alerts desc nulls last, f.unit_code, f.meter_no nulls first
limit 200
