"""Facts repeated in several rows about one unit, point or meter: consistency, and defaults if none is given."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from analytics.domain.ledger.draft import Draft
from analytics.domain.ledger.faults import LedgerFault
from analytics.domain.ledger.rows import Cells, LedgerRows, TextColumn
from analytics.domain.ledger.schema import COLUMNS, Belongs
from analytics.domain.verification import completed

__all__ = ["contradictions", "filled", "first_given"]

Index = NDArray[np.int64]
Mask = NDArray[np.bool_]

_UNIT_FACTS = tuple(spec.name for spec in COLUMNS.values() if spec.belongs is Belongs.UNIT and spec.name != "unit_code")
_POINT_FACTS = tuple(spec.name for spec in COLUMNS.values() if spec.belongs is Belongs.POINT and spec.name != "point")


def first_given(owner: NDArray[np.integer], given: Mask, line: Index, owners: int) -> Index:
    """For each owner its earliest row of the file with something given, -1 where none has; (owners,) int64."""
    first = np.full(owners, -1, np.int64)
    index = np.flatnonzero(given)
    index = index[np.lexsort((line[index], owner[index]))]
    found, place = np.unique(owner[index], return_index=True)
    first[found] = index[place]
    return first


def _differing(cells: Cells, owner: NDArray[np.integer], given: Mask, first: Index) -> Mask:
    """Rows whose value differs from that in their owner's first row."""
    values = cells.codes if isinstance(cells, TextColumn) else cells
    if len(first) == 0:
        return np.zeros(len(given), np.bool_)
    return np.asarray(given & (values != values[first[owner]]), np.bool_)


def _contradicting(
    draft: Draft, name: str, owner: NDArray[np.integer], given: Mask, owners: int
) -> Iterator[LedgerFault]:
    first = first_given(owner, given, draft.line, owners)
    differing = _differing(draft.rows.columns[name], owner, given, first)

    def required(row: int) -> str:
        other = int(first[owner[row]])
        return f"{draft.cell(name, other)} as in row {draft.line[other]}"

    return draft.faults(name, differing, required)


def contradictions(draft: Draft) -> Iterator[LedgerFault]:
    """Rows that contradict an earlier row about the same unit, point or meter."""
    grouping, found = draft.grouping, draft.meters
    units, points = len(grouping.unit_row), len(grouping.point_row)
    for name in _UNIT_FACTS:
        yield from _contradicting(draft, name, grouping.row_unit, draft.given[name], units)
    if points < len(draft.line):
        for name in _POINT_FACTS:
            yield from _contradicting(draft, name, grouping.row_point, draft.given[name], points)
    meter_of = np.zeros(len(draft.line), np.int64)
    meter_of[found.installed_row] = found.installed_meter
    given = draft.given["serial_no"] & draft.has_meter & ~_at_one_point(draft, meter_of, len(found.row))
    yield from _contradicting(draft, "serial_no", meter_of, given, len(found.row))


def _at_one_point(draft: Draft, meter_of: NDArray[np.int64], meters: int) -> Mask:
    """Rows of management numbers that stand at one point only.

    Plants give a replaced meter the number of the one before: two rows, two serial numbers, one point.
    """
    row, point = np.flatnonzero(draft.has_meter), draft.grouping.row_point
    low, high = np.full(meters, np.iinfo(np.int64).max), np.full(meters, -1)
    np.minimum.at(low, meter_of[row], point[row])
    np.maximum.at(high, meter_of[row], point[row])
    alone = np.zeros(len(draft.line), np.bool_)
    alone[row] = (low == high)[meter_of[row]]
    return alone


def _spread(cells: Cells, owner: NDArray[np.integer], first: Index) -> Cells:
    """The first row's value in all rows of an owner, where some row has one."""
    source = first[owner]
    source = np.where(source < 0, np.arange(len(owner)), source)
    return cells.take(source) if isinstance(cells, TextColumn) else cells[source]


def _defaulted(text: TextColumn, default: TextColumn) -> TextColumn:
    """`default` where `text` is empty, row by row."""
    codes = np.where(text.codes == text.code_of(""), default.codes + len(text.values), text.codes)
    return TextColumn.normalised(codes, text.values + default.values)


def filled(draft: Draft) -> LedgerRows:
    """Rows in which what one of them states stands in all, and defaults where none states anything.

    A unit without a name is called by its code, flow goes in, a meter's multiplier is 1, and of the three facts of a
    verification the third follows from two.
    """
    grouping = draft.grouping
    columns: dict[str, Cells] = dict(draft.rows.columns)
    units, points = len(grouping.unit_row), len(grouping.point_row)
    for fact in _UNIT_FACTS:
        first = first_given(grouping.row_unit, draft.given[fact], draft.line, units)
        columns[fact] = _spread(columns[fact], grouping.row_unit, first)
    name = columns["unit_name"]
    columns["unit_name"] = _defaulted(name, draft.rows.text("unit_code")) if isinstance(name, TextColumn) else name
    if points < len(draft.line):
        for fact in _POINT_FACTS:
            first = first_given(grouping.row_point, draft.given[fact], draft.line, points)
            columns[fact] = _spread(columns[fact], grouping.row_point, first)
    direction = columns["direction"]
    if isinstance(direction, TextColumn):
        inward = TextColumn(np.zeros(len(direction), np.int32), ("in",))
        columns["direction"] = _defaulted(direction, inward)
    multiplier = draft.rows.number("multiplier")
    columns["multiplier"] = np.where(np.isnan(multiplier) & draft.has_meter, 1.0, multiplier)
    columns["verified_on"], columns["cycle_months"], columns["verification_due"] = completed(
        draft.rows.day("verified_on"), draft.rows.number("cycle_months"), draft.rows.day("verification_due")
    )
    return LedgerRows.of(columns)
