"""Inspection results in force: the newest on each detection."""

from typing import Final

import psycopg

from analytics.domain.quality import DetectionKind
from analytics.health.sensitivity import SiteVerdict, StandingVerdict
from streams.rows.layout import Int32s

__all__ = ["newest", "standing"]

_NEWEST: Final = "select coalesce(max(id), 0) from meter_verdict"
_STANDING: Final = "select point_id, kind, verdict from meter_verdict_standing where unit_id = any(%s)"


async def newest(connection: psycopg.AsyncConnection) -> int:
    """Id of the newest verdict, 0 before the first."""
    row = await (await connection.execute(_NEWEST)).fetchone()
    return 0 if row is None else int(row[0])


async def standing(connection: psycopg.AsyncConnection, unit_ids: Int32s) -> dict[int, list[StandingVerdict]]:
    """Verdicts that count, by point, of some units; those on kinds that this version does not know are left out."""
    found: dict[int, list[StandingVerdict]] = {}
    cursor = await connection.execute(_STANDING, (unit_ids.tolist(),))
    async for point_id, kind, verdict in cursor:
        if kind is not None and kind.upper() not in DetectionKind.__members__:
            continue
        of = None if kind is None else DetectionKind[kind.upper()]
        found.setdefault(point_id, []).append(StandingVerdict(kind=of, verdict=SiteVerdict(verdict)))
    return found
