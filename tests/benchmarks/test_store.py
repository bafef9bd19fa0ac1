"""What the database takes: readings, hours, states, a ledger; and the room a reading needs. One JSON object a line."""

import asyncio
import json
import sys
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import LiteralString

import numpy as np
import psycopg
import pytest

from analytics.domain.ledger import build_ledger
from streams.rows.layout import HOUR_ROW, READING_ROW, Assigned, Hours, Readings, Snapshot, TopicPartition
from streams.store.layers import LayersPolicy, packing
from streams.store.ledger import load_ledger, read_ledger
from streams.store.partitions import TimescaleStore
from streams.store.postgres.connections import Connections
from streams.store.postgres.copy import Column, Layout
from streams.store.readings import KINDS

pytestmark = [pytest.mark.benchmark, pytest.mark.integration, pytest.mark.timeout(1800)]

ROWS = 50_000  # of one transaction
BATCHES = 30
ROUNDS = 3  # of interleaved measurements, of which the median counts
MINUTE = 60_000_000
DAY = 86_400_000_000
T0 = 1_790_000_000_000_000 // DAY * DAY

LAYOUT = Layout(*(Column(name, kind) for name, kind in KINDS.items()))
COPY = "copy reading_bench from stdin (format binary)"
TABLE = """
drop table if exists reading_bench;
create table reading_bench (like reading_hot);
select create_hypertable('reading_bench', by_range('measured_at', interval '1 day'), create_default_indexes => false);
"""
INDEXES: dict[str, LiteralString] = {
    "none": "select 1",
    "brin_time": "create index on reading_bench using brin (measured_at) with (pages_per_range = 32)",
    "btree_time": "create index on reading_bench (measured_at)",
    "btree_register_time": "create index on reading_bench (register_id, measured_at)",
}


def told(bench: str, value: float, unit: str, *, ceiling: float | None = None) -> None:
    line: dict[str, object] = {"bench": bench, "value": float(f"{value:.4g}"), "unit": unit}
    if ceiling is not None:
        line["ratio_to_ceiling"] = round(value / ceiling, 3)
    sys.stdout.write(json.dumps(line) + "\n")


def tick(number: int, registers: int = ROWS) -> Readings:
    """One reading of each register at one minute."""
    generator = np.random.default_rng(number)
    rows = np.zeros(registers, READING_ROW)
    rows["measured_at"] = T0 + number * MINUTE
    rows["received_at"] = rows["measured_at"] + 1_000_000 + generator.integers(0, 500, registers) * 1000
    rows["value"] = np.round(np.arange(registers) * 17.0 + number * 0.25 + generator.random(registers) * 0.2, 2)
    rows["register_id"] = np.arange(1, registers + 1)
    rows["unit"] = 1
    return rows


def emptied(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("truncate reading_hot, reading_history, consumption_hour, stream_fence")
        connection.execute("checkpoint")


@asynccontextmanager
async def opened(dsn: str) -> AsyncIterator[tuple[TimescaleStore, Assigned]]:
    store = TimescaleStore(dsn, group="bench", owner="bench")
    try:
        yield store, await store.assign(TopicPartition("bench", uuid.uuid4(), 0), partitions=1)
    finally:
        await store.close()


def raw_rate(dsn: str, index: LiteralString) -> float:
    """Rows a second of COPY alone, from buffers made before."""
    buffers = [LAYOUT.pack(tick(number)) for number in range(BATCHES)]
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(TABLE)
        connection.execute(index)
        connection.execute("checkpoint")
        began = time.perf_counter()
        for buffer in buffers:
            with connection.cursor().copy(COPY) as copy:
                copy.write(buffer)
        return ROWS * BATCHES / (time.perf_counter() - began)


def store_rate(dsn: str) -> float:
    """Rows a second of the store: packed, fenced, committed one transaction after the other."""
    emptied(dsn)
    ticks = [tick(number) for number in range(BATCHES)]

    async def scenario() -> float:
        async with opened(dsn) as (store, assigned):
            began = time.perf_counter()
            for number, rows in enumerate(ticks):
                async with store.transaction(assigned, at=number) as tx:
                    await tx.write_readings(rows)
                    await tx.move_fence(number + 1, b"")
            return ROWS * BATCHES / (time.perf_counter() - began)

    return asyncio.run(scenario())


def test_readings_beside_the_ceiling_of_copy(module_database: str) -> None:
    raw: dict[str, list[float]] = {name: [] for name in INDEXES}
    fenced: list[float] = []
    for _ in range(ROUNDS):
        for name, index in INDEXES.items():
            raw[name].append(raw_rate(module_database, index))
        fenced.append(store_rate(module_database))
    ceiling = median(raw["none"])
    for name, rates in raw.items():
        told(f"copy_index_{name}", median(rates), "rows/s", ceiling=ceiling)
    told("store_fence_and_copy", median(fenced), "rows/s", ceiling=ceiling)
    packing_s = []
    rows = tick(0)
    for _ in range(20):
        began = time.perf_counter()
        LAYOUT.pack(rows)
        packing_s.append(time.perf_counter() - began)
    told("copy_pack_client", median(packing_s) / ROWS * 1e6, "us/row")


def points_of(hour: int, points: int, amount: int) -> Hours:
    rows = np.zeros(points, HOUR_ROW)
    rows["point_id"] = np.arange(1, points + 1)
    rows["unit_id"] = rows["point_id"] // 500
    rows["hour"], rows["amount"] = hour, amount
    rows["completeness"] = rows["measured"] = 1
    return rows


def test_hours_are_inserted_revised_and_left_alone(module_database: str) -> None:
    emptied(module_database)
    first = T0 // (60 * MINUTE)

    async def written(store: TimescaleStore, assigned: Assigned, amount: int) -> float:
        began = time.perf_counter()
        for hour in range(first, first + 6):
            async with store.transaction(assigned, at=0) as tx:
                await tx.write_hours(points_of(hour, ROWS, amount))
        return 6 * ROWS / (time.perf_counter() - began)

    async def scenario() -> None:
        async with opened(module_database) as (store, assigned):
            told("store_hours_insert", await written(store, assigned, 1), "rows/s")
            told("store_hours_revise", await written(store, assigned, 2), "rows/s")
            told("store_hours_unchanged", await written(store, assigned, 2), "rows/s")

    asyncio.run(scenario())


def room(dsn: str, table: LiteralString, readings: int) -> float:
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute("select hypertable_size(%s)", (table,)).fetchone()
    assert row is not None
    return int(row[0]) / readings


def test_room_of_a_reading_and_what_finding_it_takes(module_database: str) -> None:
    """Two thousand registers a day by the minute: narrow, indexed at rest, packed."""
    emptied(module_database)
    registers, minutes = 2_000, 1_440
    count = registers * minutes

    async def scenario() -> None:
        async with opened(module_database) as (store, assigned):
            for start in range(0, minutes, 24):
                async with store.transaction(assigned, at=0) as tx:
                    await tx.write_readings(np.concatenate([tick(k, registers) for k in range(start, start + 24)]))
            told("reading_bytes_hot", room(module_database, "reading_hot", count), "B")
            await late(store, assigned, "open")
            after = datetime.fromtimestamp(T0 / 1e6, UTC) + timedelta(days=5)
            await timed(store, LayersPolicy(rest_s=0), after, "layers_seal", count)
            told("reading_bytes_sealed", room(module_database, "reading_hot", count), "B")
            await late(store, assigned, "sealed")
            await timed(store, LayersPolicy(rest_s=0, pack_after_h=1), after, "layers_pack", count)
            told("reading_bytes_history", room(module_database, "reading_history", count), "B")
            await late(store, assigned, "history")

    asyncio.run(scenario())
    with psycopg.connect(module_database, autocommit=True) as connection:
        began = time.perf_counter()
        row = connection.execute("select count(value) from reading_unpacked").fetchone()
        told("history_unpack", count / (time.perf_counter() - began), "readings/s")
    assert row == (count,)


async def timed(store: TimescaleStore, policy: LayersPolicy, now: datetime, bench: str, count: int) -> None:
    began = time.perf_counter()
    assert await store.layers(policy).maintain(now)
    told(bench, count / (time.perf_counter() - began), "readings/s")


async def late(store: TimescaleStore, assigned: Assigned, layer: str) -> None:
    """An hour around a late reading of each of a hundred registers."""
    registers = np.arange(1, 101, dtype=np.int32)
    since = np.full(100, T0 + 700 * MINUTE)
    took = []
    for _ in range(5):
        async with store.transaction(assigned, at=0) as tx:
            began = time.perf_counter()
            assert len(await tx.readings_of(registers, since, since + 60 * MINUTE)) == 6_000
            took.append(time.perf_counter() - began)
    told(f"late_fetch_{layer}", median(took) * 1e3, "ms")


def test_packing_alone() -> None:
    rows = np.concatenate([tick(k, 2_000) for k in range(240)])
    rows = rows[np.argsort(rows["register_id"], kind="stable")]
    stored = np.zeros(len(rows), np.int64)
    took = []
    for _ in range(5):
        began = time.perf_counter()
        packing.pack(rows, stored)
        took.append(time.perf_counter() - began)
    told("history_pack_client", len(rows) / median(took), "readings/s")


def test_a_partitions_state(module_database: str) -> None:
    """125,000 meters' states of 200 bytes: an eighth of a million."""
    state = np.random.default_rng(1).bytes(125_000 * 200)
    with psycopg.connect(module_database, autocommit=True) as connection:
        connection.execute(
            "insert into ledger_version (source, row_count, sha256, blob) values ('bench', 0, sha256(''), '')"
        )

    async def scenario() -> None:
        async with opened(module_database) as (store, assigned):
            now, saved, loaded = assigned, [], []
            for _ in range(5):
                began = time.perf_counter()
                async with store.transaction(now, at=0) as tx:
                    await tx.save_snapshot(Snapshot(next_offset=0, ledger_version=1, state=state))
                saved.append(time.perf_counter() - began)
                began = time.perf_counter()
                now = await store.assign(now.partition, partitions=1)
                loaded.append(time.perf_counter() - began)
                assert now.snapshot is not None
                assert len(now.snapshot.state) == len(state)
            told("snapshot_save_25_mb", median(saved), "s")
            told("snapshot_load_25_mb", median(loaded), "s")

    asyncio.run(scenario())


def test_a_ledger_of_a_hundred_thousand_meters(module_database: str) -> None:
    units, of_each = 200, 500
    count = units * of_each

    def every(values: Sequence[object]) -> list[object]:
        return list(values) * units

    ledger, faults = build_ledger(
        {
            "unit_code": [f"91320000{unit:010d}" for unit in range(units) for _ in range(of_each)],
            "level": every(["unit"] * 20 + ["sub_unit"] * 80 + ["equipment"] * 400),
            "sub_unit": every([""] * 20 + [f"车间{i // 50}" for i in range(20, 500)]),
            "equipment": every([""] * 100 + [f"设备{i}" for i in range(100, 500)]),
            "point": every([f"P{i:04d}" for i in range(500)]),
            "parent_point": every(
                [""] * 20 + [f"P{i % 20:04d}" for i in range(80)] + [f"P{20 + i % 80:04d}" for i in range(400)]
            ),
            "carrier": ["electricity"] * count,
            "meter_no": [f"M{i:07d}" for i in range(count)],
            "serial_no": [f"S{i:07d}" for i in range(count)],
            "instrument": ["electricity"] * count,
            "unit": ["kWh"] * count,
            "multiplier": [80] * count,
            "installed_from": ["2024-01-01"] * count,
            "accuracy_class": ["0.5S"] * count,
            "status": ["qualified"] * count,
        }
    )
    assert faults == []

    async def scenario() -> None:
        connections = Connections(module_database)
        async with connections.connection() as connection:
            began = time.perf_counter()
            report = await load_ledger(connection, ledger, "bench")
            told("ledger_load", report.meters / (time.perf_counter() - began), "meters/s")
            began = time.perf_counter()
            stored = await read_ledger(connection)
            told("ledger_read", len(stored.meter_ids) / (time.perf_counter() - began), "meters/s")
        await connections.close()

    asyncio.run(scenario())
