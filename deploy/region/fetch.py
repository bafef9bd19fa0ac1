"""Reading a region's results back from the database, through the views that people and boards use."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import psycopg
from numpy.typing import NDArray

from analytics.domain.instants import US_PER_HOUR
from analytics.domain.quality import DetectionKind, RejectReason
from deploy.region.entries import meter_of_entry
from deploy.region.model import Region
from deploy.region.outcome import FOUND_HOUR, FOUND_READING, FOUND_TOTAL, Detected, Outcome
from streams.store.postgres.connections import connected_blocking

__all__ = ["fetch_outcome"]

_POSTGRES_EPOCH_US: Final = 946_684_800_000_000

# numbers go out as they are kept: eight bytes a field, so that numpy reads a million rows in one go
_READINGS: Final = """
copy (select register_id::int8, measured_at, value from reading) to stdout (format binary)
"""
_HOURS: Final = """
copy (select point_id::int8, start, round(amount * 1e6)::int8, completeness::float8, measured::float8, quality::int8
      from point_hour)
to stdout (format binary)
"""
_TOTALS: Final = """
copy (select series_id::int8, start, round(amount * 1e6)::int8, completeness::float8, coalesce(tce, 'NaN')::float8
      from unit_hour where scope = 'unit')
to stdout (format binary)
"""
_REGISTERS: Final = """
select g.id, u.code, m.meter_no, g.name
from register g join meter m on m.id = g.meter_id join unit u on u.id = m.unit_id
"""
_POINTS: Final = "select p.id, u.code, p.code from metering_point p join unit u on u.id = p.unit_id"
_SERIES: Final = """
select s.id, u.code, s.carrier, s.unit from energy_series s join unit u on u.id = s.unit_id where s.scope = 'unit'
"""
_REJECTED: Final = "select reason, sum(readings)::int8 from rejected group by reason"
_DETECTIONS: Final = """
select kind, point_id, (extract(epoch from started_at) * 1e6)::int8, (extract(epoch from ended_at) * 1e6)::int8
from detection where state <> 'withdrawn' order by started_at, id
"""


def fetch_outcome(dsn: str, region: Region) -> Outcome:
    """Read back everything that is compared with the truth, in one snapshot of the database.

    Parameters
    ----------
    dsn : str
        The region's database.
    region : Region
        Whose meters, points and units its rows are.
    """
    with connected_blocking(dsn, "demo", autocommit=False) as connection:
        connection.execute("set transaction isolation level repeatable read, read only")
        units = {unit.code: unit.index for unit in region.units}
        return Outcome(
            readings=_readings(connection, region),
            rejected=_rejected(connection),
            hours=_hours(connection, region, units),
            **_totals(connection, units),
            detections=_detections(connection, region, units),
        )


def _copied(connection: psycopg.Connection, query: str, fields: list[tuple[str, str]]) -> NDArray[Any]:
    """Rows of a binary COPY of fields that are eight bytes each."""
    width = [("count", ">i2")]
    for name, kind in fields:
        width += [(f"_{name}", ">i4"), (name, kind)]
    with connection.cursor() as cursor, cursor.copy(query.encode()) as copy:
        data = b"".join(bytes(part) for part in copy)
    head, tail = 19, 2  # signature, flags and extension length; the mark of the end
    return np.frombuffer(memoryview(data)[head : len(data) - tail], np.dtype(width))


def _places(rows: list[tuple[Any, ...]], known: Mapping[Any, int]) -> NDArray[np.int32]:
    """Table from a database id to an index of the region, -1 where the region has none."""
    table = np.full(max((row[0] for row in rows), default=0) + 1, -1, np.int32)
    for key, *names in rows:
        table[key] = known.get(tuple(names), -1)
    return table


def _us(column: NDArray[Any]) -> NDArray[np.int64]:
    return column.astype(np.int64) + _POSTGRES_EPOCH_US


def _readings(connection: psycopg.Connection, region: Region) -> NDArray[Any]:
    codes = {row["meter_no"]: row["unit_code"] for row in region.ledger_rows if row["meter_no"]}
    entries = [(meter_of_entry(entry), index) for index, entry in enumerate(region.meter_nos)]
    known = {(codes[number], number, register): i for (number, register), i in entries if number in codes}
    place = _places(connection.execute(_REGISTERS).fetchall(), known)
    rows = _copied(connection, _READINGS, [("register", ">i8"), ("measured_at", ">i8"), ("value", ">f8")])
    found = np.empty(len(rows), FOUND_READING)
    found["meter"] = place[rows["register"]]
    found["measured_at"] = _us(rows["measured_at"])
    found["value"] = rows["value"]
    return found


def _point_places(connection: psycopg.Connection, region: Region, units: Mapping[str, int]) -> NDArray[np.int32]:
    codes = {index: code for code, index in units.items()}
    known = {(codes[point.unit], point.code): point.index for point in region.points}
    return _places(connection.execute(_POINTS).fetchall(), known)


def _hours(connection: psycopg.Connection, region: Region, units: Mapping[str, int]) -> NDArray[Any]:
    place = _point_places(connection, region, units)
    fields = [("point", ">i8"), ("start", ">i8"), ("micro", ">i8")]
    rows = _copied(connection, _HOURS, [*fields, ("completeness", ">f8"), ("measured", ">f8"), ("quality", ">i8")])
    found = np.empty(len(rows), FOUND_HOUR)
    found["point"] = place[rows["point"]]
    found["hour"] = _us(rows["start"]) // US_PER_HOUR
    for name in ("micro", "completeness", "measured", "quality"):
        found[name] = rows[name]
    return found


def _totals(connection: psycopg.Connection, units: Mapping[str, int]) -> dict[str, Any]:
    series: dict[tuple[str, str], int] = {}
    unit_of: dict[int, int] = {}
    series_of: dict[int, int] = {}
    for key, code, carrier, unit in connection.execute(_SERIES).fetchall():
        unit_of[key] = units.get(code, -1)
        series_of[key] = series.setdefault((carrier, unit), len(series))
    fields = [("series", ">i8"), ("start", ">i8"), ("micro", ">i8"), ("completeness", ">f8"), ("tce", ">f8")]
    rows = _copied(connection, _TOTALS, fields)
    found = np.empty(len(rows), FOUND_TOTAL)
    keys = rows["series"].tolist()
    found["unit"] = [unit_of[key] for key in keys]
    found["series"] = [series_of[key] for key in keys]
    found["hour"] = _us(rows["start"]) // US_PER_HOUR
    for name in ("micro", "completeness", "tce"):
        found[name] = rows[name]
    return {"series": tuple(series), "totals": found}


def _rejected(connection: psycopg.Connection) -> dict[RejectReason, int]:
    return {RejectReason[reason.upper()]: int(n) for reason, n in connection.execute(_REJECTED).fetchall()}


def _detections(connection: psycopg.Connection, region: Region, units: Mapping[str, int]) -> tuple[Detected, ...]:
    place = _point_places(connection, region, units)
    return tuple(
        Detected(kind=DetectionKind[kind.upper()], point=int(place[point]), started_us=started, ended_us=ended)
        for kind, point, started, ended in connection.execute(_DETECTIONS).fetchall()
    )
