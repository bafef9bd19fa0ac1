"""Readings come back bit by bit, by register and time."""

import asyncio

import numpy as np
import psycopg
import pytest

from streams.rows.layout import READING_ROW, Readings, RegisterName, TopicPartition
from streams.store import readings as table
from tests.streams.store.conftest import connected, opened

pytestmark = pytest.mark.integration

MINUTE = 60_000_000
T0 = 1_790_000_000_000_000


def rows_of(*rows: tuple[int, int, float, int, int, int]) -> Readings:
    return np.array(list(rows), READING_ROW)


def store_and_ask(dsn: str, topic: TopicPartition, rows: Readings, windows: list[tuple[int, int, int]]) -> Readings:
    found: list[Readings] = []

    async def scenario() -> None:
        async with opened(dsn) as store, store.transaction(await store.assign(topic, partitions=1), at=0) as tx:
            assert await tx.write_readings(rows) == len(rows)
            registers, start, end = np.array(windows, np.int64).reshape(-1, 3).T
            found.append(await tx.readings_of(registers.astype(np.int32), start, end))

    asyncio.run(scenario())
    return found[0]


def test_every_bit_comes_back(world: str, topic: TopicPartition) -> None:
    tiny, huge = 5e-324, 1.7976931348623157e308
    early, late = -62_135_596_800_000_000, 253_402_300_799_999_999  # years 1 and 9999
    rows = rows_of(
        (early, late, -0.0, 1, -32_768, 0),
        (0, 0, 0.1 + 0.2, 1, 32_767, 3_199),
        (T0, T0 - 1, tiny, 1, 0, 1),
        (T0 + 1, T0, huge, 1, 0, 1),
        (late, early, -huge, 1, 0, 1),
    )
    found = store_and_ask(world, topic, rows, [(1, early, late + 1)])
    assert found.tobytes() == rows.tobytes()


def test_windows_are_half_open_and_may_overlap(world: str, topic: TopicPartition) -> None:
    rows = rows_of(*((T0 + i * MINUTE, T0, float(i), register, 0, 1) for i in range(10) for register in (1, 2)))
    found = store_and_ask(
        world, topic, rows, [(1, T0 + 2 * MINUTE, T0 + 5 * MINUTE), (1, T0 + 4 * MINUTE, T0 + 7 * MINUTE), (2, T0, T0)]
    )
    assert found["register_id"].tolist() == [1] * 5
    assert found["value"].tolist() == [2.0, 3.0, 4.0, 5.0, 6.0]


def test_windows_far_apart_are_all_answered(world: str, topic: TopicPartition) -> None:
    day = 86_400_000_000
    rows = rows_of(*((T0 + i * day, T0, float(i), 1, 0, 1) for i in range(100)))
    windows = [(1, T0 + i * day, T0 + i * day + 1) for i in (3, 50, 99)] + [(2, T0, T0 + 100 * day)]
    assert store_and_ask(world, topic, rows, windows)["value"].tolist() == [3.0, 50.0, 99.0]


def test_no_windows_find_nothing(world: str, topic: TopicPartition) -> None:
    assert len(store_and_ask(world, topic, rows_of((T0, T0, 1.0, 1, 0, 1)), [])) == 0


def test_no_rows_are_nothing_to_write(world: str, topic: TopicPartition) -> None:
    assert len(store_and_ask(world, topic, np.empty(0, READING_ROW), [(1, T0, T0 + 1)])) == 0


def test_a_reading_says_when_it_was_stored(world: str, topic: TopicPartition) -> None:
    store_and_ask(world, topic, rows_of((T0, T0, 1.0, 1, 0, 1)), [])
    with psycopg.connect(world) as connection:
        row = connection.execute("select now() - stored_at(xmin) from reading_hot").fetchone()
    assert row is not None
    assert 0 <= row[0].total_seconds() < 60


def test_a_block_of_a_hundred_thousand_comes_back(world: str, topic: TopicPartition) -> None:
    generator = np.random.default_rng(7)
    rows = np.zeros(100_000, READING_ROW)
    rows["measured_at"] = T0 + np.arange(100_000) // 4 * MINUTE
    rows["register_id"] = np.arange(100_000) % 4 + 1
    rows["value"] = generator.standard_normal(100_000)
    found = store_and_ask(world, topic, rows, [(r, T0, T0 + 100_000 * MINUTE) for r in (4, 2, 3, 1)])
    assert found.tobytes() == rows[np.lexsort((rows["measured_at"], rows["register_id"]))].tobytes()


def test_registers_are_made_where_the_meter_is_known(world: str) -> None:
    names = [
        RegisterName("U1", "M1", "main"),
        RegisterName("U1", "M1", "export"),
        RegisterName("U1", "M3", "main"),
        RegisterName("U2", "M3", "main"),
        RegisterName("U1", "M1", "export"),
        RegisterName("U9", "M1", "main"),
        RegisterName("U1", "M2", "x" * 201),
        RegisterName("U1", "M2", "\x00"),
        RegisterName("U1", "M2", "\ud800"),
        RegisterName("U1", "M2", "正向有功"),
    ]

    async def scenario() -> None:
        async with opened(world) as store:
            ids = await store.ensure_registers(names)
            assert (await store.ensure_registers(names)).tolist() == ids.tolist()
            assert ids[0] == 1
            assert ids[1] == ids[4] > 100
            assert ids[3] == 3
            assert ids[9] > 100
            assert [i for i, register in enumerate(ids) if not register] == [2, 5, 6, 7, 8]
            assert (await store.ensure_registers([])).tolist() == []

    asyncio.run(scenario())


def test_the_ledger_version_is_the_newest(world: str) -> None:
    async def scenario() -> None:
        async with opened(world) as store:
            assert await store.ledger_version() == 1

    asyncio.run(scenario())


def test_a_transaction_sees_what_it_wrote_and_others_do_not(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world) as store, store.transaction(await store.assign(topic, partitions=1), at=0) as tx:
            await tx.write_readings(rows_of((T0, T0, 1.0, 1, 0, 1)))
            window = np.array([1], np.int32), np.array([T0]), np.array([T0 + 1])
            assert len(await tx.readings_of(*window)) == 1
            async with connected(world) as other:
                assert len(await table.of_registers(other, *window)) == 0

    asyncio.run(scenario())
