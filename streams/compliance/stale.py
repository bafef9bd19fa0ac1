"""Units whose standing is stale are found, judged and written: what a worker does for the units of its partitions."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final, NamedTuple

import numpy as np
import psycopg
from numpy.typing import NDArray

from analytics.standards.documents import Standards
from streams.compliance.evidence import Moment
from streams.compliance.findings import Written, write_judgement
from streams.compliance.judge import judge
from streams.compliance.standards import newest_document, read_standards
from streams.rows.layout import StoredLedger
from streams.store.postgres.connections import Connections

__all__ = ["ComplianceStore", "Judged", "part_of"]

_ALONE: Final = "select pg_advisory_xact_lock(x'6d770008'::int4)"
_STALE: Final = """
select n.id, n.facts || n.data from (
    select u.id, concat_ws('/', u.version, %(document)s::int4, c.entered, '') as facts,
           concat_ws('/', %(hour)s::text, d.newest) as data
    from unit u
    left join lateral (
        select max(stored_at)::text as newest from detection
        where unit_id = u.id and kind in ('silence', 'gap', 'stuck')
    ) d on true
    left join lateral (
        select nullif(count(*), 0) || '.' || count(withdrawn_at) as entered from certificate where unit_id = u.id
    ) c on true
    where u.id = any(%(units)s) and u.version <= %(version)s
) n
left join compliance_mark m on m.unit_id = n.id
where m.fingerprint is distinct from n.facts || n.data
    and (m.unit_id is null or not starts_with(m.fingerprint, n.facts) or not exists (
        select from dirty_hour d where d.unit_id = n.id and d.marked_at < clock_timestamp() - interval '30 seconds'))
order by m.judged_at nulls first
limit %(limit)s
"""
_MARK: Final = """
insert into compliance_mark as m (unit_id, fingerprint) select * from unnest(%s::int4[], %s::text[])
on conflict (unit_id) do update set fingerprint = excluded.fingerprint, judged_at = clock_timestamp()
"""


class _InForce(NamedTuple):
    """What is judged by, up to the document of a number."""

    number: int
    standards: Standards


class Judged(NamedTuple):
    """Units judged, and the rows of findings that changed with them."""

    units: int
    written: Written


def part_of(stored: StoredLedger, units: NDArray[np.int64]) -> StoredLedger:
    """The part of a ledger that speaks of some of its units (by index, ascending), with their ids."""

    def within(start: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.concatenate([np.arange(start[i], start[i + 1]) for i in units.tolist()] or [np.empty(0, np.int64)])

    points = within(stored.ledger.unit_point_start)
    meters = within(stored.ledger.unit_meter_start)
    return StoredLedger(
        version=stored.version,
        ledger=stored.ledger.take_units(units),
        unit_ids=stored.unit_ids[units],
        point_ids=stored.point_ids[points],
        meter_ids=stored.meter_ids[meters],
        register_ids=stored.register_ids[meters],
    )


class ComplianceStore:
    """Judges what is stale of a ledger's units, a few at a time, all of a batch in one transaction.

    Parameters
    ----------
    connections : Connections
    zone : tzinfo
        Of local days.
    """

    def __init__(self, connections: Connections, zone: tzinfo) -> None:
        self._connections = connections
        self._zone = zone
        self._in_force: _InForce | None = None

    async def judge_stale(self, stored: StoredLedger, *, now: datetime | None = None, limit: int = 20) -> Judged | None:
        """Judge some of a ledger's units that have changed since they were judged last, None where none has.

        A unit changes with its ledger, with what it is judged by, with a silence, gap or stuck register that begins or
        ends, and with the hour, for its data do. While its totals lag behind, what only its data changed waits.
        """
        now = datetime.now(UTC) if now is None else now
        async with self._connections.connection() as connection:
            document = await newest_document(connection)
            if self._in_force is None or self._in_force.number != document:
                self._in_force = _InForce(document, await read_standards(connection))
            stale = await self._stale(connection, stored, document, now, limit)
            if not stale:
                return None
            place = {one: i for i, one in enumerate(stored.unit_ids.tolist())}
            units = np.sort(np.array([place[one] for one, _ in stale], np.int64))
            moment = Moment.of(now.astimezone(self._zone).date(), now=now, zone=self._zone)
            part = await asyncio.to_thread(part_of, stored, units)
            judgement = await judge(connection, self._in_force.standards, moment, stored=part)
            async with connection.transaction():
                await connection.execute(_ALONE)
                written = await write_judgement(connection, judgement)
                await connection.execute(_MARK, ([one for one, _ in stale], [mark for _, mark in stale]))
        return Judged(len(stale), written)

    async def _stale(
        self, connection: psycopg.AsyncConnection, stored: StoredLedger, document: int, now: datetime, limit: int
    ) -> Sequence[tuple[int, str]]:
        cursor = await connection.execute(
            _STALE,
            {
                "units": stored.unit_ids.tolist(),
                "version": stored.version,
                "document": document,
                "hour": now.astimezone(self._zone).strftime("%Y-%m-%d %H"),
                "limit": limit,
            },
        )
        return await cursor.fetchall()
