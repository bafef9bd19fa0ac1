"""What the balance says, in the words of the interchange files: gain changes as detections, verdicts as rows."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from analytics.columns.aggregation import PointHours
from analytics.domain.ledger import Ledger
from analytics.domain.quality import DetectionKind
from analytics.domain.units import unit_of
from analytics.drift.change import PARENT, ChangeState, GainChange
from analytics.drift.engine import advance, restart
from analytics.drift.groups import BalanceGroups
from analytics.drift.hours import GroupHours
from analytics.drift.state import BalanceState

__all__ = ["GainRow", "Replacement", "follow", "gain_rows", "last_words", "replacements"]

_HOUR_US = 3_600_000_000
_HOURS = 24
_SPAN_H = 31 * _HOURS


@dataclass(frozen=True, slots=True, kw_only=True)
class GainRow:
    """One detection of the balance, ready to be written.

    Attributes
    ----------
    point : int
        Index into the ledger's points; the parent's where no meter is named.
    meter : int or None
        Index into its meters; None where no meter is named.
    kind : DetectionKind
    started_at, detected_at : int
        [us since 1970-01-01 UTC]
    ended_at : int or None
        None while it stands. [us since 1970-01-01 UTC]
    magnitude : float or None
        Change of gain; -0.02 counts 2 % too little. [1]
    confidence : float
        Weight of this meter among all explanations. [1]
    evidence : mapping
        Intervals, energy, score, candidates; plain values for JSON.
    """

    point: int
    meter: int | None
    kind: DetectionKind
    started_at: int
    detected_at: int
    ended_at: int | None
    magnitude: float | None
    confidence: float
    evidence: dict[str, Any]

    def evidence_json(self) -> bytes:
        """The evidence as a JSON object."""
        return json.dumps(self.evidence, ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Replacement:
    """A meter of a balance that was replaced.

    Attributes
    ----------
    hour : int
        In which the new one began. [h since 1970-01-01 UTC]
    group : int
    child : int
        Index among all children, or `PARENT`.
    """

    hour: int
    group: int
    child: int


def replacements(ledger: Ledger, groups: BalanceGroups, *, first: int, end: int) -> tuple[Replacement, ...]:
    """Meters of balances that the ledger replaces from hour `first` up to `end`, in order of time."""
    made = ledger.installations
    group_of = groups.group_of
    places: dict[int, list[tuple[int, int]]] = {}
    for child, point in enumerate(groups.child.tolist()):
        places.setdefault(point, []).append((int(group_of[child]), child))
    for group, point in enumerate(groups.parent.tolist()):
        places.setdefault(point, []).append((group, PARENT))
    new = np.flatnonzero((made.point[1:] == made.point[:-1]) & (made.meter[1:] != made.meter[:-1])) + 1
    out = []
    for i in new.tolist():
        hour = int(made.installed_from[i]) // _HOUR_US
        if first <= hour < end:
            out += [Replacement(hour=hour, group=g, child=c) for g, c in places.get(int(made.point[i]), [])]
    return tuple(sorted(out))


def follow(state: BalanceState, ledger: Ledger, hours: PointHours, *, first: int, end: int) -> list[GainChange]:
    """Take a state through hours of points from `first` up to `end`; meters that are replaced are learnt anew.

    Parameters
    ----------
    state : BalanceState
        Changed in place; its groups are of `ledger`.
    ledger : Ledger
    hours : PointHours
        Settled hours, in any order.
    first, end : int
        Half open. [h since 1970-01-01 UTC]
    """
    changes: list[GainChange] = []
    order = np.argsort(hours.hour, kind="stable")
    sorted_hours = hours.take(order)
    due = list(replacements(ledger, state.groups, first=first, end=end))
    at = first
    while at < end:
        # the day of a replacement closes with the first hour of the next
        stop = min(at + _SPAN_H, end, (due[0].hour // _HOURS + 1) * _HOURS + 1 if due else end)
        stop = max(stop, at + 1)
        rows = slice(*np.searchsorted(sorted_hours.hour, [at, stop]).tolist())
        part = sorted_hours.take(np.arange(rows.start, rows.stop))
        changes += advance(state, GroupHours.from_points(state.groups, part, first=at, end=stop)).changes
        while due and (due[0].hour // _HOURS + 1) * _HOURS < stop:
            changes += restart(state, group=due[0].group, child=due[0].child)
            del due[0]
        at = stop
    return changes


def last_words(changes: Iterable[GainChange]) -> list[GainChange]:
    """Of each detection its last state, in the order in which they were opened."""
    last: dict[tuple[int, int, int, int], GainChange] = {}
    for change in changes:
        last[(change.group, change.child, int(change.kind), change.started_hour)] = change
    return list(last.values())


def gain_rows(changes: Iterable[GainChange], ledger: Ledger) -> list[GainRow]:
    """Detections of a balance as rows; each once, as it was last told."""
    return [_row(change, ledger) for change in last_words(changes)]


def _row(change: GainChange, ledger: Ledger) -> GainRow:
    named = math.isfinite(change.magnitude)
    ended = change.as_of_hour * _HOUR_US if change.state is ChangeState.CLOSED else None
    return GainRow(
        point=change.point,
        meter=_meter(ledger, change.point, change.detected_hour * _HOUR_US) if named else None,
        kind=change.kind,
        started_at=change.started_hour * _HOUR_US,
        detected_at=change.detected_hour * _HOUR_US,
        ended_at=ended,
        magnitude=change.magnitude if named else None,
        confidence=change.confidence,
        evidence=_evidence(change, ledger),
    )


def _meter(ledger: Ledger, point: int, at_us: int) -> int | None:
    """The meter that was there just before an instant."""
    made = ledger.installations
    rows = range(int(ledger.point_installation_start[point]), int(ledger.point_installation_start[point + 1]))
    there = [i for i in rows if made.installed_from[i] < at_us <= made.installed_to[i]]
    return int(made.meter[there[-1]]) if there else None


def _evidence(change: GainChange, ledger: Ledger) -> dict[str, Any]:
    found: dict[str, Any] = {
        "score": round(change.score, 2),
        "started_between": [change.started_low * 3600, change.started_high * 3600],
        "as_of": change.as_of_hour * 3600,
        "unit": unit_of(int(ledger.point_canonical[change.point])).symbol,
        "candidates": [
            {
                "point": ledger.point_codes[accused.point],
                "parent": accused.child == PARENT,
                "share": round(accused.share, 4),
                "magnitude": round(accused.magnitude, 5),
            }
            for accused in change.candidates
        ],
    }
    if math.isfinite(change.magnitude):
        found["magnitude_low"], found["magnitude_high"] = change.magnitude_low, change.magnitude_high
        found["energy"] = change.energy
        found["energy_low"], found["energy_high"] = change.energy_low, change.energy_high
    return found
