"""Half-open intervals: the UTC hours of the grid, the local days of a zone, and the holes between.

Instants are int64 microseconds since 1970-01-01 UTC, hours are numbered ``floor(us / 3_600_000_000)``, local days
by the local date as days since 1970-01-01. An hour belongs to the local day in which it starts; because only zones
whose offset is a whole number of hours are admitted, a local day is a whole run of UTC hours: 24 of them, or 23 and
25 where clocks change, or none where a zone skipped a date.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from analytics.domain.errors import ConfigurationError
from analytics.domain.instants import US_PER_HOUR

__all__ = [
    "END_HOUR",
    "FIRST_HOUR",
    "Int32s",
    "Int64s",
    "day_bounds",
    "day_index",
    "gaps",
    "grid",
    "hour_of",
    "local_day",
]

Int32s: TypeAlias = npt.NDArray[np.int32]
Int64s: TypeAlias = npt.NDArray[np.int64]

FIRST_HOUR = 262_968
"""2000-01-01 00:00 UTC: local days are known from here; older offsets (Singapore's +7:30 of 1981) refuse nobody."""
END_HOUR = 1_139_568
"""2100-01-01 00:00 UTC: local days are known up to here."""

_EPOCH_ORDINAL = datetime(1970, 1, 1, tzinfo=UTC).toordinal()


@dataclass(frozen=True, slots=True)
class _Calendar:
    """The precomputed local days of one zone between FIRST_HOUR and END_HOUR.

    Attributes
    ----------
    changed_at : (k,) int64
        Hours at which an offset begins to hold; the first is FIRST_HOUR. [hour index]
    offset : (k,) int64
        Local time minus UTC from that hour on. [h]
    first_day : int
        Local day of FIRST_HOUR. [day index]
    day_start : (n + 1,) int64
        First hour of day `first_day` + i; the first and the last day may reach beyond the table. [hour index]
    """

    changed_at: Int64s
    offset: Int64s
    first_day: int
    day_start: Int64s


def hour_of(instant_us: npt.ArrayLike) -> Int64s:
    """Hour in which an instant lies; an instant on the hour belongs to the hour it opens.

    Parameters
    ----------
    instant_us : (n,) int64
        Instants since 1970-01-01 UTC. [us]

    Returns
    -------
    (n,) int64
        Hour index, negative before 1970. [h since 1970-01-01 UTC]

    Examples
    --------
    >>> hour_of([0, 3_599_999_999, 3_600_000_000, -1])
    array([ 0,  0,  1, -1])
    """
    return np.floor_divide(np.asarray(instant_us, dtype=np.int64), US_PER_HOUR)


def grid(start_us: int, end_us: int, step_us: int) -> Int64s:
    """List the starts of the grid intervals ``[k step, (k + 1) step)`` that meet ``[start, end)``.

    Parameters
    ----------
    start_us, end_us : int
        Half-open span; empty where end is not after start. [us]
    step_us : int
        Width of the grid, above zero; the grid is anchored at 1970-01-01 UTC. [us]

    Returns
    -------
    (n,) int64
        Starts in rising order. [us]

    Raises
    ------
    ValueError
        If `step_us` is not above zero.

    Examples
    --------
    >>> grid(5, 21, 10)
    array([ 0, 10, 20])
    >>> grid(10, 20, 10)
    array([10])
    >>> grid(7, 7, 10)
    array([], dtype=int64)
    """
    if step_us <= 0:
        raise ValueError(f"a grid step must be above zero (got {step_us})")
    if end_us <= start_us:
        return np.empty(0, dtype=np.int64)
    return np.arange(start_us // step_us * step_us, end_us, step_us, dtype=np.int64)


def gaps(occupied: npt.ArrayLike, start: int, end: int) -> tuple[Int64s, Int64s]:
    """Half-open runs of ``[start, end)`` in which no step of the grid is occupied.

    Parameters
    ----------
    occupied : (n,) int64
        Grid indices that have something, in any order, repeats allowed; those outside the span are ignored. [1]
    start, end : int
        Span in the same index. [1]

    Returns
    -------
    gap_start, gap_end : (m,) int64
        Runs in rising order, none empty, none touching. [1]

    Examples
    --------
    >>> gaps([3, 4, 7], 0, 9)
    (array([0, 5, 8]), array([3, 7, 9]))
    >>> gaps([0, 1], 0, 2)
    (array([], dtype=int64), array([], dtype=int64))
    """
    steps = np.unique(np.asarray(occupied, dtype=np.int64))
    steps = steps[(steps >= start) & (steps < end)]
    gap_start = np.concatenate([np.array([start], dtype=np.int64), steps + 1])
    gap_end = np.concatenate([steps, np.array([max(start, end)], dtype=np.int64)])
    hole = gap_end > gap_start
    return gap_start[hole], gap_end[hole]


def day_index(year: int, month: int, day: int) -> int:
    """Index of a local date.

    Examples
    --------
    >>> day_index(1970, 1, 1), day_index(2026, 11, 22)
    (0, 20779)
    """
    return datetime(year, month, day, tzinfo=UTC).toordinal() - _EPOCH_ORDINAL


def local_day(hour: npt.ArrayLike, zone: tzinfo) -> Int32s:
    """Local day in which each UTC hour starts.

    Parameters
    ----------
    hour : (n,) int
        Hour index, from FIRST_HOUR and below END_HOUR. [h since 1970-01-01 UTC]
    zone : tzinfo
        Zone whose offset is a whole number of hours from 2000 to 2100.

    Returns
    -------
    (n,) int32
        Day index of the local date. [d since 1970-01-01]

    Raises
    ------
    ConfigurationError
        If days of the zone are not whole runs of UTC hours; the message says since when and why.
    ValueError
        If an hour lies outside the known span.

    Examples
    --------
    >>> from zoneinfo import ZoneInfo
    >>> midnight_utc = 24 * day_index(2026, 3, 1)
    >>> days = local_day([midnight_utc + 15, midnight_utc + 16], ZoneInfo("Asia/Shanghai"))
    >>> (days - day_index(2026, 3, 1)).tolist()
    [0, 1]
    """
    hours = np.asarray(hour, dtype=np.int64)
    calendar = _calendar(zone)
    _check_span(hours, FIRST_HOUR, END_HOUR, "hour")
    if hours.size == 0:
        return np.empty(hours.shape, dtype=np.int32)
    return ((hours + _offset(hours, calendar)) // 24).astype(np.int32)


def day_bounds(day: npt.ArrayLike, zone: tzinfo) -> tuple[Int64s, Int64s]:
    """First hour of each local day and of the day after: half open, 23 to 25 hours where clocks change.

    Parameters
    ----------
    day : (n,) int
        Day index of local dates, from 2000-01-02 to 2099-12-30. [d since 1970-01-01]
    zone : tzinfo
        As in `local_day`.

    Returns
    -------
    start, end : (n,) int64
        Hour indices; equal for a date the zone skipped. [h since 1970-01-01 UTC]

    Raises
    ------
    ConfigurationError, ValueError
        As in `local_day`.

    Examples
    --------
    >>> from zoneinfo import ZoneInfo
    >>> start, end = day_bounds([day_index(2026, 3, 29), day_index(2026, 10, 25)], ZoneInfo("Europe/Berlin"))
    >>> (end - start).tolist()
    [23, 25]
    """
    days = np.asarray(day, dtype=np.int64)
    calendar = _calendar(zone)
    _check_span(days, FIRST_HOUR // 24 + 1, END_HOUR // 24 - 1, "day")
    at = days - calendar.first_day
    return calendar.day_start[at], calendar.day_start[at + 1]


def _check_span(values: Int64s, first: int, end: int, what: str) -> None:
    if values.size and (int(values.min()) < first or int(values.max()) >= end):
        outside = values[(values < first) | (values >= end)]
        raise ValueError(
            f"a {what} index must be from {first} to below {end}, the years 2000 to 2099 "
            f"(got {int(outside[0])}, {outside.size} such of {values.size})"
        )


def _offset(hours: Int64s, calendar: _Calendar) -> Int64s:
    """Offset at each hour; a search only where the span of the hours holds a change."""
    if hours.size == 0:
        return np.empty(hours.shape, dtype=np.int64)
    low, high = np.searchsorted(calendar.changed_at, [hours.min(), hours.max()], side="right") - 1
    if low == high:
        return np.broadcast_to(calendar.offset[low], hours.shape)
    changed_at = calendar.changed_at[low + 1 : high + 1]
    offset: Int64s = calendar.offset[low + np.searchsorted(changed_at, hours, side="right")]
    return offset


@lru_cache(maxsize=64)
def _calendar(zone: tzinfo) -> _Calendar:
    """Find the zone's offset changes, refuse what has no whole-hour days, and lay out the days."""
    changed_at, offset = _transitions(zone)
    hours = np.arange(FIRST_HOUR, END_HOUR, dtype=np.int64)
    local = hours + np.repeat(offset, np.diff(np.append(changed_at, END_HOUR)))
    days = local // 24
    falls = np.flatnonzero(np.diff(days) < 0)
    if falls.size:
        raise ConfigurationError(
            f"zone {zone} cannot be used for local days: at {_hour_text(int(hours[falls[0] + 1]))} its clocks went "
            f"back over midnight, so that date is not one run of hours"
        )
    first_day, last_day = int(days[0]), int(days[-1])
    day_start = np.searchsorted(days, np.arange(first_day, last_day + 2)) + FIRST_HOUR
    for column in (changed_at, offset, day_start):
        column.flags.writeable = False
    return _Calendar(changed_at, offset, first_day, day_start)


def _transitions(zone: tzinfo) -> tuple[Int64s, Int64s]:
    """Hours at which the offset changes, found by looking once a day and halving where it differs.

    No zone has changed twice within a day since 2000 (a test compares real zones around their changes).
    """
    changed_at, offset = [FIRST_HOUR], [_whole_offset(FIRST_HOUR, zone)]
    before = FIRST_HOUR
    for hour in range(FIRST_HOUR + 24, END_HOUR, 24):
        while _seconds(hour, zone) != offset[-1] * 3600:
            change = _first_change(before, hour, zone)
            changed_at.append(change)
            offset.append(_whole_offset(change, zone))
            before = change
        before = hour
    return np.array(changed_at, dtype=np.int64), np.array(offset, dtype=np.int64)


def _first_change(before: int, after: int, zone: tzinfo) -> int:
    """First hour after `before` with another offset; the change itself must lie on the hour."""
    held = _seconds(before, zone)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (middle, after) if _seconds(middle, zone) == held else (before, middle)
    if _offset_at(3600 * after - 1, zone) != held:
        raise ConfigurationError(
            f"zone {zone} cannot be used for local days: its offset changed inside the hour before "
            f"{_hour_text(after)}, and consumption is kept by whole UTC hours"
        )
    return after


def _whole_offset(hour: int, zone: tzinfo) -> int:
    hours, rest = divmod(_seconds(hour, zone), 3600)
    if rest:
        raise ConfigurationError(
            f"zone {zone} cannot be used for local days: at {_hour_text(hour)} its offset from UTC is "
            f"{_seconds(hour, zone) / 3600:+.2f} h, and consumption is kept by whole UTC hours"
        )
    return hours


def _seconds(hour: int, zone: tzinfo) -> int:
    return _offset_at(3600 * hour, zone)


def _offset_at(instant_s: int, zone: tzinfo) -> int:
    offset = datetime.fromtimestamp(instant_s, zone).utcoffset()
    if offset is None:
        raise ConfigurationError(f"zone {zone} has no offset from UTC, so its local days are unknown")
    return round(offset.total_seconds())


def _hour_text(hour: int) -> str:
    return f"{datetime.fromtimestamp(3600 * hour, UTC):%Y-%m-%d %H:%M} UTC"
