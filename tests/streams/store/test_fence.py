"""Once only, whoever writes: the fence, its epochs and what a leftover of a rebalance may do."""

import asyncio
import uuid

import numpy as np
import psycopg
import pytest

from analytics.domain.errors import StoreUnavailable
from streams.ports import FenceLost, StoreRejected
from streams.rows.layout import READING_ROW, Assigned, Readings, Snapshot, TopicPartition
from streams.store import fence
from streams.store.partitions import TimescaleStore
from tests.streams.store.conftest import opened

pytestmark = pytest.mark.integration


def readings(first: int, count: int = 10) -> Readings:
    rows = np.zeros(count, READING_ROW)
    rows["measured_at"] = 1_790_000_000_000_000 + (first + np.arange(count)) * 60_000_000
    rows["received_at"] = rows["measured_at"] + 1
    rows["value"] = first + np.arange(count)
    rows["register_id"] = 1
    rows["unit"] = 1
    return rows


async def write(store: TimescaleStore, assigned: Assigned, at: int, to: int) -> None:
    async with store.transaction(assigned, at=at) as tx:
        await tx.write_readings(readings(at, to - at))
        await tx.move_fence(to, b"")


def stored(dsn: str) -> list[float]:
    with psycopg.connect(dsn) as connection:
        return [row[0] for row in connection.execute("select value from reading_hot order by value")]


def test_a_new_partition_begins_at_zero_without_a_snapshot(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world) as store:
            assigned = await store.assign(topic, partitions=1)
            assert (assigned.next_offset, assigned.snapshot, assigned.epoch) == (0, None, 1)

    asyncio.run(scenario())


def test_results_and_fence_are_committed_together(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world) as store:
            assigned = await store.assign(topic, partitions=1)
            await write(store, assigned, 0, 10)
            assert await store.fence(assigned) == 10
            assert (await store.assign(topic, partitions=1)).next_offset == 10

    asyncio.run(scenario())
    assert stored(world) == list(range(10))


def test_an_exception_leaves_neither_rows_nor_a_moved_fence(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world) as store:
            assigned = await store.assign(topic, partitions=1)

            async def fail() -> None:
                async with store.transaction(assigned, at=0) as tx:
                    await tx.write_readings(readings(0))
                    await tx.move_fence(10, b"")
                    raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                await fail()
            assert await store.fence(assigned) == 0

    asyncio.run(scenario())
    assert stored(world) == []


def test_a_repeated_batch_is_refused(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world) as store:
            assigned = await store.assign(topic, partitions=1)
            await write(store, assigned, 0, 10)
            with pytest.raises(FenceLost, match=r"must start at the fence 10 \(got 0\)"):
                await write(store, assigned, 0, 10)

    asyncio.run(scenario())
    assert stored(world) == list(range(10))


def test_a_batch_beyond_the_fence_is_refused(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world) as store:
            assigned = await store.assign(topic, partitions=1)
            with pytest.raises(FenceLost):
                await write(store, assigned, 5, 10)

    asyncio.run(scenario())
    assert stored(world) == []


def test_a_former_owner_is_refused_even_before_the_new_one_has_written(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world, "old") as old, opened(world, "new") as new:
            was = await old.assign(topic, partitions=1)
            now = await new.assign(topic, partitions=1)
            with pytest.raises(FenceLost, match=r"epoch 2 owns it \(new; got 1\)"):
                await write(old, was, 0, 10)
            with pytest.raises(FenceLost):
                await old.fence(was)
            await write(new, now, 0, 10)

    asyncio.run(scenario())
    assert stored(world) == list(range(10))


def test_a_transaction_under_way_is_finished_before_the_partition_is_handed_over(
    world: str, topic: TopicPartition
) -> None:
    async def scenario() -> None:
        async with opened(world, "old") as old, opened(world, "new") as new:
            was = await old.assign(topic, partitions=1)
            async with old.transaction(was, at=0) as tx:
                await tx.write_readings(readings(0))
                taking = asyncio.create_task(new.assign(topic, partitions=1))
                await asyncio.sleep(0.3)
                assert not taking.done()
                await tx.move_fence(10, b"")
            assert (await taking).next_offset == 10

    asyncio.run(scenario())
    assert stored(world) == list(range(10))


@pytest.mark.parametrize("where", ["between statements", "inside a copy"])
def test_an_owner_that_stands_still_in_a_transaction_is_ended(
    world: str, topic: TopicPartition, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fence, "PATIENCE_S", 0.2)

    async def stands_still(
        store: TimescaleStore, assigned: Assigned, inside: asyncio.Event, over: asyncio.Event
    ) -> None:
        async with store.transaction(assigned, at=0) as tx:
            await tx.write_readings(readings(0))
            if where == "inside a copy":
                connection = tx._connection
                async with connection.cursor() as cursor, cursor.copy("copy reading_hot from stdin") as copy:
                    await copy.write(b"")
                    inside.set()
                    await over.wait()
            inside.set()
            await over.wait()
            await tx.move_fence(10, b"")

    async def scenario() -> None:
        async with opened(world, "old") as old, opened(world, "new") as new:
            was = await old.assign(topic, partitions=1)
            inside, over = asyncio.Event(), asyncio.Event()
            task = asyncio.create_task(stands_still(old, was, inside, over))
            await inside.wait()
            now = await new.assign(topic, partitions=1)
            assert now.next_offset == 0
            await write(new, now, 0, 5)
            over.set()
            with pytest.raises(StoreUnavailable):
                await task
            with pytest.raises(FenceLost):
                await old.fence(was)

    asyncio.run(scenario())
    assert stored(world) == list(range(5))


def test_the_fence_never_moves_backwards(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world) as store:
            assigned = await store.assign(topic, partitions=1)
            await write(store, assigned, 0, 10)
            with pytest.raises(FenceLost, match="backwards"):
                async with store.transaction(assigned, at=10) as tx:
                    await tx.move_fence(9, b"")
            assert await store.fence(assigned) == 10

    asyncio.run(scenario())


def test_a_recreated_topic_and_another_group_begin_anew(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        other = TimescaleStore(world, group="other", owner="b")
        async with opened(world) as store:
            await write(store, await store.assign(topic, partitions=1), 0, 10)
            assert (await store.assign(topic._replace(topic_id=uuid.uuid4()), partitions=1)).next_offset == 0
            assert (await other.assign(topic, partitions=1)).next_offset == 0
            assert (await store.assign(topic, partitions=1)).next_offset == 10
        await other.close()

    asyncio.run(scenario())


def test_a_snapshot_comes_back_with_its_offset(world: str, topic: TopicPartition) -> None:
    state = bytes(range(256)) * 40_000

    async def scenario() -> None:
        async with opened(world) as store:
            assigned = await store.assign(topic, partitions=1)
            async with store.transaction(assigned, at=0) as tx:
                await tx.move_fence(10, b"")
                await tx.save_snapshot(Snapshot(next_offset=7, ledger_version=1, state=state))
            again = await store.assign(topic, partitions=1)
            assert again.snapshot == Snapshot(next_offset=7, ledger_version=1, state=state)
            assert again.next_offset == 10

    asyncio.run(scenario())


def test_a_snapshot_above_the_fence_is_refused(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world) as store:
            assigned = await store.assign(topic, partitions=1)
            with pytest.raises(FenceLost, match="above the fence"):
                async with store.transaction(assigned, at=0) as tx:
                    await tx.save_snapshot(Snapshot(next_offset=1, ledger_version=1, state=b""))

    asyncio.run(scenario())


def test_two_workers_that_both_believe_to_own_it_store_everything_once(world: str, topic: TopicPartition) -> None:
    async def insist(store: TimescaleStore, until: int) -> None:
        assigned = await store.assign(topic, partitions=1)
        at = assigned.next_offset
        while at < until:
            try:
                await write(store, assigned, at, at + 5)
                at += 5
                await asyncio.sleep(0.002)
            except FenceLost:
                assigned = await store.assign(topic, partitions=1)
                at = assigned.next_offset

    async def scenario() -> None:
        async with opened(world, "a") as a, opened(world, "b") as b:
            await asyncio.gather(insist(a, 200), insist(b, 200))

    asyncio.run(scenario())
    assert stored(world) == list(range(200))


def test_a_database_that_went_away_is_worth_another_try(world: str, topic: TopicPartition) -> None:
    async def broken_off(store: TimescaleStore, assigned: Assigned) -> None:
        async with store.transaction(assigned, at=0) as tx:
            await tx.write_readings(readings(0))
            pid = tx._connection.info.backend_pid
            async with store._connections.extra() as other:
                await other.execute("select pg_terminate_backend(%s, 5000)", (pid,))
            await tx.move_fence(10, b"")

    async def scenario() -> None:
        async with opened(world) as store:
            assigned = await store.assign(topic, partitions=1)
            with pytest.raises(StoreUnavailable):
                await broken_off(store, assigned)
            await write(store, assigned, 0, 10)

    asyncio.run(scenario())
    assert stored(world) == list(range(10))


def test_a_database_that_is_not_there_is_worth_another_try(topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened("postgresql://nobody@127.0.0.1:1/nothing?connect_timeout=2") as store:
            with pytest.raises(StoreUnavailable, match="must answer"):
                await store.assign(topic, partitions=1)

    asyncio.run(scenario())


def test_rows_that_the_database_refuses_are_not_worth_another_try(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world) as store:
            assigned = await store.assign(topic, partitions=1)
            with pytest.raises(StoreRejected):
                async with store.transaction(assigned, at=0) as tx:
                    await tx.save_snapshot(Snapshot(next_offset=0, ledger_version=999, state=b""))
            await write(store, assigned, 0, 10)

    asyncio.run(scenario())


def test_a_cancelled_transaction_leaves_nothing_and_the_store_usable(world: str, topic: TopicPartition) -> None:
    async def scenario() -> None:
        async with opened(world, connections=1) as store:
            assigned = await store.assign(topic, partitions=1)

            async def slow() -> None:
                async with store.transaction(assigned, at=0) as tx:
                    await tx.write_readings(readings(0))
                    await asyncio.sleep(30)

            task = asyncio.create_task(slow())
            await asyncio.sleep(0.3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await write(store, assigned, 0, 10)

    asyncio.run(scenario())
    assert stored(world) == list(range(10))
