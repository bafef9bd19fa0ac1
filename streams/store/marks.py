"""Marks of hours whose totals are stale: set with the hours, claimed by who computes totals."""

from typing import Final, NamedTuple

import numpy as np
import psycopg

from analytics.domain.instants import US_PER_HOUR
from streams.rows.layout import Int32s, Int64s
from streams.store.postgres import arrays  # noqa: F401 - they are the parameters here

__all__ = ["Spans", "add", "claim"]

_ADD: Final = """
insert into dirty_hour (unit_id, first_hour, last_hour)
select w.unit_id, at_us(w.first_us), at_us(w.last_us)
from unnest(%(unit_ids)s::int4[], %(first_us)s::int8[], %(last_us)s::int8[]) as w (unit_id, first_us, last_us)
"""
_CANDIDATES: Final = """
select unit_id from dirty_hour
where %(unit_ids)s::int4[] is null or unit_id = any(%(unit_ids)s)
group by unit_id order by min(id) limit %(limit)s
"""
_LOCK: Final = """
select unit_id from unnest(%s::int4[]) as w (unit_id) where pg_try_advisory_xact_lock(x'6d770003'::int4, unit_id)
"""
_TAKE: Final = """
delete from dirty_hour where unit_id = any(%s)
returning unit_id, extract(epoch from first_hour)::int8 / 3600, extract(epoch from last_hour)::int8 / 3600
"""


class Spans(NamedTuple):
    """Spans of hours of units, both ends inclusive, ascending and apart."""

    unit_ids: Int32s
    first_hour: Int64s
    last_hour: Int64s


async def add(connection: psycopg.AsyncConnection, unit_ids: Int32s, first_hour: Int64s, last_hour: Int64s) -> None:
    """Mark hours of units, both ends inclusive."""
    if len(unit_ids):
        parameters = {
            "unit_ids": unit_ids,
            "first_us": first_hour.astype(np.int64) * US_PER_HOUR,
            "last_us": last_hour.astype(np.int64) * US_PER_HOUR,
        }
        await connection.execute(_ADD, parameters)


async def claim(connection: psycopg.AsyncConnection, unit_ids: Int32s | None, limit: int) -> Spans:
    """Take the marks of up to `limit` units that nobody else works on; they come back if the transaction fails."""
    wanted = {"unit_ids": unit_ids, "limit": limit}
    cursor = await connection.execute(_CANDIDATES, wanted)
    candidates = [unit_id for (unit_id,) in await cursor.fetchall()]
    cursor = await connection.execute(_LOCK, (candidates,))
    locked = [unit_id for (unit_id,) in await cursor.fetchall()]
    cursor = await connection.execute(_TAKE, (locked,))  # sees what was committed until now, not until the first query
    taken = np.array(await cursor.fetchall(), np.int64).reshape(-1, 3)
    return _merged(taken)


def _merged(taken: Int64s) -> Spans:
    """Spans that overlap or touch, made one."""
    order = np.lexsort((taken[:, 1], taken[:, 0]))
    unit, first, last = taken[order].T
    if not len(unit):
        return Spans(unit.astype(np.int32), first, last)
    offset = (unit - unit[0]) << 32  # keeps the running maximum of one unit out of the next
    reach = np.maximum.accumulate(last + offset)
    begins = np.ones(len(unit), np.bool_)
    begins[1:] = (first + offset)[1:] > reach[:-1] + 1
    ends = np.append(np.flatnonzero(begins)[1:], len(unit)) - 1
    return Spans(unit[begins].astype(np.int32), first[begins], (reach - offset)[ends])
