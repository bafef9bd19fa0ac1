"""Hours are inserted once, revised when they differ, and left alone when they do not."""

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import psycopg
import pytest

from analytics.domain.errors import StoreUnavailable
from streams.rows.layout import HOUR_ROW, Assigned, HourCounts, Hours, TopicPartition
from streams.store.partitions import TimescaleStore, Transaction
from tests.streams.store.conftest import opened

pytestmark = pytest.mark.integration

H0 = 497_222  # an hour in 2026


def hour(point: int, at: int, micro: int, *, measured: float = 1.0, quality: int = 0) -> tuple[object, ...]:
    return (point, (point + 1) // 2, at, micro, 1.0, measured, quality)


def rows_of(*rows: tuple[object, ...]) -> Hours:
    return np.array(list(rows), HOUR_ROW)


def within(dsn: str, topic: TopicPartition, *steps: Callable[[Transaction], Awaitable[None]]) -> None:
    async def scenario() -> None:
        async with opened(dsn) as store:
            assigned = await store.assign(topic, partitions=1)
            for step in steps:
                async with store.transaction(assigned, at=0) as tx:
                    await step(tx)

    asyncio.run(scenario())


async def all_hours(tx: Transaction) -> Hours:
    points = np.arange(1, 5, dtype=np.int32)
    return await tx.read_hours(points, np.full(4, H0 - 1000), np.full(4, H0 + 1000))


def test_many_windows_give_what_each_gives_by_itself(world: str, topic: TopicPartition) -> None:
    rows = rows_of(*(hour(point, H0 + at, 10 * point + at) for point in range(1, 5) for at in range(12)))
    point = np.array([1, 1, 2, 2, 3, 4, 4], np.int32)
    first = H0 + np.array([0, 6, 2, 3, 11, -5, 4])
    last = H0 + np.array([3, 9, 5, 8, 12, 0, 4])

    async def write(tx: Transaction) -> None:
        await tx.write_hours(rows)

    async def read(tx: Transaction) -> None:
        whole = await tx.read_hours(point, first, last)
        alone = [await tx.read_hours(point[i : i + 1], first[i : i + 1], last[i : i + 1]) for i in range(len(point))]
        apart = {(row["point_id"].item(), row["hour"].item()) for part in alone for row in part}
        assert sorted(apart) == list(zip(whole["point_id"].tolist(), whole["hour"].tolist(), strict=True))
        assert len(whole) == 3 + 3 + 6 + 1
        assert (whole["amount"] == 10 * whole["point_id"] + whole["hour"] - H0).all()

    within(world, topic, write, read)


def test_hours_come_back_as_they_went_in(world: str, topic: TopicPartition) -> None:
    rows = rows_of(
        hour(1, H0, 2**51 - 1), hour(1, H0 + 1, -1, measured=0.25, quality=3), hour(2, H0, 0), hour(3, -5, 1)
    )

    async def write(tx: Transaction) -> None:
        assert await tx.write_hours(rows) == HourCounts(4, 0)

    async def read(tx: Transaction) -> None:
        found = await tx.read_hours(
            np.array([3, 1, 2, 1]), np.array([-9, H0, H0, H0]), np.array([0, H0 + 2, H0 + 1, H0])
        )
        assert found["revision"].tolist() == [0] * 4
        for name in HOUR_ROW.names or ():
            assert found[name].tolist() == rows[name].tolist()

    within(world, topic, write, read)


def test_an_hour_that_differs_gets_the_next_revision_and_one_that_does_not_stays(
    world: str, topic: TopicPartition
) -> None:
    async def first(tx: Transaction) -> None:
        assert await tx.write_hours(rows_of(hour(1, H0, 10), hour(1, H0 + 1, 20), hour(1, H0 + 2, 30))) == (3, 0)

    async def second(tx: Transaction) -> None:
        rows = rows_of(hour(1, H0, 10), hour(1, H0 + 1, 21), hour(1, H0 + 2, 30, quality=1), hour(1, H0 + 3, 40))
        assert await tx.write_hours(rows) == (1, 2)
        assert await tx.write_hours(rows) == (0, 0)

    async def third(tx: Transaction) -> None:
        assert await tx.write_hours(rows_of(hour(1, H0 + 1, 22))) == (0, 1)
        found = await all_hours(tx)
        assert found["amount"].tolist() == [10, 22, 30, 40]
        assert found["revision"].tolist() == [0, 2, 1, 0]

    within(world, topic, first, second, third)


def test_an_unchanged_hour_is_not_written_again(world: str, topic: TopicPartition) -> None:
    rows = rows_of(*(hour(p, H0, p) for p in range(1, 5)))

    async def write(tx: Transaction) -> None:
        await tx.write_hours(rows)

    def writers() -> object:
        with psycopg.connect(world) as connection:
            return connection.execute("select distinct xmin::text from consumption_hour").fetchall()

    within(world, topic, write)
    first = writers()
    within(world, topic, write)
    assert writers() == first


def test_several_writes_in_one_transaction_do_not_meddle(world: str, topic: TopicPartition) -> None:
    async def write(tx: Transaction) -> None:
        assert await tx.write_hours(rows_of(hour(1, H0, 1))) == (1, 0)
        assert await tx.write_hours(rows_of(hour(2, H0, 2))) == (1, 0)
        assert await tx.write_hours(rows_of()) == (0, 0)

    async def read(tx: Transaction) -> None:
        assert (await all_hours(tx))["amount"].tolist() == [1, 2]

    within(world, topic, write, read)


def test_hours_in_the_order_of_time_are_new_and_late_ones_revise(world: str, topic: TopicPartition) -> None:
    async def first(tx: Transaction) -> None:
        assert await tx.write_hours(rows_of(hour(1, H0, 10), hour(2, H0, 20))) == (2, 0)

    async def second(tx: Transaction) -> None:
        rows = rows_of(hour(1, H0 + 1, 11), hour(1, H0 + 2, 12), hour(2, H0, 21), hour(2, H0 + 1, 22), hour(3, H0, 30))
        assert await tx.write_hours(rows) == (4, 1)

    async def third(tx: Transaction) -> None:
        assert await tx.write_hours(rows_of(hour(1, H0 + 1, 99), hour(1, H0 + 3, 13))) == (1, 1)
        found = await all_hours(tx)
        assert found["amount"].tolist() == [10, 99, 12, 13, 21, 22, 30]
        assert found["revision"].tolist() == [0, 1, 0, 0, 1, 0, 0]

    within(world, topic, first, second, third)


def test_hours_that_were_rolled_back_are_not_taken_for_stored(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world) as store:
            assigned = await store.assign(topic, partitions=1)

            async def write(*amounts: int, fail: bool = False) -> None:
                async with store.transaction(assigned, at=0) as tx:
                    await tx.write_hours(rows_of(*(hour(1, H0 + k, amount) for k, amount in enumerate(amounts))))
                    if fail:
                        raise ZeroDivisionError

            await write(1)
            with pytest.raises(ZeroDivisionError):
                await write(1, 2, fail=True)
            await write(1, 3, 4)
            async with store.transaction(assigned, at=0) as tx:
                assert (await all_hours(tx))["amount"].tolist() == [1, 3, 4]

    asyncio.run(scenario())


def test_an_owner_that_comes_back_does_not_trust_what_it_knew(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world, "a") as a, opened(world, "b") as b:
            for store, amount in ((a, 1), (b, 2), (a, 3)):
                assigned = await store.assign(topic, partitions=1)
                for k in range(3):
                    async with store.transaction(assigned, at=0) as tx:
                        await tx.write_hours(rows_of(hour(1, H0 + k, amount)))
            async with a.transaction(assigned, at=0) as tx:
                found = await all_hours(tx)
            assert (found["amount"].tolist(), found["revision"].tolist()) == ([3, 3, 3], [2, 2, 2])

    asyncio.run(scenario())


def test_hours_that_somebody_else_wrote_are_noticed_and_asked_for_anew(world: str, topic: TopicPartition) -> None:
    async def write(store: TimescaleStore, assigned: Assigned, at: int, amount: int) -> None:
        async with store.transaction(assigned, at=0) as tx:
            await tx.write_hours(rows_of(hour(1, at, amount)))

    async def scenario() -> None:
        async with opened(world) as store:
            assigned = await store.assign(topic, partitions=1)
            await write(store, assigned, H0, 1)
            with psycopg.connect(world, autocommit=True) as connection:
                connection.execute(
                    "insert into consumption_hour "
                    "select start + interval '1 h', 9, 1, 1, 1, 1, 0, 0 from consumption_hour"
                )
            with pytest.raises(StoreUnavailable):
                await write(store, assigned, H0 + 1, 2)
            await write(store, assigned, H0 + 1, 2)
            async with store.transaction(assigned, at=0) as tx:
                assert (await all_hours(tx))["revision"].tolist() == [0, 1]

    asyncio.run(scenario())


def test_removed_hours_are_gone_and_others_are_not(world: str, topic: TopicPartition) -> None:
    async def write(tx: Transaction) -> None:
        await tx.write_hours(rows_of(*(hour(p, H0 + k, k) for p in (1, 2) for k in range(3))))

    async def remove(tx: Transaction) -> None:
        assert await tx.remove_hours(np.array([1, 1, 2], np.int32), np.array([H0, H0 + 1, H0 + 500])) == 2
        assert await tx.remove_hours(np.empty(0, np.int32), np.empty(0, np.int64)) == 0
        found = await all_hours(tx)
        assert found["point_id"].tolist() == [1, 2, 2, 2]

    within(world, topic, write, remove)


def test_hours_of_no_windows_are_none(world: str, topic: TopicPartition) -> None:
    async def read(tx: Transaction) -> None:
        nothing = np.empty(0, np.int64)
        assert len(await tx.read_hours(nothing.astype(np.int32), nothing, nothing)) == 0

    within(world, topic, read)


def test_marks_of_stale_hours_are_kept_with_the_hours(world: str, topic: TopicPartition) -> None:
    async def mark(tx: Transaction) -> None:
        await tx.mark_dirty(np.array([1, 2], np.int32), np.array([H0, H0]), np.array([H0, H0 + 2]))
        await tx.mark_dirty(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.int64))

    within(world, topic, mark)
    with psycopg.connect(world) as connection:
        found = connection.execute(
            "select unit_id, extract(epoch from first_hour)::int8 / 3600, extract(epoch from last_hour)::int8 / 3600 "
            "from dirty_hour order by unit_id"
        ).fetchall()
    assert found == [(1, H0, H0), (2, H0, H0 + 2)]
