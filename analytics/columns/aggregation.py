"""Hours of metering points to local days, and to totals of units, sub-units and equipment; the sums are exact.

Amounts are summed as int64 millionths of their unit, so a day is exactly the sum of its hours and a total exactly the
sum of its points, whatever the order. Shares of an hour (with evidence, measured) are kept to the millisecond, which
is what a stored four-byte share holds: from rows out of the register core or out of the store come the same totals.

An hour that has no row has no evidence. It adds nothing to a sum and lowers completeness: of a day by its share of the
day, of a total by the point's share of the expected points (`membership`). Give whole days: a day of which only some
hours are given looks incomplete.
"""

from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from analytics.columns.intervals import Int32s, Int64s, day_bounds, local_day
from analytics.columns.membership import Membership
from analytics.domain.instants import US_PER_HOUR

__all__ = [
    "MICRO",
    "PointDays",
    "PointHours",
    "SeriesTotals",
    "consumption_day",
    "shares",
    "totals_by_day",
    "totals_by_hour",
]

Int16s: TypeAlias = npt.NDArray[np.int16]
Float32s: TypeAlias = npt.NDArray[np.float32]
Floats: TypeAlias = npt.NDArray[np.float64]

MICRO = 1_000_000
"""Amounts are kept in millionths of their unit."""

_HOUR_MS = US_PER_HOUR // 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class PointHours:
    """n hours of metering points; at most one row for a point and hour.

    Attributes
    ----------
    point : (n,) int32
        Index into the ledger's points.
    hour : (n,) int64
        [h since 1970-01-01 UTC]
    amount_micro : (n,) int64
        [1e-6 of the point's canonical unit]
    covered_ms, measured_ms : (n,) int64
        How much of the hour has evidence, and how much of it without estimation. [ms]
    quality : (n,) int16
        `HourFlag` bits.
    """

    point: Int32s
    hour: Int64s
    amount_micro: Int64s
    covered_ms: Int64s
    measured_ms: Int64s
    quality: Int16s

    def __len__(self) -> int:
        return len(self.point)

    @classmethod
    def from_register(cls, rows: npt.NDArray[Any]) -> Self:
        """Hours as the register core writes them.

        Parameters
        ----------
        rows : (n,) HOUR_ROW
            Of `analytics.columns.register`.
        """
        completeness, measured = shares(rows["covered"], rows["estimated"])
        return cls(
            point=rows["point"].astype(np.int32),
            hour=rows["hour"].astype(np.int64),
            amount_micro=rows["amount"].astype(np.int64),
            covered_ms=_milliseconds(completeness),
            measured_ms=_milliseconds(measured),
            quality=rows["flags"].astype(np.int16),
        )

    @classmethod
    def from_stored(
        cls,
        *,
        point: npt.NDArray[np.integer],
        hour: npt.NDArray[np.integer],
        amount: Floats,
        completeness: npt.NDArray[np.floating],
        measured: npt.NDArray[np.floating],
        quality: npt.NDArray[np.integer],
    ) -> Self:
        """Hours as tables and files keep them: amounts in whole units, exact up to 9e9 of them, and shares.

        Parameters
        ----------
        point : (n,) int
            Index into the ledger's points.
        hour : (n,) int
            [h since 1970-01-01 UTC]
        amount : (n,) float64
            [canonical unit]
        completeness, measured : (n,) float32
            As `shares` gives them. [1]
        quality : (n,) int
            `HourFlag` bits.
        """
        return cls(
            point=point.astype(np.int32),
            hour=hour.astype(np.int64),
            amount_micro=np.rint(amount * MICRO).astype(np.int64),
            covered_ms=_milliseconds(completeness),
            measured_ms=_milliseconds(measured),
            quality=quality.astype(np.int16),
        )

    def take(self, index: npt.NDArray[Any]) -> Self:
        """Rows at an index or under a mask."""
        return type(self)(
            point=self.point[index],
            hour=self.hour[index],
            amount_micro=self.amount_micro[index],
            covered_ms=self.covered_ms[index],
            measured_ms=self.measured_ms[index],
            quality=self.quality[index],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PointDays:
    """n local days of metering points, sorted by point and day.

    Attributes
    ----------
    point : (n,) int32
        Index into the ledger's points.
    day : (n,) int32
        [d since 1970-01-01, local date]
    amount_micro : (n,) int64
        [1e-6 of the point's canonical unit]
    completeness, measured : (n,) float32
        Share of the local day with evidence, and without estimation; hours without a row count as nothing. [1]
    quality : (n,) int16
        All `HourFlag` bits of its hours.
    """

    point: Int32s
    day: Int32s
    amount_micro: Int64s
    completeness: Float32s
    measured: Float32s
    quality: Int16s


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesTotals:
    """n totals of series, sorted by series and time; where no point has evidence there is no row.

    Attributes
    ----------
    series : (n,) int32
        Index into the membership's series.
    at : (n,) int64
        [h since 1970-01-01 UTC, or d since 1970-01-01 local date]
    amount_micro : (n,) int64
        What comes in less what goes out; below zero where more goes out. [1e-6 of the series' canonical unit]
    completeness, measured : (n,) float32
        Mean over the expected points of their shares with evidence, and without estimation. [1]
    quality : (n,) int16
        All `HourFlag` bits of what was added.
    """

    series: Int32s
    at: Int64s
    amount_micro: Int64s
    completeness: Float32s
    measured: Float32s
    quality: Int16s


def shares(covered_us: npt.NDArray[np.integer], estimated_us: npt.NDArray[np.integer]) -> tuple[Float32s, Float32s]:
    """Shares of an hour as they are stored.

    Parameters
    ----------
    covered_us, estimated_us : (n,) int64
        How much of the hour has evidence, and how much of that is estimated. [us]

    Returns
    -------
    completeness, measured : (n,) float32
        Share with evidence, and share with evidence that is not estimated. [1]

    Examples
    --------
    >>> shares(np.array([3_600_000_000, 900_000_000]), np.array([0, 900_000_000]))
    (array([1.  , 0.25], dtype=float32), array([1., 0.], dtype=float32))
    """
    covered = covered_us.astype(np.int64)
    return (covered / US_PER_HOUR).astype(np.float32), ((covered - estimated_us) / US_PER_HOUR).astype(np.float32)


def consumption_day(hours: PointHours, zone: tzinfo) -> PointDays:
    """Local days of metering points.

    Parameters
    ----------
    hours : PointHours
        In any order; all hours there are of the days concerned.
    zone : tzinfo
        Zone of the local days; see `intervals.local_day` for what is refused.

    Examples
    --------
    >>> from zoneinfo import ZoneInfo
    >>> from analytics.columns.intervals import day_index
    >>> day = day_index(2026, 11, 22)
    >>> first = day * 24 - 8  # midnight in Shanghai
    >>> hours = PointHours.from_stored(
    ...     point=np.array([0, 0, 0]),
    ...     hour=np.array([first, first + 1, first + 23]),
    ...     amount=np.array([1.5, 2.25, 0.25]),
    ...     completeness=np.array([1.0, 1.0, 0.5]),
    ...     measured=np.array([1.0, 0.0, 0.5]),
    ...     quality=np.array([0, 1, 8]),
    ... )
    >>> days = consumption_day(hours, ZoneInfo("Asia/Shanghai"))
    >>> (days.day - day).tolist(), days.amount_micro.tolist(), days.quality.tolist()
    ([0], [4000000], [9])
    >>> float(days.completeness[0] * 24), float(days.measured[0] * 24)
    (2.5, 1.5)
    """
    sums = _sums(hours, hours.point, local_day(hours.hour, zone).astype(np.int64))
    start, end = day_bounds(sums.at, zone)
    completeness, measured = sums.mean_shares(end - start)
    return PointDays(
        point=sums.owner,
        day=sums.at.astype(np.int32),
        amount_micro=sums.amount_micro,
        completeness=completeness,
        measured=measured,
        quality=sums.quality,
    )


def totals_by_hour(hours: PointHours, membership: Membership) -> SeriesTotals:
    """Totals of each series and UTC hour.

    Parameters
    ----------
    hours : PointHours
        In any order; all points of the units concerned.
    membership : Membership
        Of the ledger that `hours.point` indexes.
    """
    counted = _counted(hours, membership)
    sums = _sums(counted, membership.point_series[counted.point], counted.hour)
    return _totals(sums, membership, sums.at, sums.at + 1)


def totals_by_day(hours: PointHours, membership: Membership, zone: tzinfo) -> SeriesTotals:
    """Totals of each series and local day; arguments as in `totals_by_hour` and `consumption_day`."""
    counted = _counted(hours, membership)
    sums = _sums(counted, membership.point_series[counted.point], local_day(counted.hour, zone).astype(np.int64))
    return _totals(sums, membership, *day_bounds(sums.at, zone))


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums over the hours of each owner (point or series) and time."""

    owner: Int32s
    at: Int64s
    amount_micro: Int64s
    covered_ms: Int64s
    measured_ms: Int64s
    quality: Int16s

    def mean_shares(self, expected_hours: Int64s) -> tuple[Float32s, Float32s]:
        """Sums of shares over what was expected; evidence from outside the expected hours cannot make it more."""
        expected_ms = np.maximum(expected_hours, 1) * _HOUR_MS
        completeness, measured = (
            np.minimum(part / expected_ms, 1.0).astype(np.float32) for part in (self.covered_ms, self.measured_ms)
        )
        return completeness, measured


def _counted(hours: PointHours, membership: Membership) -> PointHours:
    """Rows of points that belong to a series, with their sign, while no ancestor stands for them."""
    counted = hours.take(
        (membership.point_series[hours.point] >= 0) & (hours.hour < membership.point_until[hours.point])
    )
    counted.amount_micro[...] *= membership.point_sign[counted.point]
    return counted


def _totals(sums: _Sums, membership: Membership, start: Int64s, end: Int64s) -> SeriesTotals:
    completeness, measured = sums.mean_shares(membership.expected.point_hours(sums.owner, start, end))
    return SeriesTotals(
        series=sums.owner,
        at=sums.at,
        amount_micro=sums.amount_micro,
        completeness=completeness,
        measured=measured,
        quality=sums.quality,
    )


def _sums(hours: PointHours, owner: Int32s, at: Int64s) -> _Sums:
    """Add up rows of the same owner and time: in a table of all pairs where it is small, else after sorting."""
    if not len(hours):
        none = np.empty(0, np.int64)
        return _Sums(none.astype(np.int32), none, none, none, none, none.astype(np.int16))
    low = int(at.min())
    span = int(at.max()) - low + 1
    key = owner.astype(np.int64) * span + (at - low)
    cells = int(key.max()) + 1
    summed = (
        _by_table(hours, key, cells) if cells <= _TABLE_FACTOR * len(hours) + _TABLE_FLOOR else _by_runs(hours, key)
    )
    present, amount_micro, covered_ms, measured_ms, quality = summed
    return _Sums(
        (present // span).astype(np.int32), present % span + low, amount_micro, covered_ms, measured_ms, quality
    )


_Summed: TypeAlias = tuple[Int64s, Int64s, Int64s, Int64s, Int16s]
_TABLE_FACTOR, _TABLE_FLOOR = 4, 1024


def _by_table(hours: PointHours, key: Int64s, cells: int) -> _Summed:
    present = np.flatnonzero(np.bincount(key, minlength=cells))

    def added(column: Int64s) -> Int64s:
        table = np.zeros(cells, np.int64)
        np.add.at(table, key, column)
        return table[present]

    quality = np.zeros(cells, np.int16)
    np.bitwise_or.at(quality, key, hours.quality)
    return present, added(hours.amount_micro), added(hours.covered_ms), added(hours.measured_ms), quality[present]


def _by_runs(hours: PointHours, key: Int64s) -> _Summed:
    if (np.diff(key) < 0).any():
        order = np.argsort(key, kind="stable")
        hours, key = hours.take(order), key[order]
    first = np.concatenate([np.zeros(1, np.int64), np.flatnonzero(np.diff(key)) + 1])
    return (
        key[first],
        np.add.reduceat(hours.amount_micro, first),
        np.add.reduceat(hours.covered_ms, first),
        np.add.reduceat(hours.measured_ms, first),
        np.bitwise_or.reduceat(hours.quality, first),
    )


def _milliseconds(share: npt.NDArray[np.floating]) -> Int64s:
    return np.rint(share.astype(np.float64) * _HOUR_MS).astype(np.int64)
