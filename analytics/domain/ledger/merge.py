"""A newer ledger over the one in force: what it changes, from when, and what it must not lose."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from analytics.domain.ledger.derive import UnitMatrix, group
from analytics.domain.ledger.faults import LedgerFault, shown
from analytics.domain.ledger.model import Ledger
from analytics.domain.ledger.rows import LedgerRows, TextColumn

__all__ = ["DIAL_FACTS", "GROUPING_FACTS", "Changes", "merge", "paired"]

Index = NDArray[np.int64]
Mask = NDArray[np.bool_]

DIAL_FACTS = ("multiplier", "full_scale", "max_rate", "interval_s", "first_reading")
GROUPING_FACTS = (
    "level",
    "sub_unit",
    "equipment",
    "carrier",
    "direction",
    "parent_point",
    "parent_complete",
    "required",
    "exemption",
)
_MISSING = "no such row"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Changes:
    """What a newer ledger changes, in the indices of the merged one.

    Attributes
    ----------
    point : (c,) int32
        Points whose consumption must be computed anew, ascending; new points are among them.
    since : (c,) int64
        From when: facts differ from this instant on. Where only an end or last reading changed it is the earlier end,
        so that the interval that reaches across it is to be computed anew as well. [µs since 1970-01-01 UTC]
    regrouped : (r,) int32
        Points that moved to another total, level or balance; their consumption is unaffected.
    added_units, replaced_units : tuple of str
        Codes of units that were not there, and of those that were.
    added, changed : int
        Numbers of new and of changed installations.
    withdrawn : tuple of str
        Installations withdrawn as never having existed, as text for a person.
    """

    point: NDArray[np.int32]
    since: NDArray[np.int64]
    regrouped: NDArray[np.int32]
    added_units: tuple[str, ...]
    replaced_units: tuple[str, ...]
    added: int
    changed: int
    withdrawn: tuple[str, ...]

    @classmethod
    def none(cls) -> "Changes":
        """Nothing changed."""
        nothing = np.empty(0, np.int32)
        return cls(
            point=nothing,
            since=np.empty(0, np.int64),
            regrouped=nothing,
            added_units=(),
            replaced_units=(),
            added=0,
            changed=0,
            withdrawn=(),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Rows of two ledgers side by side: `before[i]` and `after[i]` are the same installation or point."""

    before: Index
    after: Index


@dataclass(frozen=True, slots=True, eq=False)
class _Compared(_Pairs):
    """And the rows without a counterpart: `gone` of the former, `added` of the latter."""

    gone: Index
    added: Index


def paired(both: LedgerRows, split: int) -> _Compared:
    """Pair the first `split` rows with the others by unit, point, meter and start."""
    newer = np.arange(len(both)) >= split
    keys = (
        both.text("meter_no").codes,
        both.instant("installed_from"),
        both.text("point").codes,
        both.text("unit_code").codes,
    )
    order = np.lexsort((newer, *keys))
    same = np.ones(max(len(order) - 1, 0), np.bool_)
    for key in keys:
        same &= key[order][1:] == key[order][:-1]
    head = np.flatnonzero(same)
    single = np.ones(len(order), np.bool_)
    single[head] = False
    single[head + 1] = False
    alone = order[single]
    return _Compared(order[head], order[head + 1], np.sort(alone[alone < split]), np.sort(alone[alone >= split]))


def _differs(both: LedgerRows, name: str, pairs: _Pairs) -> Mask:
    cells = both.columns[name]
    values = cells.codes if isinstance(cells, TextColumn) else cells
    before, after = values[pairs.before], values[pairs.after]
    differs = before != after
    if values.dtype.kind == "f":
        differs &= ~(np.isnan(before) & np.isnan(after))
    return np.asarray(differs, np.bool_)


def _consumption_since(both: LedgerRows, pairs: _Compared) -> tuple[Index, Index, int]:
    """Rows of the newer ledger that change consumption, from when, and how many of them are new."""
    start, end = both.instant("installed_from"), both.instant("installed_to")
    carrier, unit = both.text("carrier"), both.text("unit")
    matrix = UnitMatrix.of(carrier.values, unit.values)
    canonical = matrix.canonical[carrier.codes, unit.codes]
    inside = (canonical[pairs.before] != canonical[pairs.after]) | _differs(both, "unit", pairs)
    for name in DIAL_FACTS:
        inside |= _differs(both, name, pairs)
    at_end = _differs(both, "installed_to", pairs) | _differs(both, "last_reading", pairs)
    moved = inside | at_end
    earlier_end = np.minimum(end[pairs.before], end[pairs.after])
    since = np.where(inside, start[pairs.after], earlier_end)[moved]
    has_meter = both.text("meter_no").codes != both.text("meter_no").code_of("")
    added = pairs.added[has_meter[pairs.added]]
    return np.concatenate([pairs.after[moved], added]), np.concatenate([since, start[added]]), len(added)


def _withdrawn(both: LedgerRows, gone: Index, place: Index, split: int) -> tuple[Index, Index]:
    """Rows of installations that are no more, and for each a row of the newer ledger at the same point."""
    row = gone[both.text("meter_no").codes[gone] != both.text("meter_no").code_of("")]
    order = np.argsort(place[split:], kind="stable")
    return row, order[np.searchsorted(place[split:][order], place[row])] + split


def _regrouped(both: LedgerRows, place: Index, split: int) -> Index:
    """Rows of the newer ledger whose point stands elsewhere in the unit than before."""
    old, old_first = np.unique(place[:split], return_index=True)
    new, new_first = np.unique(place[split:], return_index=True)
    _, before, after = np.intersect1d(old, new, assume_unique=True, return_indices=True)
    pairs = _Pairs(old_first[before], new_first[after] + split)
    moved = np.zeros(len(pairs.after), np.bool_)
    for name in GROUPING_FACTS:
        moved |= _differs(both, name, pairs)
    return pairs.after[moved]


def _when(us: int) -> str:
    return (_EPOCH + timedelta(microseconds=us)).isoformat()


def _places(both: LedgerRows) -> Index:
    """Number of each row's point, the same for the same point of both ledgers."""
    unit, point = both.text("unit_code"), both.text("point")
    return unit.codes.astype(np.int64) * max(len(point.values), 1) + point.codes


def _lost(both: LedgerRows, gone: Index, stays: Mask, *, correct: bool) -> Iterator[LedgerFault]:
    """Installations and points that were loaded and that the newer ledger must name and does not."""
    has_meter = both.text("meter_no").codes != both.text("meter_no").code_of("")
    for row, point_stays in zip(gone.tolist(), stays.tolist(), strict=True):
        if has_meter[row] and not correct:
            advice = "(end it with installed_to; where it was never so, load the file as a correction)"
            yield LedgerFault(0, "meter_no", f"the row of {_installation(both, row)}, loaded before {advice}", _MISSING)
        elif not point_stays:
            advice = "(where it need not be metered any more, say required = no and why)"
            yield LedgerFault(0, "point", f"{_point_named(both, row)}, loaded before {advice}", _MISSING)


def _point_named(both: LedgerRows, row: int) -> str:
    unit, point = both.text("unit_code"), both.text("point")
    return f"point {shown(point.values[point.codes[row]])} of unit {shown(unit.values[unit.codes[row]])}"


def _installation(both: LedgerRows, row: int) -> str:
    meter = both.text("meter_no")
    start = _when(int(both.instant("installed_from")[row]))
    return f"meter {shown(meter.values[meter.codes[row]])} at {_point_named(both, row)} from {start}"


def _in_merged(merged: Ledger, newer: Ledger) -> NDArray[np.int32]:
    """Index in the merged ledger of each row's point of the newer one."""
    units = np.array([merged.unit_index[code] for code in newer.unit_codes], np.int64)
    shift = merged.unit_point_start[units] - newer.unit_point_start[:-1]
    row_point = group(newer.rows).row_point
    return (row_point + shift[newer.point_unit[row_point]]).astype(np.int32)


def merge(current: Ledger, newer: Ledger, *, correct: bool = False) -> tuple[Ledger, list[LedgerFault], Changes]:
    """Ledger in which `newer` replaces the units that it names, and the others stay.

    A file holds the whole ledger of the units it names, so an installation (unit, point, meter and start) that was
    loaded and is missing now is a fault, and so is a point: nothing is lost silently.

    Parameters
    ----------
    correct : bool
        Whether an installation that is missing now never was: its start, meter or point was typed wrong. It is
        withdrawn, and consumption since its start is to be computed anew. A missing point stays a fault.

    Returns
    -------
    Ledger
        Merged, or `current` where there are faults.
    list of LedgerFault
        What is missing, of row 0.
    Changes
        What must be computed anew, and from when.
    """
    replaced = [current.unit_index[code] for code in newer.unit_codes if code in current.unit_index]
    stays = np.ones(len(current.unit_codes), np.bool_)
    stays[replaced] = False
    row_unit = group(current.rows).row_unit
    before = current.rows.take(np.flatnonzero(~stays[row_unit]))
    split = len(before)
    both = before.joined(newer.rows)
    pairs = paired(both, split)
    place = _places(both)
    faults = list(_lost(both, pairs.gone, np.isin(place[pairs.gone], place[split:]), correct=correct))
    if faults:
        return current, faults, Changes.none()
    merged = Ledger.from_rows(current.rows.take(np.flatnonzero(stays[row_unit])).joined(newer.rows).in_order())
    point_of_row = _in_merged(merged, newer)
    row, since, added = _consumption_since(both, pairs)
    withdrawn, beside = _withdrawn(both, pairs.gone, place, split)
    owner = point_of_row[np.concatenate([row, beside]) - split]
    since = np.concatenate([since, both.instant("installed_from")[withdrawn]])
    order = np.lexsort((since, owner))
    point, first = np.unique(owner[order], return_index=True)
    had = {current.unit_codes[unit] for unit in replaced}
    changes = Changes(
        point=point,
        since=since[order][first],
        regrouped=np.unique(point_of_row[_regrouped(both, place, split) - split]),
        added_units=tuple(code for code in newer.unit_codes if code not in had),
        replaced_units=tuple(code for code in newer.unit_codes if code in had),
        added=added,
        changed=len(row) - added,
        withdrawn=tuple(_installation(both, one) for one in withdrawn.tolist()),
    )
    return merged, [], changes
