"""Readings as rows: append them, and find those of some registers and times again."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import psycopg
from psycopg import sql

from analytics.domain.instants import US_PER_HOUR
from streams.rows.layout import READING_ROW, Int32s, Int64s, Readings
from streams.store.postgres._reading_kernel import pack
from streams.store.postgres.columns import fetch, in_order
from streams.store.postgres.copy import HEADER, PG_EPOCH_US, TRAILER, Column, Layout
from streams.store.postgres.instants import instant, within_reach

__all__ = ["KINDS", "Chunks", "append", "of_registers", "packed"]

KINDS: Final = {
    "measured_at": "timestamptz",
    "received_at": "timestamptz",
    "value": "float8",
    "register_id": "int4",
    "quality": "int2",
    "unit": "int2",
}
"""Columns of a reading in the database."""

_LAYOUT: Final = Layout(*(Column(name, kind) for name, kind in KINDS.items()))
_BLANK: Final = _LAYOUT.blank()
_WIRE: Final = _LAYOUT.turned()
_BITS: Final = np.dtype([(one[0], "<u8" if one[0] == "value" else one[1]) for one in READING_ROW.descr])
_WHOLE: Final = np.dtype(f"V{_WIRE.itemsize}")
_INTO: Final = sql.SQL("""
copy {} (measured_at, received_at, value, register_id, quality, unit) from stdin (format binary)
""")
_TABLE: Final = sql.Identifier("reading_hot")
_CHUNKS: Final = """
select c.chunk_schema, c.chunk_name, (extract(epoch from c.range_start) * 1000000)::int8,
       (extract(epoch from c.range_end) * 1000000)::int8
from timescaledb_information.chunks c
where c.hypertable_name = 'reading_hot' and current_setting('timescaledb.license', true) = 'apache'
    and has_table_privilege(format('%I.%I', c.chunk_schema, c.chunk_name), 'insert')
order by c.range_start
"""
_WORTH_A_COPY: Final = 1000
"""Of fewer readings the columns are copied together with others', whatever chunks they belong to."""
_OF_HOT: Final = """
select array_send(array_agg(r.measured_at)), array_send(array_agg(r.received_at)), array_send(array_agg(r.value)),
       array_send(array_agg(r.register_id)), array_send(array_agg(r.quality)), array_send(array_agg(r.unit))
from unnest(%(register_ids)s::int4[], %(from_us)s::int8[], %(to_us)s::int8[]) as w (register_id, from_us, to_us)
join reading_hot r on r.register_id = w.register_id
    and r.measured_at >= at_us(w.from_us) and r.measured_at < at_us(w.to_us)
where r.measured_at between %(first)s and %(last)s
"""
_OF_HISTORY: Final = """
select array_send(array_agg(r.measured_at)), array_send(array_agg(r.received_at)), array_send(array_agg(r.value)),
       array_send(array_agg(r.register_id)), array_send(array_agg(r.quality)), array_send(array_agg(r.unit))
from unnest(%(register_ids)s::int4[], %(from_us)s::int8[], %(to_us)s::int8[]) as w (register_id, from_us, to_us)
cross join lateral (
    select h.* from reading_unpacked h
    where h.register_id = w.register_id and h.measured_at >= at_us(w.from_us) and h.measured_at < at_us(w.to_us)
        and h.day between (at_us(w.from_us) at time zone 'UTC')::date and (at_us(w.to_us) at time zone 'UTC')::date
        and h.day between %(first)s::date and %(last)s::date
    offset 0  -- one walk of the primary key for each window
) r
"""
_HAS_HISTORY: Final = "select exists (select from reading_history)"

_APART_US: Final = 3 * US_PER_HOUR
"""Windows further apart than this are asked for separately, so that no chunk between them is read."""


class Chunks:
    """Chunks of the narrow layer as they were last seen.

    COPY into the chunk costs the server a quarter less than COPY into the table, which looks for the chunk of each row.
    Bounds of a chunk never change, and no other ever gets its name. One that is gone since ends the transaction; the
    next one looks anew. Where columns may be compressed (the community's licence) the table is the only way in.
    """

    def __init__(self) -> None:
        self._names: list[sql.Identifier] = []
        self._begin = np.empty(0, np.int64)
        self._end = np.empty(0, np.int64)

    async def of(self, connection: psycopg.AsyncConnection, at_us: Int64s) -> Int64s:
        """Number of the chunk of each instant, -1 where there is none yet, (n,) int64; asks where one is not known."""
        found = self._known(at_us)
        if found.min(initial=0) < 0:
            cursor = await connection.execute(_CHUNKS)
            rows = await cursor.fetchall()
            self._names = [sql.Identifier(schema, name) for schema, name, _, _ in rows]
            self._begin = np.array([begin for _, _, begin, _ in rows], np.int64)
            self._end = np.array([end for _, _, _, end in rows], np.int64)
            found = self._known(at_us)
        return found

    def name(self, chunk: int) -> sql.Identifier:
        """What a chunk is called."""
        return self._names[chunk]

    def forget(self) -> None:
        """Look for all of them anew."""
        self._names = []

    def _known(self, at_us: Int64s) -> Int64s:
        if not self._names:
            return np.full(len(at_us), -1)
        first = int(np.searchsorted(self._begin, at_us.min(), side="right")) - 1
        if first >= 0 and at_us.max() < self._end[first]:  # all in one, as nearly always
            return np.full(len(at_us), first)
        chunk = np.searchsorted(self._begin, at_us, side="right") - 1
        return np.where((chunk >= 0) & (at_us < self._end[chunk]), chunk, -1)


async def append(connection: psycopg.AsyncConnection, rows: Readings, chunks: Chunks | None = None) -> int:
    """Append rows; how many.

    Parameters
    ----------
    rows : (n,) READING_ROW
    chunks : Chunks, optional
        By which most rows find their way into a chunk without the table's help.
    """
    if not len(rows):
        return 0
    if chunks is None:
        await _copy(connection, _TABLE, rows)
        return len(rows)
    chunk = await chunks.of(connection, rows["measured_at"])
    numbers, counts = np.unique(chunk, return_counts=True)
    direct = numbers[(numbers >= 0) & (counts >= _WORTH_A_COPY)]
    try:
        for number in direct.tolist():
            here = rows if len(numbers) == 1 else rows[chunk == number]
            await _copy(connection, chunks.name(number), here)
    except psycopg.errors.UndefinedTable:
        chunks.forget()
        raise
    if len(direct) < len(numbers):
        await _copy(connection, _TABLE, rows[~np.isin(chunk, direct)])
    return len(rows)


async def _copy(connection: psycopg.AsyncConnection, table: sql.Identifier, rows: Readings) -> None:
    async with connection.cursor() as cursor, cursor.copy(_INTO.format(table)) as copy:
        await copy.write(packed(rows))


def packed(rows: Readings) -> memoryview:
    """Readings as a whole COPY stream: as `Layout.pack` makes it, in a tenth of the time."""
    stream = bytearray(len(HEADER) + len(rows) * _WIRE.itemsize + len(TRAILER))
    stream[: len(HEADER)], stream[-len(TRAILER) :] = HEADER, TRAILER
    wire = np.frombuffer(stream, _WIRE, len(rows), len(HEADER))
    wire.view(_WHOLE)[:] = _BLANK.view(_WHOLE)
    pack(np.require(rows, READING_ROW, ["C", "W"]).view(_BITS), PG_EPOCH_US, wire)
    return memoryview(stream)


async def of_registers(
    connection: psycopg.AsyncConnection, register_ids: Int32s, from_us: Int64s, to_us: Int64s
) -> Readings:
    """Rows in half-open windows of registers from both layers, sorted by register and time, each once."""
    near = _neighbours(from_us, to_us)
    cursor = await connection.execute(_HAS_HISTORY)
    row = await cursor.fetchone()
    layers = (_OF_HOT, _OF_HISTORY) if row is not None and row[0] else (_OF_HOT,)
    found = [
        await fetch(connection, layer, _windows(register_ids[i], from_us[i], to_us[i]), KINDS, READING_ROW)
        for layer in layers
        for i in near
    ]
    rows = np.concatenate(found) if found else np.empty(0, READING_ROW)
    return in_order(rows, "register_id", "measured_at")


def _windows(register_ids: Int32s, from_us: Int64s, to_us: Int64s) -> Mapping[str, Any]:
    return {
        "register_ids": register_ids,
        "from_us": within_reach(from_us),
        "to_us": within_reach(to_us),
        "first": instant(int(from_us.min())),
        "last": instant(int(to_us.max())),
    }


def _neighbours(from_us: Int64s, to_us: Int64s) -> list[Int64s]:
    """Indices of the windows, parted where nobody asks for a long time; empty windows are left out."""
    order = np.flatnonzero(from_us < to_us)
    order = order[np.argsort(from_us[order], kind="stable")]
    if not len(order):
        return []
    reach = np.maximum.accumulate(to_us[order])
    gaps = np.flatnonzero(from_us[order][1:] - reach[:-1] > _APART_US)
    return np.split(order, gaps + 1)
