"""Periods that are worked out again because a person asked: a version of the ledger that says nothing new."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import psycopg

from streams.rows.layout import Int32s
from streams.store.ledger import sql
from streams.store.postgres import arrays  # noqa: F401 - they are the parameters here

__all__ = ["Rework", "ask", "asked", "size"]

_POINTS: Final = """
select p.id, p.unit_id from metering_point p join unit u on u.id = p.unit_id
where u.code = %(unit)s and (%(points)s::text[] is null or p.code = any(%(points)s)) order by p.id
"""
_HOURS: Final = "select count(*) from consumption_hour where point_id = any(%s) and start >= %s"
_VERSION: Final = """
insert into ledger_version (source, row_count, sha256, blob, loaded_by) values (%s, 0, %s, '', %s) returning id
"""
_REWORK: Final = """
insert into rework (version, unit_id, point_id, since)
select %s, w.unit_id, w.point_id, %s from unnest(%s::int4[], %s::int4[]) w (point_id, unit_id)
"""
_ASKED: Final = """
select point_id, extract(epoch from min(since)) * 1000000 from rework
where version > %s and version <= %s and point_id = any(%s) group by point_id
"""


class Rework(NamedTuple):
    """Points that are meant, and the hours that are stored of them since."""

    points: Sequence[tuple[int, int]]
    hours: int


async def size(connection: psycopg.AsyncConnection, unit: str, points: Sequence[str] | None, since: datetime) -> Rework:
    """What would be worked out again, of all points of a unit or of some."""
    found = await (await connection.execute(_POINTS, {"unit": unit, "points": points and list(points)})).fetchall()
    row = await (await connection.execute(_HOURS, ([point for point, _ in found], since))).fetchone()
    assert row is not None, "a count always has a row"
    return Rework(found, int(row[0]))


async def ask(connection: psycopg.AsyncConnection, found: Rework, since: datetime, *, source: str, by: str) -> int:
    """Ask for it, inside a transaction; the version of the ledger with which workers do it."""
    await connection.execute(sql.LOCK)
    row = await (await connection.execute(_VERSION, (source, hashlib.sha256().digest(), by))).fetchone()
    assert row is not None, "an insert returns its row"
    columns: list[Any] = [list(column) for column in zip(*found.points, strict=True)]
    await connection.execute(_REWORK, (row[0], since, *columns))
    return int(row[0])


async def asked(connection: psycopg.AsyncConnection, after: int, until: int, point_ids: Int32s) -> Mapping[int, int]:
    """Start of the recomputation of points, by id, asked for by some versions. [us since 1970 UTC]

    Parameters
    ----------
    after, until : int
        Versions of the ledger, the first exclusive.
    """
    cursor = await connection.execute(_ASKED, (after, until, point_ids))
    return {point: int(since) for point, since in await cursor.fetchall()}
