"""A point has at most one meter at an instant, a meter is at most at one point, and both count one quantity."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.domain.ledger.agreement import first_given
from analytics.domain.ledger.draft import Draft
from analytics.domain.ledger.faults import LedgerFault
from analytics.domain.ledger.schema import OPEN_END
from analytics.domain.units import unit_of

__all__ = ["Overlaps", "occupancy_faults", "overlaps"]

Index = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Overlaps(NamedTuple):
    """Intervals that begin before an earlier one of their owner has ended: their indices, and that earlier one's."""

    later: Index
    earlier: Index


def overlaps(owner: NDArray[np.integer], start: Index, end: Index) -> Overlaps:
    """Half-open intervals of one owner that overlap an earlier one.

    Parameters
    ----------
    owner : (n,) int
        Whose interval it is.
    start, end : (n,) int64
        With start < end. [µs]

    Examples
    --------
    >>> overlaps(np.array([7, 7, 7]), np.array([20, 0, 10]), np.array([30, 11, 20]))
    Overlaps(later=array([2]), earlier=array([1]))
    """
    order = np.lexsort((start, owner))
    who, begin = owner[order], start[order]
    new = np.ones(len(order), np.bool_)
    new[1:] = who[1:] != who[:-1]
    ranks = np.unique(end[order], return_inverse=True)[1]
    keys = np.cumsum(new) * (len(order) + 1) + ranks  # ends of one owner, above all of the owners before
    furthest = np.maximum.accumulate(keys)
    holder = np.maximum.accumulate(np.where(keys == furthest, np.arange(len(order)), 0))
    inside = np.zeros(len(order), np.bool_)
    inside[1:] = ~new[1:] & (begin[1:] < end[order][holder[:-1]])
    later = np.flatnonzero(inside)
    return Overlaps(order[later], order[holder[later - 1]])


def _duplicates(draft: Draft) -> tuple[Index, Index]:
    """Rows that repeat point, meter and start of the row that the file has first, and that row."""
    start, meter = draft.rows.instant("installed_from"), draft.rows.text("meter_no").codes
    point = draft.grouping.row_point
    new = np.ones(len(point), np.bool_)
    new[1:] = (point[1:] != point[:-1]) | (start[1:] != start[:-1]) | (meter[1:] != meter[:-1])
    dated = draft.given["installed_from"] | ~draft.has_meter
    head = np.flatnonzero(new)[np.cumsum(new) - 1] if len(new) else np.empty(0, np.int64)
    again = np.flatnonzero(~new & dated & ~draft.bad["meter_no"])
    return again, head[again]


def one_row_each(draft: Draft) -> Iterator[LedgerFault]:
    """One row per installation, one per point without a meter, and none of both at one point."""
    again, first = _duplicates(draft)
    same = dict(zip(again.tolist(), first.tolist(), strict=True))
    metered = draft.has_meter[again]
    yield from draft.faults(
        "installed_from",
        again[metered],
        lambda row: f"one row per installation (row {draft.line[same[row]]} is the same)",
    )
    yield from draft.faults(
        "point",
        again[~metered],
        lambda row: f"one row per point without a meter (row {draft.line[same[row]]} is the same)",
    )
    owner, points = draft.grouping.row_point, len(draft.grouping.point_row)
    with_meter = first_given(owner, draft.has_meter, draft.line, points)
    nameless = ~draft.has_meter & ~draft.bad["meter_no"] & (with_meter[owner] >= 0)
    yield from draft.faults(
        "meter_no",
        nameless,
        lambda row: f"a meter, or no such row: row {draft.line[with_meter[owner[row]]]} has the point's meter",
    )


def one_at_a_time(draft: Draft) -> Iterator[LedgerFault]:
    """No two meters at a point at an instant, no meter at two points."""
    start, end = draft.rows.instant("installed_from"), draft.rows.instant("installed_to")
    whole = draft.has_meter & draft.given["installed_from"] & ~draft.bad["installed_to"] & (start < end)
    whole[_duplicates(draft)[0]] = False
    row = np.flatnonzero(whole)
    point = draft.grouping.row_point[row]
    meter = np.zeros(len(draft.line), np.int32)
    meter[draft.meters.installed_row] = draft.meters.installed_meter
    at_point = overlaps(point, start[row], end[row])
    yield from _overlapping(draft, row[at_point.later], row[at_point.earlier], "one meter at a point at a time")
    of_meter = overlaps(meter[row], start[row], end[row])
    apart = point[of_meter.later] != point[of_meter.earlier]
    yield from _overlapping(
        draft, row[of_meter.later[apart]], row[of_meter.earlier[apart]], "a meter at one point at a time"
    )


def _overlapping(draft: Draft, later: Index, earlier: Index, rule: str) -> Iterator[LedgerFault]:
    other = dict(zip(later.tolist(), earlier.tolist(), strict=True))
    end = draft.rows.instant("installed_to")

    def required(row: int) -> str:
        holder = other[row]
        until = "has no end" if end[holder] == OPEN_END else f"ends {draft.cell('installed_to', holder)}"
        return f"{rule} (row {draft.line[holder]} {until})"

    def got(row: int) -> str:
        return f"meter {draft.cell('meter_no', row)} from {draft.cell('installed_from', row)}"

    yield from draft.faults("installed_from", later, required, got)


def serials_differ(draft: Draft) -> Iterator[LedgerFault]:
    """No two meters of a unit bear one maker's serial number."""
    serial, maker = draft.rows.text("serial_no").codes, draft.rows.text("manufacturer").codes
    row = np.flatnonzero(draft.has_meter & draft.given["serial_no"])
    label = draft.grouping.row_unit[row].astype(np.int64)
    for codes in (serial, maker):
        label = label * (int(codes.max()) + 1) + codes[row]
    owner = np.zeros(len(draft.line), np.int64)
    distinct, owner[row] = np.unique(label, return_inverse=True)
    given = np.zeros(len(draft.line), np.bool_)
    given[row] = True
    first = first_given(owner, given, draft.line, len(distinct))
    meter = draft.rows.text("meter_no")
    twice = given & (meter.codes != meter.codes[first[owner]]) if len(first) else given
    yield from draft.faults(
        "serial_no",
        twice,
        lambda row: f"a serial number of its own (row {draft.line[first[owner[row]]]} has it for another meter)",
    )


def one_quantity(draft: Draft) -> Iterator[LedgerFault]:
    """All meters that a point ever had count the same quantity."""
    matrix = draft.matrix()
    canonical = matrix.canonical[draft.rows.text("carrier").codes, draft.rows.text("unit").codes]
    known = draft.has_meter & (canonical != 0)
    owner, points = draft.grouping.row_point, len(draft.grouping.point_row)
    first = first_given(owner, known, draft.line, points)
    other = known & (canonical != canonical[first[owner]])

    def required(row: int) -> str:
        holder = int(first[owner[row]])
        return f"a unit that converts to {unit_of(int(canonical[holder]))} as in row {draft.line[holder]}"

    yield from draft.faults("unit", other, required)


def occupancy_faults(draft: Draft) -> Iterator[LedgerFault]:
    """Everything wrong with what is where from when to when."""
    if len(draft.line) == 0:
        return
    yield from one_row_each(draft)
    yield from one_at_a_time(draft)
    yield from serials_differ(draft)
    yield from one_quantity(draft)
