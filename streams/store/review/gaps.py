"""Evaluations of missing data in the database: beside what was measured, approved by another, taken back whole."""

from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from analytics.domain.errors import RegistryError
from analytics.review.gaps import GapRefused

__all__ = ["approve", "evaluations", "fill", "measured_hours", "withdraw"]

_POINT: Final = """
select p.id, p.unit_id from metering_point p join unit u on u.id = p.unit_id where u.code = %s and p.code = %s
"""
_EVIDENCE: Final = """
select count(*) from consumption_hour
where point_id = %(point)s and start >= %(since)s and start < %(until)s and completeness > 0
"""
_OVERLAP: Final = """
select id from gap_fill where point_id = %(point)s and withdrawn_at is null
    and started_at < %(until)s and ended_at > %(since)s limit 1
"""
_HOURS: Final = """
select (extract(epoch from start) / 3600)::int8, amount from consumption_hour
where point_id = %s and start >= %s and start <= %s and measured >= 1
"""
_FILL: Final = """
insert into gap_fill (unit_id, point_id, started_at, ended_at, amount, method, procedure, reliability, inputs,
                      evaluated_by)
values (%(unit)s, %(point)s, %(since)s, %(until)s, %(amount)s, %(method)s, %(procedure)s, %(reliability)s, %(inputs)s,
        %(by)s) returning id
"""
_APPROVE: Final = """
update gap_fill set approved_by = %(by)s, approved_at = clock_timestamp()
where id = %(id)s and approved_at is null and withdrawn_at is null and evaluated_by <> %(by)s
"""
_WITHDRAW: Final = """
update gap_fill set withdrawn_by = %(by)s, withdrawn_at = clock_timestamp(), withdrawn_reason = %(reason)s
where id = %(id)s and withdrawn_at is null
"""
_LIST: Final = """
select id, unit_code, point, started_at, ended_at, amount, unit, method, state, evaluated_by, approved_by, procedure,
       reliability
from gap_fill_list where (%(unit)s::text is null or unit_code = %(unit)s) and (%(every)s or state <> 'withdrawn')
order by unit_code, point, started_at limit 5000
"""
_LOCK: Final = "select pg_advisory_xact_lock(x'6d77000d'::int4)"


async def _point(connection: psycopg.AsyncConnection, unit: str, point: str) -> tuple[int, int]:
    row = await (await connection.execute(_POINT, (unit, point))).fetchone()
    if row is None:
        raise RegistryError(f"the point must be of the ledger of {unit} (got {point!r})")
    return int(row[0]), int(row[1])


async def measured_hours(
    connection: psycopg.AsyncConnection, unit: str, point: str, since: datetime, until: datetime
) -> dict[int, float]:
    """Amounts of the hours of a point that were measured whole, from one instant to another. [hour since 1970: unit]"""
    identity, _ = await _point(connection, unit, point)
    rows = await (await connection.execute(_HOURS, (identity, since, until))).fetchall()
    return {int(hour): float(amount) for hour, amount in rows}


async def fill(
    connection: psycopg.AsyncConnection,
    unit: str,
    point: str,
    since: datetime,
    until: datetime,
    *,
    amount: float,
    method: str,
    procedure: str,
    reliability: str,
    inputs: dict[str, object],
    by: str,
) -> int:
    """Keep an evaluation of a span; its id. In the caller's transaction.

    Raises
    ------
    GapRefused
        Where an hour of the span has evidence, or an evaluation that stands.
    """
    await connection.execute(_LOCK)
    identity, unit_id = await _point(connection, unit, point)
    span = {"point": identity, "since": since, "until": until}
    row = await (await connection.execute(_EVIDENCE, span)).fetchone()
    if row is not None and row[0]:
        raise GapRefused(f"hours that are evaluated must have no evidence ({row[0]} of {point} have)")
    row = await (await connection.execute(_OVERLAP, span)).fetchone()
    if row is not None:
        raise GapRefused(f"a span must be evaluated once (it meets evaluation {row[0]}: withdraw that first)")
    facts = {"amount": amount, "method": method, "procedure": procedure, "reliability": reliability, "by": by}
    row = await (
        await connection.execute(_FILL, {**span, **facts, "unit": unit_id, "inputs": Jsonb(inputs)})
    ).fetchone()
    assert row is not None, "returning gives a row"
    return int(row[0])


async def approve(connection: psycopg.AsyncConnection, identity: int, by: str) -> None:
    """Approve an evaluation of somebody else; raises `GapRefused` where it is one's own, or none that waits."""
    if (await connection.execute(_APPROVE, {"id": identity, "by": by})).rowcount != 1:
        raise GapRefused(f"an evaluation must wait for approval and be of somebody else (got {identity}, by {by})")


async def withdraw(connection: psycopg.AsyncConnection, identity: int, by: str, reason: str) -> None:
    """Take an evaluation back; it stays on file. Raises `GapRefused` where none stands."""
    if not reason.strip():
        raise GapRefused("reason must be given (got nothing)")
    if (await connection.execute(_WITHDRAW, {"id": identity, "by": by, "reason": reason})).rowcount != 1:
        raise GapRefused(f"an evaluation must be one that stands (got {identity})")


async def evaluations(
    connection: psycopg.AsyncConnection, *, unit: str | None = None, every: bool = False
) -> list[dict[str, Any]]:
    """Evaluations that stand, or all."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_LIST.encode(), {"unit": unit, "every": every})
        return await cursor.fetchall()
