"""Recomputation of the past after late readings or a corrected ledger.

A point's hours are a function of its readings in time order. So a late reading is put in its place among the stored
ones and the point is followed again from a little before it to the newest reading; the rows of the time since are
replaced. `recompute` does no I/O: it is a generator that yields the windows of stored readings it needs
and is sent the rows, `job.send(rows)`, until it returns a `Recomputed`.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.columns.register import (
    ACCEPTED,
    CONFLICT,
    MEMORY,
    NEVER,
    Advanced,
    advance,
    empty_state,
    last_of_each_hour,
)
from analytics.columns.screening import installations_in_force
from analytics.domain.instants import US_PER_DAY, US_PER_HOUR
from analytics.domain.ledger import Ledger
from analytics.domain.quality import DetectionKind, ReadingFlag
from analytics.domain.units import FACTOR_TABLE, KIND_TABLE
from streams.rows.layout import READING
from streams.steps.state import PartitionState

__all__ = ["FOREVER", "HISTORY", "Changed", "Ints", "Recomputed", "Windows", "recompute", "recompute_changed", "seeded"]

FOREVER = np.iinfo(np.int64).max
"""Later than every instant. [µs since 1970 UTC]"""
_LOOKBACKS = (US_PER_DAY, 16 * US_PER_DAY, 430 * US_PER_DAY, None)
"""Lookback times tried one after the other until the history before the first late reading suffices; None: all."""
_END_OF_HOURS = 10_000_000  # some time in the year 3110
_WARM_UP = 16
"""Readings before the first late one that suffice to find a valid anchor: more than any run of waiting ones."""

HISTORY = np.dtype(
    [
        ("measured_at", "<i8"), ("received_at", "<i8"), ("value", "<f8"), ("meter", "<i4"), ("unit", "<i2"),
        ("quality", "<i2"),
    ]
)  # fmt: skip
"""A stored reading of a meter's main register; `meter` is an index into the state's ledger."""

READINGS_AT_ONCE = 500_000
"""Approximate number of stored readings held in memory when only the ledger changed."""
HOURS_AT_ONCE = 500_000
"""Approximate number of hours recomputed in one transaction."""
_USUAL_US = 900_000_000

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Stored readings that are needed: main registers of meters, each over a half-open window.

    Attributes
    ----------
    meter : (k,) int32
        Index into the state's ledger.
    from_us, to_us : (k,) int64
        [µs since 1970 UTC]
    """

    meter: NDArray[np.int32]
    from_us: Ints
    to_us: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Points whose past has to be worked out anew, and since when.

    Attributes
    ----------
    point : (p,) int32
        Ascending, each once.
    since_us : (p,) int64
        Nothing before this instant can change. [µs since 1970 UTC]
    until_us : int
        When the newest reading was measured that may be stored of them, where their state does not know it any more.
        [µs since 1970 UTC]
    """

    point: NDArray[np.int32]
    since_us: Ints
    until_us: int = NEVER

    def portions(self, first_us: int) -> "list[Changed]":
        """The same in parts whose hours together are at most `HOURS_AT_ONCE`, or which are one point.

        Parameters
        ----------
        first_us : int
            When the first of all stored readings was measured. [µs since 1970 UTC]
        """
        since = np.maximum(self.since_us, first_us)
        hours = np.maximum((self.until_us - since.astype(np.float64)) / US_PER_HOUR, 24.0)
        parts = (np.cumsum(hours) // HOURS_AT_ONCE).astype(np.int64)
        edges = np.flatnonzero(np.diff(parts)) + 1
        return [
            Changed(point=point, since_us=began, until_us=self.until_us)
            for point, began in zip(np.split(self.point, edges), np.split(since, edges), strict=True)
            if len(point)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomputed:
    """Result of a recomputation; `apply` makes it the state.

    Attributes
    ----------
    point : (p,) int32
        The points worked out anew.
    points : (p,) POINT_STATE
        Their new state.
    from_hour, to_hour : (p,) int64
        Stored hours of the point in this half-open range that are not among `hours` have no evidence any more.
        After late readings it ends before the hour still open, after a ledger's change it has no end.
    from_us : (p,) int64
        Stored detections that started at or after this instant and are not among `events` are withdrawn.
    hours, events : HOUR_ROW, EVENT_ROW
        As of `analytics.columns.register.advance`; `point` is an index into the ledger.
    accepted, duplicates, conflicts : (k,) READING
        What became of the late readings.
    """

    point: NDArray[np.int32]
    points: NDArray[Any]
    from_hour: Ints
    to_hour: Ints
    from_us: Ints
    hours: NDArray[Any]
    events: NDArray[Any]
    accepted: NDArray[Any]
    duplicates: NDArray[Any]
    conflicts: NDArray[Any]

    def apply(self, state: PartitionState) -> None:
        """Make it the state of its points; silences and repeats that were reported are not reported again."""
        old = state.points[self.point]
        new = self.points.copy()
        same = new["seen_at"] == old["seen_at"]
        new["silent"] = np.where(same, old["silent"], 0)
        new["partial"] = 0
        repeats = old["repeats"] > 0
        new["repeats"] += old["repeats"]
        latest = np.maximum(old["repeated_to"], new["repeated_to"])
        new["repeated_to"] = np.where(repeats, latest, new["repeated_to"])
        for name in ("repeated_from", "repeating"):
            new[name] = np.where(repeats, old[name], new[name])
        state.points[self.point] = new


def _points_of(late: NDArray[Any], ledger: Ledger) -> Changed:
    point = ledger.installations.point[late["installation"]]
    order = np.lexsort((late["measured_at"], point))
    points, first = np.unique(point[order], return_index=True)
    return Changed(point=points.astype(np.int32), since_us=late["measured_at"][order][first].astype(np.int64))


def _meters_of(ledger: Ledger, points: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Meters ever installed at points: `(meter, ordinal of the point)`, each pair once."""
    start, end = ledger.point_installation_start[points], ledger.point_installation_start[points + 1]
    ordinal = np.repeat(np.arange(len(points)), end - start)
    k = np.concatenate(
        [np.arange(a, b) for a, b in zip(start.tolist(), end.tolist(), strict=True)] or [np.empty(0, int)]
    )
    pairs = np.unique(np.stack([ordinal, ledger.installations.meter[k.astype(np.int64)]]), axis=1)
    return pairs[1].astype(np.int32), pairs[0]


def _window_starts(state: PartitionState, changed: Changed, lookback: int | None) -> Ints:
    """Where history has to begin for each point, so that the first anchor and any declared start lie inside."""
    if lookback is None:
        return np.full(len(changed.point), -FOREVER)
    start = changed.since_us - lookback
    inst = state.ledger.installations
    opening = np.int64(state.table.rules["opening_span"][0])
    for i, p in enumerate(changed.point.tolist()):
        a, b = state.ledger.point_installation_start[p : p + 2].tolist()
        for began in inst.installed_from[a:b][::-1].tolist():
            if began <= start[i] <= began + opening:
                start[i] = began - lookback
    return start


def _history_rows(state: PartitionState, history: NDArray[Any], late: NDArray[Any]) -> NDArray[Any]:
    """Stored and late readings as one column of `READING`, the stored first; those of no installation dropped."""
    rows = np.zeros(len(history) + len(late), READING)
    kept = rows[: len(history)]
    for name in ("measured_at", "received_at", "value", "meter", "unit", "quality"):
        kept[name] = history[name]
    kept["row"] = -1
    meter, at = np.ascontiguousarray(kept["meter"]), np.ascontiguousarray(kept["measured_at"])
    kept["installation"] = installations_in_force(state.ledger, meter, at)
    rows[len(history) :] = late
    here = rows["installation"] >= 0
    unit = state.ledger.installations.unit[rows["installation"]]
    here &= KIND_TABLE[unit] == KIND_TABLE[rows["unit"]]
    rows["dial"] = np.where(
        unit == rows["unit"], rows["value"], rows["value"] * (FACTOR_TABLE[rows["unit"]] / FACTOR_TABLE[unit])
    )
    return rows[here]


def _advance(
    state: PartitionState, points: NDArray[Any], rows: NDArray[Any], heard: Ints, ordinal: NDArray[np.int32]
) -> Advanced:
    return advance(
        points,
        state.table,
        point=ordinal,
        installation=np.ascontiguousarray(rows["installation"]),
        at_us=np.ascontiguousarray(rows["measured_at"]),
        value=np.ascontiguousarray(rows["dial"]),
        received_us=heard,
    )


def _remembers(state: PartitionState, point: NDArray[np.int32], start: Ints) -> NDArray[np.bool_]:
    """Whether the long-term memory of points (`MEMORY`) has not changed since `start`; (p,) bool."""
    known: NDArray[np.bool_] = state.points["learnt_day"][point].astype(np.int64) * US_PER_DAY <= start
    return known


def seeded(state: PartitionState, point: NDArray[np.int32], known: NDArray[np.bool_]) -> NDArray[Any]:
    """State of points at the start of their windows."""
    points = empty_state(len(point))
    for name in MEMORY:
        points[name][known] = state.points[name][point[known]]
    return points


def _follow(
    state: PartitionState, changed: Changed, rows: NDArray[Any], start: Ints, *, everything: bool, late: bool
) -> tuple[Recomputed, NDArray[np.bool_]]:
    """Process `rows` from `start` on; also returns for which points the history before `since` sufficed."""
    at_point = state.ledger.installations.point[rows["installation"]]
    place = np.searchsorted(changed.point, at_point).clip(0, len(changed.point) - 1)
    rows = rows[changed.point[place] == at_point]
    heard = _received_to_go_by(state, rows)
    kept, repeated = _without_astray(rows)
    again, rows, heard = rows[repeated], rows[kept], heard[kept]
    ordinal = np.searchsorted(changed.point, state.ledger.installations.point[rows["installation"]]).astype(np.int32)
    before = rows["measured_at"] < changed.since_us[ordinal]
    known = _remembers(state, changed.point, start)
    points = seeded(state, changed.point, known)
    earlier = _advance(state, points, rows[before], heard[before], ordinal[before])
    warm = known & (np.bincount(ordinal[before], minlength=len(changed.point)) >= _WARM_UP)
    if late:
        warm &= _leads_here(state, changed.point, points, rows, heard, ordinal, ~before & (rows["row"] < 0))
    oldest = np.full(len(changed.point), FOREVER)
    np.minimum.at(oldest, ordinal[before], rows["measured_at"][before])
    anchor = _earliest_that_may_change(state, points, changed)
    seen = np.where(points["seen_at"] == NEVER, changed.since_us, points["seen_at"])
    kept = points["kept_at"].copy()
    after = _advance(state, points, rows[~before], heard[~before], ordinal[~before])
    # a level reverted now, or no longer reverted, changes the hours since the anchor before it
    returned = (kept != NEVER) & ((points["kept_at"] != kept) | (state.points["kept_at"][changed.point] != kept))
    anchor = np.where(returned, np.minimum(anchor, kept), anchor)
    from_hour = anchor // US_PER_HOUR
    enough = everything | (warm & (oldest < from_hour * US_PER_HOUR))
    later = rows[~before]
    fresh = later["row"] >= 0
    said = after.disposition
    from_us = np.minimum(anchor, seen)
    # the last earlier reading may still turn out a spike: rewrite the hours since the one before it as well
    kept_hours = earlier.hours[earlier.hours["hour"] >= from_hour[earlier.hours["point"]]]
    kept_events = earlier.events[earlier.events["started"] >= from_us[earlier.events["point"]]]
    hours = last_of_each_hour(np.concatenate([kept_hours, after.hours]))
    events = np.concatenate([kept_events, after.events])
    standing = state.points["repeating"][changed.point] != 0
    said_already = (events["kind"] == DetectionKind.DUPLICATE) & (events["ended"] == NEVER) & standing[events["point"]]
    events = events[~said_already]
    hours["point"] = changed.point[hours["point"]]
    events["point"] = changed.point[events["point"]]
    blank = np.empty(0, READING)
    done = Recomputed(
        point=changed.point,
        points=points,
        from_hour=from_hour,
        to_hour=_stored_until(state, changed.point, points) if late else np.full(len(points), _END_OF_HOURS),
        from_us=from_us,
        hours=hours,
        events=events,
        accepted=later[fresh & (said == ACCEPTED)] if fresh.any() else blank,
        duplicates=np.concatenate([later[fresh & (said != ACCEPTED) & (said != CONFLICT)], again]),
        conflicts=later[fresh & (said == CONFLICT)] if fresh.any() else blank,
    )
    return done, enough


def _leads_here(
    state: PartitionState, point: NDArray[np.int32], earlier: NDArray[Any], rows: NDArray[Any], heard: Ints,
    ordinal: NDArray[np.int32], stored: NDArray[np.bool_],
) -> NDArray[np.bool_]:  # fmt: skip
    """Whether the stored readings alone lead to the state as it is, (p,) bool.

    Where they do not, history began too late: amid readings that were set aside, and look like a register.
    """
    now = earlier.copy()
    _advance(state, now, rows[stored], heard[stored], ordinal[stored])
    same = np.ones(len(point), np.bool_)
    for name in ("good_at", "good_value", "run_n", "run_kind", "learnt", "learnt_n", "kept_at"):
        same &= now[name] == state.points[name][point]
    return same


def _stored_until(state: PartitionState, point: NDArray[np.int32], new: NDArray[Any]) -> Ints:
    """End of the hours that may be stored: what was counted may wait again now, and then its hours have to go."""
    old = state.points[point]
    end: Ints = np.maximum(new["hour"], old["hour"] + (old["partial"] != 0))
    return end


def _earliest_that_may_change(state: PartitionState, points: NDArray[Any], changed: Changed) -> Ints:
    """Earliest instant whose hours may change: anchor, reading before it, or start of a standstill with a catch-up."""
    anchor = np.where(points["good_at"] == NEVER, changed.since_us, points["good_at"])
    before = np.where(points["prev_at"] == NEVER, FOREVER, points["prev_at"])
    flat = points["flat_at"]
    recent = (flat != NEVER) & (changed.since_us - flat.clip(0) <= state.table.rules["catch_up"][0])
    earliest: Ints = np.minimum(np.minimum(anchor, before), np.where(recent, flat, FOREVER))
    return earliest


def _received_to_go_by(state: PartitionState, rows: NDArray[Any]) -> Ints:
    """Receipt time of rows that came alone, one interval after the previous one; of others the time of measurement.

    The first of several that come at once says nothing of its time by when it came: taken for punctual, a late spike
    at the head of an upload had all the time since the reading before it to rise in.
    """
    order = np.lexsort((rows["measured_at"], rows["received_at"], rows["meter"]))
    meter, received = rows["meter"][order], rows["received_at"][order]
    interval = state.ledger.installations.interval_us[rows["installation"][order]]
    since_last = np.zeros(len(rows), np.int64)
    since_last[1:] = np.where(meter[1:] == meter[:-1], received[1:] - received[:-1], 0)
    alone = np.ones(len(rows), np.bool_)
    alone[:-1] = (meter[1:] != meter[:-1]) | (received[1:] != received[:-1])
    punctual = np.empty(len(rows), np.bool_)
    punctual[order] = alone & (since_last > interval // 2) & (since_last <= 3 * interval // 2)
    return np.where(punctual, rows["received_at"], rows["measured_at"])


def _without_astray(rows: NDArray[Any]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows count, those stored as astray do not; and which late ones repeat one of these."""
    astray = (rows["row"] < 0) & ((rows["quality"] & int(ReadingFlag.ASTRAY)) != 0)
    if not astray.any():
        return ~astray, astray
    names = ("meter", "measured_at", "value")
    known = set(zip(*(rows[name][astray].tolist() for name in names), strict=True))
    said = zip(*(rows[name].tolist() for name in names), strict=True)
    again = (rows["row"] >= 0) & np.fromiter((key in known for key in said), np.bool_, len(rows))
    return ~astray & ~again, again


def _select(changed: Changed, which: NDArray[np.bool_]) -> Changed:
    return Changed(point=changed.point[which], since_us=changed.since_us[which], until_us=changed.until_us)


def _joined(parts: list[Recomputed], chosen: list[NDArray[np.bool_]], ledger: Ledger) -> Recomputed:
    """One result of several, each for some of its points."""

    def rows_of(done: Recomputed, which: NDArray[np.bool_], rows: NDArray[Any]) -> NDArray[Any]:
        points = done.point[which]
        name = "point" if "point" in (rows.dtype.names or ()) else None
        mine = rows["point"] if name else ledger.installations.point[rows["installation"]]
        return rows[np.isin(mine, points)]

    out: dict[str, Any] = {}
    for field in ("point", "points", "from_hour", "to_hour", "from_us"):
        out[field] = np.concatenate([getattr(d, field)[w] for d, w in zip(parts, chosen, strict=True)])
    for field in ("hours", "events", "accepted", "duplicates", "conflicts"):
        out[field] = np.concatenate([rows_of(d, w, getattr(d, field)) for d, w in zip(parts, chosen, strict=True)])
    return Recomputed(**out)


def recompute_changed(
    state: PartitionState, changed: Changed, late: NDArray[Any] | None = None
) -> Generator[Windows, NDArray[Any], Recomputed]:
    """Work out the past of some points anew.

    Parameters
    ----------
    changed : Changed
        Points and since when.
    late : (k,) READING, optional
        Late readings of these points; the readings already stored come from the windows.

    Yields
    ------
    Windows
        To be answered with the stored readings, (n,) HISTORY in any order, those accepted in this very batch too.
        Without late readings no answer is much longer than `READINGS_AT_ONCE`, however long the history is.

    Returns
    -------
    Recomputed
        Not yet applied to the state.
    """
    late = np.empty(0, READING) if late is None else late
    sliced = not len(late)
    parts: list[Recomputed] = []
    chosen: list[NDArray[np.bool_]] = []
    left = changed
    for lookback in _LOOKBACKS:
        start = _window_starts(state, left, lookback)
        if lookback is not None and not _remembers(state, left.point, start).any():
            continue
        meter, ordinal = _meters_of(state.ledger, left.point)
        step_us = _slice_us(state, left.point) if sliced else FOREVER
        until = np.minimum(left.since_us[ordinal], FOREVER - step_us) + step_us
        history = yield Windows(meter=meter, from_us=start[ordinal], to_us=until)
        done, enough = _follow(
            state, left, _history_rows(state, history, late), start, everything=lookback is None, late=len(late) > 0
        )
        if sliced:
            done = yield from _followed_on(state, done, enough, left, step_us)
        parts.append(done)
        chosen.append(enough)
        if enough.all():
            break
        left = _select(left, ~enough)
    return _joined(parts, chosen, state.ledger)


def _slice_us(state: PartitionState, point: NDArray[np.int32]) -> int:
    """How long a time some points fill with `READINGS_AT_ONCE` readings. [µs]"""
    ledger = state.ledger
    first = ledger.point_installation_start[point].clip(0, max(len(ledger.installations) - 1, 0))
    interval = ledger.installations.interval_us[first] if len(ledger.installations) else np.empty(0, np.int64)
    rate = float((1.0 / np.where(interval > 0, interval, _USUAL_US)).sum())
    return max(int(READINGS_AT_ONCE / rate), US_PER_HOUR) if rate > 0 else FOREVER


def _followed_on(
    state: PartitionState, begun: Recomputed, enough: NDArray[np.bool_], changed: Changed, step_us: int
) -> Generator[Windows, NDArray[Any], Recomputed]:
    """Follow the points for which history began early enough through the time after the first slice."""
    newest = np.maximum(state.points["seen_at"][changed.point], changed.until_us)
    end = np.where(enough, newest, NEVER)
    at = np.minimum(changed.since_us, FOREVER - step_us) + step_us
    hours, events = [begun.hours], [begun.events]
    tail = np.empty(0, READING)
    while (at <= end).any():
        meter, ordinal = _meters_of(state.ledger, changed.point)
        going = (at <= end)[ordinal]
        until = np.minimum(at, FOREVER - step_us) + step_us
        history = yield Windows(meter=meter[going], from_us=at[ordinal][going], to_us=until[ordinal][going])
        rows = _history_rows(state, history, np.empty(0, READING))
        some, tail = _later(state, begun.points, changed, rows, tail)
        hours.append(some.hours)
        events.append(some.events)
        at = until
    return replace(begun, hours=last_of_each_hour(np.concatenate(hours)), events=np.concatenate(events))


def _later(
    state: PartitionState, points: NDArray[Any], changed: Changed, rows: NDArray[Any], tail: NDArray[Any]
) -> tuple[Advanced, NDArray[Any]]:
    """Follow points through one more slice; `tail` is the last reading of each meter of the slice before."""
    at_point = state.ledger.installations.point[rows["installation"]]
    place = np.searchsorted(changed.point, at_point).clip(0, len(changed.point) - 1)
    rows = rows[changed.point[place] == at_point]
    both = np.concatenate([tail, rows])
    heard = _received_to_go_by(state, both)[len(tail) :]
    kept, _ = _without_astray(rows)
    ordinal = np.searchsorted(changed.point, state.ledger.installations.point[rows["installation"]]).astype(np.int32)
    done = _advance(state, points, rows[kept], heard[kept], ordinal[kept])
    done.hours["point"] = changed.point[done.hours["point"]]
    done.events["point"] = changed.point[done.events["point"]]
    order = np.lexsort((both["measured_at"], both["received_at"], both["meter"]))
    last = np.append(np.flatnonzero(np.diff(both["meter"][order])), len(order) - 1) if len(order) else order
    return done, both[order[last]]


def recompute(state: PartitionState, late: NDArray[Any]) -> Generator[Windows, NDArray[Any], Recomputed]:
    """Put late readings in their place; see `recompute_changed`.

    Parameters
    ----------
    late : (k,) READING
        `StepResult.late` of one or more steps since the last recomputation.
    """
    return recompute_changed(state, _points_of(late, state.ledger), late)
