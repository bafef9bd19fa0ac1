"""A checked ledger into the database, from a program that is not a worker."""

import asyncio
import getpass
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final, TypeVar

import numpy as np
import psycopg
from psycopg.rows import dict_row

from analytics.domain.ledger import Difference, Ledger, LedgerFault, difference, merge
from streams.store.ledger import LoadReport, Origin, load_ledger, read_ledger
from streams.store.postgres.connections import connected

__all__ = ["Origin", "Proposal", "account", "gone_back_to", "history", "ledger_in_force", "load", "proposed"]

T = TypeVar("T")


def load(
    dsn: str,
    ledger: Ledger,
    source: str,
    *,
    correct: bool = False,
    since: datetime | None = None,
    origin: Origin | None = None,
) -> LoadReport:
    """Load a ledger over the one in force, all or nothing; safe to repeat.

    Parameters
    ----------
    dsn : str
        The database.
    ledger : Ledger
        Without faults.
    source : str
        Where it comes from, for the record.
    correct : bool
        Whether installations that it does not name any more never were, and are withdrawn.
    since : datetime or None
        From when another status or class of a meter holds; from now on without it.
    origin : Origin, optional
        Who loads it and over which version; the account of the system over any without it.

    Raises
    ------
    StoreUnavailable
        If the database cannot be reached or goes away; nothing is loaded.
    """
    whose = origin or Origin(by=account())

    async def work(connection: psycopg.AsyncConnection) -> LoadReport:
        return await load_ledger(connection, ledger, source, correct=correct, since=since, origin=whose)

    return _inside(dsn, work)


def account() -> str:
    """Name of the account that runs this."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def _inside(dsn: str, work: Callable[[psycopg.AsyncConnection], Awaitable[T]]) -> T:
    async def run() -> T:
        async with connected(dsn, "ledger") as connection:
            return await work(connection)

    return asyncio.run(run())


@dataclass(frozen=True, slots=True)
class Proposal:
    """A ledger beside the one in force: the version, what would change, and why it could not be loaded."""

    version: int
    difference: Difference
    faults: Sequence[LedgerFault]


def proposed(dsn: str, newer: Ledger, zone: tzinfo, *, correct: bool = False) -> Proposal:
    """What loading a ledger would change, with the energy that is worked out anew."""

    async def work(connection: psycopg.AsyncConnection) -> Proposal:
        named = frozenset(newer.unit_codes)
        stored = await read_ledger(connection, units=named.__contains__)
        found = difference(stored.ledger, newer, zone=zone)
        faults = merge(stored.ledger, newer, correct=correct)[1]
        return Proposal(stored.version, found.with_amounts(await _amounts(connection, found)), faults)

    return _inside(dsn, work)


_AMOUNT: Final = """
select coalesce(sum(h.amount), 0), m.symbol
from metering_point p
join unit u on u.id = p.unit_id
join measure_unit m on m.code = p.amount_unit
left join consumption_hour h on h.point_id = p.id and h.start >= at_us(%s)
where u.code = %s and p.code = %s
group by m.symbol
"""
_MOST_AMOUNTS: Final = 200


async def _amounts(
    connection: psycopg.AsyncConnection, found: Difference
) -> dict[tuple[str, str, int], tuple[float, str]]:
    keys = {(one.unit_code, one.point, one.since_us) for one in found.changes if one.since_us is not None}
    amounts = {}
    for unit_code, point, since_us in sorted(keys)[:_MOST_AMOUNTS]:
        row = await (await connection.execute(_AMOUNT, (since_us, unit_code, point))).fetchone()
        if row is not None:
            amounts[unit_code, point, since_us] = float(row[0]), str(row[1])
    return amounts


_HISTORY: Final = """
select v.id as version, v.loaded_at, v.loaded_by, v.source, v.row_count as rows, v.restored,
       jsonb_array_length(v.changes) as changes, v.changes as details,
       (select array_agg(u.code order by u.code) from ledger_version_unit x join unit u on u.id = x.unit_id
        where x.version = v.id) as units
from ledger_version v order by v.id desc limit %s
"""


def history(dsn: str, limit: int) -> list[dict[str, Any]]:
    """Loads, the newest first: when, by whom, from what, and what each changed."""

    async def work(connection: psycopg.AsyncConnection) -> list[dict[str, Any]]:
        cursor = connection.cursor(row_factory=dict_row)
        return await (await cursor.execute(_HISTORY, (limit,))).fetchall()

    return _inside(dsn, work)


def gone_back_to(dsn: str, version: int) -> tuple[Ledger, list[str]]:
    """The ledger as of a version, with the points and units that came after it as they are now, and their names.

    What was added since stays, since its consumption would hang in the air; what was changed since goes back.
    """

    async def work(connection: psycopg.AsyncConnection) -> tuple[Ledger, list[str]]:
        older = (await read_ledger(connection, version)).ledger
        now = (await read_ledger(connection)).ledger
        return _with_later_points(older, now)

    return _inside(dsn, work)


def _with_later_points(older: Ledger, now: Ledger) -> tuple[Ledger, list[str]]:
    def keys(ledger: Ledger) -> list[tuple[str, str]]:
        rows = ledger.rows
        return list(zip(rows.text("unit_code"), rows.text("point"), strict=True))

    known = set(keys(older))
    listed = keys(now)
    later = [row for row, key in enumerate(listed) if key not in known]
    kept = sorted({f"{unit} {point}" for row in later for unit, point in [listed[row]]})
    if not later:
        return older, []
    joined = older.rows.joined(now.rows.take(np.array(later, np.int64))).in_order()
    return Ledger.from_rows(joined), kept


def ledger_in_force(dsn: str, version: int | None = None) -> Ledger:
    """Ledger that holds now, or as of a version; `StoreUnavailable` where the database does not answer."""

    async def work(connection: psycopg.AsyncConnection) -> Ledger:
        return (await read_ledger(connection, version)).ledger

    return _inside(dsn, work)
