"""The fence of a partition: how far it is stored, and who may store more."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Final, LiteralString, NamedTuple
from uuid import UUID

import psycopg

from streams.ports import FenceLost
from streams.rows.layout import TopicPartition

__all__ = ["PATIENCE_S", "Fence", "begin", "end_others", "hold_all", "lock", "look", "move", "rewind", "take_over"]

PATIENCE_S: Final = 2.0
"""How long a transaction of the former owner may still run before its session is ended."""

_TAKE_OVER: Final = """
insert into stream_fence as f (consumer_group, topic, topic_id, partition, owner, epoch)
values (%s, %s, %s, %s, %s, 1)
on conflict (consumer_group, topic_id, partition) do update
set epoch = f.epoch + 1, owner = excluded.owner, topic = excluded.topic, assigned_at = now()
returning epoch, next_offset, marks, reread_until, coalesce(extract(epoch from reread_before) * 1000000, 0)::int8
"""
_OTHERS: Final = """
update stream_fence set epoch = epoch + 1
where consumer_group = %s and topic = %s and topic_id <> %s and topic_id = (
    select topic_id from stream_layout where consumer_group = %s and topic = %s and topic_id <> %s
    order by laid_at desc limit 1
)
"""
_HOLD: Final = """
update stream_fence set epoch = epoch + 1, owner = 'meterwarden partitions', assigned_at = now()
where consumer_group = %s and topic_id = %s
returning partition, next_offset
"""
_BEGIN: Final = """
insert into stream_fence (consumer_group, topic, topic_id, partition, owner) values (%s, %s, %s, %s, %s)
on conflict (consumer_group, topic_id, partition) do nothing
"""
_LOOK: Final = """
select epoch, next_offset, owner from stream_fence
where consumer_group = %s and topic_id = %s and partition = %s
"""
_LOCK: Final = """
select epoch, next_offset, owner from stream_fence
where consumer_group = %s and topic_id = %s and partition = %s
for update
"""
_MOVE: Final = """
update stream_fence set next_offset = %s, marks = %b, moved_at = clock_timestamp()
where consumer_group = %s and topic_id = %s and partition = %s and next_offset <= %s
"""
_REWIND: Final = """
update stream_fence
set next_offset = %(to)s, marks = %(marks)b, reread_until = greatest(reread_until, %(until)s),
    reread_before = greatest(reread_before, at_us(%(before)s)), moved_at = clock_timestamp()
where consumer_group = %(group)s and topic_id = %(topic_id)s and partition = %(partition)s
"""
_END_BLOCKERS: Final = "select pg_terminate_backend(pid) from unnest(pg_blocking_pids(%s)) pid"


class Fence(NamedTuple):
    """A fence as it is taken over; see `streams.rows.layout.Assigned`."""

    epoch: int
    next_offset: int
    marks: bytes
    reread_until: int
    reread_before_us: int


async def take_over(
    connection: psycopg.AsyncConnection,
    helper: Callable[[], AbstractAsyncContextManager[psycopg.AsyncConnection]],
    group: str,
    partition: TopicPartition,
    owner: str,
) -> Fence:
    """Become the owner; the fence with its new epoch.

    A former owner that was stopped inside a transaction holds the row and can not be asked to let go (while it sends a
    COPY, no time limit of the server ends it). After `PATIENCE_S` a connection of `helper` ends its session.
    """
    parameters = (group, partition.topic, partition.topic_id, partition.partition, owner)
    waiting = asyncio.create_task(_fetch(connection, _TAKE_OVER, parameters))
    try:
        while True:
            done, _ = await asyncio.wait({waiting}, timeout=PATIENCE_S)
            if done:
                break
            async with helper() as other:
                await other.execute(_END_BLOCKERS, (connection.info.backend_pid,))
    finally:
        if not waiting.done():
            waiting.cancel()
            with suppress(asyncio.CancelledError, psycopg.Error):
                await waiting
    row = waiting.result()
    assert row is not None, "an upsert returns its row"
    return Fence(int(row[0]), int(row[1]), bytes(row[2]), int(row[3]), int(row[4]))


async def end_others(connection: psycopg.AsyncConnection, group: str, partition: TopicPartition) -> None:
    """End the ownership of the incarnation before this one: its states are taken over."""
    where = (group, partition.topic, partition.topic_id)
    await connection.execute(_OTHERS, where + where)


async def hold_all(connection: psycopg.AsyncConnection, group: str, topic_id: UUID) -> dict[int, int]:
    """End the ownership of all partitions of an incarnation until the transaction ends; where each fence stands."""
    cursor = await connection.execute(_HOLD, (group, topic_id))
    return {int(number): int(offset) for number, offset in await cursor.fetchall()}


async def begin(connection: psycopg.AsyncConnection, group: str, partition: TopicPartition) -> None:
    """A fence at 0 for a partition that is new."""
    await connection.execute(_BEGIN, (group, partition.topic, partition.topic_id, partition.partition, "nobody"))


async def look(connection: psycopg.AsyncConnection, group: str, partition: TopicPartition, epoch: int) -> int:
    """The next offset, if `epoch` still owns the partition."""
    return await _owned(connection, _LOOK, group, partition, epoch)


async def lock(connection: psycopg.AsyncConnection, group: str, partition: TopicPartition, epoch: int, at: int) -> None:
    """Lock the row until the transaction ends; refuse who is not the owner, or thinks the fence elsewhere."""
    found = await _owned(connection, _LOCK, group, partition, epoch)
    if found != at:
        raise FenceLost(f"{_named(partition)}: the batch must start at the fence {found} (got {at})")


async def move(
    connection: psycopg.AsyncConnection, group: str, partition: TopicPartition, next_offset: int, marks: bytes
) -> None:
    """Move the fence forwards."""
    parameters = (next_offset, marks, group, partition.topic_id, partition.partition, next_offset)
    cursor = await connection.execute(_MOVE, parameters)
    if cursor.rowcount != 1:
        raise FenceLost(f"{_named(partition)}: the fence must not move backwards (got {next_offset})")


async def rewind(
    connection: psycopg.AsyncConnection,
    group: str,
    partition: TopicPartition,
    to: int,
    marks: bytes,
    *,
    until: int,
    before_us: int,
) -> None:
    """Move the fence to where the log and what is stored part; see `streams.ports.PartitionTransaction.rewind`."""
    await connection.execute(
        _REWIND,
        {
            "to": to, "marks": marks, "until": until, "before": before_us, "group": group,
            "topic_id": partition.topic_id, "partition": partition.partition,
        },
    )  # fmt: skip


async def _owned(
    connection: psycopg.AsyncConnection, query: LiteralString, group: str, partition: TopicPartition, epoch: int
) -> int:
    row = await _fetch(connection, query, (group, partition.topic_id, partition.partition))
    if row is None:
        raise FenceLost(f"{_named(partition)}: the fence must exist (it was removed)")
    found, next_offset, owner = row
    if found != epoch:
        raise FenceLost(f"{_named(partition)}: epoch {found} owns it ({owner}; got {epoch})")
    return int(next_offset)


async def _fetch(
    connection: psycopg.AsyncConnection, query: LiteralString, parameters: Sequence[object]
) -> tuple[Any, ...] | None:
    cursor = await connection.execute(query, parameters)
    return await cursor.fetchone()


def _named(partition: TopicPartition) -> str:
    return f"{partition.topic}/{partition.partition}"
