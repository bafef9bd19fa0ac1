"""Units of measurement: stable codes, exact sizes, spellings, and tables by code.

Codes are stored with every reading: never renumber one, never use one again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from analytics.domain.errors import MeterwardenError

__all__ = [
    "BY_CODE",
    "CODE_COUNT",
    "FACTOR_TABLE",
    "KIND_TABLE",
    "NO_UNIT",
    "SPELLINGS",
    "UNITS",
    "QuantityKind",
    "Unit",
    "UnitError",
    "with_prefix",
]

NO_UNIT = 0
"""Code of "no unit, or one that is not known"."""

_PREFIX_STRIDE = 128
_PREFIX_LIMIT = 12
CODE_COUNT = _PREFIX_STRIDE * (2 * _PREFIX_LIMIT + 1)
"""Every code is below this: the length of the tables."""


class UnitError(MeterwardenError):
    """A unit that is not known, is ambiguous, or measures another quantity than asked for."""


class QuantityKind(IntEnum):
    """What is measured. Quantities of different kinds are never added, compared or converted."""

    NONE = 0
    ENERGY = 1
    REACTIVE_ENERGY = 2
    APPARENT_ENERGY = 3
    VOLUME = 4
    STANDARD_VOLUME = 5
    MASS = 6
    POWER = 7
    TEMPERATURE = 8
    PRESSURE = 9
    DIMENSIONLESS = 10
    COAL_EQUIVALENT = 11
    VOLUME_FLOW = 12
    REACTIVE_POWER = 13
    DURATION = 14
    VOLTAGE = 15
    CURRENT = 16
    FREQUENCY = 17
    APPARENT_POWER = 18

    @property
    def is_counted(self) -> bool:
        """Whether a register counts it up, so that differences of readings are consumption."""
        return self in _COUNTED


_COUNTED = frozenset(
    {
        QuantityKind.ENERGY,
        QuantityKind.REACTIVE_ENERGY,
        QuantityKind.APPARENT_ENERGY,
        QuantityKind.VOLUME,
        QuantityKind.STANDARD_VOLUME,
        QuantityKind.MASS,
    }
)


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of measurement.

    Attributes
    ----------
    code : int
        What is stored in the database; fits int16.
    symbol : str
        How it is written; `parse_unit` reads it back.
    kind : QuantityKind
        What it measures.
    factor : Fraction
        Exact size in the kind's base unit (J, varh, VAh, mL, g, W, Pa, 1, gce, mL/h, var): only ratios of factors
        mean anything.
    """

    code: int
    symbol: str
    kind: QuantityKind
    factor: Fraction

    def __str__(self) -> str:
        return self.symbol


_K = QuantityKind

# code, symbol, kind, size in the kind's base unit, other spellings. Case and width are forgiven later, see _lookup.
_DEFINITIONS: tuple[tuple[int, str, QuantityKind, int, str], ...] = (
    (1, "kWh", _K.ENERGY, 3_600_000, "千瓦时 千瓦小时 度 度电"),
    (2, "Wh", _K.ENERGY, 3_600, "瓦时"),
    (3, "MWh", _K.ENERGY, 3_600_000_000, "兆瓦时"),
    (4, "GWh", _K.ENERGY, 3_600_000_000_000, "吉瓦时"),
    (5, "J", _K.ENERGY, 1, "焦 焦耳"),
    (6, "kJ", _K.ENERGY, 1_000, "千焦 千焦耳"),
    (7, "MJ", _K.ENERGY, 1_000_000, "兆焦 兆焦耳"),
    (8, "GJ", _K.ENERGY, 1_000_000_000, "吉焦 吉焦耳"),
    (9, "TJ", _K.ENERGY, 1_000_000_000_000, "太焦 太焦耳"),
    (20, "kvarh", _K.REACTIVE_ENERGY, 1_000, "千乏时"),
    (21, "varh", _K.REACTIVE_ENERGY, 1, "乏时"),
    (22, "Mvarh", _K.REACTIVE_ENERGY, 1_000_000, "兆乏时"),
    (25, "kVAh", _K.APPARENT_ENERGY, 1_000, "千伏安时"),
    (26, "VAh", _K.APPARENT_ENERGY, 1, "伏安时"),
    (27, "MVAh", _K.APPARENT_ENERGY, 1_000_000, "兆伏安时"),
    (30, "m3", _K.VOLUME, 1_000_000, "m^3 m**3 立方米 立方 方 工况m3 m3工况 工况立方米 立方米工况 kL 千升"),
    (31, "L", _K.VOLUME, 1_000, "升 公升 dm3"),
    (
        40,
        "Nm3",
        _K.STANDARD_VOLUME,
        1_000_000,
        "Nm^3 m3N 标方 标立方 标立方米 标准立方 标准立方米 标m3 m3标 m3标准状态",
    ),
    (50, "t", _K.MASS, 1_000_000, "吨 公吨"),
    (51, "kg", _K.MASS, 1_000, "千克 公斤"),
    (52, "g", _K.MASS, 1, "克"),
    (60, "kW", _K.POWER, 1_000, "千瓦"),
    (61, "W", _K.POWER, 1, "瓦"),
    (62, "MW", _K.POWER, 1_000_000, "兆瓦"),
    (65, "kvar", _K.REACTIVE_POWER, 1_000, "千乏"),
    (66, "var", _K.REACTIVE_POWER, 1, "乏"),
    (70, "°C", _K.TEMPERATURE, 1, "degC 摄氏度"),
    (80, "MPa", _K.PRESSURE, 1_000_000, "兆帕"),
    (81, "kPa", _K.PRESSURE, 1_000, "千帕"),
    (82, "Pa", _K.PRESSURE, 1, "帕"),
    (83, "bar", _K.PRESSURE, 100_000, "巴"),
    (90, "1", _K.DIMENSIONLESS, 100, "无量纲"),
    (91, "%", _K.DIMENSIONLESS, 1, ""),
    (100, "tce", _K.COAL_EQUIVALENT, 1_000_000, "吨标准煤 吨标煤"),
    (101, "kgce", _K.COAL_EQUIVALENT, 1_000, "千克标准煤 千克标煤"),
    (110, "m3/h", _K.VOLUME_FLOW, 1_000_000, "立方米/小时 立方米/时 方/小时 方/时"),
    (111, "L/h", _K.VOLUME_FLOW, 1_000, "升/小时 升/时"),
    (112, "L/min", _K.VOLUME_FLOW, 60_000, "升/分"),
    (113, "L/s", _K.VOLUME_FLOW, 3_600_000, "升/秒"),
    (114, "s", _K.DURATION, 1, "秒"),
    (115, "h", _K.DURATION, 3_600, "小时"),
    (116, "V", _K.VOLTAGE, 1, "伏 伏特"),
    (117, "kV", _K.VOLTAGE, 1_000, "千伏"),
    (118, "A", _K.CURRENT, 1, "安 安培"),
    (119, "Hz", _K.FREQUENCY, 1, "赫兹"),
    (120, "kVA", _K.APPARENT_POWER, 1_000, "千伏安"),
    (121, "VA", _K.APPARENT_POWER, 1, "伏安"),
)

UNITS: Mapping[str, Unit] = MappingProxyType(
    {symbol: Unit(code, symbol, kind, Fraction(size)) for code, symbol, kind, size, _ in _DEFINITIONS}
)
"""The units with a name of their own, by symbol."""

_BY_SIZE: dict[tuple[QuantityKind, Fraction], Unit] = {(unit.kind, unit.factor): unit for unit in UNITS.values()}
_NO_PREFIX = frozenset(
    {
        _K.TEMPERATURE, _K.PRESSURE, _K.POWER, _K.DIMENSIONLESS, _K.VOLUME_FLOW, _K.REACTIVE_POWER,
        _K.DURATION, _K.VOLTAGE, _K.CURRENT, _K.FREQUENCY, _K.APPARENT_POWER,
    }
)  # fmt: skip


SPELLINGS: Mapping[str, Unit] = MappingProxyType(
    {alias: UNITS[symbol] for _, symbol, _, _, aliases in _DEFINITIONS for alias in (symbol, *aliases.split())}
)
"""Units by everything they are called, case as written."""


def with_prefix(unit: Unit, exponent: int) -> Unit | None:
    """`unit` times ten to the `exponent`, a named unit where there is one."""
    factor = unit.factor * Fraction(10) ** exponent
    named = _BY_SIZE.get((unit.kind, factor))
    if named is not None:
        return named
    if unit.kind in _NO_PREFIX or abs(exponent) > _PREFIX_LIMIT:
        return None
    rank = 2 * exponent - 1 if exponent > 0 else -2 * exponent
    return Unit(unit.code + _PREFIX_STRIDE * rank, f"10^{exponent} {unit.symbol}", unit.kind, factor)


def _all_units() -> dict[int, Unit]:
    found = {unit.code: unit for unit in UNITS.values()}
    for unit in UNITS.values():
        for exponent in range(-_PREFIX_LIMIT, _PREFIX_LIMIT + 1):
            prefixed = with_prefix(unit, exponent)
            if prefixed is not None:
                found[prefixed.code] = prefixed
    return found


BY_CODE = _all_units()


def _table(values: dict[int, float], fill: float, dtype: type[np.generic]) -> NDArray[np.generic]:
    table = np.full(CODE_COUNT, fill, dtype)
    table[list(values)] = list(values.values())
    table.setflags(write=False)
    return table


FACTOR_TABLE: NDArray[np.float64] = _table(
    {code: float(unit.factor) for code, unit in BY_CODE.items()}, np.nan, np.float64
).astype(np.float64, copy=False)
"""(CODE_COUNT,) size of a unit in its kind's base unit, by code, NaN where there is none; a / b converts a to b."""

KIND_TABLE: NDArray[np.int16] = _table(
    {code: int(unit.kind) for code, unit in BY_CODE.items()}, int(_K.NONE), np.int16
).astype(np.int16, copy=False)
"""(CODE_COUNT,) `QuantityKind` of a unit by code, 0 where there is none."""
