"""Marks of hours whose totals are stale: set with the hours, claimed by who computes totals."""

from typing import Final

import psycopg

from streams.ports import Int32s, Int64s
from streams.store.instants import US_PER_HOUR

__all__ = ["add"]

_ADD: Final = """
insert into dirty_hour (unit_id, first_hour, last_hour)
select w.unit_id, at_us(w.first_us), at_us(w.last_us)
from unnest(%(unit_ids)s::int4[], %(first_us)s::int8[], %(last_us)s::int8[]) as w (unit_id, first_us, last_us)
"""


async def add(connection: psycopg.AsyncConnection, unit_ids: Int32s, first_hour: Int64s, last_hour: Int64s) -> None:
    """Mark hours of units, both ends inclusive."""
    if len(unit_ids):
        parameters = {
            "unit_ids": unit_ids.tolist(),
            "first_us": (first_hour * US_PER_HOUR).tolist(),
            "last_us": (last_hour * US_PER_HOUR).tolist(),
        }
        await connection.execute(_ADD, parameters)
