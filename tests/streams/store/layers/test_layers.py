"""Chunks at rest are indexed and packed; whichever layer holds a reading, it is there once."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
import pytest

from streams.rows.layout import READING_ROW, Readings, TopicPartition
from streams.store.layers import Layers, LayersPolicy, Maintained
from streams.store.partitions import TimescaleStore
from tests.streams.store.conftest import opened

pytestmark = pytest.mark.integration

MINUTE = 60_000_000
DAY = 86_400_000_000
T0 = 1_790_000_000_000_000 // DAY * DAY
NOW = datetime.fromtimestamp(T0 / 1e6, UTC) + timedelta(days=10)
KEEP = LayersPolicy(rest_s=0)
PACK = LayersPolicy(rest_s=0, pack_after_h=24)


def readings(register: int, *minutes: int) -> Readings:
    rows = np.zeros(len(minutes), READING_ROW)
    rows["measured_at"] = T0 + np.array(minutes) * MINUTE
    rows["received_at"] = rows["measured_at"] + 2_000_000
    rows["value"] = np.array(minutes) / 10
    rows["register_id"] = register
    rows["unit"] = 1
    return rows


async def write(store: TimescaleStore, topic: TopicPartition, *rows: Readings) -> None:
    async with store.transaction(await store.assign(topic, partitions=1), at=0) as tx:
        await tx.write_readings(np.concatenate(rows))


async def maintain(layers: Layers) -> Maintained:
    return await layers.maintain(NOW)


def asked(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        connection.execute("set timezone = 'UTC'")
        return connection.execute(query.encode()).fetchall()


def counts(dsn: str) -> tuple[int, int, int]:
    """Readings in the narrow layer, in the packed one, and in the view."""
    (row,) = asked(
        dsn,
        "select (select count(*) from reading_hot), (select coalesce(sum(readings), 0) from reading_history), "
        "(select count(*) from reading)",
    )
    return row[0], int(row[1]), row[2]


SEEN = "select unit_code, point, meter_no, register, measured_at, received_at, value, unit, quality, day, register_id"


def test_a_chunk_at_rest_gets_an_index_and_one_in_use_does_not(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world) as store:
            await write(store, topic, readings(1, 0, 1), readings(1, 1440 * 10 + 5))
            first = store.layers(LayersPolicy(rest_s=3600))
            assert (await maintain(first)).sealed == []
            done = await maintain(store.layers(KEEP))
            assert len(done.sealed) == 1  # the other chunk's time is not over
            assert (await maintain(store.layers(KEEP))).sealed == []

    asyncio.run(scenario())
    assert len(asked(world, "select from pg_indexes where indexname like '%chunk_register'")) == 1


def test_chunks_are_as_long_as_the_ledgers_meters_fill_them(world: str, topic: TopicPartition) -> None:
    """99,000 meters that speak every quarter of an hour: 1.2 million readings take three hours and a bit."""
    chunk = "select time_interval from timescaledb_information.dimensions where hypertable_name = 'reading_hot'"

    async def scenario(policy: LayersPolicy) -> None:
        async with opened(world) as store:
            await maintain(store.layers(policy))
            await write(store, topic, readings(1, 5 * 60))

    with psycopg.connect(world, autocommit=True) as connection:
        connection.execute(
            "update installation set interval_s = (select count(*) from installation) * 900.0 / 99000, "
            "installed_from = '2000-01-01', installed_to = 'infinity'"
        )
    asyncio.run(scenario(KEEP))
    assert asked(world, chunk) == [(timedelta(days=1),)]
    try:
        asyncio.run(scenario(LayersPolicy(by_ledger=True)))
        assert asked(world, chunk) == [(timedelta(hours=3),)]
        assert asked(world, "select count(*) from reading") == [(2,)]
    finally:  # the other tests' database
        asked(world, "select set_chunk_time_interval('reading_hot', interval '1 day')")


def test_packed_readings_look_as_they_did_before(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world) as store:
            rows = [readings(register, *range(0, 3000, 7)) for register in (1, 2, 3)]
            await write(store, topic, *rows)
            before = asked(world, f"{SEEN} from reading order by register_id, measured_at")
            done = await maintain(store.layers(PACK))
            assert done.readings_packed == 3 * len(rows[0])
            assert asked(world, f"{SEEN} from reading order by register_id, measured_at") == before
            assert counts(world) == (0, len(before), len(before))
            window = np.array([2], np.int32), np.array([T0]), np.array([T0 + 10 * DAY])
            async with store.transaction(await store.assign(topic, partitions=1), at=0) as tx:
                assert (await tx.readings_of(*window)).tobytes() == rows[1].tobytes()

    asyncio.run(scenario())
    assert asked(world, "select count(distinct stored_at), min(stored_at) is not null from reading") == [(1, True)]


def test_a_late_reading_joins_its_packed_day(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world) as store:
            layers = store.layers(PACK)
            await write(store, topic, readings(1, *range(0, 60, 2)))
            await maintain(layers)
            await write(store, topic, readings(1, 7, 9))
            assert counts(world) == (2, 30, 32)
            window = np.array([1], np.int32), np.array([T0 + 5 * MINUTE]), np.array([T0 + 11 * MINUTE])
            async with store.transaction(await store.assign(topic, partitions=1), at=0) as tx:
                assert (await tx.readings_of(*window))["value"].tolist() == [0.6, 0.7, 0.8, 0.9, 1.0]
            await maintain(layers)
            assert counts(world) == (0, 32, 32)
            async with store.transaction(await store.assign(topic, partitions=1), at=0) as tx:
                assert (await tx.readings_of(*window))["value"].tolist() == [0.6, 0.7, 0.8, 0.9, 1.0]

    asyncio.run(scenario())


def test_empty_chunks_are_dropped_and_come_back_when_needed(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world) as store:
            layers = store.layers(PACK)
            await write(store, topic, readings(1, 0, 1440))
            assert len((await maintain(layers)).packed) == 2
            assert len((await maintain(layers)).dropped) == 2
            assert asked(world, "select count(*) from show_chunks('reading_hot')") == [(0,)]
            await write(store, topic, readings(1, 5))
            assert counts(world) == (1, 2, 3)

    asyncio.run(scenario())


def test_readings_that_come_while_a_chunk_is_packed_are_not_lost(
    world: str, topic: TopicPartition, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streams.store import layers as module  # noqa: PLC0415 - its seam, not its name, is wanted

    append = module._append
    late = iter([readings(1, 1001)])

    async def scenario() -> None:
        async with opened(world) as store, opened(world, "other") as other:
            await write(store, topic, readings(1, *range(100)))

            async def meanwhile(connection: psycopg.AsyncConnection, rows: Readings) -> None:
                await append(connection, rows)
                for more in late:
                    await write(other, topic, more)

            monkeypatch.setattr(module, "_append", meanwhile)
            done = await maintain(store.layers(PACK))
            assert done.readings_packed == 101

    asyncio.run(scenario())
    assert counts(world) == (0, 101, 101)


def test_a_packing_that_breaks_off_changes_nothing(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world) as store:
            await write(store, topic, readings(1, *range(100)))
            with psycopg.connect(world, autocommit=True) as connection:
                connection.execute("alter table reading_history add constraint never check (readings < 0) not valid")
            try:
                with pytest.raises(Exception, match="never"):
                    await maintain(store.layers(PACK))
            finally:
                with psycopg.connect(world, autocommit=True) as connection:
                    connection.execute("alter table reading_history drop constraint never")
            assert counts(world) == (100, 0, 100)

    asyncio.run(scenario())


def test_a_chunk_that_somebody_reads_is_left_for_later(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world) as store:
            await write(store, topic, readings(1, 0, 1))
            with psycopg.connect(world) as reader:
                reader.execute("select count(*) from reading_hot")
                assert (await maintain(store.layers(PACK))).packed == []
            assert counts(world) == (2, 0, 2)
            assert len((await maintain(store.layers(PACK))).packed) == 1

    asyncio.run(scenario())


def test_a_clock_that_is_years_ahead_drops_no_reading(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world) as store:
            await write(store, topic, readings(1, 0), readings(1, 1440 * 9))
            for policy in (KEEP, PACK):
                kept = store.layers(replace(policy, retain_days=30))
                await kept.maintain(NOW + timedelta(days=3650))
                assert counts(world)[2] == 2, "the newest reading is of nine days after the oldest"

    asyncio.run(scenario())


def test_young_chunks_are_not_packed_and_old_readings_dropped_only_on_demand(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world) as store:
            await write(store, topic, readings(1, 0), readings(1, 1440 * 9))
            assert len((await maintain(store.layers(PACK))).packed) == 1
            assert counts(world) == (1, 1, 2)
            await maintain(store.layers(LayersPolicy(rest_s=0, retain_days=5)))
            assert counts(world)[0] == 1
            await maintain(store.layers(LayersPolicy(rest_s=0, retain_days=0)))
            assert counts(world)[0] == 0

    asyncio.run(scenario())
