"""Readings stored later than a snapshot, in the order in which they were stored."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Final

import numpy as np
import psycopg

from streams.rows.layout import READING_ROW, Int32s, Readings, StoredReadings, TopicPartition
from streams.store import readings
from streams.store.postgres.columns import decode

__all__ = ["first_us", "read"]

_AT_ONCE: Final = 200_000
_SINCE: Final = """
select array_send(array_agg(measured_at order by n)), array_send(array_agg(received_at order by n)),
       array_send(array_agg(value order by n)), array_send(array_agg(register_id order by n)),
       array_send(array_agg(quality order by n)), array_send(array_agg(unit order by n))
from (
    select r.*, row_number() over (order by age(r.xmin) desc, r.measured_at) - 1 as n from (
        select h.*, h.xmin from reading_hot h
        where h.register_id = any(%(register_ids)s) and age(h.xmin) < (
            select age(s.xmin) from stream_snapshot s
            where s.consumer_group = %(group)s and s.topic_id = %(topic_id)s and s.partition = %(partition)s
        )
    ) r
) o
group by n / %(portion)s order by n / %(portion)s
"""
_SPAN: Final = """
select least(min(hot.first), min(old.first)), greatest(max(hot.last), max(old.last)) from
    (select min(measured_at) as first, max(measured_at) as last from reading_hot) hot,
    (select min(day)::timestamp at time zone 'UTC' as first,
            (max(day) + 1)::timestamp at time zone 'UTC' as last from reading_history) old
"""
_STEP: Final = timedelta(days=1)


async def read(
    connection: psycopg.AsyncConnection,
    group: str,
    names: Sequence[tuple[int, int, str]],
    after: TopicPartition | None,
) -> AsyncIterator[StoredReadings]:
    """Portions of readings: those stored later than the snapshot of `after`, or all of them day by day.

    Parameters
    ----------
    names : sequence of (int, int, str)
        Id, meter and name of each register.
    """
    ids = np.array([one for one, _, _ in names], np.int32)
    if after is None:
        async for rows in _all(connection, ids):
            yield StoredReadings(rows=rows, registers=names)
        return
    parameters = {
        "register_ids": ids, "group": group, "topic_id": after.topic_id, "partition": after.partition,
        "portion": _AT_ONCE,
    }  # fmt: skip
    async with connection.cursor("since", binary=True) as cursor:
        await cursor.execute(_SINCE, parameters)
        async for sent in cursor:
            yield StoredReadings(rows=_rows(sent), registers=names)


async def first_us(connection: psycopg.AsyncConnection) -> int:
    """When the first of all stored readings was measured; 2**62 where there is none. [us since 1970-01-01 UTC]"""
    cursor = await connection.execute(_SPAN)
    row = await cursor.fetchone()
    return 2**62 if row is None or row[0] is None else round(row[0].timestamp() * 1e6)


async def _all(connection: psycopg.AsyncConnection, ids: Int32s) -> AsyncIterator[Readings]:
    cursor = await connection.execute(_SPAN)
    row = await cursor.fetchone()
    if row is None or row[0] is None:
        return
    first, last = row
    while first <= last:
        from_us = np.full(len(ids), round(first.timestamp() * 1e6))
        rows = await readings.of_registers(connection, ids, from_us, from_us + _STEP // timedelta(microseconds=1))
        rows = rows[np.argsort(rows["measured_at"], kind="stable")]
        for start in range(0, len(rows), _AT_ONCE):
            yield rows[start : start + _AT_ONCE]
        first += _STEP


def _rows(sent: Sequence[bytes | None]) -> Readings:
    columns = [decode(column, kind) for column, kind in zip(sent, readings.KINDS.values(), strict=True)]
    rows = np.empty(len(columns[0]), READING_ROW)
    for name, column in zip(readings.KINDS, columns, strict=True):
        rows[name] = column
    return rows
