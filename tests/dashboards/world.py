"""A region in the database, made by the database itself: as small as a test wants it, or a year of 100,000 meters.

Everything is a formula of unit, point and hour, so that a test can say what a panel must show. Of each unit, point 1 is
the incoming electricity (the parent of the next points), the last point is water, the others are sub-units' and
equipment's. Point 3 of every unit has no evidence for a day (a gap) and a day of estimates, point 4 has none at all in
the last two days.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import psycopg
from psycopg import sql

from streams.store.layers import chunk_hours
from streams.store.site import CHUNK

__all__ = ["World", "fill"]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """How large it is."""

    units: int = 2
    points: int = 8
    """Of each unit; at least 6."""
    sub_units: int = 2
    days: int = 40
    """Of daily results; hours of units' totals go as far back."""
    hours_days: int = 40
    """Days of hourly results of every point."""
    deep_units: int = 0
    """Units whose points have hourly results over all days."""
    reading_days: int = 2
    """Days of quarter-hourly readings."""
    reading_units: int = 2
    """Units whose points have them."""
    samples: int = 2000
    """Half-minutes for which the worker said how it does."""
    end: datetime = datetime(2026, 11, 20, 4, tzinfo=UTC)
    """A full hour; nothing is later."""

    @property
    def begin(self) -> datetime:
        """The first hour."""
        return self.end - timedelta(days=self.days)


LEDGER = """
insert into ledger_version (source, row_count, sha256, blob) values ('world', 1, decode(repeat('00', 32), 'hex'), '');
insert into unit (id, code, name, longitude, latitude, version) overriding system value
    select u, 'U' || u, case u %% 2 when 1 then '第' || u || '钢铁厂' else 'Works ' || u end,
           case when u %% 7 <> 0 then 118.5 + (u * 37 %% 101) / 101.0 end,
           case when u %% 7 <> 0 then 31.5 + (u * 61 %% 103) / 103.0 end, 1
    from generate_series(1, %(units)s) u;
insert into sub_unit (id, unit_id, name) overriding system value
    select (u - 1) * %(sub_units)s + s, u, '车间 ' || s
    from generate_series(1, %(units)s) u, generate_series(1, %(sub_units)s) s;
insert into main_equipment (id, unit_id, sub_unit_id, name) overriding system value
    select s.id, s.unit_id, s.id, '空压机' from sub_unit s;
insert into metering_point (id, unit_id, code, parent_id, parent_complete, level, sub_unit_id, equipment_id, carrier,
                            direction, required, annual_use, amount_unit)
    overriding system value
    select (u - 1) * %(points)s + k, u, 'P' || k,
           case when k between 2 and %(points)s - 1 then (u - 1) * %(points)s + 1 end, k = 1,
           case when k in (1, %(points)s) then 'unit' when k %% 3 = 0 then 'equipment' else 'sub_unit' end,
           case when k not in (1, %(points)s) then (u - 1) * %(sub_units)s + k %% %(sub_units)s + 1 end,
           case when k not in (1, %(points)s) and k %% 3 = 0 then (u - 1) * %(sub_units)s + k %% %(sub_units)s + 1 end,
           case when k = %(points)s then 'water' else 'electricity' end, 'in', true, 100000,
           (select code from measure_unit where symbol = case when k = %(points)s then 'm3' else 'kWh' end)
    from generate_series(1, %(units)s) u, generate_series(1, %(points)s) k;
insert into meter (id, unit_id, meter_no, serial_no) overriding system value
    select p.id, p.unit_id, 'M' || substr(p.code, 2), 'S' || p.id from metering_point p;
insert into register (id, unit_id, meter_id) overriding system value select id, unit_id, id from meter;
insert into installation (unit_id, point_id, meter_id, installed_from, multiplier, measure_unit, name, model, range,
                          manufacturer, place, instrument, purpose, accuracy_class, status, interval_s)
    select p.unit_id, p.id, p.id, '2020-01-01 00:00+08', 40, p.amount_unit, '电能表', 'DTZ-341', '3x220 V', 'Works',
           '配电室 ' || p.code, case p.carrier when 'water' then 'water_flow' else 'electricity' end, 'trade', '0.5S',
           'qualified', 900
    from metering_point p;
insert into verification (meter_id, unit_id, verified_on, cycle_months, verification_due)
    select p.id, p.unit_id, d.due - 730, 24, d.due
    from metering_point p
    cross join lateral (select (%(end)s::timestamptz + (p.id %% 25 - 3) * interval '29 days')::date as due) d
    where p.id %% 13 <> 5;
insert into verification (meter_id, unit_id, verified_on, cycle_months, verification_due)
    select p.id, p.unit_id, '2020-01-01', 24, '2022-01-01' from metering_point p;
insert into energy_series (id, unit_id, scope, name, carrier, unit) overriding system value
    select (u - 1) * (2 + 2 * %(sub_units)s) + n, u, 'unit', '', c.carrier, c.unit
    from generate_series(1, %(units)s) u, (values (1, 'electricity', 'kWh'), (2, 'water', 'm3')) c (n, carrier, unit);
insert into energy_series (id, unit_id, scope, name, sub_unit, carrier, unit) overriding system value
    select (s.unit_id - 1) * (2 + 2 * %(sub_units)s) + 2 + (s.id - 1) %% %(sub_units)s * 2 + n, s.unit_id, c.scope,
           case n when 1 then s.name else '空压机' end, case n when 1 then '' else s.name end, 'electricity', 'kWh'
    from sub_unit s, (values (1, 'sub_unit'), (2, 'equipment')) c (n, scope);
insert into factor (description) values ('electricity 0.1229 kgce/kWh (GB/T 2589-2020)');
"""

_KEYS: Final = {"consumption_hour": "point_id, start", "consumption_day": "point_id, day"}

# an amount with a working day and a week in it
AMOUNT = "round(1000 * (20 + {key} %% 17 + 8 * sin(extract(epoch from {at})::float8 / 86400 * 2 * pi()))) / 1000"

POINT_HOURS = f"""
insert into consumption_hour (start, amount, point_id, unit_id, completeness, measured, revision, quality)
select h, {AMOUNT.format(key="p.id", at="h")} * case p.code when 'P1' then %(points)s - 2 else 1 end, p.id,
       p.unit_id, 1, case when e.estimated then 0 else 1 end, e.estimated::int, e.estimated::int
from metering_point p
cross join generate_series(%(since)s::timestamptz, %(until)s::timestamptz - interval '1 hour', interval '1 hour') h
cross join lateral (
    select p.code = 'P3' and h >= %(end)s::timestamptz - interval '4 days'
        and h < %(end)s::timestamptz - interval '3 days' as estimated
) e
where p.unit_id between %(first)s and %(last)s
    and not (p.code = 'P4' and h >= %(end)s::timestamptz - interval '2 days')
    and not (p.code = 'P3' and h >= %(end)s::timestamptz - interval '5 days'
             and h < %(end)s::timestamptz - interval '4 days')
order by h, p.id
"""

POINT_DAYS = f"""
insert into consumption_day (day, amount, point_id, unit_id, completeness, measured, revision, quality)
select d::date, 24 * {AMOUNT.format(key="p.id", at="d")} * case p.code when 'P1' then %(points)s - 2 else 1 end, p.id,
       p.unit_id, 1, 1, 0, 0
from generate_series(%(since)s::timestamptz, %(until)s::timestamptz - interval '1 day', interval '1 day') d
cross join metering_point p
where not (p.code = 'P4' and d >= %(end)s::timestamptz - interval '2 days')
order by d, p.id
"""

UNIT_HOURS = f"""
insert into unit_energy_hour (start, amount, tce, series_id, unit_id, completeness, measured, quality, factor_id)
select h, {AMOUNT.format(key="s.id", at="h")} * 100,
       case s.unit when 'kWh' then {AMOUNT.format(key="s.id", at="h")} * 0.01229 end, s.id, s.unit_id,
       case when s.id %% 7 = 3 and extract(hour from h) = 5 then 0.5 else 1 end, 1, 0,
       case s.unit when 'kWh' then 1 end
from energy_series s
cross join generate_series(%(since)s::timestamptz, %(until)s::timestamptz - interval '1 hour', interval '1 hour') h
where not (s.unit_id = 2 and h between %(end)s::timestamptz - interval '30 hours'
           and %(end)s::timestamptz - interval '20 hours')
order by h, s.id
"""

UNIT_DAYS = f"""
insert into unit_energy_day (day, amount, tce, series_id, unit_id, completeness, measured, quality, factor_id)
select d::date, {AMOUNT.format(key="s.id", at="d")} * 2400,
       case s.unit when 'kWh' then {AMOUNT.format(key="s.id", at="d")} * 0.29496 end, s.id, s.unit_id, 1, 1, 0,
       case s.unit when 'kWh' then 1 end
from energy_series s
cross join generate_series(%(from)s::timestamptz - interval '366 days', %(end)s::timestamptz - interval '1 day',
                           interval '1 day') d
order by d, s.id
"""

READINGS = """
insert into reading_hot (measured_at, received_at, value, register_id, quality, unit)
select t, t + interval '3 seconds', 1000 * p.id + extract(epoch from t - %(end)s::timestamptz) / 3600 + 5000, p.id, 0,
       p.amount_unit
from metering_point p
cross join generate_series(%(since)s::timestamptz, %(until)s::timestamptz - interval '15 minutes',
                           interval '15 minutes') t
where p.unit_id <= %(reading_units)s
order by t, p.id
"""

JUDGED = """
insert into compliance_day (unit_id, day, edition, state, grade, findings, serious, warnings, person, points_needed,
                            points_present, meters, meters_valid, meters_overdue, meters_unknown, completeness, tce)
select u, d::date, 'GB 17167-2006', case u %% 4 when 1 then 'findings' when 2 then 'compliant' when 3 then 'serious'
       else 'unknown' end, case u %% 4 when 2 then 'A' when 1 then 'B' else '' end, u %% 4, 0, u %% 4, 1,
       %(points)s, %(points)s - 1, %(points)s, %(points)s - 2, 1, 1, 0.97, 12.5
from generate_series(1, %(units)s) u,
     generate_series(%(from)s::timestamptz, %(end)s::timestamptz, interval '1 day') d;
insert into equipping_rate (unit_id, day, carrier, level, needed, present, rate, required, verdict, edition)
select u, d::date, c, l.level, 10, 9, 90, l.required, case when l.required > 90 then 'fail' else 'pass' end,
       'GB 17167-2006'
from generate_series(1, %(units)s) u, unnest(array['electricity', 'water']) c,
     (values ('unit', 100), ('sub_unit', 100), ('equipment', 90)) l (level, required),
     generate_series(%(from)s::timestamptz, %(end)s::timestamptz, interval '1 day') d;
insert into finding (unit_id, edition, clause, rule, mandatory, level, carrier, point_id, meter_id, verdict, severity,
                     required, found, required_zh, found_zh, meters, next_step_zh, next_step_en, as_of, opened_at)
select p.unit_id, 'GB 17167-2006', '4.3.4', 'verification', true, p.level, p.carrier, p.id, p.id,
       case p.id %% 3 when 0 then 'person' else 'fail' end, case p.id %% 2 when 0 then 'warning' else 'serious' end,
       'within its verification', 'overdue', '在检定有效期内', '已过期', array['M' || substr(p.code, 2)], '安排检定',
       'have it verified', %(end)s::date, %(end)s::timestamptz - interval '9 days'
from metering_point p
where p.id %% 11 < 4 and p.code in ('P1', 'P2', 'P5') or p.id %% 5 = 0 and substr(p.code, 2)::int > 8;
"""

REVIEW = """
insert into certificate (unit_id, meter_no, kind, number, body, verified_on, conclusion, due, accuracy_class, note,
                         entered_by)
select m.unit_id, m.meter_no, 'verification', 'J-' || m.id || '-' || n, '第' || m.unit_id || '检定院',
       %(end)s::date - 400 * n, 'qualified', %(end)s::date - 400 * n + 730, '0.5S', 'note ' || m.id, '王工'
from meter m, generate_series(1, 2) n where m.meter_no = 'M1';
insert into mandatory_instrument (meter_id, unit_id, point_id, carrier, valid, basis_zh, basis_en, as_of)
select p.id, p.unit_id, p.id, p.carrier, p.id %% 2 = 0, '依据 ' || p.id, 'basis ' || p.id, %(end)s::date
from metering_point p where p.code in ('P1', 'P2');
insert into review (unit_id, year, origin, state, leader, members, visited_on, conclusion, failed, concluded_on, due,
                    reason, planned_by)
select u, 2020 + u %% 100, 'plan', 'correcting', '组长 ' || u, array['成员 ' || u], %(end)s::date - 20 - u, 'basic', u,
       %(end)s::date - 10 - u, %(end)s::date + u, 'between us ' || u, '李工'
from generate_series(1, %(units)s) u;
insert into review_item (review_id, unit_id, item, result, remark, recorded_by)
select r.id, r.unit_id, i + r.unit_id::int, 'fail', 'remark ' || r.unit_id || ' ' || i, '王工'
from review r, generate_series(1, 2) i;
insert into gap_fill (unit_id, point_id, started_at, ended_at, amount, method, procedure, reliability, inputs,
                      evaluated_by)
select p.unit_id, p.id, %(end)s::timestamptz - (120 + p.unit_id) * interval '1 hour',
       %(end)s::timestamptz - interval '4 days',
       100 + p.id, 'manual', 'procedure ' || p.id, 'reliability ' || p.id, jsonb_build_object('hours', p.id), '王工'
from metering_point p where p.code = 'P3';
insert into tariff (unit_code, unit_id, carrier, since, period, hours, price, unit, currency, source)
select u.code, u.id, 'electricity', date '2026-01-01', t.period, t.hours, t.price + u.id * 0.01, 'kWh', '元',
       'source ' || u.id
from unit u, (values ('峰', 1047552, 1.05), ('平', 8388608 + 4194304 + 2097152, 0.65)) t (period, hours, price);
insert into certificate_scan (certificate_id, unit_id, name, media_type, sha256, content, entered_by)
select id, unit_id, 'scan ' || id, 'application/pdf', decode(repeat('00', 32), 'hex'), '%%PDF-', '王工'
from certificate;
"""

HEALTH = """
insert into detection (unit_id, point_id, meter_id, kind, started_at, ended_at, detected_at, magnitude, magnitude_low,
                       magnitude_high, magnitude_unit, confidence, energy_affected, energy_affected_low,
                       energy_affected_high, severity, state, opened_at, updated_at)
select p.unit_id, p.id, p.id, k.kind, %(end)s::timestamptz - k.ago - p.unit_id * interval '1 minute',
       case k.state when 'closed' then %(end)s::timestamptz - k.ago + interval '5 hours' end,
       %(end)s::timestamptz - k.ago + interval '1 hour', k.magnitude, k.magnitude * 0.8, k.magnitude * 1.2, k.unit,
       0.98, 100 * k.magnitude + p.id, 80 * k.magnitude, 120 * k.magnitude, k.severity, k.state,
       %(end)s::timestamptz - k.ago, %(end)s::timestamptz - k.ago
from metering_point p
join (values ('P2', 'gain_step', interval '15 days', -0.33, 'share', 'serious', 'open'),
             ('P2', 'stuck', interval '20 days', 9.0, 'h', 'serious', 'closed'),
             ('P3', 'gap', interval '5 days', 24.0, 'h', 'info', 'closed'),
             ('P4', 'silence', interval '2 days', 48.0, 'h', 'warning', 'open'),
             ('P5', 'scale', interval '3 days', 3.0, 'decades', 'serious', 'open'))
    k (point, kind, ago, magnitude, unit, severity, state) on k.point = p.code;
insert into detection (unit_id, point_id, meter_id, kind, started_at, ended_at, detected_at, severity, state)
select p.unit_id, p.id, p.id, 'gap', d - interval '1 hour', d, d, 'info', 'closed'
from metering_point p
cross join generate_series(%(from)s::timestamptz, %(end)s::timestamptz, interval '30 days') d
where p.id %% 5 = 0 and substr(p.code, 2)::int > 8;
insert into detection (unit_id, point_id, meter_id, kind, started_at, ended_at, detected_at, severity, state, evidence)
select p.unit_id, p.id, p.id, 'jump', %(end)s::timestamptz - interval '9 days',
       %(end)s::timestamptz - interval '9 days', %(end)s::timestamptz - interval '9 days', 'warning', 'closed',
       jsonb_build_object('unexplained', 500.0 + p.id, 'before', 1000.0, 'at', 1500.0 + p.id)
from metering_point p where p.id in (select min(q.id) from metering_point q group by q.unit_id);
insert into observability (unit_id, point_id, question, verdict, reason, smallest_30d, smallest_90d, as_of)
select p.unit_id, p.id, 'drift', case when p.id %% 5 = 0 then 'not_observable' else 'observable' end,
       case when p.id %% 5 = 0 then 'no complete balance and no second meter holds this one to account'
            else 'the balance shows it' end, 0.012, 0.006, %(end)s
from metering_point p;
insert into meter_verdict (detection_id, verdict, found_on, found_by, note)
select d.id, 'faulty', %(end)s::date - 3, '王检查员', 'a phase was lost' from detection d
where d.kind = 'gain_step' and d.unit_id <= 50;
insert into balance_hour (start, parent_amount, children_amount, loss_estimate, residual, point_id, unit_id)
select h, 1000, 970, 20, 10, p.id, p.unit_id
from metering_point p,
     generate_series(%(from)s::timestamptz, %(end)s::timestamptz - interval '1 hour', interval '1 hour') h
where p.code = 'P1';
"""

PEOPLE = """
insert into person (id, login, name, role) overriding system value values (1, 'wang', '王检查员', 'inspector');
insert into alert (key, rule, unit_id, point_id, meter_id, kind, severity, state, since, seen_at, raised_at, updated_at,
                   energy_affected, energy_unit, title_zh, title_en, detections, standing, life)
select d.id::text, 'meter', d.unit_id, d.point_id, d.meter_id, d.kind, d.severity,
       case d.kind when 'silence' then 'acknowledged' else 'open' end, d.started_at, d.detected_at, d.detected_at,
       d.detected_at, d.energy_affected, 'kWh', '计量异常 ' || d.kind, 'Meter fault ' || d.kind, 1, 1, '{}'
from detection d where d.state = 'open';
insert into alert_source (source, source_id, alert_id, unit_id, point_id, meter_id, standing, started_at)
select 'detection', a.key::int8, a.id, a.unit_id, a.point_id, a.meter_id, true, a.since from alert a;
insert into case_file (alert_id, detection_id, unit_id, point_id, meter_id, kind, state, assignee_id, verdict, found_on,
                       opened_at, due_on, updated_at)
select a.id, a.key::int8, a.unit_id, a.point_id, a.meter_id, a.kind, 'verdict', 1, 'faulty', %(end)s::date - 3,
       a.raised_at, %(end)s::date + 20, a.updated_at
from alert a where a.kind = 'gain_step';
insert into case_event (case_id, unit_id, at, person_id, by_name, action, state, note)
select c.id, c.unit_id, c.opened_at + interval '1 hour', 1, '王检查员', 'comment', 'on_site',
       'do not announce the visit'
from case_file c;
insert into alert_event (alert_id, unit_id, at, action, person_id, note)
select a.id, a.unit_id, a.raised_at + interval '1 hour', 'acknowledge', 1, 'do not announce the visit' from alert a;
insert into alert_message (key, recipient, channel, unit_id, purpose, severity, language, title, body, state, error,
                           attempts)
select gen_random_uuid(), 'wang', 'mail', u, 'raise', 'serious', 'zh', 't', 'secret body',
       case u %% 2 when 0 then 'failed' else 'sent' end, case u %% 2 when 0 then 'no route' end, 2
from generate_series(1, least(%(units)s, 20)) u;
"""

PIPELINE = """
insert into stream_fence (consumer_group, topic, topic_id, partition, next_offset, owner, moved_at)
select 'metering', 'metering.readings', '00000000-0000-0000-0000-000000000001', p, 1000 * p, 'worker-1',
       %(end)s::timestamptz - p * interval '1 second'
from generate_series(0, 3) p;
insert into rejected (topic, topic_id, partition, kafka_offset, position, reason, required, got, unit_code, payload,
                      readings, stored_at, relayed)
select 'metering.readings', '00000000-0000-0000-0000-000000000001', 0, n, -1,
       (array['unknown_meter', 'future', 'duplicate'])[n %% 3 + 1], 'required', 'got', 'U' || n %% 2 + 1, '\\x00', 5,
       %(end)s::timestamptz - n * interval '20 minutes', true
from generate_series(1, 60) n;
insert into worker_sample (at, worker, span_s, readings, rejected, transactions, transaction_s, database_wait_s,
                           database_bytes)
select %(end)s::timestamptz - n * interval '30 seconds', 'worker-1', 30, 3000, 3, 60, 4.5, 0, 1000000 + n
from generate_series(0, %(samples)s) n where n not between 100 and 200;
insert into partition_sample (at, worker, partition, lag, fence_age_s, snapshot_age_s)
select s.at, s.worker, p, p * 10, 0.5, 30 from worker_sample s, generate_series(0, 3) p;
"""


def fill(dsn: str, world: World) -> None:
    """Put a region into a migrated, empty database; rows lie as workers write them, hour after hour."""
    values = {
        "units": world.units,
        "points": world.points,
        "sub_units": world.sub_units,
        "end": world.end,
        "from": world.begin,
        "reading_units": world.reading_units,
        "samples": world.samples,
        "first": 1,
        "last": world.units,
    }
    deep = {**values, "last": world.deep_units}
    recent = {**values, "first": world.deep_units + 1}
    with psycopg.connect(dsn, autocommit=True) as connection, psycopg.ClientCursor(connection) as cursor:
        cursor.execute("set timezone = 'Asia/Shanghai'")
        cursor.execute(sql.SQL(LEDGER), values)
        a_quarter = world.reading_units * world.points
        cursor.execute(CHUNK, (f"{chunk_hours(4.0 * a_quarter)} hours",))  # as workers cut them
        with _keys_later(cursor):
            for text, given, days, step in (
                (POINT_HOURS, recent, world.hours_days, 1),
                (POINT_HOURS, deep, world.days, 10),
                (POINT_DAYS, values, world.days, 10),
                (UNIT_HOURS, values, world.days, 10),
                (READINGS, values, world.reading_days, 1),
            ):
                for since, until in _spans(world.end, days, step):
                    cursor.execute(sql.SQL(text), {**given, "since": since, "until": until})
        for text in (UNIT_DAYS, JUDGED, REVIEW, HEALTH, PEOPLE, PIPELINE):
            cursor.execute(sql.SQL(text), values)
        cursor.execute("vacuum analyze")


def _spans(end: datetime, days: int, step: int) -> Iterator[tuple[datetime, datetime]]:
    """`days` days that end with `end`, in turn, `step` of them each."""
    for ago in range(days, 0, -step):
        yield end - timedelta(days=ago), end - timedelta(days=max(ago - step, 0))


@contextmanager
def _keys_later(cursor: psycopg.ClientCursor) -> Iterator[None]:
    """Make the two large keys after their rows: ten times as fast for a hundred million."""
    for table in _KEYS:
        cursor.execute(sql.SQL("alter table {} drop constraint {}").format(
            sql.Identifier(table), sql.Identifier(f"{table}_pkey")))  # fmt: skip
    yield
    for table, key in _KEYS.items():
        cursor.execute(sql.SQL("alter table {} add primary key ({})").format(sql.Identifier(table), sql.SQL(key)))
