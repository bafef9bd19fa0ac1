"""The dated ledger as parallel arrays: who measures what, where, with which meter, from when to when."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from analytics.domain.ledger.rows import LedgerRows

__all__ = ["Installations", "Ledger"]


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

    def __len__(self) -> int:
        return len(self.point)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ledger:
    """Units, their metering points, meters and installations; immutable, checked, made by `build_ledger`.

    Points are sorted by (unit, code), meters by (unit, number), codes in the order of their characters, so an index
    is stable only within one ledger. Facts of a point hold for all time; what is dated is the installation.

    Attributes
    ----------
    unit_codes, unit_names : u strings
        Energy-using units, ascending by code; the code where no name is given.
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
