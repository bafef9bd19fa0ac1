"""Detections and events: written by point, kind and start, and withdrawn when what is known does not support them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.rows import class_row

from analytics.domain.quality import DetectionKind
from streams.rows.layout import DetectionRow, Int32s, Int64s
from streams.store.postgres.copy import Column, Layout

__all__ = ["TEMPORARY", "DetectionRecord", "clear", "kind_name", "mark_relayed", "replace", "unrelayed", "upsert"]

TEMPORARY: Final = """
create temporary table detection_in (
    unit_id int4, point_id int4, meter_id int4, started_at timestamptz, ended_at timestamptz, detected_at timestamptz,
    magnitude float8, confidence float8, kind text, evidence jsonb, severity text, magnitude_low float8,
    magnitude_high float8, magnitude_unit text, energy_affected float8, energy_affected_low float8,
    energy_affected_high float8
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
    Column("magnitude_low", "float8", null=_NAN),
    Column("magnitude_high", "float8", null=_NAN),
    Column("energy_affected", "float8", null=_NAN),
    Column("energy_affected_low", "float8", null=_NAN),
    Column("energy_affected_high", "float8", null=_NAN),
    Column("kind", "text"),
    Column("evidence", "jsonb"),
    Column("severity", "text"),
    Column("magnitude_unit", "text"),
)
_FIELDS: Final = (
    "unit_id, meter_id, ended_at, detected_at, magnitude, confidence, evidence, severity, magnitude_low, "
    "magnitude_high, magnitude_unit, energy_affected, energy_affected_low, energy_affected_high"
)
"""What may change of a detection."""
_OPTIONAL: Final = (
    "magnitude", "confidence", "magnitude_low", "magnitude_high",
    "energy_affected", "energy_affected_low", "energy_affected_high",
)  # fmt: skip
_COPY_IN: Final = (
    f"copy detection_in ({', '.join(column.name for column in _LAYOUT.columns)}) from stdin (format binary)"
)
_UPSERT: Final = f"""
insert into detection as d (point_id, kind, started_at, {_FIELDS}, state)
select point_id, kind, started_at, {_FIELDS}, case when ended_at is null then 'open' else 'closed' end
from detection_in
on conflict (point_id, kind, started_at) do update
set ({_FIELDS}, state, revision, relayed, stored_at, updated_at) =
    ({", ".join("excluded." + name for name in _FIELDS.split(", "))}, excluded.state, d.revision + 1, false,
     clock_timestamp(), clock_timestamp())
where ({", ".join("d." + name for name in _FIELDS.split(", "))}, d.state)
    is distinct from ({", ".join("excluded." + name for name in _FIELDS.split(", "))}, excluded.state)
"""  # noqa: S608 - names of columns
_WITHDRAW: Final = """
update detection d
set state = 'withdrawn', revision = revision + 1, relayed = false, stored_at = clock_timestamp(),
    updated_at = clock_timestamp()
from unnest(%(point_ids)s::int4[], %(from_us)s::int8[], %(standing_us)s::int8[]) as w (point_id, from_us, standing_us)
where d.point_id = w.point_id and d.started_at >= at_us(w.from_us) and d.state <> 'withdrawn'
    and d.kind = any(%(kinds)s)
    and not (d.kind = 'silence' and d.state = 'open' and d.started_at >= at_us(w.standing_us))
    and not exists (
        select from detection_in i
        where (i.point_id, i.kind, i.started_at) = (d.point_id, d.kind, d.started_at)
    )
"""
_ONE_EPISODE: Final = """
update detection_in i set started_at = s.started_at
from (
    select n.ctid as place, min(d.started_at) as started_at
    from detection_in n
    join detection d on d.point_id = n.point_id and d.kind = n.kind and d.state <> 'withdrawn'
        and d.started_at <= coalesce(n.ended_at, 'infinity') and coalesce(d.ended_at, 'infinity') >= n.started_at
    where n.kind = 'duplicate'
    group by n.ctid
) s
where i.ctid = s.place and i.started_at <> s.started_at
"""
_ONE_ROW: Final = """
delete from detection_in a using detection_in b
where (a.point_id, a.kind, a.started_at) = (b.point_id, b.kind, b.started_at) and a.ctid < b.ctid
"""
_UNSAY: Final = """
delete from detection d
using unnest(%(point_ids)s::int4[], %(from_us)s::int8[]) as w (point_id, from_us)
where d.point_id = w.point_id and d.started_at >= at_us(w.from_us) and d.kind = 'gap' and not d.published
    and d.kind = any(%(kinds)s)
    and not exists (select from alert_source a where a.source = 'detection' and a.source_id = d.id)
    and not exists (select from meter_verdict v where v.detection_id = d.id)
    and not exists (
        select from detection_in i
        where (i.point_id, i.kind, i.started_at) = (d.point_id, d.kind, d.started_at)
    )
"""
_UNRELAYED: Final = """
select d.id, d.revision, u.code as unit_code, p.code as point, m.meter_no, d.kind, d.severity, d.state, d.started_at,
       d.ended_at, d.detected_at, d.magnitude, d.magnitude_low, d.magnitude_high, d.magnitude_unit, d.confidence,
       d.energy_affected, d.energy_affected_low, d.energy_affected_high, s.symbol as energy_unit, d.evidence::text
from detection d
join unit u on u.id = d.unit_id
join metering_point p on p.id = d.point_id
left join meter m on m.id = d.meter_id
left join measure_unit s on s.code = p.amount_unit
where not d.relayed and (d.kind <> 'gap' or d.published or d.stored_at < clock_timestamp() - %s)
order by d.id limit %s for update of d skip locked
"""
_RELAYED: Final = "update detection set relayed = true, published = true where id = any(%s) and not relayed"
_GONE: Final = """
delete from detection d
where d.id = any(%s) and d.kind = 'gap' and d.state = 'withdrawn'
    and not exists (select from alert_source a where a.source = 'detection' and a.source_id = d.id)
    and not exists (select from meter_verdict v where v.detection_id = d.id)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionRecord:
    """A detection as it stands, with the names of what it is about; `revision` counts how often it was changed."""

    id: int
    revision: int
    unit_code: str
    point: str
    meter_no: str | None
    kind: str
    severity: str
    state: str
    started_at: datetime
    ended_at: datetime | None
    detected_at: datetime
    magnitude: float | None
    magnitude_low: float | None
    magnitude_high: float | None
    magnitude_unit: str | None
    confidence: float | None
    energy_affected: float | None
    energy_affected_low: float | None
    energy_affected_high: float | None
    energy_unit: str | None
    evidence: str


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
        if any(row.kind is DetectionKind.DUPLICATE for row in latest.values()):
            await cursor.execute(_ONE_EPISODE)
            await cursor.execute(_ONE_ROW)
        await cursor.execute(_UPSERT)
        return cursor.rowcount


async def clear(connection: psycopg.AsyncConnection) -> None:
    """Forget what this transaction has upserted, before it does so again."""
    await connection.execute("truncate detection_in")


async def replace(
    connection: psycopg.AsyncConnection,
    rows: Sequence[DetectionRow],
    point_ids: Int32s,
    from_us: Int64s,
    standing_us: Int64s,
    kinds: Sequence[DetectionKind],
) -> int:
    """Write `rows` and withdraw what else started in the windows; see `streams.ports.PartitionTransaction`.

    A gap that was never reported is removed.
    """
    changed = await upsert(connection, rows)
    parameters = {
        "point_ids": point_ids.tolist(),
        "from_us": from_us.tolist(),
        "standing_us": standing_us.tolist(),
        "kinds": [kind_name(kind) for kind in kinds],
    }
    gone = (await connection.execute(_UNSAY, parameters)).rowcount
    cursor = await connection.execute(_WITHDRAW, parameters)
    return changed + gone + cursor.rowcount


async def unrelayed(connection: psycopg.AsyncConnection, limit: int, *, held_s: float) -> list[DetectionRecord]:
    """The oldest detections whose newest revision is not on the topic yet and that nobody else is sending; locked.

    Parameters
    ----------
    held_s : float
        A gap is left alone for so long: readings that are merely late fill most of them before. [s]
    """
    async with connection.cursor(row_factory=class_row(DetectionRecord)) as cursor:
        await cursor.execute(_UNRELAYED, (timedelta(seconds=held_s), limit))
        return await cursor.fetchall()


async def mark_relayed(connection: psycopg.AsyncConnection, ids: Sequence[int]) -> int:
    """Mark detections as on the topic as they stand; the number marked now.

    A gap that was withdrawn is kept only until its withdrawal was sent.
    """
    marked = (await connection.execute(_RELAYED, (list(ids),))).rowcount
    await connection.execute(_GONE, (list(ids),))
    return marked


def _columns(rows: Sequence[DetectionRow]) -> Mapping[str, Any]:
    return {
        "unit_id": np.array([row.unit_id for row in rows], np.int32),
        "point_id": np.array([row.point_id for row in rows], np.int32),
        "meter_id": np.array([row.meter_id or _NO_ID for row in rows], np.int32),
        "started_at": np.array([row.started_at for row in rows], np.int64),
        "ended_at": np.array([_NO_INSTANT if row.ended_at is None else row.ended_at for row in rows], np.int64),
        "detected_at": np.array([row.detected_at for row in rows], np.int64),
        "kind": [kind_name(row.kind) for row in rows],
        "evidence": [row.evidence for row in rows],
        "severity": [row.severity for row in rows],
        "magnitude_unit": [row.magnitude_unit for row in rows],
        **{name: _floats([getattr(row, name) for row in rows]) for name in _OPTIONAL},
    }


def _floats(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array([_NAN if value is None else value for value in values], np.float64)
