"""Readings come back bit by bit, by register and time."""

import asyncio

import numpy as np
import psycopg
import pytest
from psycopg import sql

from streams.lanes.workshop import blames_the_rows
from streams.ports import StoreRejected
from streams.rows.layout import READING_ROW, Readings, RegisterName, TopicPartition
from streams.store import readings as table
from streams.store.partitions import TimescaleStore
from streams.store.postgres.copy import Column, Layout
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


def test_readings_are_packed_as_any_row_is() -> None:
    generator = np.random.default_rng(3)
    rows = np.frombuffer(generator.bytes(5000 * READING_ROW.itemsize), READING_ROW).copy()
    rows["measured_at"] >>= 2
    rows["received_at"] >>= 2
    rows["measured_at"][:2] = np.iinfo(np.int64).max, np.iinfo(np.int64).min  # infinite for both sides
    rows["value"][:4] = np.nan, -np.inf, -0.0, 5e-324
    layout = Layout(*(Column(name, kind) for name, kind in table.KINDS.items()))
    for some in (rows, rows[:1], rows[:0], rows[::7]):
        assert bytes(table.packed(some)) == layout.pack(some)


DAY = 86_400_000_000


def ticks(days: int, each: int) -> Readings:
    """`each` readings on each of some days, day by day in turns."""
    rows = np.zeros(days * each, READING_ROW)
    rows["measured_at"] = T0 + np.arange(len(rows)) % days * DAY + np.arange(len(rows)) // days
    rows["register_id"] = np.arange(len(rows)) % 4 + 1
    rows["value"] = np.arange(len(rows))
    return rows


def chunks_of(dsn: str) -> list[tuple[str, int]]:
    """Names of the chunks and how many readings lie in each."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute(
            "select tableoid::regclass::text, count(*) from reading_hot group by 1 order by min(measured_at)"
        ).fetchall()


async def write(store: TimescaleStore, topic: TopicPartition, rows: Readings) -> None:
    async with store.transaction(await store.assign(topic, partitions=1), at=0) as tx:
        await tx.write_readings(rows)


@pytest.mark.parametrize("role", ["meterwarden", "meterwarden_worker"])
def test_readings_lie_in_their_chunks_whichever_way_they_went(
    world: str, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readings of days without a chunk, and those that are few of their day, go through the table."""
    asked: list[str] = []
    plain = table._copy

    async def copy(connection: psycopg.AsyncConnection, where: sql.Identifier, rows: Readings) -> None:
        asked.append(where.as_string())
        await plain(connection, where, rows)

    monkeypatch.setattr(table, "_copy", copy)

    first, second = ticks(2, 1500), ticks(3, 1500)
    few = ticks(1, 20)
    few["measured_at"] += DAY
    second = np.concatenate([few, second])

    async def scenario() -> None:
        chunks = table.Chunks()
        async with connected(world) as connection:
            await connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
            await table.append(connection, first, chunks)
            assert asked == ['"reading_hot"']
            asked.clear()
            await table.append(connection, second, chunks)
            assert len(asked) == 3
            assert asked[2] == '"reading_hot"'  # the third day has no chunk yet
            asked.clear()
            await table.append(connection, few, chunks)
            await table.append(connection, np.concatenate([ticks(1, 1000), few]), chunks)
            assert [where == '"reading_hot"' for where in asked] == [True, False, True]

    asyncio.run(scenario())
    held = chunks_of(world)
    assert [count for _, count in held] == [1500 + 1500 + 1000, 1500 + 1500 + 3 * len(few), 1500]
    with psycopg.connect(world) as connection:
        row = connection.execute("select count(*), sum(value) from reading_hot").fetchone()
    parts = (first, second, few, ticks(1, 1000), few)
    assert row == (sum(map(len, parts)), sum(float(part["value"].sum()) for part in parts))


def test_a_chunk_that_is_gone_costs_one_attempt(world: str, topic: TopicPartition) -> None:
    rows = ticks(1, 2000)

    async def scenario() -> None:
        async with opened(world) as store:
            await write(store, topic, rows)
            await write(store, topic, rows)
            async with connected(world) as connection:
                await connection.execute("select drop_chunks('reading_hot', older_than => 'infinity'::timestamptz)")
            with pytest.raises(StoreRejected) as refused:
                await write(store, topic, rows)
            assert not blames_the_rows(refused.value)  # a worker tries again, and rejects no message for it
            await write(store, topic, rows)

    asyncio.run(scenario())
    assert [count for _, count in chunks_of(world)] == [2000]


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
