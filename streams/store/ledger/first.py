"""A large ledger into tables that are empty yet: rows of each table at once, by ids that are reserved for them.

Staging, joining and comparing (`streams.store.ledger.sql`) serve a ledger that is there already. A region's first one
has a million meters and nothing to be compared with: here the rows of each table are made from the ledger's own arrays
and copied. Foreign keys, unique constraints that none rests on, and plain indexes are taken off before and put back
over whole tables behind it, in the same transaction: the checks are the same, a tenth of the time for a million rows.
While it runs nobody reads the tables, which are empty.
"""

import asyncio
import io
from collections.abc import Iterator, Mapping
from typing import Any, Final, LiteralString

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from numpy.typing import NDArray
from psycopg import sql

from analytics.domain.ledger import NO_DAY, Ledger
from analytics.domain.ledger.derive import group, meters
from streams.rows.layout import Int32s, Int64s
from streams.store.ledger.blob import RowIds
from streams.store.ledger.stage import CHUNK, plain

__all__ = ["LARGE", "take_in", "taken_alone"]

LARGE: Final = 10_000
"""Rows of a first ledger from which on it is worth while."""

_TABLES: Final[tuple[LiteralString, ...]] = (
    "unit",
    "sub_unit",
    "main_equipment",
    "metering_point",
    "exemption",
    "meter",
    "register",
    "installation",
    "verification",
)
_EMPTY_AND_OURS: Final = """
select not exists (select from unit)
    and bool_and(pg_has_role(c.relowner, 'usage')) from pg_class c where c.oid = any(%s::regclass[])
"""
_LOCK: Final = sql.SQL("lock table only {} in access exclusive mode")
_KEYS: Final = """
select c.conrelid::regclass::text, c.conname, pg_get_constraintdef(c.oid)
from pg_constraint c
where c.conrelid = any(%s::regclass[]) and (c.contype = 'f' or (c.contype = 'u' and not exists (
    select from pg_constraint f where f.contype = 'f' and f.conindid = c.conindid)))
order by c.contype, c.oid
"""
"""Foreign keys, and after them unique constraints that no foreign key rests on."""
_INDEXES: Final = """
select i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
from pg_index i
where i.indrelid = any(%s::regclass[]) and not i.indisunique
    and not exists (select from pg_constraint c where c.conindid = i.indexrelid)
order by i.indexrelid
"""
_RESERVE: Final = """
select setval(s.name, nextval(s.name) + %s - 1)
from (select pg_get_serial_sequence(%s, 'id')::regclass as name offset 0) s
"""
"""The last of so many; the table is locked, so that nobody else takes one meanwhile."""
_OF_VERSION: Final = "insert into ledger_version_unit (unit_id, version) select id, version from unit"
_IMPATIENT: Final = "set local lock_timeout = '3s'"
_PATIENT: Final = "set local lock_timeout to default"
_OPTIONS: Final = pa_csv.WriteOptions(include_header=False)

_INSTALLATION: Final = (
    "installed_from",
    "installed_to",
    "multiplier",
    "full_scale",
    "max_rate",
    "interval_s",
    "first_reading",
    "last_reading",
    "name",
    "model",
    "range",
    "manufacturer",
    "place",
    "instrument",
    "purpose",
    "accuracy_class",
    "status",
)


async def taken_alone(connection: psycopg.AsyncConnection, ledger: Ledger) -> bool:
    """Whether a ledger is large, the tables are empty and ours, and nobody else is at them; they are locked then."""
    if len(ledger.rows) < LARGE:
        return False
    row = await (await connection.execute(_EMPTY_AND_OURS, (list(_TABLES),))).fetchone()
    if row is None or not row[0]:
        return False
    try:
        async with connection.transaction():
            await connection.execute(_IMPATIENT)
            for name in _TABLES:
                await connection.execute(_LOCK.format(sql.Identifier(name)))
            await connection.execute(_PATIENT)
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
        return False
    return True


async def take_in(connection: psycopg.AsyncConnection, ledger: Ledger, version: int) -> RowIds:
    """Fill the tables, which `taken_alone` has locked, and give the ids of each row.

    Raises
    ------
    psycopg.errors.IntegrityError
        If a row has no owner or is there twice: nothing is loaded then.
    """
    keys = await (await connection.execute(_KEYS, (list(_TABLES),))).fetchall()
    indexes = await (await connection.execute(_INDEXES, (list(_TABLES),))).fetchall()
    for table, name, _ in keys:
        await connection.execute(f"alter table {table} drop constraint {_quoted(name)}".encode())
    for name, _ in indexes:
        await connection.execute(f"drop index {name}".encode())
    rows = await asyncio.to_thread(_Rows, ledger, version)
    for name, count in rows.wanted().items():
        if not count:
            rows.ids[name] = np.empty(0, np.int32)
            continue
        reserved = await (await connection.execute(_RESERVE, (count, name))).fetchone()
        assert reserved is not None, "setval gives what it sets"
        rows.ids[name] = np.arange(reserved[0] - count + 1, reserved[0] + 1, dtype=np.int32)
    for name, columns in rows.tables():
        await _copy(connection, name, columns)
    await connection.execute(_OF_VERSION)
    for _, definition in indexes:
        await connection.execute(definition.encode())
    for table, name, definition in reversed(keys):
        await connection.execute(f"alter table {table} add constraint {_quoted(name)} {definition}".encode())
    return rows.of_each()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


async def _copy(connection: psycopg.AsyncConnection, name: str, columns: Mapping[str, Any]) -> None:
    """Rows of one table; a piece is written while the next is made."""
    table = pa.table(dict(columns))
    into = sql.SQL("copy {} ({}) from stdin (format csv)").format(
        sql.Identifier(name), sql.SQL(", ").join(map(sql.Identifier, table.column_names))
    )
    ahead = asyncio.create_task(asyncio.to_thread(_csv, table, 0))
    try:
        async with connection.cursor() as cursor, cursor.copy(into) as copy:
            for start in range(0, table.num_rows, CHUNK):
                made = await ahead
                ahead = asyncio.create_task(asyncio.to_thread(_csv, table, start + CHUNK))
                await copy.write(made)
    finally:
        await ahead  # some milliseconds; a thread cannot be broken off


def _csv(table: Any, start: int) -> bytes:
    sink = io.BytesIO()
    pa_csv.write_csv(table.slice(start, CHUNK), sink, _OPTIONS)
    return sink.getvalue()


class _Rows:
    """Rows of the tables. What belongs to what is a place in `ids`, the numbers that were reserved for a table."""

    def __init__(self, ledger: Ledger, version: int) -> None:
        self.ids: dict[str, Int32s] = {}
        self._ledger, self._version = ledger, version
        rows = ledger.rows
        self._group = group(rows)
        self._meters = meters(rows, self._group.row_unit)
        self._sub, self._sub_of_row = self._places("sub_unit")
        self._equipment, self._equipment_of_row = self._places("equipment", self._sub_of_row)

    def _places(self, name: str, inside: Int64s | None = None) -> tuple[Int64s, Int64s]:
        """The first row of each sub-unit or equipment, and which of them each row names, -1 for none."""
        column = self._ledger.rows.text(name)
        unit = self._group.row_unit.astype(np.int64)
        owner = unit if inside is None else unit * (len(self._sub) + 1) + inside + 1
        named = np.flatnonzero(column.codes != column.code_of(""))
        key = owner[named] * max(len(column.values), 1) + column.codes[named]
        _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
        of_row = np.full(len(column), -1, np.int64)
        of_row[named] = inverse
        return named[first], of_row

    def wanted(self) -> dict[str, int]:
        """How many ids each table takes."""
        return {
            "unit": len(self._group.unit_row),
            "sub_unit": len(self._sub),
            "main_equipment": len(self._equipment),
            "metering_point": len(self._group.point_row),
            "meter": len(self._meters.row),
            "register": len(self._meters.row),
            "installation": len(self._meters.installed_row),
        }

    def of_each(self) -> RowIds:
        """Ids of each row, meter and register 0 where it has none."""
        meter = np.zeros(len(self._ledger.rows), np.int32)
        register = meter.copy()
        meter[self._meters.installed_row] = self.ids["meter"][self._meters.installed_meter]
        register[self._meters.installed_row] = self.ids["register"][self._meters.installed_meter]
        return {
            "unit_id": self.ids["unit"][self._group.row_unit],
            "point_id": self.ids["metering_point"][self._group.row_point],
            "meter_id": meter,
            "register_id": register,
        }

    def tables(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each table and its columns, owners first."""
        unit_row = self._group.unit_row
        version = np.full(len(unit_row), self._version, np.int32)
        yield (
            "unit",
            {"id": self.ids["unit"], **self._taken(unit_row, code="unit_code", name="unit_name")}
            | self._taken(unit_row, "longitude", "latitude")
            | {"version": version},
        )
        yield (
            "sub_unit",
            {"id": self.ids["sub_unit"], "unit_id": self._unit(self._sub)} | self._taken(self._sub, name="sub_unit"),
        )
        yield (
            "main_equipment",
            {
                "id": self.ids["main_equipment"],
                "unit_id": self._unit(self._equipment),
                "sub_unit_id": self._named("sub_unit", self._sub_of_row[self._equipment]),
            }
            | self._taken(self._equipment, name="equipment"),
        )
        yield "metering_point", self._points()
        yield "exemption", self._exemptions()
        meter_unit = self._unit(self._meters.row)
        yield (
            "meter",
            {"id": self.ids["meter"], "unit_id": meter_unit}
            | self._taken(self._meters.row, "meter_no")
            | self._taken(self._serial_row(), "serial_no"),
        )
        yield "register", {"id": self.ids["register"], "unit_id": meter_unit, "meter_id": self.ids["meter"]}
        yield "installation", self._installations()
        yield "verification", self._verifications()

    def _unit(self, row: NDArray[np.integer]) -> Int32s:
        ids: Int32s = self.ids["unit"][self._group.row_unit[row]]
        return ids

    def _named(self, table: str, place: Int64s) -> Any:
        """Ids at these places, NULL where there is none."""
        ids = self.ids[table]
        found = ids[place] if len(ids) else np.zeros(len(place), np.int32)
        return pa.array(found, mask=place < 0)

    def _taken(self, row: NDArray[np.integer], *same: str, **named: str) -> dict[str, Any]:
        """Columns of the ledger at some rows, under their own name or another."""
        columns = dict(zip(same, same, strict=True)) | named
        return {name: plain(self._ledger.rows, column, row) for name, column in columns.items()}

    def _points(self) -> dict[str, Any]:
        first, ledger = self._group.point_row, self._ledger
        return (
            {
                "id": self.ids["metering_point"],
                "unit_id": self._unit(first),
                "parent_id": self._named("metering_point", ledger.point_parent.astype(np.int64)),
                "sub_unit_id": self._named("sub_unit", self._sub_of_row[first]),
                "equipment_id": self._named("main_equipment", self._equipment_of_row[first]),
                "amount_unit": ledger.point_canonical,
            }
            | self._taken(first, code="point")
            | self._taken(first, "parent_complete", "level", "carrier", "direction", "required")
            | self._taken(first, "annual_use", "rated_power_kw", "hourly_use")
        )

    def _exemptions(self) -> dict[str, Any]:
        reason = self._ledger.rows.text("exemption")
        point = np.flatnonzero(reason.codes[self._group.point_row] != reason.code_of(""))
        first = self._group.point_row[point]
        return {"point_id": self.ids["metering_point"][point], "unit_id": self._unit(first)} | self._taken(
            first, reason="exemption"
        )

    def _serial_row(self) -> Int64s:
        """Of each meter the row that tells its serial number: the newest that has one."""
        rows, found = self._ledger.rows, self._meters
        serial = rows.text("serial_no")
        absent = serial.codes[found.installed_row] == serial.code_of("")
        since = rows.instant("installed_from")[found.installed_row]
        order = np.lexsort((found.installed_row, -since, absent, found.installed_meter))
        meter = found.installed_meter[order]
        return found.installed_row[order][np.flatnonzero(np.diff(meter, prepend=-1))]

    def _installations(self) -> dict[str, Any]:
        row, ledger = self._meters.installed_row, self._ledger
        return {
            "id": self.ids["installation"],
            "unit_id": self._unit(row),
            "point_id": self.ids["metering_point"][self._group.row_point[row]],
            "meter_id": self.ids["meter"][self._meters.installed_meter],
            "measure_unit": ledger.installations.unit,
        } | self._taken(row, *_INSTALLATION)

    def _verifications(self) -> dict[str, Any]:
        """Each certificate of a meter once, by the first row that names it."""
        rows, found = self._ledger.rows, self._meters
        on, due = (rows.day(name)[found.installed_row] for name in ("verified_on", "verification_due"))
        said = np.flatnonzero((on != NO_DAY) | (due != NO_DAY))
        order = said[np.lexsort((found.installed_row[said], due[said], on[said], found.installed_meter[said]))]
        fresh = np.ones(len(order), np.bool_)
        keys = (found.installed_meter[order], on[order], due[order])
        fresh[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
        kept = order[fresh]
        row = found.installed_row[kept]
        cycle = rows.number("cycle_months")[row]
        unknown = np.isnan(cycle)
        return {
            "meter_id": self.ids["meter"][found.installed_meter[kept]],
            "unit_id": self._unit(row),
            "cycle_months": pc.cast(pa.array(np.where(unknown, 0, np.rint(cycle)), mask=unknown), pa.int32()),
        } | self._taken(row, "verified_on", "verification_due")
