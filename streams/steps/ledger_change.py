"""A partition's state under a corrected ledger, and which points' past the correction touches."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from analytics.columns.register import NEVER
from analytics.domain.ledger import Ledger
from streams.steps.recompute import FOREVER, Changed, Ints, seeded
from streams.steps.state import PartitionState

__all__ = ["switch"]


def switch(
    state: PartitionState, ledger: Ledger, asked: Mapping[int, int] = MappingProxyType({})
) -> tuple[PartitionState, Changed]:
    """The state under another ledger, and the points whose past the change touches.

    Points keep their state where their installations are as they were, or differ only after their newest reading;
    for the others run `recompute_changed` (in portions if they are many) and apply what it returns.

    Parameters
    ----------
    ledger : Ledger
        The newer ledger, of this partition's units.
    asked : mapping of int to int
        Points of it that a person wants to be worked out again, and since when. [us since 1970 UTC]
    """
    fresh = PartitionState.empty(ledger, partition=state.partition, partitions=state.partitions, rules=state.rules)
    fresh.register_names = state.register_names
    fresh.former = state.former
    old_of = _same_points(state.ledger, ledger)
    known = np.flatnonzero(old_of >= 0)
    fresh.points[known] = state.points[old_of[known]]
    fresh.health[known] = state.health[old_of[known]]
    fresh.further = state.further.carry(*_moved(state.ledger, ledger, old_of))
    since = _first_difference(state.ledger, ledger, old_of)
    for place, instant in asked.items():
        since[place] = min(int(since[place]), instant)
    seen = fresh.points["seen_at"]
    _renumber(fresh, state.ledger, old_of)
    moved = _points_of_known_meters(state.ledger, ledger, old_of)
    touched = ((since < FOREVER) & (seen != NEVER) & (since <= seen)) | moved
    point = np.flatnonzero(touched).astype(np.int32)
    fresh.points[point] = seeded(fresh, point, np.ones(len(point), np.bool_))
    newest = int(state.points["seen_at"].max(initial=NEVER))
    return fresh, Changed(point=point, since_us=since[point], until_us=newest)


def _keys(ledger: Ledger) -> dict[tuple[str, str], int]:
    units = [ledger.unit_codes[i] for i in ledger.point_unit.tolist()]
    return dict(zip(zip(units, ledger.point_codes, strict=True), range(len(units)), strict=True))


def _same_points(old: Ledger, new: Ledger) -> NDArray[np.int64]:
    """Index in the old ledger of each point of the new one, -1 for a new point."""
    before = _keys(old)
    return np.fromiter((before.get(key, -1) for key in _keys(new)), np.int64, len(new.point_codes))


_FACTS = (
    "installed_from", "factor", "multiplier", "unit", "full_scale", "max_rate", "interval_us", "first_reading",
)  # fmt: skip


def _first_difference(old: Ledger, new: Ledger, old_of: NDArray[np.int64]) -> Ints:
    """For each point of the new ledger the earliest instant from which its installations differ."""
    since = np.full(len(old_of), FOREVER)
    a, b = old.installations, new.installations
    for p, q in enumerate(old_of.tolist()):
        mine = range(*new.point_installation_start[p : p + 2].tolist())
        if q < 0:
            if mine:
                since[p] = b.installed_from[mine[0]]
            continue
        theirs = range(*old.point_installation_start[q : q + 2].tolist())
        for i in range(max(len(mine), len(theirs))):
            if i >= len(mine) or i >= len(theirs):
                since[p] = b.installed_from[mine[i]] if i < len(mine) else a.installed_from[theirs[i]]
                break
            j, k = theirs[i], mine[i]
            same_meter = old.meter_nos[a.meter[j]] == new.meter_nos[b.meter[k]]
            if not same_meter or any(not _equal(getattr(a, f)[j], getattr(b, f)[k]) for f in _FACTS):
                since[p] = min(a.installed_from[j], b.installed_from[k])
                break
            if a.installed_to[j] != b.installed_to[k] or not _equal(a.last_reading[j], b.last_reading[k]):
                since[p] = min(a.installed_to[j], b.installed_to[k])
                break
    return since


def _equal(x: float, y: float) -> bool:
    return bool(x == y) or (bool(x != x) and bool(y != y))  # noqa: PLR0124 - NaN equals NaN here


def _renumber(fresh: PartitionState, old: Ledger, old_of: NDArray[np.int64]) -> None:
    """Let kept states point at the new ledger's installations and meters."""
    points = fresh.points
    fresh.health["meter"] = _same_meters(old, fresh.ledger, fresh.health["meter"])
    live = np.flatnonzero((old_of >= 0) & (points["installation"] >= 0))
    if not live.size:
        return
    ordinal = points["installation"][live] - old.point_installation_start[old_of[live]]
    count = fresh.ledger.point_installation_start[live + 1] - fresh.ledger.point_installation_start[live]
    k = fresh.ledger.point_installation_start[live] + np.minimum(ordinal, np.maximum(count - 1, 0))
    points["installation"][live] = np.where(count > 0, k, -1)


def _moved(old: Ledger, new: Ledger, old_of: NDArray[np.int64]) -> tuple[Ints, Ints]:
    """Index in the new ledger of each point and each meter of the old one, -1 where it has them no more."""
    point = np.full(len(old.point_codes), -1, np.int64)
    known = np.flatnonzero(old_of >= 0)
    point[old_of[known]] = known
    meter = _same_meters(old, new, np.arange(len(old.meter_nos), dtype=np.int32)).astype(np.int64)
    return point, meter


def _same_meters(old: Ledger, new: Ledger, meter: NDArray[np.int32]) -> NDArray[np.int32]:
    """Index in the new ledger of meters of the old one, -1 where it has them no more."""
    found = meter.copy()
    for i in np.flatnonzero(meter >= 0).tolist():
        unit = old.unit_codes[old.meter_unit[meter[i]]]
        found[i] = new.meter_index(unit).get(old.meter_nos[meter[i]], -1)
    return found


def _points_of_known_meters(old: Ledger, new: Ledger, old_of: NDArray[np.int64]) -> NDArray[np.bool_]:
    """New points at which a meter stands that the old ledger had elsewhere: its readings are stored already."""
    moved = np.zeros(len(old_of), bool)
    for p in np.flatnonzero(old_of < 0).tolist():
        a, b = new.point_installation_start[p : p + 2].tolist()
        index = old.meter_index(new.unit_codes[new.point_unit[p]])
        moved[p] = any(new.meter_nos[m] in index for m in new.installations.meter[a:b].tolist())
    return moved
