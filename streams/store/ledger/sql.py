"""SQL that takes a ledger's staged rows into the relational tables, set by set; ids that exist are kept.

Rows are inserted where missing and updated where they differ, never by ON CONFLICT: that would use up an id for every
row of every load. The load holds a lock, so nobody inserts in between.
"""

from typing import Final, LiteralString

__all__ = ["ANALYZE", "COPY_IN", "IDS", "LOCK", "STAGE", "STEPS"]

LOCK: Final = "select pg_advisory_xact_lock(x'6d770002'::int4)"
"""One ledger is loaded at a time."""

STAGE: Final = """
create temporary table ledger_in (
    ordinal int4, amount_unit int2, measure_unit int2,
    unit_code text, unit_name text, longitude float8, latitude float8,
    sub_unit text, equipment text, level text, point text, parent_point text,
    parent_complete boolean, carrier text, direction text, annual_use float8, rated_power_kw float8,
    hourly_use float8, required boolean,
    exemption text, meter_no text, serial_no text, name text, model text, range text, manufacturer text, place text,
    instrument text, purpose text, accuracy_class text, status text, verified_on date, cycle_months float8,
    verification_due date, unit text, multiplier float8, full_scale float8, max_rate float8, interval_s float8,
    installed_from timestamptz, installed_to timestamptz, first_reading float8, last_reading float8
) on commit drop
"""

COPY_IN: Final = "copy ledger_in from stdin (format csv)"

_UNITS: Final[tuple[LiteralString, ...]] = (
    """
    insert into unit (code, name, longitude, latitude, version)
    select l.unit_code, min(l.unit_name), min(l.longitude), min(l.latitude), %(version)s from ledger_in l
    where not exists (select from unit u where u.code = l.unit_code)
    group by l.unit_code order by l.unit_code
    """,
    """
    update unit u set name = l.unit_name, longitude = l.longitude, latitude = l.latitude, version = %(version)s
    from (select distinct on (unit_code) unit_code, unit_name, longitude, latitude from ledger_in) l
    where u.code = l.unit_code
    """,
    """
    insert into ledger_version_unit (unit_id, version) select id, version from unit where version = %(version)s
    """,
)

_PLACES: Final[tuple[LiteralString, ...]] = (
    """
    create temporary table place_in on commit drop as
    select distinct u.id as unit_id, l.sub_unit, l.equipment from ledger_in l join unit u on u.code = l.unit_code
    """,
    "analyze place_in",
    """
    insert into sub_unit (unit_id, name)
    select distinct l.unit_id, l.sub_unit from place_in l
    where l.sub_unit <> '' and not exists (select from sub_unit s where (s.unit_id, s.name) = (l.unit_id, l.sub_unit))
    order by 1, 2
    """,
    """
    insert into main_equipment (unit_id, sub_unit_id, name)
    select l.unit_id, s.id, l.equipment
    from place_in l left join sub_unit s on (s.unit_id, s.name) = (l.unit_id, l.sub_unit)
    where l.equipment <> '' and not exists (
        select from main_equipment e
        where e.unit_id = l.unit_id and e.name = l.equipment and e.sub_unit_id is not distinct from s.id
    )
    order by 1, 2, 3
    """,
)

_POINTS: Final[tuple[LiteralString, ...]] = (
    """
    create temporary table point_in on commit drop as
    select coalesce(p.id, nextval(pg_get_serial_sequence('metering_point', 'id'))::int4) as id,
           p.id is null as is_new, l.*
    from (
        select distinct on (u.id, l.point)
            u.id as unit_id, l.point as code, l.parent_point, l.parent_complete, l.level, s.id as sub_unit_id,
            e.id as equipment_id, l.carrier, l.direction, l.required, l.annual_use, l.rated_power_kw,
            l.hourly_use, l.amount_unit, l.exemption
        from ledger_in l
        join unit u on u.code = l.unit_code
        left join sub_unit s on s.unit_id = u.id and s.name = l.sub_unit
        left join main_equipment e
            on e.unit_id = u.id and e.name = l.equipment and e.sub_unit_id is not distinct from s.id
        order by u.id, l.point, l.ordinal
    ) l
    left join metering_point p on p.unit_id = l.unit_id and p.code = l.code
    """,
    "alter table point_in add column parent_id int4",
    "analyze point_in",
    """
    update point_in l set parent_id = q.id from point_in q
    where l.parent_point <> '' and q.unit_id = l.unit_id and q.code = l.parent_point
    """,
    """
    insert into metering_point (id, unit_id, code, parent_id, parent_complete, level, sub_unit_id, equipment_id,
                                carrier, direction, required, annual_use, rated_power_kw, hourly_use, amount_unit)
    overriding system value
    select id, unit_id, code, parent_id, parent_complete, level, sub_unit_id, equipment_id, carrier, direction,
           required, annual_use, rated_power_kw, hourly_use, amount_unit
    from point_in where is_new
    """,
    """
    update metering_point p
    set parent_id = l.parent_id, parent_complete = l.parent_complete, level = l.level, sub_unit_id = l.sub_unit_id,
        equipment_id = l.equipment_id, carrier = l.carrier, direction = l.direction, required = l.required,
        annual_use = l.annual_use, rated_power_kw = l.rated_power_kw, hourly_use = l.hourly_use,
        amount_unit = l.amount_unit
    from point_in l
    where p.id = l.id and not l.is_new
        and (p.parent_id, p.parent_complete, p.level, p.sub_unit_id, p.equipment_id, p.carrier, p.direction, p.required,
             p.annual_use, p.rated_power_kw, p.hourly_use, p.amount_unit)
        is distinct from (l.parent_id, l.parent_complete, l.level, l.sub_unit_id, l.equipment_id, l.carrier,
                          l.direction, l.required, l.annual_use, l.rated_power_kw, l.hourly_use, l.amount_unit)
    """,
    "delete from exemption x using point_in l where x.point_id = l.id and l.exemption = ''",
    """
    insert into exemption (point_id, unit_id, reason) select id, unit_id, exemption from point_in where exemption <> ''
    on conflict (point_id) do update set reason = excluded.reason
    """,
)

_METERS: Final[tuple[LiteralString, ...]] = (
    """
    create temporary table meter_in on commit drop as
    select coalesce(m.id, nextval(pg_get_serial_sequence('meter', 'id'))::int4) as id, m.id is null as is_new, l.*
    from (
        select distinct on (u.id, l.meter_no) u.id as unit_id, l.meter_no, l.serial_no
        from ledger_in l join unit u on u.code = l.unit_code
        where l.meter_no <> ''
        order by u.id, l.meter_no, l.serial_no = '', l.installed_from desc, l.ordinal
    ) l
    left join meter m on m.unit_id = l.unit_id and m.meter_no = l.meter_no
    """,
    "analyze meter_in",
    """
    insert into meter (id, unit_id, meter_no, serial_no) overriding system value
    select id, unit_id, meter_no, serial_no from meter_in where is_new
    """,
    """
    update meter m set serial_no = l.serial_no from meter_in l
    where m.id = l.id and not l.is_new and m.serial_no <> l.serial_no
    """,
    """
    insert into register (unit_id, meter_id)
    select unit_id, id from meter_in l
    where not exists (select from register r where r.meter_id = l.id and r.name = 'main')
    order by id
    """,
)

_ROW_IDS: Final[tuple[LiteralString, ...]] = (
    """
    create temporary table row_in on commit drop as
    select l.ordinal, p.unit_id, p.id as point_id, coalesce(m.id, 0) as meter_id, coalesce(r.id, 0) as register_id,
           o.id as installation_id
    from ledger_in l
    join unit u on u.code = l.unit_code
    join point_in p on p.unit_id = u.id and p.code = l.point
    left join meter_in m on m.unit_id = u.id and m.meter_no = l.meter_no
    left join register r on r.meter_id = m.id and r.name = 'main'
    left join installation o on o.point_id = p.id and o.installed_from = l.installed_from
    """,
    "analyze row_in",
)

# Rows that a correction withdraws. One that stands at the same point with the same meter from another day keeps its id.
_WITHDRAWN: Final[tuple[LiteralString, ...]] = (
    """
    create temporary table gone_in on commit drop as
    select o.id, o.point_id, o.meter_id,
           row_number() over (partition by o.point_id, o.meter_id order by o.installed_from) as place
    from installation o
    where o.unit_id in (select unit_id from row_in)
        and not exists (select from row_in i where i.installation_id = o.id)
    """,
    """
    update row_in i set installation_id = o.id
    from gone_in o join (
        select i.ordinal, i.point_id, i.meter_id,
               row_number() over (partition by i.point_id, i.meter_id order by l.installed_from) as place
        from row_in i join ledger_in l using (ordinal)
        where i.meter_id <> 0 and i.installation_id is null
    ) n using (point_id, meter_id, place)
    where i.ordinal = n.ordinal
    """,
    """
    delete from installation o using gone_in g
    where o.id = g.id and not exists (select from row_in i where i.installation_id = o.id)
    """,
)

_PAST: Final[tuple[LiteralString, ...]] = (
    """
    create temporary table past_in on commit drop as
    select o.id, o.unit_id, coalesce(h.status, o.status) as status,
           coalesce(h.accuracy_class, o.accuracy_class) as accuracy_class,
           l.status as new_status, l.accuracy_class as new_class
    from ledger_in l
    join row_in i using (ordinal)
    join installation o on o.id = i.installation_id
    left join lateral (
        select p.status, p.accuracy_class from installation_past p
        where p.installation_id = o.id and p.held_until > coalesce(%(since)s::timestamptz, now())
        order by p.held_until limit 1
    ) h on true
    where i.meter_id <> 0 and (o.status, o.accuracy_class) is distinct from (l.status, l.accuracy_class)
    """,
    """
    delete from installation_past p using past_in l
    where p.installation_id = l.id and p.held_until >= coalesce(%(since)s::timestamptz, now())
    """,
    """
    insert into installation_past (installation_id, unit_id, held_until, status, accuracy_class, version)
    select id, unit_id, coalesce(%(since)s::timestamptz, now()), status, accuracy_class, %(version)s from past_in
    where (status, accuracy_class) is distinct from (new_status, new_class)
    """,
)
"""What held until the load, or until the day from which it says that its rows hold; before rows are overwritten."""

_INSTALLATIONS: Final[tuple[LiteralString, ...]] = (
    """
    insert into installation (unit_id, point_id, meter_id, installed_from, installed_to, multiplier, measure_unit,
                              full_scale, max_rate, interval_s, first_reading, last_reading, name, model, range,
                              manufacturer, place, instrument, purpose, accuracy_class, status)
    select i.unit_id, i.point_id, i.meter_id, l.installed_from, l.installed_to, l.multiplier, l.measure_unit,
           l.full_scale, l.max_rate, l.interval_s, l.first_reading, l.last_reading, l.name, l.model, l.range,
           l.manufacturer, l.place, l.instrument, l.purpose, l.accuracy_class, l.status
    from ledger_in l join row_in i using (ordinal)
    where i.meter_id <> 0 and i.installation_id is null
    order by i.point_id, l.installed_from
    """,
    """
    update installation o
    set meter_id = i.meter_id, installed_from = l.installed_from, installed_to = l.installed_to,
        multiplier = l.multiplier, measure_unit = l.measure_unit, full_scale = l.full_scale, max_rate = l.max_rate,
        interval_s = l.interval_s, first_reading = l.first_reading, last_reading = l.last_reading, name = l.name,
        model = l.model, range = l.range, manufacturer = l.manufacturer, place = l.place, instrument = l.instrument,
        purpose = l.purpose, accuracy_class = l.accuracy_class, status = l.status
    from ledger_in l join row_in i using (ordinal)
    where o.id = i.installation_id and i.meter_id <> 0
        and (o.meter_id, o.installed_from, o.installed_to, o.multiplier, o.measure_unit, o.full_scale, o.max_rate,
             o.interval_s, o.first_reading, o.last_reading, o.name, o.model, o.range, o.manufacturer, o.place,
             o.instrument, o.purpose, o.accuracy_class, o.status)
        is distinct from (i.meter_id, l.installed_from, l.installed_to, l.multiplier, l.measure_unit, l.full_scale,
                          l.max_rate, l.interval_s, l.first_reading, l.last_reading, l.name, l.model, l.range,
                          l.manufacturer, l.place, l.instrument, l.purpose, l.accuracy_class, l.status)
    """,
    """
    insert into verification as v (meter_id, unit_id, verified_on, cycle_months, verification_due)
    select distinct on (i.meter_id, l.verified_on, l.verification_due)
        i.meter_id, i.unit_id, l.verified_on, l.cycle_months::int4, l.verification_due
    from ledger_in l join row_in i using (ordinal)
    where i.meter_id <> 0 and (l.verified_on is not null or l.verification_due is not null)
    order by i.meter_id, l.verified_on, l.verification_due, l.ordinal
    on conflict (meter_id, verified_on, verification_due) do update
    set cycle_months = excluded.cycle_months, certificate_id = null, failed = false
    where v.cycle_months is distinct from excluded.cycle_months or v.certificate_id is not null or v.failed
    """,
)

STEPS: Final[tuple[LiteralString, ...]] = (
    "analyze ledger_in",
    *_UNITS,
    *_PLACES,
    *_POINTS,
    *_METERS,
    *_ROW_IDS,
    *_WITHDRAWN,
    *_PAST,
    *_INSTALLATIONS,
)
"""In this order, with the parameters `version` and `since`, the instant from which changed facts hold
(now for none)."""

ANALYZE: Final = "analyze unit, sub_unit, main_equipment, metering_point, meter, register, installation"
"""What the planner should know at once after a large load, before its own housekeeping finds the time."""

IDS: Final = """
select array_send(array_agg(unit_id order by ordinal)), array_send(array_agg(point_id order by ordinal)),
       array_send(array_agg(meter_id order by ordinal)), array_send(array_agg(register_id order by ordinal))
from row_in
"""
