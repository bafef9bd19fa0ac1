"""Lists of points for protocols whose addresses no standard fixes: what stands at an address is the site's to state.

A file of the user, ``<folder>/<id>.toml``, as ``deploy/guides/recipes/iec104-points.toml`` and ``opcua-points.toml``
show. Every fault in it is named at once.
"""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from analytics.domain.errors import ConfigurationError
from ingest.devices.values import scale_of

__all__ = ["ListedPoint", "PointList", "read_points"]

_KNOWN: Final = frozenset({"name", "kind", "scale", "unit", "register"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPoint:
    """A point and where it is.

    Attributes
    ----------
    place : int or str
        Its address, as the protocol has it.
    kind : str
        One of the kinds of the protocol, empty where it has none.
    scale : Decimal
        What the number there is multiplied by. [unit]
    """

    name: str
    register: str
    place: int | str
    kind: str
    scale: Decimal
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PointList:
    """What a device has.

    Attributes
    ----------
    default : tuple of str
        Points that are read where a device names none.
    utc : bool
        Whether its time tags are UTC; else local time of the site.
    source : str
        Where the list comes from.
    """

    points: tuple[ListedPoint, ...]
    default: tuple[str, ...]
    utc: bool
    source: str

    def wanted(self, names: Sequence[str] | None) -> tuple[ListedPoint, ...]:
        """Points of these names, or the default; ConfigurationError for one that is not there."""
        known = {point.name: point for point in self.points}
        wanted = self.default if names is None else tuple(names)
        unknown = [name for name in wanted if name not in known]
        if unknown:
            raise ConfigurationError(f"points must be of {', '.join(known)} (got {', '.join(unknown)})")
        return tuple(known[name] for name in wanted)


def read_points(
    name: str, folder: Path | None, *, key: str, what: str, is_place: Callable[[Any], bool], kinds: Sequence[str] = ()
) -> PointList:
    """The list of a profile in the user's folder.

    Parameters
    ----------
    key, what : str
        Under which key an address stands, and what it must be.
    is_place : callable
        Whether a value of the file is such an address.
    kinds : sequence of str
        What `kind` may be, the first without one; none where the protocol has no kinds.

    Raises
    ------
    ConfigurationError
        If there is none, or it is faulty.
    """
    if not name:
        raise ConfigurationError("profile must name the device's list of points, <profiles>/<profile>.toml (got none)")
    file = (folder or Path("profiles")) / f"{name}.toml"
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"profile must be a list of points in {file} (got none)") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{file}: TOML is required ({error})") from None
    faults: list[str] = []
    rows = table.get("point")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise ConfigurationError(f"{file}: tables [[point]] are required (got none)")
    points = [_point(row, f"point {i}", key, what, is_place, kinds, faults) for i, row in enumerate(rows, 1)]
    names = tuple(str(row.get("name")) for row in rows)
    faults += [f"point {one} must be there once" for one in sorted(set(names)) if names.count(one) > 1]
    default = table.get("default", list(names))
    if not isinstance(default, list) or not all(one in names for one in default):
        faults.append(f"default must be a list of names of points (got {default!r})")
    if table.get("time", "local") not in ("local", "utc"):
        faults.append(f"time must be local or utc (got {table['time']!r})")
    if faults:
        raise ConfigurationError(f"{file}: " + "; ".join(faults))
    return PointList(
        points=tuple(point for point in points if point is not None),
        default=tuple(default),
        utc=table.get("time") == "utc",
        source=f"list of points {file.name}: {table.get('source', 'no source stated')}",
    )


def _point(
    row: Mapping[str, Any], place: str, key: str, what: str, is_place: Callable[[Any], bool], kinds: Sequence[str],
    faults: list[str],
) -> ListedPoint | None:  # fmt: skip
    before = len(faults)
    faults += [f"{place}: {one} is no setting here" for one in row if one != key and one not in _KNOWN]
    if not isinstance(row.get("name"), str) or not row["name"]:
        faults.append(f"{place}: name must be a text (got {row.get('name')!r})")
    if not is_place(row.get(key)):
        faults.append(f"{place}: {key} must be {what} (got {row.get(key)!r})")
    kind = row.get("kind", kinds[0] if kinds else "")
    if kind not in (kinds or ("",)):
        faults.append(f"{place}: kind must be one of {', '.join(kinds) or 'none'} (got {kind!r})")
    scale = scale_of(row, place, faults)
    if len(faults) > before:
        return None
    return ListedPoint(
        name=row["name"], register=row.get("register") or row["name"], place=row[key], kind=kind, scale=scale,
        unit=row["unit"],
    )  # fmt: skip
