"""Hourly consumption: upsert with revisions, windows of hours, and what is removed again."""

from datetime import datetime
from typing import Final

import numpy as np
import psycopg
from numpy.typing import NDArray

from analytics.domain.instants import US_PER_HOUR
from streams.rows.layout import STORED_HOUR, HourCounts, Hours, Int32s, Int64s
from streams.store.postgres.columns import fetch, in_order
from streams.store.postgres.copy import WIRE, Column, Layout
from streams.store.postgres.instants import instant, within_reach

__all__ = ["MICRO", "TEMPORARY", "Frontier", "clear", "in_windows", "insert", "remove", "upsert"]

MICRO: Final = 1e6
"""An amount is stored in the canonical unit as float8, and counted in millionths of it: exact up to 2**51 of them."""

TEMPORARY: Final = """
create temporary table hour_in (
    start timestamptz, amount float8, point_id int4, unit_id int4, completeness float4, measured float4, quality int2
) on commit delete rows
"""

_UNASKED: Final = np.iinfo(np.int64).min
_NONE: Final = _UNASKED + 1
_LATEST_KINDS: Final = {"point_id": "int4", "hour": "hour"}
_LATEST_ROW: Final = np.dtype([("point_id", np.int32), ("hour", np.int64)])
_LATEST: Final = """
select array_send(array_agg(w.point_id)), array_send(array_agg(h.start))
from unnest(%s::int4[]) as w (point_id)
cross join lateral (
    select c.start from consumption_hour c where c.point_id = w.point_id order by c.start desc limit 1
) h
"""

_KINDS: Final = {
    "start": "hour",
    "amount": "float8",
    "point_id": "int4",
    "unit_id": "int4",
    "completeness": "float4",
    "measured": "float4",
    "quality": "int2",
    "revision": "int4",
}
_FETCHED: Final = np.dtype([(name, np.dtype(WIRE[kind]).newbyteorder("=")) for name, kind in _KINDS.items()])
_LAYOUT: Final = Layout(*(Column(name, kind) for name, kind in _KINDS.items() if name != "revision"))
_COPY_IN: Final = """
copy hour_in (start, amount, point_id, unit_id, completeness, measured, quality) from stdin (format binary)
"""
_INSERT: Final = """
copy consumption_hour (start, amount, point_id, unit_id, completeness, measured, quality) from stdin (format binary)
"""
_UPSERT: Final = """
with written as (
    insert into consumption_hour as h (start, amount, point_id, unit_id, completeness, measured, quality)
    select start, amount, point_id, unit_id, completeness, measured, quality from hour_in
    on conflict (point_id, start) do update
    set amount = excluded.amount, completeness = excluded.completeness, measured = excluded.measured,
        quality = excluded.quality, unit_id = excluded.unit_id, revision = h.revision + 1
    where (h.amount, h.completeness, h.measured, h.quality, h.unit_id)
        is distinct from (excluded.amount, excluded.completeness, excluded.measured, excluded.quality, excluded.unit_id)
    returning h.revision
)
select count(*) filter (where revision = 0), count(*) filter (where revision > 0) from written
"""
_IN_WINDOWS: Final = """
select array_send(array_agg(h.start)), array_send(array_agg(h.amount)), array_send(array_agg(h.point_id)),
       array_send(array_agg(h.unit_id)), array_send(array_agg(h.completeness)), array_send(array_agg(h.measured)),
       array_send(array_agg(h.quality)), array_send(array_agg(h.revision))
from unnest(%(point_ids)s::int4[], %(from_us)s::int8[], %(to_us)s::int8[]) as w (point_id, from_us, to_us)
cross join lateral (
    select c.* from consumption_hour c
    where c.point_id = w.point_id and c.start >= at_us(w.from_us) and c.start < at_us(w.to_us)
        and c.start between %(first)s and %(last)s
    offset 0  -- one walk of the primary key for each window, whatever the planner thinks of their number
) h
"""
_IN_ONE_WINDOW: Final = """
select array_send(array_agg(h.start)), array_send(array_agg(h.amount)), array_send(array_agg(h.point_id)),
       array_send(array_agg(h.unit_id)), array_send(array_agg(h.completeness)), array_send(array_agg(h.measured)),
       array_send(array_agg(h.quality)), array_send(array_agg(h.revision))
from consumption_hour h
where h.point_id = any(%(point_ids)s::int4[]) and h.start >= %(first)s and h.start < %(last)s
"""
_FEW_WINDOWS: Final = 4
"""Up to this number of windows that points share, one query each: up to ten times as quick as all points in one."""
_REMOVE: Final = """
delete from consumption_hour h
using unnest(%(point_ids)s::int4[], %(start_us)s::int8[]) as w (point_id, start_us)
where h.point_id = w.point_id and h.start = at_us(w.start_us) and h.start between %(first)s and %(last)s
"""


class Frontier:
    """The latest hour stored of each point: later hours are new, and are copied straight into the table.

    That is half the price of an upsert. Only the owner of a partition writes hours of its points, so what it has asked
    for once and stored since is the latest there is, until another becomes the owner.
    """

    def __init__(self) -> None:
        self._latest = np.empty(0, np.int64)

    async def is_new(self, connection: psycopg.AsyncConnection, rows: Hours) -> NDArray[np.bool_]:
        """Which rows cannot be stored already; asks the database about points not met before."""
        points = rows["point_id"]
        self._reach(points)
        strange = np.unique(points[self._latest[points] == _UNASKED])
        if len(strange):
            found = await fetch(connection, _LATEST, (strange,), _LATEST_KINDS, _LATEST_ROW)
            self._latest[strange] = _NONE
            self._latest[found["point_id"]] = found["hour"]
        new: NDArray[np.bool_] = rows["hour"] > self._latest[points]
        return new

    def pass_on(self, rows: Hours) -> None:
        """Note that rows were committed."""
        self._reach(rows["point_id"])
        np.maximum.at(self._latest, rows["point_id"].astype(np.intp), rows["hour"].astype(np.int64))  # its quick way

    def forget(self) -> None:
        """Ask about all points anew."""
        self._latest = np.empty(0, np.int64)

    def _reach(self, points: Int32s) -> None:
        size = int(points.max(initial=-1)) + 1
        if size > len(self._latest):
            grown = np.full(size + size // 4, _UNASKED)
            grown[: len(self._latest)] = self._latest
            self._latest = grown


async def insert(connection: psycopg.AsyncConnection, rows: Hours) -> int:
    """Insert hours that are known to be new; how many."""
    if len(rows):
        async with connection.cursor() as cursor, cursor.copy(_INSERT) as copy:
            await copy.write(_packed(rows))
    return len(rows)


async def upsert(connection: psycopg.AsyncConnection, rows: Hours) -> HourCounts:
    """Insert or revise hours; what is stored as it is already is left alone."""
    if not len(rows):
        return HourCounts(0, 0)
    async with connection.cursor() as cursor:
        async with cursor.copy(_COPY_IN) as copy:
            await copy.write(_packed(rows))
        await cursor.execute(_UPSERT)
        row = await cursor.fetchone()
    assert row is not None, "a count always has a row"
    return HourCounts(*row)


async def clear(connection: psycopg.AsyncConnection) -> None:
    """Forget what this transaction has upserted, before it does so again."""
    await connection.execute("truncate hour_in")


async def in_windows(
    connection: psycopg.AsyncConnection, point_ids: Int32s, from_hour: Int64s, to_hour: Int64s
) -> Hours:
    """Stored hours of half-open windows as `STORED_HOUR`, sorted by point and hour, each once."""
    if not len(point_ids):
        return np.empty(0, STORED_HOUR)
    windows, mine = np.unique(np.stack([from_hour, to_hour], axis=1), axis=0, return_inverse=True)
    if len(windows) > _FEW_WINDOWS:
        return _stored(await _in_windows(connection, point_ids, from_hour, to_hour))
    found = [
        await fetch(
            connection,
            _IN_ONE_WINDOW,
            {"point_ids": np.unique(point_ids[mine == i]), "first": _start(first), "last": _start(last)},
            _KINDS,
            _FETCHED,
        )
        for i, (first, last) in enumerate(windows.tolist())
    ]
    return _stored(np.concatenate(found))


async def _in_windows(
    connection: psycopg.AsyncConnection, point_ids: Int32s, from_hour: Int64s, to_hour: Int64s
) -> NDArray[np.void]:
    parameters = {
        "point_ids": point_ids,
        "from_us": within_reach(from_hour.astype(np.int64) * US_PER_HOUR),
        "to_us": within_reach(to_hour.astype(np.int64) * US_PER_HOUR),
        "first": _start(int(from_hour.min())),
        "last": _start(int(to_hour.max())),
    }
    return await fetch(connection, _IN_WINDOWS, parameters, _KINDS, _FETCHED)


async def remove(connection: psycopg.AsyncConnection, point_ids: Int32s, hours: Int64s) -> int:
    """Remove hours; how many there were."""
    if not len(point_ids):
        return 0
    parameters = {
        "point_ids": point_ids,
        "start_us": hours.astype(np.int64) * US_PER_HOUR,
        "first": _start(int(hours.min())),
        "last": _start(int(hours.max())),
    }
    cursor = await connection.execute(_REMOVE, parameters)
    return cursor.rowcount


def _packed(rows: Hours) -> bytes:
    columns = {name: rows[name] for name in _LAYOUT.names if name not in {"start", "amount"}}
    return _LAYOUT.pack(columns | {"start": rows["hour"], "amount": rows["amount"] / MICRO})


def _stored(found: Hours) -> Hours:
    rows = np.empty(len(found), STORED_HOUR)
    for name in STORED_HOUR.names or ():
        if name not in {"hour", "amount"}:
            rows[name] = found[name]
    rows["hour"] = found["start"]
    rows["amount"] = np.rint(found["amount"] * MICRO)
    return in_order(rows, "point_id", "hour")


def _start(hour: int) -> datetime:
    return instant(hour * US_PER_HOUR)
