"""From sorted, checked rows to the ledger's arrays. Nothing is validated here: `checks` has done that."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.domain.ledger.rows import LedgerRows
from analytics.domain.units import UnitError, canonical_unit, conversion_factor, default_unit, find_unit

__all__ = ["Grouping", "Installations", "UnitMatrix", "group", "installations", "meters", "parents", "starts"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Installations:
    """m installations of a meter at a metering point, sorted by point and start; read-only arrays.

    Instants are µs since 1970-01-01 UTC. "Dial" is what the register shows, in its own unit, before the multiplier.

    Attributes
    ----------
    point, meter : (m,) int32
        Index into the ledger's points and meters.
    row : (m,) int32
        Index into the ledger's rows.
    installed_from, installed_to : (m,) int64
        Half open; `OPEN_END` while still there. [µs]
    multiplier : (m,) float64
        Current ratio times voltage ratio. [1]
    unit : (m,) int16
        `Unit.code` of the register.
    factor : (m,) float64
        Dial value times factor is an amount in the point's canonical unit. [canonical unit / dial unit]
    full_scale : (m,) float64
        Smallest value the register cannot show, NaN where unknown. [dial unit]
    max_rate : (m,) float64
        Most the register can count, NaN where unknown. [dial unit/h]
    interval_us : (m,) int64
        Expected time between readings, 0 where unknown. [µs]
    first_reading, last_reading : (m,) float64
        Dial at installation and at removal, NaN where unknown. [dial unit]
    serial : (m,) int32
        Alike for the same serial number and manufacturer's instrument, -1 where none is given.
    """

    point: NDArray[np.int32]
    meter: NDArray[np.int32]
    row: NDArray[np.int32]
    installed_from: NDArray[np.int64]
    installed_to: NDArray[np.int64]
    multiplier: NDArray[np.float64]
    unit: NDArray[np.int16]
    factor: NDArray[np.float64]
    full_scale: NDArray[np.float64]
    max_rate: NDArray[np.float64]
    interval_us: NDArray[np.int64]
    first_reading: NDArray[np.float64]
    last_reading: NDArray[np.float64]
    serial: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.point)


class Grouping(NamedTuple):
    """Which unit and point each of n rows is about.

    `row_unit` and `row_point` (n,) int32; `unit_row` and `point_row` the first row of each; `point_unit` (p,) int32.
    """

    row_unit: NDArray[np.int32]
    row_point: NDArray[np.int32]
    unit_row: NDArray[np.int64]
    point_row: NDArray[np.int64]
    point_unit: NDArray[np.int32]


def group(rows: LedgerRows) -> Grouping:
    """Units and points of rows that are sorted by unit code and point."""
    unit, point = rows.text("unit_code").codes, rows.text("point").codes
    new_unit = np.ones(len(rows), np.bool_)
    new_unit[1:] = unit[1:] != unit[:-1]
    new_point = new_unit.copy()
    new_point[1:] |= point[1:] != point[:-1]
    row_unit = (np.cumsum(new_unit) - 1).astype(np.int32)
    point_row = np.flatnonzero(new_point)
    return Grouping(
        row_unit=row_unit,
        row_point=(np.cumsum(new_point) - 1).astype(np.int32),
        unit_row=np.flatnonzero(new_unit),
        point_row=point_row,
        point_unit=row_unit[point_row],
    )


def starts(index: NDArray[np.integer], count: int) -> NDArray[np.int64]:
    """Where each of `count` groups begins in an ascending index, and the end: (count + 1,) int64."""
    return np.searchsorted(index, np.arange(count + 1)).astype(np.int64)


def parents(rows: LedgerRows, grouping: Grouping) -> NDArray[np.int32]:
    """Index of each point's parent, -1 where none is named or the unit has no such point; (p,) int32."""
    point, parent = rows.text("point"), rows.text("parent_point")
    code = dict(zip(point.values, range(len(point.values)), strict=True))
    translated = np.fromiter((code.get(name, -1) for name in parent.values), np.int64, len(parent.values))
    wanted = translated[parent.codes[grouping.point_row]]
    stride = max(len(point.values), 1)
    base = grouping.point_unit.astype(np.int64) * stride
    keys = base + point.codes[grouping.point_row]
    place = np.minimum(np.searchsorted(keys, base + wanted), len(keys) - 1)
    found = (wanted >= 0) & (keys[place] == base + wanted) if len(keys) else np.zeros(0, np.bool_)
    return np.where(found, place, -1).astype(np.int32)


class Meters(NamedTuple):
    """k meters of n rows: `rows` (k,) the first row of each, `units` (k,), and for each row that has one its meter."""

    unit: NDArray[np.int32]
    row: NDArray[np.int64]
    installed_row: NDArray[np.int64]
    installed_meter: NDArray[np.int32]


def meters(rows: LedgerRows, row_unit: NDArray[np.int32]) -> Meters:
    """Meters of the rows, sorted by unit and management number."""
    meter_no = rows.text("meter_no")
    installed_row = np.flatnonzero(meter_no.codes != meter_no.code_of(""))
    key = row_unit[installed_row].astype(np.int64) * max(len(meter_no.values), 1) + meter_no.codes[installed_row]
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    row = installed_row[first]
    return Meters(row_unit[row], row, installed_row, inverse.astype(np.int32))


class UnitMatrix(NamedTuple):
    """What each register unit is to each carrier.

    `codes` (units,) int16 and `defaults` (carriers,) int16 are `Unit.code`; `canonical` (carriers, units) int16 is the
    point's unit, 0 where the unit does not fit; `factor` (carriers, units) float64 converts, NaN where it does not fit.
    """

    codes: NDArray[np.int16]
    defaults: NDArray[np.int16]
    canonical: NDArray[np.int16]
    factor: NDArray[np.float64]

    @classmethod
    def of(cls, carriers: Sequence[str], symbols: Sequence[str]) -> "UnitMatrix":
        """Matrix of the carriers and unit symbols that occur; what is not known has code 0."""
        matrix = cls(
            np.zeros(len(symbols), np.int16),
            np.zeros(len(carriers), np.int16),
            np.zeros((len(carriers), len(symbols)), np.int16),
            np.full((len(carriers), len(symbols)), np.nan),
        )
        for i, carrier in enumerate(carriers):
            try:
                matrix.defaults[i] = default_unit(carrier).code
            except UnitError:
                continue
            for j, symbol in enumerate(symbols):
                unit = find_unit(symbol)
                if unit is None:
                    continue
                matrix.codes[j] = unit.code
                try:
                    canonical = canonical_unit(carrier, unit)
                except UnitError:
                    continue
                matrix.canonical[i, j] = canonical.code
                matrix.factor[i, j] = conversion_factor(unit, canonical)
        return matrix


def installations(rows: LedgerRows, grouping: Grouping, found: Meters, matrix: UnitMatrix) -> Installations:
    """Installations of the rows that have a meter, in the order of rows."""
    row = found.installed_row
    unit = rows.text("unit").codes[row]
    carrier = rows.text("carrier").codes[row]
    multiplier = rows.number("multiplier")[row]
    serial = rows.text("serial_no")
    interval_us = np.rint(rows.number("interval_s")[row] * 1e6)
    made = Installations(
        point=grouping.row_point[row],
        meter=found.installed_meter,
        row=row.astype(np.int32),
        installed_from=rows.instant("installed_from")[row],
        installed_to=rows.instant("installed_to")[row],
        multiplier=multiplier,
        unit=matrix.codes[unit],
        factor=multiplier * matrix.factor[carrier, unit],
        full_scale=rows.number("full_scale")[row],
        max_rate=rows.number("max_rate")[row] / multiplier,
        interval_us=np.where(np.isnan(interval_us), 0, interval_us).astype(np.int64),
        first_reading=rows.number("first_reading")[row],
        last_reading=rows.number("last_reading")[row],
        serial=np.where(serial.codes == serial.code_of(""), -1, serial.codes)[row].astype(np.int32),
    )
    for name in Installations.__slots__:
        getattr(made, name).setflags(write=False)
    return made
