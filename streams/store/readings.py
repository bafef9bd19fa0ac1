"""Readings as rows: append them, and find those of some registers and times again."""

from typing import Final, LiteralString

import numpy as np
import psycopg

from streams.ports import READING_ROW, Int32s, Int64s, Readings
from streams.store.copy import Column, Layout, unpack
from streams.store.instants import instant

__all__ = ["append", "of_registers"]

_KINDS: Final = ("timestamptz", "timestamptz", "float8", "int4", "int2", "int2")
_LAYOUT: Final = Layout(*(Column(name, kind) for name, kind in zip(READING_ROW.names or (), _KINDS, strict=True)))
_APPEND: Final = """
copy reading_hot (measured_at, received_at, value, register_id, quality, unit) from stdin (format binary)
"""
_OF_REGISTERS: Final = """
copy (
    select r.measured_at, r.received_at, r.value, r.register_id, r.quality, r.unit
    from unnest(%(register_ids)s::int4[], %(from_us)s::int8[], %(to_us)s::int8[]) as w (register_id, from_us, to_us)
    join reading_hot r on r.register_id = w.register_id
        and r.measured_at >= at_us(w.from_us) and r.measured_at < at_us(w.to_us)
    where r.measured_at between %(first)s and %(last)s
) to stdout (format binary)
"""

_APART_US: Final = 3 * 3_600_000_000
"""Windows further apart than this are asked for separately, so that no chunk between them is read."""


async def append(connection: psycopg.AsyncConnection, rows: Readings) -> int:
    """Append rows; how many."""
    if not len(rows):
        return 0
    async with connection.cursor() as cursor, cursor.copy(_APPEND) as copy:
        await copy.write(_LAYOUT.pack(rows))
    return len(rows)


async def of_registers(
    connection: psycopg.AsyncConnection, register_ids: Int32s, from_us: Int64s, to_us: Int64s
) -> Readings:
    """Rows in half-open windows of registers, sorted by register and time, each once."""
    found = [
        await _fetch(connection, _OF_REGISTERS, register_ids[near], from_us[near], to_us[near])
        for near in _neighbours(from_us, to_us)
    ]
    rows = np.concatenate(found) if found else np.empty(0, READING_ROW)
    order = np.lexsort((rows["measured_at"], rows["register_id"]))
    rows = rows[order]
    fresh = np.ones(len(rows), np.bool_)
    same_register = rows["register_id"][1:] == rows["register_id"][:-1]
    fresh[1:] = ~(same_register & (rows["measured_at"][1:] == rows["measured_at"][:-1]))
    return rows[fresh]


async def _fetch(
    connection: psycopg.AsyncConnection, query: LiteralString, register_ids: Int32s, from_us: Int64s, to_us: Int64s
) -> Readings:
    parameters = {
        "register_ids": register_ids.tolist(),
        "from_us": from_us.tolist(),
        "to_us": to_us.tolist(),
        "first": instant(int(from_us.min())),
        "last": instant(int(to_us.max())),
    }
    async with connection.cursor() as cursor, cursor.copy(query, parameters) as copy:
        stream = b"".join([bytes(part) async for part in copy])
    return unpack(stream, _KINDS, READING_ROW.names or ()).astype(READING_ROW, copy=False)


def _neighbours(from_us: Int64s, to_us: Int64s) -> list[Int64s]:
    """Indices of the windows, parted where nobody asks for a long time; empty windows are left out."""
    order = np.flatnonzero(from_us < to_us)
    order = order[np.argsort(from_us[order], kind="stable")]
    if not len(order):
        return []
    reach = np.maximum.accumulate(to_us[order])
    gaps = np.flatnonzero(from_us[order][1:] - reach[:-1] > _APART_US)
    return np.split(order, gaps + 1)
