"""State of a partition's meters as bytes, with the offset it belongs to."""

from typing import Final
from uuid import UUID

import psycopg

from streams.ports import FenceLost
from streams.rows.layout import Left, Snapshot, TopicPartition

__all__ = ["left_behind", "load", "of_layout", "save"]

_LOAD: Final = """
select next_offset, ledger_version, state from stream_snapshot
where consumer_group = %s and topic_id = %s and partition = %s
"""
_SAVE: Final = """
insert into stream_snapshot (consumer_group, topic_id, partition, next_offset, ledger_version, state)
values (%s, %s, %s, %s, %s, %b)
on conflict (consumer_group, topic_id, partition) do update
set next_offset = excluded.next_offset, ledger_version = excluded.ledger_version, state = excluded.state,
    taken_at = now()
"""
_BEFORE: Final = """
select topic_id, partitions from stream_layout l
where consumer_group = %s and topic = %s and topic_id <> %s
    and exists (
        select from stream_snapshot s where (s.consumer_group, s.topic_id) = (l.consumer_group, l.topic_id)
    )
order by laid_at desc limit 1
"""
_OF_LAYOUT: Final = """
select partition, next_offset, ledger_version, state from stream_snapshot
where consumer_group = %s and topic_id = %s and (%s::int4 is null or partition = %s) order by partition
"""


async def left_behind(
    connection: psycopg.AsyncConnection, group: str, partition: TopicPartition, partitions: int
) -> list[Left]:
    """States that the incarnation before left: of the same partition where it had as many, of all otherwise."""
    cursor = await connection.execute(_BEFORE, (group, partition.topic, partition.topic_id))
    row = await cursor.fetchone()
    if row is None:
        return []
    before, count = row
    only = partition.partition if count == partitions else None
    return await of_layout(connection, group, partition.topic, before, count, only=only)


async def of_layout(
    connection: psycopg.AsyncConnection, group: str, topic: str, topic_id: UUID, partitions: int, *, only: int | None
) -> list[Left]:
    """States of the partitions of an incarnation, or of one of them."""
    cursor = await connection.execute(_OF_LAYOUT, (group, topic_id, only, only), binary=True)
    return [
        Left(
            partition=TopicPartition(topic, topic_id, number),
            partitions=partitions,
            snapshot=Snapshot(next_offset=offset, ledger_version=version, state=bytes(state)),
        )
        for number, offset, version, state in await cursor.fetchall()
    ]


async def load(connection: psycopg.AsyncConnection, group: str, partition: TopicPartition) -> Snapshot | None:
    """The partition's snapshot, if one was taken."""
    cursor = await connection.execute(_LOAD, (group, partition.topic_id, partition.partition), binary=True)
    row = await cursor.fetchone()
    return None if row is None else Snapshot(next_offset=row[0], ledger_version=row[1], state=bytes(row[2]))


async def save(
    connection: psycopg.AsyncConnection, group: str, partition: TopicPartition, snapshot: Snapshot, fence: int
) -> None:
    """Replace the partition's snapshot; one that lies above the fence would lose what is between."""
    if snapshot.next_offset > fence:
        raise FenceLost(
            f"{partition.topic}/{partition.partition}: a snapshot must not lie above the fence {fence} "
            f"(got {snapshot.next_offset})"
        )
    await connection.execute(
        _SAVE,
        (
            group,
            partition.topic_id,
            partition.partition,
            snapshot.next_offset,
            snapshot.ledger_version,
            snapshot.state,
        ),
    )
