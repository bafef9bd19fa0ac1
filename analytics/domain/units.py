"""Conversion between units, canonical units by carrier, and parsing of unit names on meters' plates.

Energy is one kind: a heat meter may count kWh, MWh or GJ, and these convert among each other. Which of them is
canonical depends on the carrier: electricity is kept in kWh, everything else that is counted as energy in GJ
(`canonical_unit`). Gas at standard state (Nm3) is a kind of its own and never mixes with operating m3: one becomes
the other only through measured temperature and pressure. So is coal equivalent, which is no mass of coal.

A register may count tens or hundreds of a unit ("×10 kWh", "10^3 m3", "x100 L", "kWh*10", 万立方米). Such a unit has
its own code; where the product is a unit with a name (×1000 kWh), it is that one (MWh).
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from analytics.domain.unit_tables import (
    BY_CODE,
    CODE_COUNT,
    FACTOR_TABLE,
    KIND_TABLE,
    NO_UNIT,
    SPELLINGS,
    UNITS,
    QuantityKind,
    Unit,
    UnitError,
    with_prefix,
)

__all__ = [
    "CARRIERS",
    "CODE_COUNT",
    "FACTOR_TABLE",
    "KIND_TABLE",
    "NO_UNIT",
    "UNITS",
    "QuantityKind",
    "Unit",
    "UnitError",
    "canonical_unit",
    "conversion_factor",
    "convert",
    "default_unit",
    "find_unit",
    "parse_unit",
    "unit_codes",
    "unit_of",
]

_MEGA: dict[str, Unit] = {alias.casefold(): unit for alias, unit in SPELLINGS.items() if alias.startswith("M")}
_FOLDED: dict[str, Unit] = {
    alias.casefold(): unit
    for alias, unit in SPELLINGS.items()
    if unit.symbol != "g"  # G alone could be giga of anything
}
_CHINESE_PREFIX = {"十": 1, "百": 2, "千": 3, "万": 4, "十万": 5, "百万": 6, "千万": 7, "亿": 8}
_LONGEST = 64

CARRIERS: Mapping[str, tuple[Unit, ...]] = MappingProxyType(
    {
        "electricity": (UNITS["kWh"],),
        "coal": (UNITS["t"],),
        "coke": (UNITS["t"],),
        "crude_oil": (UNITS["t"], UNITS["m3"]),
        "refined_oil": (UNITS["t"], UNITS["m3"]),
        "heavy_oil": (UNITS["t"], UNITS["m3"]),
        "residual_oil": (UNITS["t"], UNITS["m3"]),
        "lpg": (UNITS["t"], UNITS["m3"], UNITS["Nm3"]),
        "natural_gas": (UNITS["Nm3"], UNITS["m3"], UNITS["t"], UNITS["GJ"]),
        "coal_gas": (UNITS["Nm3"], UNITS["m3"], UNITS["GJ"]),
        "steam": (UNITS["GJ"], UNITS["t"], UNITS["m3"]),
        "hot_water": (UNITS["GJ"], UNITS["t"], UNITS["m3"]),
        "water": (UNITS["m3"], UNITS["t"]),
        "recoverable_residual_energy": (UNITS["GJ"], UNITS["t"], UNITS["m3"], UNITS["Nm3"]),
        "other": (UNITS["GJ"], UNITS["t"], UNITS["m3"], UNITS["Nm3"]),
    }
)
"""Energy names of the standard, each with the canonical units its registers may lead to; the first is the default."""

_AUXILIARY = {QuantityKind.TEMPERATURE: UNITS["°C"], QuantityKind.PRESSURE: UNITS["MPa"]}

_SUPERSCRIPT = str.maketrans("⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹", "-+0123456789")
_RAISED = re.compile(r"(?<=[0-9０-９])[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_IGNORED = re.compile(r"[\s·⋅•∙()\[\]]+")
_NUMBER = r"(?P<mantissa>\d[\d,]*(?:\.\d+)?)(?:(?:\^|\*\*)(?P<power>[+-]?\d{1,2})|[eE](?P<scientific>[+-]?\d{1,2}))?"
_LEADING = re.compile(rf"[xX×*]?{_NUMBER}[xX×*]?(?P<unit>\D.*)", re.ASCII)
_TRAILING = re.compile(rf"(?P<unit>.*\S)[xX×*]{_NUMBER}", re.ASCII)


def _power_of_ten(match: re.Match[str]) -> int | None:
    """Exponent of the number that stands beside the unit, None where it is no clear power of ten."""
    mantissa = match["mantissa"].replace(",", "")
    exponent = int(match["scientific"] or 0)
    if match["power"] is not None:
        return int(match["power"]) if mantissa == "10" else None
    if match["scientific"] is not None and mantissa != "1":
        return None  # 10E3 is ten thousand to a computer, but people write it for a thousand
    if re.fullmatch(r"10*", mantissa):
        return exponent + len(mantissa) - 1
    if re.fullmatch(r"0\.0*1", mantissa):
        return exponent - len(mantissa) + 2
    return None


def _named(text: str) -> Unit | None:
    """Unit of a name without a number: as written, then forgiving case."""
    plain = text if text in SPELLINGS else re.sub(r"(?<=[WwRrAa])[-.*](?=[Hh]$)", "", text)
    unit = SPELLINGS.get(plain)
    if unit is not None:
        return unit
    folded = plain.casefold()
    if plain.startswith("m") and folded in _MEGA:
        raise UnitError(
            f"unit {text!r} is ambiguous: a small m is milli, a capital M is mega (write {_MEGA[folded].symbol})"
        )
    return _FOLDED.get(folded)


def _with_word(text: str) -> Unit | None:
    """Unit of a name that may have one Chinese multiplier before it (万立方米)."""
    unit = _named(text)
    for word, exponent in _CHINESE_PREFIX.items():
        if unit is not None:
            break
        inner = _named(text.removeprefix(word)) if text.startswith(word) else None
        unit = None if inner is None else with_prefix(inner, exponent)
    return unit


def _search(text: str) -> Unit:
    unknown = f"unit {text[:_LONGEST]!r} is not known: expected one like kWh, MWh, GJ, m3, L, Nm3, t, kg, ×10 kWh"
    if len(text) > _LONGEST:
        raise UnitError(unknown)
    raised = _RAISED.sub(lambda match: "^" + match[0].translate(_SUPERSCRIPT), text)
    plain = _IGNORED.sub("", unicodedata.normalize("NFKC", raised))
    unit = _with_word(plain)
    if unit is not None:
        return unit
    for pattern in (_LEADING, _TRAILING):
        match = pattern.fullmatch(plain)
        inner = _named(match["unit"]) if match else None
        if match is None or inner is None:
            continue
        exponent = _power_of_ten(match)
        if exponent is None:
            raise UnitError(
                f"unit {text!r} is ambiguous: the number beside it must be a power of ten such as ×100 or 10^3"
            )
        unit = with_prefix(inner, exponent)
        if unit is not None:
            return unit
    raise UnitError(unknown)


@lru_cache(maxsize=4096)
def _cached(text: str) -> Unit | str:
    try:
        return _search(text)
    except UnitError as error:
        return str(error)


def parse_unit(text: str) -> Unit:
    """Unit that a ledger, a plate or a message names.

    Case and full-width letters are forgiven where only one unit can be meant. What begins with a small m and has a
    mega twin (mWh, mj, mpa) is refused, and so is a number that is no power of ten (103 m3 is 10³ m3 gone wrong).

    Raises
    ------
    UnitError
        If the unit is not known or could be two.

    Examples
    --------
    >>> parse_unit("KWH").symbol, parse_unit("度").symbol, parse_unit("×1000 kWh").symbol
    ('kWh', 'kWh', 'MWh')
    >>> parse_unit("x100 L").symbol
    '10^2 L'
    >>> parse_unit("mWh")
    Traceback (most recent call last):
        ...
    analytics.domain.unit_tables.UnitError: unit 'mWh' is ambiguous: a small m is milli, a capital M is mega (write MWh)
    """
    found = _cached(text)
    if isinstance(found, str):
        raise UnitError(found)
    return found


def find_unit(text: str) -> Unit | None:
    """Like `parse_unit`, but None where the unit is not known or ambiguous; remembers what it has seen."""
    found = _cached(text)
    return None if isinstance(found, str) else found


def unit_codes(texts: Iterable[str]) -> NDArray[np.int16]:
    """Codes of the units that texts name.

    Parameters
    ----------
    texts : n strings
        As meters state them.

    Returns
    -------
    (n,) int16
        Codes, `NO_UNIT` where a text names no unit or could mean two.

    Examples
    --------
    >>> unit_codes(["kWh", "mWh", "GJ"]).tolist()
    [1, 0, 8]
    """
    return np.fromiter((NO_UNIT if (unit := find_unit(text)) is None else unit.code for text in texts), np.int16)


def unit_of(code: int) -> Unit:
    """Unit of a stored code.

    Raises
    ------
    UnitError
        If no unit has the code.
    """
    unit = BY_CODE.get(int(code))
    if unit is None:
        raise UnitError(f"no unit has the code {code}")
    return unit


def conversion_factor(source: Unit, target: Unit) -> float:
    """What an amount in `source` is multiplied by to be in `target`; the exact ratio, rounded once. [target/source]

    Raises
    ------
    UnitError
        If they measure different quantities.

    Examples
    --------
    >>> conversion_factor(parse_unit("GJ"), parse_unit("kWh"))
    277.77777777777777
    """
    if source.kind is not target.kind:
        raise UnitError(
            f"{source} measures {source.kind.name.lower()} and {target} {target.kind.name.lower()}: no conversion"
        )
    return float(source.factor / target.factor)


def convert(value: float, source: Unit, target: Unit) -> float:
    """`value` [source] in `target`; raises `UnitError` where they measure different quantities.

    Examples
    --------
    >>> convert(2.5, parse_unit("MWh"), parse_unit("GJ"))
    9.0
    """
    return value * conversion_factor(source, target)


def canonical_unit(carrier: str, unit: Unit) -> Unit:
    """Unit in which a point of `carrier` keeps its amounts when its register counts in `unit`.

    Electricity is kWh. Steam and hot water are GJ where the register counts energy and t or m3 where it counts mass or
    volume, since one becomes the other only through the medium's state. Gas at standard state stays Nm3, operating m3
    stays m3. Thermometers and manometers beside a flow keep °C and MPa whatever flows.

    Raises
    ------
    UnitError
        If the carrier is not known, or its registers do not count in such a unit.

    Examples
    --------
    >>> canonical_unit("steam", parse_unit("kWh")).symbol, canonical_unit("electricity", parse_unit("MJ")).symbol
    ('GJ', 'kWh')
    """
    if carrier not in CARRIERS:
        raise UnitError(f"carrier {carrier!r} is not known: expected one of {', '.join(CARRIERS)}")
    if unit.kind in _AUXILIARY:
        return _AUXILIARY[unit.kind]
    for candidate in CARRIERS[carrier]:
        if candidate.kind is unit.kind:
            return candidate
    fitting = " or ".join(candidate.symbol for candidate in CARRIERS[carrier])
    raise UnitError(f"{unit} does not fit {carrier}: its registers count what converts to {fitting}")


def default_unit(carrier: str) -> Unit:
    """Unit in which a point of `carrier` would keep its amounts where no meter says otherwise."""
    if carrier not in CARRIERS:
        raise UnitError(f"carrier {carrier!r} is not known: expected one of {', '.join(CARRIERS)}")
    return CARRIERS[carrier][0]
