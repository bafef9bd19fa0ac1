"""The dated ledger as parallel arrays: who measures what, where, with which meter, from when to when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from analytics.domain.ledger.derive import Installations, UnitMatrix, group, installations, meters, parents, starts
from analytics.domain.ledger.rows import Cells, LedgerRows
from analytics.domain.ledger.schema import Direction, Level
from analytics.domain.units import KIND_TABLE

__all__ = ["Ledger"]


Scalar = TypeVar("Scalar", bound=np.generic)


def _sealed(array: NDArray[Scalar]) -> NDArray[Scalar]:
    array.setflags(write=False)
    return array


def _numbered(rows: LedgerRows, name: str, words: type[IntEnum], index: NDArray[np.int64]) -> NDArray[np.int8]:
    """Members of an enum that the words of a column name."""
    column = rows.text(name)
    members = np.array([words[word.upper()] for word in column.values], np.int8)
    return members[column.codes[index]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ledger:
    """Units, their metering points, meters and installations; immutable, checked, made by `build_ledger`.

    Points are sorted by (unit, code), meters by (unit, number), codes in the order of their characters, so an index
    is stable only within one ledger. Facts of a point hold for all time; what is dated is the installation.

    Attributes
    ----------
    unit_codes, unit_names : u strings
        Energy-using units, ascending by code; the code where no name is given.
    unit_longitude, unit_latitude : (u,) float64
        Where the ledger puts the unit, east and north positive, NaN where it does not. [degrees, WGS 84]
    unit_point_start, unit_meter_start : (u + 1,) int64
        Points and meters of unit i are those from start[i] to start[i + 1].
    point_unit : (p,) int32
        Index into the units.
    point_codes : p strings
        Unique inside a unit.
    point_parent : (p,) int32
        Index of the point whose flow this one is part of, -1 at the top; always of the same unit.
    point_parent_complete : (p,) bool
        Whether this point's children cover it wholly (下级齐全).
    point_level, point_direction : (p,) int8
        `Level` and `Direction`.
    point_sub_unit, point_equipment, point_carrier, point_exemption : p strings
        Empty where not given; the carrier is an energy name of the standard.
    point_required : (p,) bool
        Whether the point counts in the theoretical need Nl.
    point_annual_use : (p,) float64
        Declared, NaN where not given. [the carrier's unit of table 1]
    point_rated_power_kw : (p,) float64
        NaN where not given. [kW]
    point_hourly_use : (p,) float64
        Most in an hour, NaN where not given. [the carrier's unit of table 2, per hour]
    point_kind : (p,) int16
        `QuantityKind` of the point's amounts.
    point_canonical : (p,) int16
        `Unit.code` that the point's amounts are in.
    meter_unit : (k,) int32
        Index into the units.
    meter_nos : k strings
        Management numbers, unique inside a unit.
    installations : Installations
        m of them.
    point_installation_start : (p + 1,) int64
        Installations of point i are those from start[i] to start[i + 1].
    meter_installations : (m,) int32
        Installations sorted by (meter, start).
    meter_installation_start : (k + 1,) int64
        Installations of meter i are meter_installations[start[i]:start[i + 1]].
    rows : LedgerRows
        The normalised file rows behind it all, in the order of points.
    """

    unit_codes: tuple[str, ...]
    unit_names: tuple[str, ...]
    unit_longitude: NDArray[np.float64]
    unit_latitude: NDArray[np.float64]
    unit_point_start: NDArray[np.int64]
    unit_meter_start: NDArray[np.int64]
    point_unit: NDArray[np.int32]
    point_codes: tuple[str, ...]
    point_parent: NDArray[np.int32]
    point_parent_complete: NDArray[np.bool_]
    point_level: NDArray[np.int8]
    point_sub_unit: tuple[str, ...]
    point_equipment: tuple[str, ...]
    point_carrier: tuple[str, ...]
    point_direction: NDArray[np.int8]
    point_required: NDArray[np.bool_]
    point_exemption: tuple[str, ...]
    point_annual_use: NDArray[np.float64]
    point_rated_power_kw: NDArray[np.float64]
    point_hourly_use: NDArray[np.float64]
    point_kind: NDArray[np.int16]
    point_canonical: NDArray[np.int16]
    meter_unit: NDArray[np.int32]
    meter_nos: tuple[str, ...]
    installations: Installations
    point_installation_start: NDArray[np.int64]
    meter_installations: NDArray[np.int32]
    meter_installation_start: NDArray[np.int64]
    rows: LedgerRows
    unit_index: Mapping[str, int] = field(repr=False)
    _meters_of: dict[str, Mapping[str, int]] = field(default_factory=dict, repr=False)

    @classmethod
    def from_rows(cls, rows: LedgerRows) -> Self:
        """Ledger of rows that `build_ledger` has checked and sorted before; nothing is checked again.

        A million installations take some seconds.
        """
        grouping = group(rows)
        first, unit_row = grouping.point_row, grouping.unit_row
        found = meters(rows, grouping.row_unit)
        carrier = rows.text("carrier")
        matrix = UnitMatrix.of(carrier.values, rows.text("unit").values)
        made = installations(rows, grouping, found, matrix)
        installation_start = starts(made.point, len(first))
        canonical = matrix.defaults[carrier.codes[first]]
        measured = np.flatnonzero(np.diff(installation_start))
        leading = made.row[installation_start[measured]]
        canonical[measured] = matrix.canonical[carrier.codes[leading], rows.text("unit").codes[leading]]
        by_meter = np.lexsort((made.installed_from, made.meter)).astype(np.int32)
        unit_codes = rows.text("unit_code").take(unit_row).strings()

        def point_text(name: str) -> tuple[str, ...]:
            return rows.text(name).take(first).strings()

        return cls(
            unit_codes=unit_codes,
            unit_names=rows.text("unit_name").take(unit_row).strings(),
            unit_longitude=_sealed(rows.number("longitude")[unit_row]),
            unit_latitude=_sealed(rows.number("latitude")[unit_row]),
            unit_point_start=_sealed(starts(grouping.point_unit, len(unit_row))),
            unit_meter_start=_sealed(starts(found.unit, len(unit_row))),
            point_unit=_sealed(grouping.point_unit),
            point_codes=point_text("point"),
            point_parent=_sealed(parents(rows, grouping)),
            point_parent_complete=_sealed(rows.flag("parent_complete")[first]),
            point_level=_sealed(_numbered(rows, "level", Level, first)),
            point_sub_unit=point_text("sub_unit"),
            point_equipment=point_text("equipment"),
            point_carrier=point_text("carrier"),
            point_direction=_sealed(_numbered(rows, "direction", Direction, first)),
            point_required=_sealed(rows.flag("required")[first]),
            point_exemption=point_text("exemption"),
            point_annual_use=_sealed(rows.number("annual_use")[first]),
            point_rated_power_kw=_sealed(rows.number("rated_power_kw")[first]),
            point_hourly_use=_sealed(rows.number("hourly_use")[first]),
            point_kind=_sealed(KIND_TABLE[canonical]),
            point_canonical=_sealed(canonical),
            meter_unit=_sealed(found.unit),
            meter_nos=rows.text("meter_no").take(found.row).strings(),
            installations=made,
            point_installation_start=_sealed(installation_start),
            meter_installations=_sealed(by_meter),
            meter_installation_start=_sealed(starts(made.meter[by_meter], len(found.row))),
            rows=rows,
            unit_index=MappingProxyType({code: i for i, code in enumerate(unit_codes)}),
        )

    @classmethod
    def empty(cls) -> Self:
        """Ledger of nothing."""
        return cls.from_rows(LedgerRows.empty())

    @classmethod
    def from_columns(cls, columns: Mapping[str, Cells]) -> Self:
        """Ledger of what `to_columns` gave, as it comes back from a file or the database; trusted, not checked."""
        return cls.from_rows(LedgerRows.of(columns))

    def to_columns(self) -> Mapping[str, Cells]:
        """Normalised rows, a column for each name of `COLUMNS`."""
        return self.rows.columns

    def take_units(self, units: Sequence[int] | NDArray[np.integer]) -> Self:
        """Sub-ledger of the units at these indices; its indices are its own."""
        wanted = np.zeros(len(self.unit_codes), np.bool_)
        wanted[np.asarray(units, np.int64)] = True
        row_unit = group(self.rows).row_unit
        return type(self).from_rows(self.rows.take(np.flatnonzero(wanted[row_unit])))

    def meter_index(self, unit_code: str) -> Mapping[str, int]:
        """Index of each meter of a unit by its management number; empty for a unit that is not in the ledger.

        Made when first asked for, and kept.
        """
        found = self._meters_of.get(unit_code)
        if found is None:
            unit = self.unit_index.get(unit_code)
            if unit is None:
                return MappingProxyType({})
            start, end = self.unit_meter_start[unit : unit + 2].tolist()
            found = MappingProxyType(dict(zip(self.meter_nos[start:end], range(start, end), strict=True)))
            self._meters_of[unit_code] = found
        return found
