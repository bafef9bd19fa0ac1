"""Readings as they came and packed, in one run: room, the boards' questions over years, late readings. JSON lines.

``BENCH_YEARS`` says how many years of quarter-hours four units of 25 meters have (1; 3.5 million readings a year).
As in `test_boards`, told is what a question takes where nothing else runs; `narrow` is the same question of the same
readings before they were packed.
"""

import asyncio
import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from dashboards.boards import BOARDS, ENTERPRISE_BOARDS
from dashboards.queries import query
from deploy.stack import Stack
from streams.store.layers import LayersPolicy, Maintained
from tests.benchmarks.test_boards import taken_by
from tests.benchmarks.test_end_to_end import Watched
from tests.dashboards.conftest import login
from tests.dashboards.grafana import Range, expand
from tests.dashboards.world import World, fill
from tests.faults.harness import arena
from tests.streams.site import MINUTE_US, T0_US, Site, load, produce_all
from tests.streams.store.conftest import opened

pytestmark = [pytest.mark.benchmark, pytest.mark.integration, pytest.mark.timeout(14_400)]

YEARS = int(os.environ.get("BENCH_YEARS", "1"))
GOAL_MS = 1_000.0
VARIABLES = {"unit": "U1", "carrier": "electricity", "point": "P2"}
SPANS = {
    "a day": (timedelta(days=1), timedelta(minutes=15)),
    "31 days": (timedelta(days=31), timedelta(hours=1)),
    "a year": (timedelta(days=365), timedelta(days=1)),
} | ({f"{YEARS} years": (timedelta(days=365 * YEARS), timedelta(days=7))} if YEARS > 1 else {})
NARROW: LiteralString = "select measured_at, received_at, value, register_id, quality, unit from reading_hot"
BOTH: LiteralString = (
    NARROW + " union all select measured_at, received_at, value, register_id, quality, unit from reading_unpacked"
)


READINGS = """
insert into reading_hot (measured_at, received_at, value, register_id, quality, unit)
select t, t + (3000 + n.late) * interval '1 millisecond',
       round((1000 * p.id + extract(epoch from t - %(end)s::timestamptz) / 900 * 2.5 + n.more / 100.0)::numeric, 2),
       p.id, 0, p.amount_unit
from metering_point p
cross join generate_series(%(since)s::timestamptz, %(until)s::timestamptz - interval '15 minutes',
                           interval '15 minutes') t
cross join lateral (
    select hashint8(extract(epoch from t)::int8 + p.id) & 511 as late,
           hashint8(extract(epoch from t)::int8 * p.id) & 255 as more
) n
order by t, p.id
"""
"""Uneven loads, and arrivals within half a second: what a run holds is no line."""


def told(bench: str, value: float, unit: str, **more: object) -> None:
    shown = value if isinstance(value, int) else float(f"{value:.4g}")
    print(json.dumps({"bench": bench, "value": shown, "unit": unit, **more}), flush=True)  # noqa: T201


def maintained(dsn: str, policy: LayersPolicy) -> Maintained:
    """What a worker's round over the layers does, at once."""

    async def work() -> Maintained:
        async with opened(dsn) as store:
            return await store.layers(policy).maintain(datetime.now(UTC))

    return asyncio.run(work())


def checksum(dsn: str) -> tuple[int, int]:
    """Number of all readings, and a sum that each bit of each of them changes."""
    with psycopg.connect(dsn) as connection:
        connection.execute("set timezone = 'UTC'")
        query = f"select count(*), sum(hashtextextended(r::text, 0)) from ({BOTH}) r"
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def room(dsn: str, table: LiteralString) -> int:
    """Bytes of a table with its indexes."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute("select hypertable_size(%s)", (table,)).fetchone()
    assert row is not None
    return int(row[0])


def questions(dsn: str, world: World) -> dict[tuple[str, str, str], float]:
    """What each panel's question takes [ms] by span, who asks and panel."""
    found = {}
    for span, (length, interval) in SPANS.items():
        asked = Range(since=world.end - length, until=world.end, interval=interval)
        for who, unit, boards in (("staff", None, BOARDS), ("enterprise", 1, ENTERPRISE_BOARDS)):
            names = sorted({panel.query for board in boards for panel in board.panels if panel.query})
            with psycopg.connect(login(dsn, unit), autocommit=True) as connection:
                for name in names:
                    taken = taken_by(connection, expand(query(name), asked, VARIABLES))
                    found[span, who, name] = taken.alone_ms
    return found


def test_boards_ask_packed_years(module_database: str) -> None:
    dsn = module_database
    days = 365 * YEARS
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    world = World(units=4, points=25, sub_units=5, days=days, hours_days=days, reading_days=0, end=end)
    fill(dsn, world)
    with psycopg.connect(dsn, autocommit=True) as connection, psycopg.ClientCursor(connection) as cursor:
        for ago in range(days, 0, -5):
            since = end - timedelta(days=ago)
            cursor.execute(READINGS, {"end": end, "since": since, "until": min(since + timedelta(days=5), end)})
    maintained(dsn, LayersPolicy(rest_s=0.0))
    before = checksum(dsn)
    narrow_b, narrow_ms = room(dsn, "reading_hot"), questions(dsn, world)
    began = time.perf_counter()
    packed = maintained(dsn, LayersPolicy(rest_s=0.0, pack_after_h=48))
    took = time.perf_counter() - began
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("vacuum analyze reading_history, reading_hot")  # as the server does within minutes
    assert packed.readings_packed > 0.9 * before[0]
    assert checksum(dsn) == before
    told("packed_years_readings", before[0], "readings", years=YEARS, units=world.units, meters=100)
    told("packed_years_packing", packed.readings_packed / took, "readings/s")
    bytes_of_each = room(dsn, "reading_history") / packed.readings_packed
    told("packed_years_bytes_a_reading", bytes_of_each, "B", narrow=round(narrow_b / before[0], 1))
    packed_ms = questions(dsn, world)
    for (span, who, name), ms in packed_ms.items():
        if name == "point_readings":
            told(f"{name} over {span}, {who}", ms, "ms", narrow=round(narrow_ms[span, who, name], 1))
    slowest = max(packed_ms, key=lambda key: packed_ms[key])
    told("packed_years_slowest_panel", packed_ms[slowest], "ms", panel=slowest, narrow=round(narrow_ms[slowest], 1))
    slower = {str(key): round(ms) for key, ms in packed_ms.items() if ms > GOAL_MS}
    told("packed_years_panels_over_1_s", len(slower), "panels", which=slower, of=len(packed_ms))


QUARTER = 15
SITE = Site(units=10, meters=200, interval_us=QUARTER * MINUTE_US)
PARTITIONS = 4
TICKS = 2 * 24 * 60 // QUARTER
_DAY_US = 86_400_000_000
DAY_END_US = (T0_US // _DAY_US + 1) * _DAY_US
"""The first day's; it is the one that is packed."""
LATE = [tick for tick in range((DAY_END_US - T0_US) // SITE.interval_us) if tick % 4 == 1]


def test_late_readings_into_packed_days(stack: Stack, database: str, topic_prefix: str, tmp_path: Path) -> None:
    """A quarter of a day's readings comes late: half of them before the day is packed, half of them after."""
    asyncio.run(load(database, SITE.ledger()))
    with arena(
        stack.access, database, topic_prefix + "late", tmp_path, partitions=PARTITIONS, snapshot_s=60.0, collect_s=0.2
    ) as place:
        watched = Watched(place, stack)

        def stored_rate(ticks: list[int]) -> float:
            before, began = watched.stored(), time.perf_counter()
            messages = (message for tick in ticks for message in SITE.blocks(tick, 1))
            produce_all(stack.access, place.topic, messages, partitions=PARTITIONS)
            place.wait_until_stored(900)
            return (watched.stored() - before) / (time.perf_counter() - began)

        told("readings_in_order", stored_rate([tick for tick in range(TICKS) if tick not in LATE]), "readings/s")
        assert _kept(database, pack_after_h=None).sealed
        stored_rate(LATE[:2])  # the worker has never had late readings before
        narrow = stored_rate(LATE[2::2])
        assert _kept(database, pack_after_h=1.0).readings_packed > 0
        packed = stored_rate(LATE[3::2])
        told(
            "late_readings_into_a_packed_day",
            packed,
            "readings/s",
            narrow=round(narrow),
            ratio=round(packed / narrow, 2),
        )
        assert watched.worker.stop() == 0
        again = _kept(database, pack_after_h=1.0).readings_packed
        assert again == len(LATE[3::2]) * SITE.units * SITE.meters  # they lie beside their day, packed too
        [counted] = place.query(f"select count(*), count(distinct (register_id, measured_at)) from ({BOTH}) r")
        assert counted == (TICKS * SITE.units * SITE.meters,) * 2
        wrong = place.query(
            "select count(*) from consumption_hour h join metering_point p on p.id = h.point_id"
            f" where h.start < at_us({T0_US}::int8) + interval '46 hours'"
            " and (abs(h.amount - (substr(p.code, 2)::int % 7 + 1)) > 1e-9 or h.completeness <> 1)"
        )
        assert wrong == [(0,)]


def _kept(dsn: str, *, pack_after_h: float | None) -> Maintained:
    """What a round over the layers does two hours after the first day."""

    async def work() -> Maintained:
        async with opened(dsn) as store:
            now = datetime.fromtimestamp(DAY_END_US / 1e6, UTC) + timedelta(hours=2)
            return await store.layers(LayersPolicy(rest_s=0.0, pack_after_h=pack_after_h)).maintain(now)

    return asyncio.run(work())
