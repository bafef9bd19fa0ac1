"""The ledger in the database: loaded all or nothing as a new version, and read back as of any version.

A version's blob holds the rows of the units it named. The ledger as of a version is, for each unit, the rows of the
latest version up to it; so a load of one small unit costs little beside a million rows loaded before.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import psycopg

from analytics.domain.errors import RegistryError
from analytics.domain.ledger import (
    Changes,
    Ledger,
    LedgerFault,
    LedgerRows,
    TextColumn,
    merge,
)
from analytics.domain.ledger.derive import group, meters
from streams.ports import StoredLedger
from streams.store import ledger_blob, ledger_sql
from streams.store.columns import fetch
from streams.store.ledger_blob import ID_COLUMNS, RowIds
from streams.store.ledger_stage import CHUNK, Stage

__all__ = ["LoadReport", "load_ledger", "read_ledger"]

_NEWEST: Final = "select coalesce(max(id), 0) from ledger_version"
_BEGIN: Final = """
insert into ledger_version (source, row_count, sha256, blob)
values (%s, %s, decode(repeat('00', 32), 'hex'), '') returning id
"""
_FINISH: Final = "update ledger_version set sha256 = %b, blob = %b where id = %s"
_UNITS_AS_OF: Final = """
select distinct on (v.unit_id) u.code, v.version
from ledger_version_unit v join unit u on u.id = v.unit_id
where v.version <= %s
order by v.unit_id, v.version desc
"""
_BLOB: Final = "select blob from ledger_version where id = %s"


_LARGE: Final = 1_000  # rows
_IDS: Final = np.dtype([(name, np.int32) for name in ID_COLUMNS])


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


async def load_ledger(connection: psycopg.AsyncConnection, newer: Ledger, source: str) -> LoadReport:
    """Load a ledger over the one in force: as a whole or not at all; safe to repeat.

    Units that it names are replaced, others stay. What was loaded before and is missing now is a fault.

    Parameters
    ----------
    connection : AsyncConnection
        Outside a transaction.
    newer : Ledger
        As `build_ledger` makes it, without faults.
    source : str
        Where it comes from: file name, or who sent it.
    """
    async with connection.transaction():
        await connection.execute(ledger_sql.LOCK)
        named = frozenset(newer.unit_codes)
        current = await read_ledger(connection, units=named.__contains__)
        merged, faults, changes = await asyncio.to_thread(merge, current.ledger, newer)
        known = await asyncio.to_thread(_same, current.ledger.rows, merged.rows)
        if faults or known:
            return _report(newer, current.version, faults=faults, changes=changes)
        version = await _begin(connection, newer, source)
        ids = await _take_in(connection, merged, version)
        blob = await asyncio.to_thread(ledger_blob.encode, merged.rows, ids)
        await connection.execute(_FINISH, (hashlib.sha256(blob).digest(), blob, version))
    return _report(newer, version, loaded=True, changes=changes)


async def read_ledger(
    connection: psycopg.AsyncConnection,
    version: int | None = None,
    units: Callable[[str], bool] | None = None,
) -> StoredLedger:
    """The ledger as of a version (the newest one by default), of the units whose code `units` accepts (all).

    Raises
    ------
    RegistryError
        If there is no such version.
    """
    newest = await _scalar(connection, _NEWEST)
    version = newest if version is None else version
    if not 0 <= version <= newest:
        raise RegistryError(f"a ledger version must be one of those loaded, up to {newest} (got {version})")
    cursor = await connection.execute(_UNITS_AS_OF, (version,))
    wanted: dict[int, set[str]] = {}
    for code, of in await cursor.fetchall():
        if units is None or units(code):
            wanted.setdefault(of, set()).add(code)
    parts = []
    for of, codes in sorted(wanted.items()):
        cursor = await connection.execute(_BLOB, (of,), binary=True)
        row = await cursor.fetchone()
        assert row is not None, "a version that units refer to is there"
        parts.append(await asyncio.to_thread(_part, bytes(row[0]), codes))
    return await asyncio.to_thread(_assembled, version, parts)


_Part = tuple[LedgerRows, RowIds]


def _part(blob: bytes, codes: set[str]) -> _Part:
    """Rows of some units of a blob."""
    rows, ids = ledger_blob.decode(blob)
    column = rows.text("unit_code")
    if len(codes) == len(column.values):
        return rows, ids
    wanted = np.fromiter((value in codes for value in column.values), np.bool_, len(column.values))
    index = np.flatnonzero(wanted[column.codes])
    return rows.take(index), {name: ids[name][index] for name in ID_COLUMNS}


def _joined(parts: Sequence[_Part]) -> _Part:
    """All parts, halved again and again so that no row is copied often."""
    if len(parts) == 1:
        return parts[0]
    (rows, ids), (more, more_ids) = _joined(parts[: len(parts) // 2]), _joined(parts[len(parts) // 2 :])
    return rows.joined(more), {name: np.concatenate([ids[name], more_ids[name]]) for name in ID_COLUMNS}


def _assembled(version: int, parts: Sequence[_Part]) -> StoredLedger:
    nothing: _Part = (LedgerRows.empty(), {name: np.empty(0, np.int32) for name in ID_COLUMNS})
    rows, ids = _joined(parts or [nothing])
    if len(parts) > 1:  # each part is in order, and a unit is in one of them only
        order = np.argsort(rows.text("unit_code").codes, kind="stable")
        rows, ids = rows.take(order), {name: ids[name][order] for name in ID_COLUMNS}
    grouping = group(rows)
    meter_row = meters(rows, grouping.row_unit).row
    return StoredLedger(
        version=version,
        ledger=Ledger.from_rows(rows),
        unit_ids=ids["unit_id"][grouping.unit_row],
        point_ids=ids["point_id"][grouping.point_row],
        meter_ids=ids["meter_id"][meter_row],
        register_ids=ids["register_id"][meter_row],
    )


async def _begin(connection: psycopg.AsyncConnection, newer: Ledger, source: str) -> int:
    return await _scalar(connection, _BEGIN, (source, len(newer.rows)))


async def _take_in(connection: psycopg.AsyncConnection, ledger: Ledger, version: int) -> RowIds:
    """Stage the rows, upsert the tables, and give the ids of each row."""
    await connection.execute(ledger_sql.STAGE)
    stage = await asyncio.to_thread(Stage, ledger)
    async with connection.cursor() as cursor:
        async with cursor.copy(ledger_sql.COPY_IN) as copy:
            for start in range(0, len(ledger.rows), CHUNK):
                await copy.write(await asyncio.to_thread(stage.csv, start))
        for statement in ledger_sql.STEPS:
            await cursor.execute(statement, {"version": version})
        if len(ledger.rows) >= _LARGE:
            await cursor.execute(ledger_sql.ANALYZE)
    found = await fetch(connection, ledger_sql.IDS, (), dict.fromkeys(ID_COLUMNS, "int4"), _IDS)
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


async def _scalar(
    connection: psycopg.AsyncConnection, query: Any, parameters: Sequence[Any] | Mapping[str, Any] = ()
) -> int:
    cursor = await connection.execute(query, parameters)
    row = await cursor.fetchone()
    assert row is not None, "such a query always has a row"
    return int(row[0])
