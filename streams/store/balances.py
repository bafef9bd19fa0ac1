"""Where the balances of a unit stand, their hours and days, and what could be seen at its points.

All of a unit's balances share one state; its row stands under the first of their parents.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import psycopg
from numpy.typing import NDArray

from analytics.domain.instants import US_PER_HOUR
from analytics.domain.quality import DetectionKind
from analytics.health.sensitivity import SiteVerdict
from streams.rows.layout import DetectionRow, Hours, Int32s, Int64s, KeptBalance, ObservabilityRow
from streams.store import detections, hours, observability
from streams.store.postgres.columns import fetch
from streams.store.postgres.instants import instant

__all__ = ["BalanceTransaction", "claim"]

_LOCK: Final = "select pg_try_advisory_xact_lock(%s, %s)"
_LOCK_CLASS: Final = 0x6D77_0008
_LOAD: Final = "select engine, ledger_version, next_hour, state from balance_state where unit_id = %s"
_FORGET: Final = "delete from balance_state where unit_id = %s"
_SAVE: Final = """
insert into balance_state (point_id, unit_id, engine, ledger_version, next_hour, state)
values (%s, %s, %s, %s, %s, %s)
"""
_SPAN: Final = """
select array_send(array_agg(p.id)), array_send(array_agg(a.start)), array_send(array_agg(b.start))
from unnest(%s::int4[]) as p (id)
cross join lateral (select start from consumption_hour where point_id = p.id order by start limit 1) a
cross join lateral (select start from consumption_hour where point_id = p.id order by start desc limit 1) b
"""
_SPAN_ROW: Final = np.dtype([("point_id", np.int32), ("first", np.int64), ("newest", np.int64)])
_LOOKED_AT: Final = """
select d.point_id, d.kind, v.verdict
from meter_verdict_standing v join detection d on d.id = v.detection_id
where d.unit_id = %s and d.state = 'open' and d.kind in ('gain_step', 'gain_drift', 'balance_change')
order by d.id
"""
_HOURS: Final = """
insert into balance_hour as b (start, parent_amount, children_amount, loss_estimate, residual, point_id, unit_id)
select at_us(w.hour * 3600000000), w.parent, w.children, nullif(w.loss, 'NaN'),
       w.parent - w.children - coalesce(nullif(w.loss, 'NaN'), 0), w.point_id, %(unit_id)s
from unnest(%(hour)s::int8[], %(parent)s::float8[], %(children)s::float8[], %(loss)s::float8[], %(point_id)s::int4[])
    as w (hour, parent, children, loss, point_id)
on conflict (point_id, start) do update
set parent_amount = excluded.parent_amount, children_amount = excluded.children_amount,
    loss_estimate = excluded.loss_estimate, residual = excluded.residual
"""
_DAYS: Final = """
insert into balance_day as d (day, parent_amount, children_amount, loss_estimate, residual, hours, point_id, unit_id)
select local_day(start), sum(parent_amount), sum(children_amount), sum(loss_estimate), sum(residual), count(*),
       point_id, unit_id
from balance_hour
where unit_id = %(unit_id)s and start >= %(first)s - interval '2 days' and start < %(end)s + interval '2 days'
group by local_day(start), point_id, unit_id
having local_day(start) between local_day(%(first)s) and local_day(%(end)s)
on conflict (point_id, day) do update
set parent_amount = excluded.parent_amount, children_amount = excluded.children_amount,
    loss_estimate = excluded.loss_estimate, residual = excluded.residual, hours = excluded.hours
"""


@dataclass(frozen=True, slots=True)
class BalanceTransaction:
    """One unit's balances, held against other workers; all of it is committed together, or nothing."""

    connection: psycopg.AsyncConnection
    unit_id: int

    async def kept(self) -> KeptBalance | None:
        """The state as it was left, None before the first day."""
        row = await (await self.connection.execute(_LOAD, (self.unit_id,))).fetchone()
        if row is None:
            return None
        engine, version, next_hour, state = row
        return KeptBalance(engine=engine, ledger_version=version, next_hour=_hour(next_hour), state=bytes(state))

    async def span(self, point_ids: Int32s) -> tuple[Int64s, Int64s]:
        """First and newest stored hour of those of the points that have any."""
        kinds = {"point_id": "int4", "first": "hour", "newest": "hour"}
        rows = await fetch(self.connection, _SPAN, (point_ids.tolist(),), kinds, _SPAN_ROW)
        return rows["first"], rows["newest"]

    async def read_hours(self, point_ids: Int32s, first: int, end: int) -> Hours:
        """Stored hours of points, half open."""
        n = len(point_ids)
        return await hours.in_windows(self.connection, point_ids, np.full(n, first), np.full(n, end))

    async def keep(self, kept: KeptBalance, *, point_id: int) -> None:
        """Replace the state."""
        await self.connection.execute(_FORGET, (self.unit_id,))
        at = instant(kept.next_hour * US_PER_HOUR)
        await self.connection.execute(_SAVE, (point_id, self.unit_id, kept.engine, kept.ledger_version, at, kept.state))

    async def verdicts(self) -> list[tuple[int, DetectionKind, SiteVerdict]]:
        """Point, kind and what somebody found, of gain faults that stand and were looked at."""
        rows = await (await self.connection.execute(_LOOKED_AT, (self.unit_id,))).fetchall()
        return [(point_id, DetectionKind[kind.upper()], SiteVerdict(verdict)) for point_id, kind, verdict in rows]

    async def write_detections(self, rows: Sequence[DetectionRow]) -> int:
        """Insert or replace detections; how many are new or changed."""
        return await detections.upsert(self.connection, rows)

    async def write_balances(self, rows: NDArray[Any]) -> None:
        """Replace hours of balances and the local days they lie in.

        Parameters
        ----------
        rows : (n,) BALANCE_ROW
        """
        if not len(rows):
            return
        columns = {name: rows[name].tolist() for name in rows.dtype.names or ()}
        await self.connection.execute(_HOURS, columns | {"unit_id": self.unit_id})
        first, end = int(rows["hour"].min()), int(rows["hour"].max())
        bounds = {"first": instant(first * US_PER_HOUR), "end": instant(end * US_PER_HOUR)}
        await self.connection.execute(_DAYS, bounds | {"unit_id": self.unit_id})

    async def write_observability(self, rows: Sequence[ObservabilityRow]) -> None:
        """Replace what could be seen at points."""
        await observability.write(self.connection, rows)


async def claim(connection: psycopg.AsyncConnection, unit_id: int) -> BalanceTransaction | None:
    """Hold a unit's balances until the transaction ends; None where another worker does."""
    row = await (await connection.execute(_LOCK, (_LOCK_CLASS, unit_id))).fetchone()
    return BalanceTransaction(connection, unit_id) if row is not None and row[0] else None


def _hour(at: datetime) -> int:
    return round(at.timestamp()) // 3600
