"""Readings as rows: append them, and find those of some registers and times again."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import psycopg

from analytics.domain.instants import US_PER_HOUR
from streams.rows.layout import READING_ROW, Int32s, Int64s, Readings
from streams.store.postgres.columns import fetch, in_order
from streams.store.postgres.copy import Column, Layout
from streams.store.postgres.instants import instant, within_reach

__all__ = ["KINDS", "append", "of_registers"]

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
_APPEND: Final = """
copy reading_hot (measured_at, received_at, value, register_id, quality, unit) from stdin (format binary)
"""
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
