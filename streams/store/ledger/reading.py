"""The ledger out of the database, as of any version: for each unit, the rows of the latest version up to it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, LiteralString, NamedTuple

import numpy as np
import psycopg

from analytics.domain.errors import RegistryError
from analytics.domain.ledger import Ledger, LedgerRows
from analytics.domain.ledger.derive import group, meters
from streams.rows.layout import StoredLedger
from streams.store.ledger import blob
from streams.store.ledger.blob import ID_COLUMNS, RowIds
from streams.store.postgres.connections import Connections

__all__ = ["LedgerShelf", "read_ledger"]

_NEWEST: Final = "select coalesce(max(id), 0) from ledger_version"
_UNITS_AS_OF: Final = """
select distinct on (v.unit_id) u.code, v.version
from ledger_version_unit v join unit u on u.id = v.unit_id
where v.version <= %s
order by v.unit_id, v.version desc
"""
_BLOB: Final = "select blob from ledger_version where id = %s"

_KEPT_S: Final = 60.0
"""How long rows are kept for whoever asks for other units of the same version."""


class _Part(NamedTuple):
    """Rows of one load, and those of its units that no later load replaced."""

    rows: LedgerRows
    ids: RowIds
    units: frozenset[str]


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
    version = await _known(connection, version)
    parts = await _parts(connection, version, units)
    return await asyncio.to_thread(_assembled, version, parts, units)


class LedgerShelf:
    """Ledgers of the partitions of one worker: a version's rows are read once for all that ask in the same minute.

    They are put together one after the other: all at once, none would be ready before the last.

    Parameters
    ----------
    connections : Connections
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._reading = asyncio.Lock()
        self._kept: tuple[int, list[_Part]] | None = None
        self._expiry: asyncio.TimerHandle | None = None

    async def ledger(self, version: int, units: Callable[[str], bool]) -> StoredLedger:
        """The ledger of some units, kept until another version is asked for; see `read_ledger`."""
        async with self._reading:
            if self._kept is None or self._kept[0] != version:
                self._kept = None
                async with self._connections.connection() as connection:
                    self._kept = version, await _parts(connection, await _known(connection, version), None)
            parts = self._kept[1]
            if self._expiry is not None:
                self._expiry.cancel()
            self._expiry = asyncio.get_running_loop().call_later(_KEPT_S, self.clear)
            return await asyncio.to_thread(_assembled, version, parts, units)

    def clear(self) -> None:
        """Keep nothing."""
        self._kept = None
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None


async def _known(connection: psycopg.AsyncConnection, version: int | None) -> int:
    newest = int(await _scalar(connection, _NEWEST, ()))
    if version is not None and not 0 <= version <= newest:
        raise RegistryError(f"a ledger version must be one of those loaded, up to {newest} (got {version})")
    return newest if version is None else version


async def _parts(connection: psycopg.AsyncConnection, version: int, units: Callable[[str], bool] | None) -> list[_Part]:
    """Loads that the ledger as of a version consists of; those that have no unit that is wanted are not read."""
    cursor = await connection.execute(_UNITS_AS_OF, (version,))
    wanted: dict[int, set[str]] = {}
    for code, of in await cursor.fetchall():
        if units is None or units(code):
            wanted.setdefault(of, set()).add(code)
    parts = []
    for of, codes in sorted(wanted.items()):
        encoded = await _scalar(connection, _BLOB, (of,))
        parts.append(_Part(*await asyncio.to_thread(blob.decode, encoded), frozenset(codes)))
    return parts


def _taken(part: _Part, units: Callable[[str], bool] | None) -> tuple[LedgerRows, RowIds]:
    """Rows of the units that count and are wanted."""
    column = part.rows.text("unit_code")
    wanted = np.fromiter(
        (code in part.units and (units is None or units(code)) for code in column.values), np.bool_, len(column.values)
    )
    if wanted.all():
        return part.rows, part.ids
    index = np.flatnonzero(wanted[column.codes])
    return part.rows.take(index), {name: part.ids[name][index] for name in ID_COLUMNS}


def _joined(taken: Sequence[tuple[LedgerRows, RowIds]]) -> tuple[LedgerRows, RowIds]:
    """All of them, halved again and again so that no row is copied often."""
    if len(taken) == 1:
        return taken[0]
    (rows, ids), (more, more_ids) = _joined(taken[: len(taken) // 2]), _joined(taken[len(taken) // 2 :])
    return rows.joined(more), {name: np.concatenate([ids[name], more_ids[name]]) for name in ID_COLUMNS}


def _assembled(version: int, parts: Sequence[_Part], units: Callable[[str], bool] | None) -> StoredLedger:
    nothing: tuple[LedgerRows, RowIds] = LedgerRows.empty(), {name: np.empty(0, np.int32) for name in ID_COLUMNS}
    rows, ids = _joined([_taken(part, units) for part in parts] or [nothing])
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


async def _scalar(connection: psycopg.AsyncConnection, query: LiteralString, parameters: Sequence[object]) -> Any:
    row = await (await connection.execute(query, parameters, binary=True)).fetchone()
    assert row is not None, "a version that units refer to is there"
    return row[0]
