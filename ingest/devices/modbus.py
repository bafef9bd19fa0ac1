"""Modbus meters: decoding registers by a profile, and grouping registers into requests.

A profile is a TOML file (those that ship stand in `profiles`; a user's own beats one of the same id). Addresses are
those of the request, counted from 0. Numbers are exact: the raw integer times a decimal scale.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from analytics.domain.errors import ConfigurationError
from analytics.domain.toml import parse_toml
from ingest.devices.faults import NoValue
from ingest.devices.values import Value, scale_of

__all__ = [
    "EXCEPTIONS",
    "Point",
    "Profile",
    "Span",
    "profile_of",
    "profiles",
    "read_profile",
    "registers_of",
    "spans",
    "values_of",
]

EXCEPTIONS: Final[Mapping[int, str]] = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "the device failed",
    5: "acknowledged, takes longer",
    6: "busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "the device behind the gateway did not answer",
}
_TYPES: Final = {
    "uint16": ">u2", "int16": ">i2", "uint32": ">u4", "int32": ">i4", "float32": ">f4", "uint64": ">u8",
    "int64": ">i8", "float64": ">f8",
}  # fmt: skip
_ORDERS: Final = ("ABCD", "CDAB", "BADC", "DCBA")
_MOST: Final = 125  # registers of one request


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One value of a meter.

    Attributes
    ----------
    address : int
        First register, as in the request.
    function : {3, 4}
        Holding or input registers.
    type : str
        uint16, int16, uint32, int32, float32, uint64, int64, float64.
    scale : Decimal
        What the raw number is multiplied by. [unit]
    words : str
        ABCD, CDAB (low word first), BADC (low byte first), DCBA.
    """

    name: str
    address: int
    function: Literal[3, 4]
    type: str
    scale: Decimal
    unit: str
    register: str = ""
    words: str = "ABCD"

    @property
    def size(self) -> int:
        """Registers that it takes."""
        return np.dtype(_TYPES[self.type]).itemsize // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The registers of a family of meters.

    Attributes
    ----------
    default : sequence of str
        Points that are read where nobody asks for others.
    no_value : str
        ``all-ones`` if the meter marks a missing value so.
    source : str
        Source of the register table.
    """

    id: str
    version: int = 1
    models: Sequence[str] = ()
    points: Sequence[Point]
    default: Sequence[str] = ()
    no_value: str = ""
    source: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)

    def wanted(self, names: Sequence[str] | None) -> list[Point]:
        """Points by name, the default ones for None; ConfigurationError for a name that is none."""
        by_name = {point.name: point for point in self.points}
        unknown = [name for name in names or () if name not in by_name]
        if unknown:
            raise ConfigurationError(
                f"profile {self.id}: points must be of {', '.join(by_name)} (got {', '.join(unknown)})"
            )
        return [by_name[name] for name in (self.default if names is None else names)]


@dataclass(frozen=True, slots=True)
class Span:
    """Registers that are read by one request."""

    function: Literal[3, 4]
    address: int
    count: int
    points: tuple[Point, ...]


def read_profile(text: str, source: str) -> Profile:
    """Profile out of TOML; ConfigurationError naming every fault at once.

    Parameters
    ----------
    source : str
        Name of the file, for errors.
    """
    try:
        table = parse_toml(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{source} must be TOML ({error})") from None
    faults: list[str] = []
    words = table.get("words", "ABCD")
    points = [
        point
        for number, row in enumerate(table.get("point", ()), 1)
        if (point := _point(row, words, f"point {number}", faults)) is not None
    ]
    names = [point.name for point in points]
    faults += [f"point {name} must be there once" for name in sorted({name for name in names if names.count(name) > 1})]
    faults += [f"default: {name} must be a point" for name in table.get("default", ()) if name not in names]
    if not isinstance(table.get("id"), str) or not table["id"]:
        faults.append("id must be a text")
    if not points:
        faults.append("a table [[point]] is required")
    if table.get("no_value", "") not in ("", "all-ones"):
        faults.append(f'no_value must be "all-ones" or missing (got {table["no_value"]!r})')
    if faults:
        raise ConfigurationError(f"{source}: " + "; ".join(faults))
    return Profile(
        id=table["id"],
        version=table.get("version", 1),
        models=table.get("models", ()),
        points=points,
        default=table.get("default", names),
        no_value=table.get("no_value", ""),
        source="; ".join(table.get("sources", ())) or source,
        notes={
            name: table[name] for name in ("confidence", "serial", "ratio_note", "note", "conflict") if name in table
        },
    )


def _point(row: Mapping[str, Any], words: str, place: str, faults: list[str]) -> Point | None:
    before = len(faults)
    name = row.get("name")
    if not isinstance(name, str) or not name:
        faults.append(f"{place}: name must be a text (got {name!r})")
    address = row.get("address")
    if not isinstance(address, int) or not 0 <= address <= 0xFFFF:
        faults.append(f"{place}: address must be a number from 0 to 65535 (got {address!r})")
    if row.get("function", 3) not in (3, 4):
        faults.append(f"{place}: function must be 3 or 4, which read (got {row['function']!r})")
    if row.get("type") not in _TYPES:
        faults.append(f"{place}: type must be one of {', '.join(_TYPES)} (got {row.get('type')!r})")
    if row.get("words", words) not in _ORDERS:
        faults.append(f"{place}: words must be one of {', '.join(_ORDERS)} (got {row.get('words', words)!r})")
    scale = scale_of(row, place, faults)
    if len(faults) > before:
        return None
    return Point(
        name=row["name"],
        address=row["address"],
        function=row.get("function", 3),
        type=row["type"],
        scale=scale,
        unit=row["unit"],
        register=row.get("register", ""),
        words=row.get("words", words),
    )


@cache
def profiles() -> Mapping[str, Profile]:
    """Profiles that ship, by id."""
    found = {}
    for file in sorted(files("ingest.devices").joinpath("profiles").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml"):
            profile = read_profile(file.read_text(encoding="utf-8"), file.name)
            found[profile.id] = profile
    return found


def profile_of(name: str, folder: Path | None = None) -> Profile:
    """Profile by its id: a user's file ``<folder>/<id>.toml`` where there is one, else one that ships.

    Raises
    ------
    ConfigurationError
        If there is none, or the file is faulty.
    """
    file = folder / f"{name}.toml" if folder is not None else None
    if file is not None and file.is_file():
        return read_profile(file.read_text(encoding="utf-8"), str(file))
    if name not in profiles():
        more = f", or a file {file}" if file is not None else ""
        raise ConfigurationError(f"profile must be one of {', '.join(profiles())}{more} (got {name!r})")
    return profiles()[name]


def spans(points: Sequence[Point]) -> list[Span]:
    """Requests for these points: adjacent registers are read together, gaps are never read.

    Examples
    --------
    >>> adw = profile_of("acrel-adw300")
    >>> [(span.address, span.count) for span in spans(adw.wanted(["energy_forward", "energy_reverse", "power"]))]
    [(36, 2), (62, 4)]
    """
    ordered = sorted(points, key=lambda point: (point.function, point.address))
    groups: list[list[Point]] = []
    for point in ordered:
        group = groups[-1] if groups else []
        end = max((other.address + other.size for other in group), default=-1)
        fits = bool(group) and group[0].function == point.function and point.address <= end
        if fits and point.address + point.size - group[0].address <= _MOST:
            group.append(point)
        else:
            groups.append([point])
    return [
        Span(
            group[0].function,
            group[0].address,
            max(point.address + point.size for point in group) - group[0].address,
            tuple(group),
        )
        for group in groups
    ]


def values_of(profile: Profile, span: Span, registers: Sequence[int]) -> list[Value | NoValue]:
    """Values of the points of a span; a point that has none is a fault beside the others.

    Parameters
    ----------
    registers : sequence of int
        As many as the span has.
    """
    if len(registers) != span.count:
        return [NoValue(f"{span.count} registers are required (got {len(registers)})") for _ in span.points]
    raw = np.array(registers, ">u2").tobytes()
    return [
        _value(profile, point, raw[2 * (point.address - span.address) :][: 2 * point.size]) for point in span.points
    ]


def _value(profile: Profile, point: Point, raw: bytes) -> Value | NoValue:
    ordered = _ordered(raw, point.words)
    number = np.frombuffer(ordered, _TYPES[point.type])[0]
    if profile.no_value == "all-ones" and _all_ones(ordered, point.type):
        return NoValue(f"{point.name}: a value is required (got {raw.hex(' ').upper()}, which says there is none)")
    if not np.isfinite(number):
        return NoValue(f"{point.name}: a finite number is required (got {number}, {raw.hex(' ').upper()})")
    # str of a numpy float is the shortest decimal that is this float
    value = Decimal(str(number)) * point.scale
    return Value(point=point.name, register=point.register or point.name, value=value, unit=point.unit, raw=raw)


def _ordered(raw: bytes, words: str) -> bytes:
    """Bytes of a number with the highest first."""
    pairs = [raw[i : i + 2] for i in range(0, len(raw), 2)]
    if words in ("CDAB", "DCBA"):
        pairs.reverse()
    if words in ("BADC", "DCBA"):
        pairs = [pair[::-1] for pair in pairs]
    return b"".join(pairs)


def _all_ones(ordered: bytes, kind: str) -> bool:
    signed = kind.startswith("int")
    return ordered == (b"\x7f" if signed else b"\xff") + b"\xff" * (len(ordered) - 1)


def registers_of(point: Point, value: Decimal) -> list[int]:
    """Registers in which a meter would send a value; for the other side of tests and of `gateway simulate`.

    Examples
    --------
    >>> point = profile_of("schneider-iem3000").wanted(["power"])[0]
    >>> [f"{register:04X}" for register in registers_of(point, Decimal("1234.5"))]
    ['449A', '5000']
    """
    number: Any = value / point.scale
    number = float(number) if point.type.startswith("float") else round(number)
    raw = _ordered(np.array([number], _TYPES[point.type]).tobytes(), point.words)
    return [int.from_bytes(pair, "big") for pair in (raw[i : i + 2] for i in range(0, len(raw), 2))]
