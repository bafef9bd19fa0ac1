"""Ids of registers by the names that senders use."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import psycopg

from streams.rows.layout import Int32s, RegisterName
from streams.store.postgres.text import NAME_LIMIT

__all__ = ["ensure", "of_meters"]

_METERS: Final = """
select w.ordinal, m.unit_id, m.id
from unnest(%s::text[], %s::text[]) with ordinality as w (unit_code, meter_no, ordinal)
join unit u on u.code = w.unit_code
join meter m on m.unit_id = u.id and m.meter_no = w.meter_no
"""
_INSERT: Final = """
insert into register (unit_id, meter_id, name)
select distinct w.unit_id, w.meter_id, w.name
from unnest(%s::int4[], %s::int4[], %s::text[]) as w (unit_id, meter_id, name)
where not exists (select from register r where r.meter_id = w.meter_id and r.name = w.name)
on conflict (meter_id, name) do nothing
"""
_SELECT: Final = """
select w.ordinal, r.id
from unnest(%s::int4[], %s::text[]) with ordinality as w (meter_id, name, ordinal)
join register r on r.meter_id = w.meter_id and r.name = w.name
"""
_OF_METERS: Final = "select id, meter_id, name from register where meter_id = any(%s) order by id"


async def of_meters(connection: psycopg.AsyncConnection, meter_ids: Int32s) -> list[tuple[int, int, str]]:
    """Id, meter and name of each register of some meters, by id."""
    cursor = await connection.execute(_OF_METERS, (meter_ids.tolist(),))
    return [(int(one), int(meter), str(name)) for one, meter, name in await cursor.fetchall()]


async def ensure(connection: psycopg.AsyncConnection, names: Sequence[RegisterName]) -> Int32s:
    """Ids of registers, made where missing; 0 where the ledger has no such meter, or a name cannot be kept."""
    ids = np.zeros(len(names), np.int32)
    usable = [i for i, name in enumerate(names) if all(_can_be_kept(text) for text in name)]
    if not usable:
        return ids
    cursor = await connection.execute(
        _METERS, ([names[i].unit_code for i in usable], [names[i].meter_no for i in usable])
    )
    known = [(usable[ordinal - 1], unit_id, meter_id) for ordinal, unit_id, meter_id in await cursor.fetchall()]
    meter_ids = [meter_id for _, _, meter_id in known]
    registers = [names[i].register for i, _, _ in known]
    await connection.execute(_INSERT, ([unit_id for _, unit_id, _ in known], meter_ids, registers))
    cursor = await connection.execute(_SELECT, (meter_ids, registers))
    for ordinal, register_id in await cursor.fetchall():
        ids[known[ordinal - 1][0]] = register_id
    return ids


def _can_be_kept(text: str) -> bool:
    return len(text) <= NAME_LIMIT and "\x00" not in text and (text.isascii() or _is_whole(text))


def _is_whole(text: str) -> bool:
    """Whether it has no half of a surrogate pair, which UTF-8 refuses."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
