"""Upgrades while workers store: from the schema after each migration to the newest, nothing is lost."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

import psycopg
import pytest
from psycopg import sql

from deploy import migrate as module
from deploy.migrate import migrate, migrations
from deploy.stack import Stack

pytestmark = pytest.mark.integration

COUNT = len(migrations())
SOME = tuple(sorted({*range(4, COUNT, 5), COUNT - 1}))
"""Migrations after which the upgrade begins, in every run; all others in `make soak`."""
READINGS = 200
LONGEST_S = 10.0
"""So long a worker may stand while the schema changes: its session in the group outlasts it. [s]"""

FILL: dict[int, str] = {
    4: """
    insert into ledger_version (source, row_count, sha256, blob)
        values ('ledger.xlsx', 1, decode(repeat('ab', 32), 'hex'), 'x');
    insert into unit (code, name, version) values ('U1', 'Works', 1), ('U2', 'Mill', 1);
    insert into metering_point (unit_id, code, parent_complete, level, carrier, direction, required, amount_unit)
        select id, 'P' || id, true, 'unit', 'electricity', 'in', true, 1 from unit;
    insert into meter (unit_id, meter_no, serial_no) select id, 'M' || id, 'S' || id from unit;
    insert into register (unit_id, meter_id) select unit_id, id from meter;
    insert into installation (unit_id, point_id, meter_id, installed_from, multiplier, measure_unit, name, model, range,
        manufacturer, place, instrument, purpose, accuracy_class, status)
        select m.unit_id, p.id, m.id, '2026-01-01', 40, 1, '', '', '', '', '', 'electricity_meter', '', '0.5S',
            'qualified'
        from meter m join metering_point p using (unit_id);
    insert into verification (meter_id, unit_id, verified_on, cycle_months)
        select id, unit_id, '2026-01-01', 12 from meter;
    insert into reading_hot select timestamptz '2026-11-01' + i * interval '15 minutes', now(), i, 1 + i % 2, 0, 1
        from generate_series(1, 200) i;
    insert into consumption_hour select timestamptz '2026-11-01' + i * interval '1 hour', i, 1, 1, 1, 1, 0, 0
        from generate_series(0, 49) i;
    insert into energy_series (unit_id, scope, name, carrier, unit) values (1, 'unit', '', 'electricity', 'kWh');
    insert into factor (description) values ('0.1229 kgce/kWh');
    insert into unit_energy_day select date '2026-11-01' + i, i, i * 0.1229, 1, 1, 1, 1, 0, 1
        from generate_series(0, 9) i;
    insert into detection (unit_id, point_id, meter_id, kind, started_at, detected_at)
        select 1, 1, 1, 'gap', timestamptz '2026-11-01' + i * interval '1 day', now() from generate_series(0, 4) i;
    insert into stream_fence (consumer_group, topic, topic_id, partition, next_offset, owner)
        select 'g', 't', '00000000-0000-4000-8000-000000000001', i, 100 * i, 'w' from generate_series(0, 3) i;
    insert into stream_snapshot (consumer_group, topic_id, partition, next_offset, ledger_version, state)
        select consumer_group, topic_id, partition, next_offset, 1, 'state' from stream_fence;
    insert into rejected (topic, topic_id, partition, kafka_offset, position, reason, required, got, payload, readings)
        select 't', '00000000-0000-4000-8000-000000000001', 0, i, 0, 'malformed', 'a', 'b', 'bytes', 1
        from generate_series(1, 7) i;
    """,
    7: """
    insert into finding (unit_id, edition, clause, rule, mandatory, verdict, severity, required, found, required_zh,
        found_zh, as_of)
        values (1, 'GB 17167-2006', '4.3.1', 'rate', true, 'fail', 'serious', 'a', 'b', 'a', 'b', '2026-11-01');
    """,
    9: """
    insert into person (login, name, role) values ('li.si', 'Li Si', 'inspector');
    """,
}
"""What a database holds that has this many migrations; written as its own version would."""

KEPT: dict[str, str] = {
    "unit": "select count(*), max(code) from unit",
    "installation": "select count(*), sum(multiplier) from installation",
    "verification": "select count(*), max(verified_on) from verification",
    "reading_hot": "select count(*), sum(value) from reading_hot where register_id <= 2",
    "consumption_hour": "select count(*), sum(amount) from consumption_hour where point_id = 1",
    "unit_energy_day": "select count(*), sum(tce) from unit_energy_day",
    "detection": "select count(*), min(started_at) from detection",
    "stream_fence": "select count(*), sum(next_offset) from stream_fence where partition < 4",
    "stream_snapshot": "select count(*), sum(length(state)) from stream_snapshot",
    "rejected": "select count(*), sum(readings) from rejected",
    "finding": "select count(*), max(found) from finding",
    "person": "select count(*), max(name) from person",
}


STORE = (
    """insert into reading_hot select timestamptz '2026-11-20' + i * interval '1 s', now(), %(n)s, 3, 0, 1
    from generate_series(1, 50) i""",
    """insert into consumption_hour (start, amount, point_id, unit_id, completeness, measured, quality)
    values (timestamptz '2026-11-20' + %(n)s * interval '1 hour', 1, 2, 2, 1, 1, 0)""",
    "update stream_fence set next_offset = next_offset + 50 where partition = 9 and %(n)s >= 0",
)


@dataclass
class Writer(threading.Thread):
    """A worker's transactions: readings, an hour, the fence; again where the schema was in the way."""

    dsn: str
    done: int = 0
    longest_s: float = 0.0
    again: int = 0
    failed: BaseException | None = None
    ending: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        try:
            with psycopg.connect(self.dsn, autocommit=True, application_name="writer") as connection:
                connection.execute(
                    "insert into stream_fence (consumer_group, topic, topic_id, partition, owner)"
                    " values ('g', 't', '00000000-0000-4000-8000-000000000001', 9, 'w')"
                )
                while not self.ending.is_set():
                    self._store(connection)
        except BaseException as error:  # noqa: BLE001 - told by `end`
            self.failed = error

    def _store(self, connection: psycopg.Connection) -> None:
        began = time.monotonic()
        while True:
            try:
                with connection.transaction():
                    for statement in STORE:
                        connection.execute(statement.encode(), {"n": self.done})
            except (psycopg.errors.DeadlockDetected, psycopg.errors.LockNotAvailable):
                self.again += 1
            else:
                break
        self.done += 1
        self.longest_s = max(self.longest_s, time.monotonic() - began)
        time.sleep(0.005)

    def end(self) -> None:
        self.ending.set()
        self.join(60)
        assert self.failed is None, repr(self.failed)


def asked(dsn: str, queries: Sequence[str]) -> list[tuple[object, ...] | None]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        return [connection.execute(query.encode()).fetchone() for query in queries]


@contextmanager
def state_after(stack: Stack, template: str, name: str) -> Iterator[str]:
    """A database copied from one that nobody is connected to."""
    with psycopg.connect(stack.dsn, autocommit=True) as connection:
        copy = sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template))
        open_to_all = sql.SQL("alter database {} allow_connections {}")
        connection.execute(open_to_all.format(sql.Identifier(template), sql.SQL("false")))
        for wait_s in (0.1, 0.2, 0.5, 1.0, 2.0):  # the extension's own workers take a moment to go
            connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (template,))
            with suppress(psycopg.errors.ObjectInUse):
                connection.execute(copy)
                break
            time.sleep(wait_s)
        connection.execute(open_to_all.format(sql.Identifier(template), sql.SQL("true")))
        try:
            yield stack.dsn.rpartition("/")[0] + f"/{name}"
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def upgrades(stack: Stack, empty: str, begins: Sequence[int], monkeypatch: pytest.MonkeyPatch) -> None:
    whole, history = migrations(), empty.rpartition("/")[2]
    for number in range(1, max(begins) + 1):
        monkeypatch.setattr(module, "migrations", partial(whole.__getitem__, slice(number)))
        migrate(empty)
        if number in FILL:
            with psycopg.connect(empty) as connection:
                connection.execute(FILL[number].encode())
        if number not in begins:
            continue
        monkeypatch.setattr(module, "migrations", lambda: whole)
        with state_after(stack, history, f"{history}_{number}") as old:
            _upgrade(old, [migration.name for migration in whole[number:]])


def _upgrade(old: str, missing: list[str]) -> None:
    there = [table for table in KEPT if asked(old, [f"select to_regclass('{table}')"]) != [(None,)]]
    before = asked(old, [KEPT[table] for table in there])
    writer = Writer(old)
    writer.start()
    try:
        while not writer.done and writer.failed is None:
            time.sleep(0.01)
        first = writer.done
        assert migrate(old) == missing
        assert writer.done > first, "somebody stored meanwhile"
    finally:
        writer.end()
    assert asked(old, [KEPT[table] for table in there]) == before
    stored = "select count(*), count(distinct value) from reading_hot where register_id = 3"
    fence = "select next_offset from stream_fence where partition = 9"
    hours = "select count(*) from consumption_hour where point_id = 2"
    assert asked(old, [stored, fence, hours]) == [(50 * writer.done, writer.done), (50 * writer.done,), (writer.done,)]
    assert writer.longest_s < LONGEST_S, f"{missing[0]}: a worker stood for {writer.longest_s:.1f} s"
    assert migrate(old) == []


def test_an_upgrade_under_load_keeps_what_is_there_and_what_comes(
    stack: Stack, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrades(stack, empty_database, SOME, monkeypatch)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_an_upgrade_from_the_schema_after_each_migration(
    stack: Stack, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrades(stack, empty_database, range(4, COUNT), monkeypatch)
