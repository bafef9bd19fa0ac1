"""The hour that a local clock has twice, distinguished by the register.

Where summer time ends, times without an offset name each instant of an hour twice. Files are written oldest first or
newest first, so their order says nothing by itself; a register only rises, so of two readings of one wall time the
lower is the earlier.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo

import numpy as np
from numpy.typing import NDArray

from analytics.domain.instants import US_PER_DAY
from analytics.domain.quality import ReadingFlag
from ingest.wire.block import Block

__all__ = ["part_repeated_hours", "repeated_hours"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def repeated_hours(days: NDArray[np.int64], zone: tzinfo) -> list[tuple[int, int]]:
    """When a zone's clock is put back on some UTC days, and by how much: `(instant, by)`. [µs]

    Examples
    --------
    >>> from zoneinfo import ZoneInfo
    >>> day = np.array([18_560])  # 2020-10-25
    >>> [(at // 3_600_000_000 % 24, by // 60_000_000) for at, by in repeated_hours(day, ZoneInfo("Europe/London"))]
    [(1, 60)]
    >>> repeated_hours(day, ZoneInfo("Asia/Shanghai"))
    []
    """
    found = []
    for day in days.tolist():
        start = _EPOCH + timedelta(days=day)
        low, high = 0, 86_400
        before = _offset(start, zone)
        after = _offset(start + timedelta(seconds=high), zone)
        if after >= before:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _offset(start + timedelta(seconds=middle), zone) == before else (low, middle)
        found.append((day * US_PER_DAY + high * 1_000_000, round((before - after) / timedelta(microseconds=1))))
    return found


def _offset(at: datetime, zone: tzinfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


def part_repeated_hours(block: Block, zone: tzinfo) -> Block:
    """The readings with the later of two of one wall time at the second time that the clock showed it.

    Parameters
    ----------
    block : Block
        Times that came without an offset are the first of the two instants, and marked so in `quality`.
    zone : tzinfo
        Of these times.
    """
    assumed = np.flatnonzero(block.quality & np.int16(ReadingFlag.ZONE_ASSUMED))
    if not assumed.size:
        return block
    at = block.measured_at[assumed]
    moved = block.measured_at.copy()
    for instant, by in repeated_hours(np.unique(at // US_PER_DAY), zone):
        here = assumed[(at >= instant - by) & (at < instant)]
        keys = block.meter[here].astype(np.int64) * 256 + block.unit[here]
        for key in np.unique(keys).tolist():
            mine = here[keys == key]
            moved[mine[_second(block.measured_at[mine], block.value[mine])]] += by
    return block if np.array_equal(moved, block.measured_at) else replace(block, measured_at=moved)


def _second(at: NDArray[np.int64], value: NDArray[np.float64]) -> NDArray[np.int64]:
    """Which of one register's readings in the repeated hour are of its second time."""
    order = np.lexsort((value, at))
    first = np.ones(len(order), np.bool_)
    first[1:] = at[order][1:] != at[order][:-1]
    counts = np.diff(np.append(np.flatnonzero(first), len(order)))
    second = ~first
    if not second.any() or counts.max() > 2:
        return order[:0]
    # a reading that came alone is of the second time where the register stood there no lower than at a second one
    alone = first & np.append(first[1:], True)
    second |= alone & (value[order] >= value[order][second].min())
    return order[second]
