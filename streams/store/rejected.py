"""What was refused: kept once with its bytes, relayed to the topic of rejected readings, listed and replayed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import numpy as np
import psycopg
from psycopg.rows import class_row

from streams.rows.layout import RejectedRow, TopicPartition
from streams.store.postgres.copy import Column, Layout
from streams.store.postgres.text import NAME_LIMIT, storable

__all__ = [
    "TEMPORARY",
    "Chosen",
    "RejectedRecord",
    "clear",
    "count",
    "insert",
    "mark_relayed",
    "mark_replayed",
    "remove",
    "select",
    "unrelayed",
]

TEMPORARY: Final = """
create temporary table rejected_in (
    kafka_offset int8, position int4, readings int4, reason text, required text, got text, unit_code text, payload bytea
) on commit delete rows
"""

_LAYOUT: Final = Layout(
    Column("kafka_offset", "int8"),
    Column("position", "int4"),
    Column("readings", "int4"),
    Column("reason", "text"),
    Column("required", "text"),
    Column("got", "text"),
    Column("unit_code", "text"),
    Column("payload", "bytea"),
)
_COPY_IN: Final = """
copy rejected_in (kafka_offset, position, readings, reason, required, got, unit_code, payload)
from stdin (format binary)
"""
_INSERT: Final = """
insert into rejected (topic, topic_id, partition, kafka_offset, position, reason, required, got, unit_code, payload,
                      readings)
select %s, %s, %s, kafka_offset, position, reason, required, got, unit_code, payload, readings
from rejected_in order by kafka_offset, position
on conflict (topic_id, partition, kafka_offset, position, md5(payload)) do nothing
"""
_FIELDS: Final = """
select id, topic, topic_id, partition, kafka_offset, position, reason, required, got, unit_code, payload, readings,
       stored_at, relayed, replayed_at
from rejected
"""
_UNRELAYED: Final = f"{_FIELDS} where not relayed order by id limit %s for update skip locked"
_SELECT: Final = f"""{_FIELDS}
where id > %(after)s
    and (%(reason)s::text is null or reason = %(reason)s)
    and (%(unit_code)s::text is null or unit_code = %(unit_code)s)
    and (%(since)s::timestamptz is null or stored_at >= %(since)s)
    and (not %(pending)s or replayed_at is null)
order by id limit %(limit)s
"""
_FILTERED: Final = """
from rejected where relayed
    and (%(reason)s::text is null or reason = %(reason)s)
    and (%(unit_code)s::text is null or unit_code = %(unit_code)s)
    and (%(since)s::timestamptz is null or stored_at >= %(since)s)
    and (%(until)s::timestamptz is null or stored_at < %(until)s)
    and (not %(replayed)s or replayed_at is not null)
"""
_COUNT: Final = (
    "select reason, count(*), sum(readings)::int8, count(*) filter (where replayed_at is null) "
    f"{_FILTERED} and id <= %(last)s group by 1 order by 2 desc, 1"
)
_REMOVE: Final = f"delete {_FILTERED} and id <= %(last)s"
_RELAYED: Final = "update rejected set relayed = true where id = any(%s) and not relayed"
_REPLAYED: Final = "update rejected set replayed_at = clock_timestamp() where id = any(%s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRecord:
    """A refused record or reading as it is stored. `position` is -1 for a whole record."""

    id: int
    topic: str
    topic_id: UUID
    partition: int
    kafka_offset: int
    position: int
    reason: str
    required: str
    got: str
    unit_code: str | None
    payload: bytes
    readings: int
    stored_at: datetime
    relayed: bool
    replayed_at: datetime | None


async def insert(connection: psycopg.AsyncConnection, partition: TopicPartition, rows: Sequence[RejectedRow]) -> int:
    """Keep refused records and readings of a partition; the number that are new."""
    if not rows:
        return 0
    async with connection.cursor() as cursor:
        async with cursor.copy(_COPY_IN) as copy:
            await copy.write(_LAYOUT.pack(_columns(rows)))
        await cursor.execute(_INSERT, (partition.topic, partition.topic_id, partition.partition))
        return cursor.rowcount


async def clear(connection: psycopg.AsyncConnection) -> None:
    """Forget what this transaction has inserted, before it does so again."""
    await connection.execute("truncate rejected_in")


async def unrelayed(connection: psycopg.AsyncConnection, limit: int) -> list[RejectedRecord]:
    """The oldest rows that are not on the topic of rejected readings yet and that nobody else is sending.

    They stay locked until the transaction ends.
    """
    async with connection.cursor(row_factory=class_row(RejectedRecord)) as cursor:
        await cursor.execute(_UNRELAYED, (limit,))
        return await cursor.fetchall()


async def select(
    connection: psycopg.AsyncConnection,
    *,
    after: int = 0,
    reason: str | None = None,
    unit_code: str | None = None,
    since: datetime | None = None,
    pending: bool = False,
    limit: int = 1000,
) -> list[RejectedRecord]:
    """A page of rows by id, those above `after`; `pending` leaves out what was replayed."""
    parameters = {
        "after": after,
        "reason": reason,
        "unit_code": unit_code,
        "since": since,
        "pending": pending,
        "limit": limit,
    }
    async with connection.cursor(row_factory=class_row(RejectedRecord)) as cursor:
        await cursor.execute(_SELECT, parameters)
        return await cursor.fetchall()


async def mark_relayed(connection: psycopg.AsyncConnection, ids: Sequence[int]) -> int:
    """Mark rows as on the topic; the number marked now."""
    return (await connection.execute(_RELAYED, (list(ids),))).rowcount


async def mark_replayed(connection: psycopg.AsyncConnection, ids: Sequence[int]) -> int:
    """Mark rows as sent to the topic of readings again; the number of rows."""
    return (await connection.execute(_REPLAYED, (list(ids),))).rowcount


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which rows are meant; None for all.

    Attributes
    ----------
    replayed : bool
        Whether only those that were sent again.
    last : int
        Id of the last that is looked at: what is refused meanwhile is not meant.
    """

    reason: str | None
    unit_code: str | None
    since: datetime | None
    until: datetime | None
    replayed: bool
    last: int


async def count(connection: psycopg.AsyncConnection, chosen: Chosen) -> list[tuple[str, int, int, int]]:
    """Reason, rows, readings and rows not sent again, of what is on the topic of rejected readings already."""
    cursor = await connection.execute(_COUNT, asdict(chosen))
    return await cursor.fetchall()


async def remove(connection: psycopg.AsyncConnection, chosen: Chosen) -> int:
    """Forget what `count` counts; how many rows. The topic keeps them as long as it keeps anything."""
    return (await connection.execute(_REMOVE, asdict(chosen))).rowcount


def _columns(rows: Sequence[RejectedRow]) -> Mapping[str, Any]:
    return {
        "kafka_offset": np.array([row.kafka_offset for row in rows], np.int64),
        "position": np.array([row.position for row in rows], np.int32),
        "readings": np.array([row.readings for row in rows], np.int32),
        "reason": [row.reason.name.lower() for row in rows],
        "required": [storable(row.required) for row in rows],
        "got": [storable(row.got) for row in rows],
        "unit_code": [None if row.unit_code is None else storable(row.unit_code, NAME_LIMIT) for row in rows],
        "payload": [row.payload for row in rows],
    }
