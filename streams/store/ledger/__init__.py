"""The ledger into the database: all of it as a new version, or nothing.

A version's blob holds the rows of the units it named, so a load of one small unit costs little beside a million rows
loaded before; `streams.store.ledger.reading` puts them together.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import psycopg
from psycopg.types.json import Json

from analytics.domain.ledger import (
    Changes,
    Ledger,
    LedgerFault,
    LedgerRows,
    TextColumn,
    merge,
)
from streams.store.ledger import blob, first, sql
from streams.store.ledger.blob import ID_COLUMNS, RowIds
from streams.store.ledger.reading import read_ledger
from streams.store.ledger.stage import CHUNK, Stage
from streams.store.postgres.columns import fetch

__all__ = ["LoadReport", "Origin", "load_ledger", "read_ledger"]

_BEGIN: Final = """
insert into ledger_version (source, row_count, sha256, blob, loaded_by, restored, changes)
values (%s, %s, decode(repeat('00', 32), 'hex'), '', %s, %s, %s) returning id
"""
_TARIFFS: Final = """
update tariff t set unit_id = u.id from unit u where t.unit_id is null and u.code = t.unit_code
"""
"""Prices may be entered before the ledger has their unit."""
_FINISH: Final = "update ledger_version set sha256 = %b, blob = %b where id = %s"
_LARGE: Final = 1_000  # rows
_IDS: Final = np.dtype([(name, np.int32) for name in ID_COLUMNS])


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who loads a ledger, over what, and what it changes: for the history of loads.

    Attributes
    ----------
    by : str
        Account or login.
    over : int or None
        The version that the difference was shown against; another one in force by now is a fault.
    restored : int or None
        The version that is gone back to.
    changes : sequence of mapping
        `Difference.to_object` of what was shown.
    """

    by: str = ""
    over: int | None = None
    restored: int | None = None
    changes: Sequence[Mapping[str, Any]] = ()


_NOBODY: Final = Origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """What became of a load.

    Attributes
    ----------
    version : int
        The version that is in force afterwards; with faults the one that was before, 0 for none.
    loaded : bool
        Whether it is a new one; not so with faults, and where the ledger says what was known already.
    faults : sequence of LedgerFault
        Why nothing was loaded.
    changes : Changes
        What must be computed anew, in the indices of the ledger of the units that were named.
    units, points, meters, rows : int
        What was named.
    """

    version: int
    loaded: bool
    faults: Sequence[LedgerFault]
    changes: Changes
    units: int
    points: int
    meters: int
    rows: int


async def load_ledger(
    connection: psycopg.AsyncConnection,
    newer: Ledger,
    source: str,
    *,
    correct: bool = False,
    since: datetime | None = None,
    origin: Origin = _NOBODY,
) -> LoadReport:
    """Load a ledger over the one in force: as a whole or not at all; safe to repeat.

    Units that it names are replaced, others stay. What was loaded before and is missing now is a fault. Where a meter's
    status or class is another than before, what it was is kept for the days until then.

    Parameters
    ----------
    connection : AsyncConnection
        Outside a transaction.
    newer : Ledger
        As `build_ledger` makes it, without faults.
    source : str
        Where it comes from: file name, or who sent it.
    correct : bool
        Whether installations that it does not name any more never were, and are withdrawn.
    since : datetime or None
        From when another status or class holds, not after now; from the load on without it.
    origin : Origin
        Who loads it, for the history.
    """
    async with connection.transaction():
        await connection.execute(sql.LOCK)
        named = frozenset(newer.unit_codes)
        current = await read_ledger(connection, units=named.__contains__)
        if origin.over is not None and origin.over != current.version:
            required = f"version {origin.over} in force, against which the difference was shown"
            fault = LedgerFault(0, "", required, f"version {current.version}: somebody loaded a ledger meanwhile")
            return _report(newer, current.version, faults=[fault], changes=Changes.none())
        merged, faults, changes = await asyncio.to_thread(merge, current.ledger, newer, correct=correct)
        known = await asyncio.to_thread(_same, current.ledger.rows, merged.rows)
        if faults or known:
            return _report(newer, current.version, faults=faults, changes=changes)
        version = await _begin(connection, newer, source, origin)
        if await first.taken_alone(connection, merged):
            ids = await first.take_in(connection, merged, version)
            await connection.execute(sql.ANALYZE)
        else:
            ids = await _take_in(connection, merged, version, since)
        encoded = await asyncio.to_thread(blob.encode, merged.rows, ids)
        await connection.execute(_TARIFFS)
        await connection.execute(_FINISH, (hashlib.sha256(encoded).digest(), encoded, version))
    return _report(newer, version, loaded=True, changes=changes)


async def _begin(connection: psycopg.AsyncConnection, newer: Ledger, source: str, origin: Origin) -> int:
    facts = (source, len(newer.rows), origin.by, origin.restored, Json(list(origin.changes)))
    row = await (await connection.execute(_BEGIN, facts)).fetchone()
    assert row is not None, "an insert returns its row"
    return int(row[0])


async def _take_in(connection: psycopg.AsyncConnection, ledger: Ledger, version: int, since: datetime | None) -> RowIds:
    """Stage the rows, upsert the tables, and give the ids of each row."""
    await connection.execute(sql.STAGE)
    stage = await asyncio.to_thread(Stage, ledger)
    async with connection.cursor() as cursor:
        async with cursor.copy(sql.COPY_IN) as copy:
            for start in range(0, len(ledger.rows), CHUNK):
                await copy.write(await asyncio.to_thread(stage.csv, start))
        for statement in sql.STEPS:
            await cursor.execute(statement, {"version": version, "since": since})
        if len(ledger.rows) >= _LARGE:
            await cursor.execute(sql.ANALYZE)
    found = await fetch(connection, sql.IDS, (), dict.fromkeys(ID_COLUMNS, "int4"), _IDS)
    return {name: found[name].copy() for name in ID_COLUMNS}


def _same(before: LedgerRows, after: LedgerRows) -> bool:
    """Whether two ledgers say the same in every column."""
    return len(before) == len(after) and all(
        _equal(cells, after.columns[name]) for name, cells in before.columns.items()
    )


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, TextColumn):
        return isinstance(b, TextColumn) and a.values == b.values and np.array_equal(a.codes, b.codes)
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def _report(
    newer: Ledger,
    version: int,
    *,
    changes: Changes,
    loaded: bool = False,
    faults: Iterable[LedgerFault] = (),
) -> LoadReport:
    return LoadReport(
        version=version,
        loaded=loaded,
        faults=tuple(faults),
        changes=changes,
        units=len(newer.unit_codes),
        points=len(newer.point_codes),
        meters=len(newer.meter_nos),
        rows=len(newer.rows),
    )
