"""Which metering points add up to which totals, and in which hours.

A *series* is one line of totals: a scope (the energy-using unit, one of its sub-units, one piece of main equipment), a
carrier, and the unit the amounts are in. The rules:

- A scope's points are those of its own level: what enters and leaves the unit at level `unit`, and so on.
- Direction `in` adds and `out` subtracts. `own` is kept apart: what a unit makes for itself is no purchased input and
  no part of the total; it has series of its own (``from_ledger(ledger, own=True)``).
- Nothing is counted twice: from the first hour in which a point's ancestor of the same scope, carrier and direction
  has a meter, the point's flow is in the ancestor's and the point no longer counts.
- Amounts in different units (steam in t and in GJ, gas in m3 and in Nm3) are never added: they are separate series of
  the same carrier.
- Expected are the points that count and are required, at all times, with a meter or without; and the points that count
  without being required, from their first installation to the end of their last. Completeness is the mean over the
  expected points, a point without evidence being 0. A point that is exempt and has no meter is not expected. One that
  is required and has no meter is missing in each series of its scope and carrier, for nobody knows which it would be.
- Thermometers and manometers beside a flow belong to no series.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from analytics.columns.intervals import Int32s, Int64s
from analytics.domain.errors import RegistryError
from analytics.domain.instants import US_PER_HOUR
from analytics.domain.ledger import Direction, Ledger, Level
from analytics.domain.units import QuantityKind, unit_of

__all__ = ["ALWAYS_HOUR", "NEVER_HOUR", "ExpectedSpans", "Membership", "SeriesKey"]

Int8s: TypeAlias = npt.NDArray[np.int8]
Int16s: TypeAlias = npt.NDArray[np.int16]
_Array = TypeVar("_Array", bound=npt.NDArray[np.integer])

ALWAYS_HOUR = 0
"""From here on a required point is expected: 1970, before any reading. [hour index]"""
NEVER_HOUR = 1 << 31
"""What lasts ends here. [hour index]"""

_SIDES: tuple[Literal["left"], Literal["right"]] = ("left", "right")
_COUNTED_KINDS = np.array([kind for kind in QuantityKind if kind.is_counted], dtype=np.int16)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedSpans:
    """Half-open spans of hours in which points are expected to give evidence to series.

    Spans are kept as running sums by series, so that the hours expected up to any hour are one search away.
    """

    start_key: Int64s
    start_sum: Int64s
    end_key: Int64s
    end_sum: Int64s

    @classmethod
    def of(cls, series: Int64s, start: Int64s, end: Int64s) -> Self:
        """Spans of series, in any order.

        Parameters
        ----------
        series : (n,) int64
            Index of a series. [1]
        start, end : (n,) int64
            From ALWAYS_HOUR to NEVER_HOUR; empty spans are dropped. [hour index]
        """
        kept = end > start
        start_key, start_sum = _running(series[kept], start[kept])
        end_key, end_sum = _running(series[kept], end[kept])
        return cls(start_key=start_key, start_sum=start_sum, end_key=end_key, end_sum=end_sum)

    def point_hours(self, series: npt.NDArray[np.integer], start: Int64s, end: Int64s) -> Int64s:
        """Hours that all points of a series together are expected to give between two hours.

        Parameters
        ----------
        series : (n,) int
            Index of a series. [1]
        start, end : (n,) int64
            Half-open windows. [hour index]

        Returns
        -------
        (n,) int64
            [point hours]

        Examples
        --------
        >>> spans = ExpectedSpans.of(np.array([0, 0]), np.array([0, 10]), np.array([NEVER_HOUR, 14]))
        >>> spans.point_hours(np.array([0, 0, 1]), np.array([8, 13, 8]), np.array([12, 16, 9])).tolist()
        [6, 4, 0]
        """
        key = series.astype(np.int64) << 33
        return self._up_to(key, end) - self._up_to(key, start)

    def _up_to(self, key: Int64s, hour: Int64s) -> Int64s:
        begun = _elapsed(self.start_key, self.start_sum, key, hour)
        return begun - _elapsed(self.end_key, self.end_sum, key, hour)


def _running(series: Int64s, hour: Int64s) -> tuple[Int64s, Int64s]:
    """Sorted keys of series and hour, and the sum of the hours before each."""
    key = np.sort((series << 33) + hour)
    return key, np.concatenate([np.zeros(1, np.int64), np.cumsum(key & ((1 << 33) - 1))])


def _elapsed(sorted_key: Int64s, running_sum: Int64s, key: Int64s, hour: Int64s) -> Int64s:
    """Sum over a series' marks below `hour` of the hours since each."""
    first = np.searchsorted(sorted_key, key)
    here = np.searchsorted(sorted_key, key + hour)
    elapsed: Int64s = (here - first) * hour - (running_sum[here] - running_sum[first])
    return elapsed


class SeriesKey(NamedTuple):
    """What a series is known by, in tables and files."""

    unit: int
    """Index of the energy-using unit in the ledger."""
    scope: str
    """``unit``, ``sub_unit`` or ``equipment``."""
    name: str
    """Of the sub-unit or equipment, empty for the unit."""
    sub_unit: str
    """Sub-unit of a piece of equipment, where the ledger names one; else empty."""
    carrier: str
    """Energy name."""
    symbol: str
    """Unit of the amounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """Which points add up to which series.

    Attributes
    ----------
    point_series : (p,) int32
        Series of each point of the ledger, -1 where it belongs to none. [1]
    point_sign : (p,) int8
        1 adds, -1 subtracts.
    point_until : (p,) int64
        The point counts in hours before this one; from it on an ancestor stands for it. [hour index]
    series_unit : (s,) int32
        Index of the energy-using unit in the ledger; series are sorted by it.
    series_level : (s,) int8
        `Level` of the scope.
    series_sub_unit, series_equipment : s strings
        Names of the scope, empty above its level, or where the ledger names no sub-unit of an equipment.
    series_carrier : s strings
        Energy names.
    series_canonical : (s,) int16
        `Unit.code` of the amounts.
    expected : ExpectedSpans
        When which series expect evidence.
    """

    point_series: Int32s
    point_sign: Int8s
    point_until: Int64s
    series_unit: Int32s
    series_level: Int8s
    series_sub_unit: tuple[str, ...]
    series_equipment: tuple[str, ...]
    series_carrier: tuple[str, ...]
    series_canonical: Int16s
    expected: ExpectedSpans

    def __len__(self) -> int:
        return len(self.series_unit)

    def keys(self) -> list[SeriesKey]:
        """What each series is known by; no two are alike."""
        level = self.series_level.tolist()
        rows = zip(level, self.series_sub_unit, self.series_equipment, strict=True)
        named = [(("", ""), (sub_unit, ""), (equipment, sub_unit))[level] for level, sub_unit, equipment in rows]
        return [
            SeriesKey(unit, Level(level).name.lower(), name, sub_unit, carrier, unit_of(canonical).symbol)
            for unit, level, (name, sub_unit), carrier, canonical in zip(
                self.series_unit.tolist(),
                level,
                named,
                self.series_carrier,
                self.series_canonical.tolist(),
                strict=True,
            )
        ]

    @classmethod
    def from_ledger(cls, ledger: Ledger, *, own: bool = False) -> Self:
        """Membership of a ledger's points.

        Parameters
        ----------
        ledger : Ledger
        own : bool
            Series of what is produced inside and used inside, instead of what comes in less what goes out.

        Raises
        ------
        RegistryError
            If a point is its own ancestor.
        """
        counted = np.isin(ledger.point_kind, _COUNTED_KINDS) & ((ledger.point_direction == Direction.OWN) == own)
        scope = _scopes(ledger)
        since, end = _installed(ledger)
        member = counted & (end > since)
        until = _shadowed_from(ledger.point_parent, _pair(scope, ledger.point_direction), member, since)
        point_series, first = _series(scope, ledger.point_canonical, member)
        level = ledger.point_level[first]
        return cls(
            point_series=_sealed(point_series),
            point_sign=_sealed(np.where(ledger.point_direction == Direction.OUT, -1, 1).astype(np.int8)),
            point_until=_sealed(until),
            series_unit=_sealed(ledger.point_unit[first]),
            series_level=_sealed(level),
            series_sub_unit=_names(ledger.point_sub_unit, first, level >= Level.SUB_UNIT),
            series_equipment=_names(ledger.point_equipment, first, level >= Level.EQUIPMENT),
            series_carrier=tuple(ledger.point_carrier[i] for i in first.tolist()),
            series_canonical=_sealed(ledger.point_canonical[first]),
            expected=_expected(
                point_series,
                scope=scope,
                first=first,
                since=np.where(ledger.point_required, ALWAYS_HOUR, since),
                end=np.where(ledger.point_required, until, np.minimum(end, until)),
                missing=np.flatnonzero(counted & ledger.point_required & ~member),
            ),
        )


def _scopes(ledger: Ledger) -> Int64s:
    """Scope and carrier of each point as a dense number, in the order of the units."""
    level = ledger.point_level
    scope = _pair(ledger.point_unit, level)
    scope = _pair(scope, np.where(level >= Level.SUB_UNIT, _text_codes(ledger.point_sub_unit), 0))
    scope = _pair(scope, np.where(level >= Level.EQUIPMENT, _text_codes(ledger.point_equipment), 0))
    return _pair(scope, _text_codes(ledger.point_carrier))


def _text_codes(texts: Iterable[str]) -> Int64s:
    seen: dict[str, int] = {}
    return np.fromiter((seen.setdefault(text, len(seen)) for text in texts), np.int64)


def _pair(left: npt.NDArray[np.integer], right: npt.NDArray[np.integer]) -> Int64s:
    """Dense number of each pair of non-negative numbers, in the order of the pairs."""
    width = int(right.max()) + 1 if right.size else 1
    return np.unique(left.astype(np.int64) * width + right, return_inverse=True)[1].astype(np.int64)


def _installed(ledger: Ledger) -> tuple[Int64s, Int64s]:
    """First hour of each point's first installation, and the hour after its last; an empty span without a meter."""
    since = np.full(len(ledger.point_unit), NEVER_HOUR, np.int64)
    end = since.copy()
    start = ledger.point_installation_start
    metered = np.flatnonzero(np.diff(start))
    if metered.size:
        installed = ledger.installations
        since[metered] = np.clip(installed.installed_from[start[metered]] // US_PER_HOUR, ALWAYS_HOUR, NEVER_HOUR)
        last = np.maximum.reduceat(installed.installed_to, start[metered])
        end[metered] = np.clip(-(-last // US_PER_HOUR), ALWAYS_HOUR, NEVER_HOUR)
    return since, end


def _shadowed_from(parent: Int32s, stream: Int64s, member: npt.NDArray[np.bool_], since: Int64s) -> Int64s:
    """First hour in which an ancestor of the same stream (scope, carrier, direction) has a meter."""
    until = np.full(len(parent), NEVER_HOUR, np.int64)
    child = np.flatnonzero(parent >= 0)
    ancestor = parent[child]
    for _ in range(len(parent) + 1):
        if not child.size:
            return until
        stands_for = member[ancestor] & (stream[ancestor] == stream[child])
        until[child] = np.where(stands_for, np.minimum(until[child], since[ancestor]), until[child])
        ancestor = parent[ancestor]
        child, ancestor = child[ancestor >= 0], ancestor[ancestor >= 0]
    raise RegistryError("a metering point must not be its own ancestor")


def _series(scope: Int64s, canonical: Int16s, member: npt.NDArray[np.bool_]) -> tuple[Int32s, Int64s]:
    """Series of each point (-1 where it is no member), and the first point of each series."""
    members = np.flatnonzero(member)
    point_series = np.full(len(scope), -1, np.int32)
    _, first, inverse = np.unique(_pair(scope, canonical)[members], return_index=True, return_inverse=True)
    point_series[members] = inverse
    return point_series, members[first]


def _expected(
    point_series: Int32s, *, scope: Int64s, first: Int64s, since: Int64s, end: Int64s, missing: Int64s
) -> ExpectedSpans:
    """Spans of the members, and of points without a meter in every series of their scope and carrier."""
    member = np.flatnonzero(point_series >= 0)
    low, high = (np.searchsorted(scope[first], scope[missing], side=side) for side in _SIDES)
    count = high - low
    place = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return ExpectedSpans.of(
        np.concatenate([point_series[member].astype(np.int64), np.repeat(low, count) + place]),
        np.concatenate([since[member], np.repeat(since[missing], count)]),
        np.concatenate([end[member], np.repeat(end[missing], count)]),
    )


def _names(texts: tuple[str, ...], first: Int64s, named: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(texts[i] if has else "" for i, has in zip(first.tolist(), named.tolist(), strict=True))


def _sealed(array: _Array) -> _Array:
    array.flags.writeable = False
    return array
