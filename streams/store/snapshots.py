"""State of a partition's meters as bytes, with the offset it belongs to."""

from typing import Final

import psycopg

from streams.ports import FenceLost
from streams.rows.layout import Snapshot, TopicPartition

__all__ = ["load", "save"]

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
