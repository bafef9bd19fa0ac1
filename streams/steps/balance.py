"""The energy balances of one unit, day after day: hours into the engine, what it finds as rows."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.columns.aggregation import PointHours
from analytics.domain.instants import US_PER_HOUR
from analytics.domain.ledger import Ledger
from analytics.domain.quality import DetectionKind
from analytics.domain.severity import Severity
from analytics.domain.units import unit_of
from analytics.drift.change import PARENT, UNMETERED, UNNAMED, Accused, BalanceDays, ChangeState, GainChange
from analytics.drift.engine import advance, conclude, restart
from analytics.drift.groups import BalanceGroups
from analytics.drift.hours import GroupHours
from analytics.drift.state import BalanceState
from analytics.health.sensitivity import SiteVerdict
from analytics.health.severity import severity_of
from streams.rows.layout import BALANCE_ROW, DetectionRow, StoredLedger

__all__ = [
    "GainRow",
    "Replacement",
    "Taken",
    "balance_rows",
    "follow",
    "gain_detections",
    "gain_rows",
    "last_words",
    "replacements",
    "settled_end",
    "take",
    "unit_part",
    "verdicts_taken",
]

HOURS = 24
_SPAN_H = 31 * HOURS


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
    watched : bool
        The meter may still hold its class: kept and shown, and nobody is sent.
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
    watched: bool = False

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
        hour = int(made.installed_from[i]) // US_PER_HOUR
        if first <= hour < end:
            out += [Replacement(hour=hour, group=g, child=c) for g, c in places.get(int(made.point[i]), [])]
    return tuple(sorted(out))


def follow(state: BalanceState, ledger: Ledger, hours: PointHours, *, first: int, end: int) -> list[GainChange]:
    """Changes of gain over hours of any length, by `take` piece after piece.

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
    if first >= end:  # no day is over
        return []
    changes: list[GainChange] = []
    by_hour = hours.take(np.argsort(hours.hour, kind="stable"))
    # whole days at once, and no more of them than memory is good for
    day_after = (first // HOURS + 1) * HOURS + 1
    edges = [first, *(edge for edge in range(day_after, end, _SPAN_H) if edge > first), end]
    for at, stop in pairwise(edges):
        rows = slice(*np.searchsorted(by_hour.hour, [at, stop]).tolist())
        part = by_hour.take(np.arange(rows.start, rows.stop))
        changes += take(state, ledger, part, first=at, end=stop).changes
    return changes


def verdicts_taken(
    state: BalanceState, verdicts: Iterable[tuple[int, DetectionKind, SiteVerdict]]
) -> tuple[GainChange, ...]:
    """End detections that somebody has looked at.

    Parameters
    ----------
    state : BalanceState
        Changed in place.
    verdicts : iterable of (int, DetectionKind, SiteVerdict)
        Point of each open detection, its kind, and what was found.
    """
    changes: list[GainChange] = []
    groups, group_of = state.groups, state.groups.group_of
    for point, kind, verdict in verdicts:
        sound = verdict in {SiteVerdict.SOUND, SiteVerdict.LOAD_CHANGED}
        places = [(int(g), PARENT) for g in np.flatnonzero(groups.parent == point)]
        if kind is DetectionKind.BALANCE_CHANGE:
            places = [(g, UNNAMED) for g, _ in places]
        else:
            places += [(int(group_of[c]), int(c)) for c in np.flatnonzero(groups.child == point)]
        for group, child in places:
            changes += conclude(state, group=group, child=child, sound=sound)
    return tuple(changes)


def last_words(changes: Iterable[GainChange]) -> list[GainChange]:
    """Of each detection its last state, in the order in which they were opened."""
    last: dict[tuple[int, int, int, int], GainChange] = {}
    for change in changes:
        last[(change.group, change.child, int(change.kind), change.started_hour)] = change
    return list(last.values())


def gain_rows(changes: Iterable[GainChange], ledger: Ledger) -> list[GainRow]:
    """Detections of a balance as rows; each once, in its last revision."""
    return [_row(change, ledger) for change in last_words(changes)]


def _row(change: GainChange, ledger: Ledger) -> GainRow:
    named = math.isfinite(change.magnitude)
    ended = change.as_of_hour * US_PER_HOUR if change.state is ChangeState.CLOSED else None
    return GainRow(
        point=change.point,
        meter=_meter(ledger, change.point, change.detected_hour * US_PER_HOUR) if named else None,
        kind=change.kind,
        started_at=change.started_hour * US_PER_HOUR,
        detected_at=change.detected_hour * US_PER_HOUR,
        ended_at=ended,
        magnitude=change.magnitude if named else None,
        confidence=change.confidence,
        evidence=_evidence(change, ledger),
        watched=change.watched,
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
        "candidates": [_candidate(accused, ledger) for accused in change.candidates],
    }
    if change.ending is not None:
        found["ending"] = change.ending.value
    if math.isfinite(change.magnitude):
        found["magnitude_low"], found["magnitude_high"] = change.magnitude_low, change.magnitude_high
        found["energy"] = change.energy
        found["energy_low"], found["energy_high"] = change.energy_low, change.energy_high
        found["watched"] = change.watched
    else:
        found["lacks_per_hour"] = float(f"{change.lacks:.4g}")
    return found


def _candidate(accused: Accused, ledger: Ledger) -> dict[str, Any]:
    """One explanation; a load that no meter counts has no error."""
    share = {"share": round(accused.share, 4)}
    if accused.child == UNMETERED:
        return {"unmetered": True} | share
    point = {"point": ledger.point_codes[accused.point], "parent": accused.child == PARENT}
    return point | share | {"magnitude": round(accused.magnitude, 5)}


_PATIENCE_H = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What some days gave.

    Attributes
    ----------
    changes : tuple of GainChange
    days : tuple of BalanceDays
        UTC days that closed.
    """

    changes: tuple[GainChange, ...]
    days: tuple[BalanceDays, ...]


def settled_end(newest: NDArray[np.int64], *, now_hour: int, lag_h: int) -> int:
    """Hour up to which the hours of some points are settled: one after the first of a UTC day, whose start closes it.

    Days are taken whole, so that what comes out does not depend on when this is asked. A point that has fallen silent
    is waited for two days.

    Parameters
    ----------
    newest : (p,) int64
        Newest stored hour of each point that has any. [h since 1970-01-01 UTC]
    now_hour : int
        [h since 1970-01-01 UTC]
    lag_h : int
        So long after its end an hour counts as settled. [h]

    Returns
    -------
    int
        [h since 1970-01-01 UTC]

    Examples
    --------
    >>> settled_end(np.array([100, 101]), now_hour=200, lag_h=6)
    97
    >>> settled_end(np.array([10, 101]), now_hour=200, lag_h=6)
    49
    """
    if not newest.size:
        return 0
    known = max(int(newest.min()), int(newest.max()) - _PATIENCE_H)
    return min(known, now_hour - lag_h) // HOURS * HOURS + 1


def unit_part(stored: StoredLedger, unit: int) -> tuple[Ledger, slice]:
    """The ledger of one unit alone, and where its points are among those of the whole."""
    start, end = stored.ledger.unit_point_start[unit : unit + 2].tolist()
    return stored.ledger.take_units([unit]), slice(start, end)


def take(state: BalanceState, ledger: Ledger, hours: PointHours, *, first: int, end: int) -> Taken:
    """Take a state through the hours from `first` up to `end`; meters that are replaced are learnt anew.

    Parameters
    ----------
    state : BalanceState
        Changed in place; its groups are of `ledger`.
    ledger : Ledger
    hours : PointHours
        Settled, in any order.
    first, end : int
        Half open; each one hour after the start of a UTC day, but for the very first. [h since 1970-01-01 UTC]
    """
    # the day of a replacement closes with the first hour of the next; one in a day's first hour was left by the last
    due: dict[int, list[tuple[int, int]]] = {}
    for one in replacements(ledger, state.groups, first=first - 1, end=end):
        due.setdefault((one.hour // HOURS + 1) * HOURS + 1, []).append((one.group, one.child))
    changes: list[GainChange] = []
    days: list[BalanceDays] = []
    at = first
    for stop in sorted({*(hour for hour in due if first < hour < end), end}):
        done = advance(state, GroupHours.from_points(state.groups, hours, first=at, end=stop))
        changes += done.changes
        days.append(done.days)
        for group, child in due.get(stop, ()):
            changes += restart(state, group=group, child=child)
        at = stop
    return Taken(changes=tuple(changes), days=tuple(days))


def balance_rows(
    taken: Taken, groups: BalanceGroups, hours: PointHours, point_ids: NDArray[np.int32], *, first: int, end: int
) -> NDArray[Any]:
    """Hours of balances in which every meter was measured, the day's losses laid over them by the parent's flow.

    Parameters
    ----------
    taken : Taken
    groups : BalanceGroups
    hours : PointHours
        Of whole days: those that closed lie between `first` and `end`.
    point_ids : (p,) int32
        Ids of the points that the groups index.
    first, end : int
        [h since 1970-01-01 UTC]

    Returns
    -------
    (n,) BALANCE_ROW
    """
    wide = GroupHours.from_points(groups, hours, first=first, end=end)
    out = []
    for days in taken.days:
        for i in range(len(days)):
            group, day = int(days.group[i]), int(days.day[i])
            rows = slice(max(day * HOURS - first, 0), max((day + 1) * HOURS - first, 0))
            children = wide.child[rows, groups.start[group] : groups.start[group + 1]].sum(axis=1)
            parent = wide.parent[rows, group]
            whole = np.isfinite(parent) & np.isfinite(children)
            if not whole.any():
                continue
            part = np.zeros(int(whole.sum()), BALANCE_ROW)
            part["point_id"] = point_ids[groups.parent[group]]
            part["hour"] = wide.hour[rows][whole]
            part["parent"], part["children"] = parent[whole], children[whole]
            through = float(days.parent[i])
            share = float(days.losses[i]) / through if through > 0 else np.nan
            part["loss"] = part["parent"] * share
            out.append(part)
    return np.concatenate(out) if out else np.empty(0, BALANCE_ROW)


def gain_detections(
    rows: Iterable[GainRow], stored: StoredLedger, points: slice, meters: slice, unit_id: int
) -> list[DetectionRow]:
    """Detections of one unit's balances as the store takes them.

    Parameters
    ----------
    rows : iterable of GainRow
        Whose indices are those of the unit's own ledger.
    stored : StoredLedger
    points, meters : slice
        Where the unit's points and meters are in it.
    unit_id : int
    """
    point_ids, meter_ids = stored.point_ids[points], stored.meter_ids[meters]
    return [_detection(row, point_ids, meter_ids, unit_id) for row in rows]


def _detection(row: GainRow, point_ids: NDArray[np.int32], meter_ids: NDArray[np.int32], unit_id: int) -> DetectionRow:
    evidence = dict(row.evidence)
    known = {
        name: evidence.pop(key, None)
        for name, key in (
            ("magnitude_low", "magnitude_low"),
            ("magnitude_high", "magnitude_high"),
            ("energy_affected", "energy"),
            ("energy_affected_low", "energy_low"),
            ("energy_affected_high", "energy_high"),
        )
    }
    return DetectionRow(
        point_id=int(point_ids[row.point]),
        unit_id=unit_id,
        meter_id=None if row.meter is None else int(meter_ids[row.meter]),
        kind=row.kind,
        started_at=row.started_at,
        ended_at=row.ended_at,
        detected_at=row.detected_at,
        magnitude=row.magnitude,
        confidence=row.confidence,
        evidence=replace(row, evidence=evidence).evidence_json(),
        severity=(Severity.INFO if row.watched else severity_of(row.kind)).value,
        magnitude_unit="share",
        **known,
    )
