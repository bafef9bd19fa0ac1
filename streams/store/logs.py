"""Bookkeeping of Kafka's logs: distribution of units over partitions, incidents, progress of each partition."""

from collections.abc import Sequence
from typing import Final, LiteralString, NamedTuple
from uuid import UUID

import psycopg

from analytics.domain.errors import MeterwardenError
from streams.rows.layout import Incident, PartitionReport, PassedOn, TopicPartition

__all__ = [
    "Layout",
    "forget_passed_on",
    "hold",
    "lay_anew",
    "note",
    "of_topic",
    "pass_on",
    "passed_on",
    "repeated",
    "report",
]

_LAY: Final = """
insert into stream_layout (consumer_group, topic_id, topic, partitions) values (%s, %s, %s, %s)
on conflict (consumer_group, topic_id) do nothing
"""
_LAID: Final = """
select partitions, former from stream_layout where consumer_group = %s and topic_id = %s for share
"""
_HELD: Final = """
select partitions, former from stream_layout where consumer_group = %s and topic_id = %s for update
"""
_RELAY: Final = """
update stream_layout set partitions = %s, former = partitions, laid_at = clock_timestamp()
where consumer_group = %s and topic_id = %s
"""
_ELSEWHERE: Final = "insert into stream_passed_on (topic, unit_code, payload, readings) values (%s, %s, %b, %s)"
_PASSED_ON: Final = """
select id, unit_code, payload from stream_passed_on where topic = %s order by id limit %s for update skip locked
"""
_DONE: Final = "delete from stream_passed_on where id = any(%s)"
_NOTE: Final = """
insert into stream_incident (consumer_group, topic, topic_id, partition, kind, from_offset, to_offset, detail)
values (%s, %s, %s, %s, %s, %s, %s, %s)
"""
_REPEATED: Final = """
update stream_incident set repeated = repeated + %s where id = (
    select max(id) from stream_incident
    where consumer_group = %s and topic_id = %s and partition = %s and kind in ('log_shorter', 'log_other')
)
"""
_REPORT: Final = """
insert into stream_partition as p
    (consumer_group, topic, partition, topic_id, worker, doing, detail, next_offset, end_offset, moved_at)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
on conflict (consumer_group, topic, partition) do update
set topic_id = excluded.topic_id, worker = excluded.worker, doing = excluded.doing, detail = excluded.detail,
    next_offset = excluded.next_offset, end_offset = excluded.end_offset,
    moved_at = coalesce(excluded.moved_at, p.moved_at), told_at = clock_timestamp(),
    changed_at = case when (p.topic_id, p.worker, p.doing, p.detail, p.next_offset)
        is distinct from (excluded.topic_id, excluded.worker, excluded.doing, excluded.detail, excluded.next_offset)
        then clock_timestamp() else p.changed_at end
"""


class Layout(NamedTuple):
    """Over how many partitions a topic's units are spread, and over how many they were before."""

    partitions: int
    former: int | None


async def of_topic(
    connection: psycopg.AsyncConnection, group: str, partition: TopicPartition, partitions: int
) -> Layout:
    """The layout of a topic, held until the transaction ends; `partitions` is that of one nobody has seen before."""
    await connection.execute(_LAY, (group, partition.topic_id, partition.topic, partitions))
    return await _layout(connection, _LAID, group, partition.topic_id)


async def hold(connection: psycopg.AsyncConnection, group: str, topic_id: UUID) -> Layout:
    """The layout of a topic, which nobody can take a partition by until the transaction ends."""
    return await _layout(connection, _HELD, group, topic_id)


async def lay_anew(connection: psycopg.AsyncConnection, group: str, topic_id: UUID, partitions: int) -> None:
    """Record that the units of a topic are spread over another number of partitions."""
    await connection.execute(_RELAY, (partitions, group, topic_id))


async def pass_on(connection: psycopg.AsyncConnection, topic: str, rows: Sequence[PassedOn]) -> None:
    """Keep readings that another partition has to take."""
    async with connection.cursor() as cursor:
        await cursor.executemany(_ELSEWHERE, [(topic, row.unit_code, row.payload, row.readings) for row in rows])


async def passed_on(connection: psycopg.AsyncConnection, topic: str, limit: int) -> list[tuple[int, str, bytes]]:
    """The oldest readings that another partition has to take: id, unit and block; locked."""
    cursor = await connection.execute(_PASSED_ON, (topic, limit), binary=True)
    return [(int(one), str(code), bytes(payload)) for one, code, payload in await cursor.fetchall()]


async def forget_passed_on(connection: psycopg.AsyncConnection, ids: Sequence[int]) -> None:
    """Mark them as sent."""
    await connection.execute(_DONE, (list(ids),))


async def _layout(connection: psycopg.AsyncConnection, query: LiteralString, group: str, topic_id: UUID) -> Layout:
    cursor = await connection.execute(query, (group, topic_id))
    row = await cursor.fetchone()
    if row is None:
        raise MeterwardenError(f"topic {topic_id} must have been read by group {group} (it was not)")
    return Layout(int(row[0]), None if row[1] is None else int(row[1]))


async def note(connection: psycopg.AsyncConnection, group: str, partition: TopicPartition, incident: Incident) -> None:
    """Keep what was found."""
    where = (group, partition.topic, partition.topic_id, partition.partition)
    what = (incident.kind.value, incident.from_offset, incident.to_offset, incident.detail)
    await connection.execute(_NOTE, where + what)


async def repeated(connection: psycopg.AsyncConnection, group: str, partition: TopicPartition, readings: int) -> None:
    """Count readings that were read again to the newest cut of a partition's log."""
    await connection.execute(_REPEATED, (readings, group, partition.topic_id, partition.partition))


async def report(
    connection: psycopg.AsyncConnection, group: str, worker: str, reports: Sequence[PartitionReport]
) -> None:
    """Tell how partitions do."""
    rows = [
        (
            group, r.partition.topic, r.partition.partition, r.partition.topic_id, worker, r.doing.value,
            r.detail[:500], r.next_offset, r.end_offset, r.moved_at,
        )
        for r in reports
    ]  # fmt: skip
    if rows:
        async with connection.cursor() as cursor:
            await cursor.executemany(_REPORT, rows)
