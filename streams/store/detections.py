"""Detections and events: written by point, kind and start, and withdrawn when what is known does not support them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import psycopg

from analytics.domain.quality import DetectionKind
from streams.ports import DetectionRow
from streams.store.copy import Column, Layout

__all__ = ["TEMPORARY", "clear", "kind_name", "upsert", "withdraw"]

TEMPORARY: Final = """
create temporary table detection_in (
    unit_id int4, point_id int4, meter_id int4, started_at timestamptz, ended_at timestamptz, detected_at timestamptz,
    magnitude float8, confidence float8, kind text, evidence jsonb
) on commit delete rows
"""

_NO_ID: Final = 0
_NO_INSTANT: Final = int(np.iinfo(np.int64).min)
_NAN: Final = float("nan")
_LAYOUT: Final = Layout(
    Column("unit_id", "int4"),
    Column("point_id", "int4"),
    Column("meter_id", "int4", null=_NO_ID),
    Column("started_at", "timestamptz"),
    Column("ended_at", "timestamptz", null=_NO_INSTANT),
    Column("detected_at", "timestamptz"),
    Column("magnitude", "float8", null=_NAN),
    Column("confidence", "float8", null=_NAN),
    Column("kind", "text"),
    Column("evidence", "jsonb"),
)
_COPY_IN: Final = """
copy detection_in (unit_id, point_id, meter_id, started_at, ended_at, detected_at, magnitude, confidence, kind,
                   evidence) from stdin (format binary)
"""
_UPSERT: Final = """
insert into detection as d (unit_id, point_id, meter_id, kind, started_at, ended_at, detected_at, magnitude, confidence,
                            evidence, state)
select unit_id, point_id, meter_id, kind, started_at, ended_at, detected_at, magnitude, confidence, evidence,
       case when ended_at is null then 'open' else 'closed' end
from detection_in
on conflict (point_id, kind, started_at) do update
set unit_id = excluded.unit_id, meter_id = excluded.meter_id, ended_at = excluded.ended_at,
    detected_at = excluded.detected_at, magnitude = excluded.magnitude, confidence = excluded.confidence,
    evidence = excluded.evidence, state = excluded.state, stored_at = clock_timestamp()
where (d.unit_id, d.meter_id, d.ended_at, d.detected_at, d.magnitude, d.confidence, d.evidence, d.state)
    is distinct from (excluded.unit_id, excluded.meter_id, excluded.ended_at, excluded.detected_at, excluded.magnitude,
                      excluded.confidence, excluded.evidence, excluded.state)
"""
_WITHDRAW: Final = """
update detection set state = 'withdrawn', stored_at = clock_timestamp()
where point_id = %(point_id)s and started_at >= at_us(%(from_us)s) and started_at < at_us(%(to_us)s)
    and state <> 'withdrawn' and (%(kinds)s::text[] is null or kind = any(%(kinds)s))
"""


def kind_name(kind: DetectionKind) -> str:
    """A kind as tables and files call it."""
    return kind.name.lower()


async def upsert(connection: psycopg.AsyncConnection, rows: Sequence[DetectionRow]) -> int:
    """Insert or replace; the number of rows new or changed. Of several with one identity the last counts."""
    if not rows:
        return 0
    latest = {(row.point_id, row.kind, row.started_at): row for row in rows}
    async with connection.cursor() as cursor:
        async with cursor.copy(_COPY_IN) as copy:
            await copy.write(_LAYOUT.pack(_columns(list(latest.values()))))
        await cursor.execute(_UPSERT)
        return cursor.rowcount


async def clear(connection: psycopg.AsyncConnection) -> None:
    """Forget what this transaction has upserted, before it does so again."""
    await connection.execute("truncate detection_in")


async def withdraw(
    connection: psycopg.AsyncConnection, point_id: int, from_us: int, to_us: int, kinds: Sequence[DetectionKind]
) -> int:
    """Withdraw what started in the half-open window; the number of rows."""
    parameters = {
        "point_id": point_id,
        "from_us": from_us,
        "to_us": to_us,
        "kinds": [kind_name(kind) for kind in kinds] or None,
    }
    cursor = await connection.execute(_WITHDRAW, parameters)
    return cursor.rowcount


def _columns(rows: Sequence[DetectionRow]) -> Mapping[str, Any]:
    return {
        "unit_id": np.array([row.unit_id for row in rows], np.int32),
        "point_id": np.array([row.point_id for row in rows], np.int32),
        "meter_id": np.array([row.meter_id or _NO_ID for row in rows], np.int32),
        "started_at": np.array([row.started_at for row in rows], np.int64),
        "ended_at": np.array([_NO_INSTANT if row.ended_at is None else row.ended_at for row in rows], np.int64),
        "detected_at": np.array([row.detected_at for row in rows], np.int64),
        "magnitude": np.array([_NAN if row.magnitude is None else row.magnitude for row in rows], np.float64),
        "confidence": np.array([_NAN if row.confidence is None else row.confidence for row in rows], np.float64),
        "kind": [kind_name(row.kind) for row in rows],
        "evidence": [row.evidence for row in rows],
    }
