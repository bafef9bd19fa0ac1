"""The collection-point network: every point has its level and carrier, and its parents lead up to the unit's edge."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from analytics.domain.ledger.agreement import first_given
from analytics.domain.ledger.derive import parents
from analytics.domain.ledger.draft import Draft
from analytics.domain.ledger.faults import LedgerFault, shown
from analytics.domain.ledger.rows import TextColumn

__all__ = ["network_faults", "on_a_cycle"]

Index = NDArray[np.int64]
Mask = NDArray[np.bool_]

_SUB_UNIT_AT = {"unit": False, "sub_unit": True}
_EQUIPMENT_AT = {"unit": False, "sub_unit": False, "equipment": True}


def _speaker(draft: Draft, name: str) -> Index:
    """For each point the row that states a fact, or its first row in the file where none does; (p,) int64."""
    owner, points = draft.grouping.row_point, len(draft.grouping.point_row)
    stated = first_given(owner, draft.given[name], draft.line, points)
    anyone = first_given(owner, np.ones(len(owner), np.bool_), draft.line, points)
    return np.where(stated < 0, anyone, stated)


def _nowhere(draft: Draft, name: str) -> Mask:
    """Points of which no row states a fact, and none tries to; (p,) bool."""
    owner, points = draft.grouping.row_point, len(draft.grouping.point_row)
    tried = draft.given[name] | draft.bad[name]
    return first_given(owner, np.asarray(tried, np.bool_), draft.line, points) < 0


def _point_text(draft: Draft, name: str) -> TextColumn:
    return draft.rows.text(name).take(draft.grouping.point_row)


def points_whole(draft: Draft) -> Iterator[LedgerFault]:
    """Every point has a level and a carrier."""
    for name in ("level", "carrier"):
        nowhere = _nowhere(draft, name)
        yield from draft.faults(name, _speaker(draft, name)[nowhere], "a value in one of the point's rows")


def levels_named(draft: Draft) -> Iterator[LedgerFault]:
    """A sub-unit's point names its sub-unit, equipment its equipment; both are empty above their level."""
    level = _point_text(draft, "level")
    for name, expected in (("sub_unit", _SUB_UNIT_AT), ("equipment", _EQUIPMENT_AT)):
        column = _point_text(draft, name)
        named = column.codes != column.code_of("")
        nowhere = _nowhere(draft, name)
        for word, needed in expected.items():
            here = level.codes == level.code_of(word)
            if needed:
                wrong = here & nowhere
                required = f"a name where level is {word}"
            else:
                wrong = here & named
                required = f"nothing where level is {word}"
            yield from draft.faults(name, _speaker(draft, name)[wrong], required)


def on_a_cycle(parent: NDArray[np.int32]) -> Mask:
    """Points whose chain of parents comes back to them.

    Parameters
    ----------
    parent : (p,) int32
        Index of each point's parent, -1 at the top.

    Examples
    --------
    >>> on_a_cycle(np.array([1, 2, 1, -1, 3], np.int32)).tolist()
    [False, True, True, False, False]
    """
    points = len(parent)
    reached = np.append(np.where(parent < 0, points, parent), points)  # the extra place is "above the top"
    for _ in range(max(points, 1).bit_length()):  # after k rounds: 2^k steps up
        reached = reached[reached]
    cyclic = np.zeros(points + 1, np.bool_)
    cyclic[reached] = True
    return cyclic[:points]


def parents_known(draft: Draft) -> Iterator[LedgerFault]:
    """A parent is another point of the same unit, of the same carrier, and no point is its own ancestor."""
    parent_name = _point_text(draft, "parent_point")
    parent = parents(draft.rows, draft.grouping)
    row = _speaker(draft, "parent_point")
    lost = (parent_name.codes != parent_name.code_of("")) & (parent < 0) & draft.given["unit_code"][row]
    elsewhere = _units_by_point(draft, {parent_name.values[code] for code in np.unique(parent_name.codes[lost])})

    def required(index: int) -> str:
        name = draft.rows.text("parent_point").values[draft.rows.text("parent_point").codes[index]]
        units = elsewhere.get(name)
        return f"a point of the same unit (that one is of unit {units})" if units else "a point of the same unit"

    yield from draft.faults("parent_point", row[lost], required)
    cyclic = on_a_cycle(parent)
    yield from draft.faults("parent_point", row[cyclic], "no way back to the point itself: a tree")
    carrier = _point_text(draft, "carrier")
    other = (parent >= 0) & ~cyclic & (carrier.codes != carrier.codes[parent])
    other &= (carrier.codes != carrier.code_of("")) & (carrier.codes[parent] != carrier.code_of(""))
    of_parent = dict(zip(row.tolist(), carrier.codes[parent].tolist(), strict=True))
    yield from draft.faults(
        "parent_point",
        row[other],
        lambda index: f"a parent of the same carrier (that one's is {carrier.values[of_parent[index]]})",
    )


def _units_by_point(draft: Draft, names: set[str]) -> dict[str, str]:
    """First unit that has a point of each of these names."""
    point, unit = _point_text(draft, "point"), draft.rows.text("unit_code").take(draft.grouping.point_row)
    codes = [code for code in map(point.code_of, names) if code >= 0]
    known = np.isin(point.codes, codes) & draft.given["unit_code"][draft.grouping.point_row]
    rows = np.flatnonzero(known)[::-1].tolist()
    return {point.values[point.codes[row]]: shown(unit.values[unit.codes[row]]) for row in rows}


def network_faults(draft: Draft) -> Iterator[LedgerFault]:
    """Everything wrong with the points and what hangs below them."""
    if len(draft.line) == 0:
        return
    yield from points_whole(draft)
    yield from levels_named(draft)
    yield from parents_known(draft)
