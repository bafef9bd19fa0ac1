"""Update of the energy balances with new hours: `(state, hours) -> (state, changes)`."""

from dataclasses import dataclass

import numpy as np

from analytics.drift._decide import decide
from analytics.drift._levels import Place
from analytics.drift._life import concluded, released
from analytics.drift.change import PARENT, UNNAMED, BalanceDays, GainChange
from analytics.drift.hours import GroupHours
from analytics.drift.state import NO_HOUR, BalanceState

__all__ = ["Advanced", "advance", "conclude", "restart"]

_HOURS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced:
    """Result of `advance`.

    Attributes
    ----------
    changes : tuple of GainChange
        Opened, updated and closed, in the order of days. A standing one is not opened again.
    days : BalanceDays
        Days that closed.
    """

    changes: tuple[GainChange, ...]
    days: BalanceDays


def advance(state: BalanceState, hours: GroupHours) -> Advanced:
    """Advance `state` in place by hours that are later than all it has seen.

    A UTC day closes, and is judged, when the first hour of a later day comes, so give hours when they are settled:
    what comes late or is revised afterwards is not looked at again. Chunks give bit by bit what the whole gives.

    Raises
    ------
    ValueError
        If hours are not ascending and later than those seen before, or do not fit the state's groups.
    """
    _check(state, hours)
    changes: list[GainChange] = []
    days: list[BalanceDays] = []
    day_of = hours.hour // _HOURS
    bounds = np.flatnonzero(np.diff(day_of)) + 1
    for begin, end in zip([0, *bounds.tolist()], [*bounds.tolist(), len(hours)], strict=True):
        if begin == end:
            continue
        day = int(day_of[begin])
        before = state.last_hour // _HOURS if state.last_hour != NO_HOUR else NO_HOUR
        if before != NO_HOUR and day > before:
            _close(state, before, changes, days)
        for batch in state.batches:
            batch.put(slice(begin, end), hours.hour[begin:end] % _HOURS, hours.parent, hours.child)
        state.last_hour = int(hours.hour[end - 1])
    return Advanced(changes=tuple(changes), days=_joined(days))


def _close(state: BalanceState, day: int, changes: list[GainChange], days: list[BalanceDays]) -> None:
    days += [batch.close_day(day, state.closed_day) for batch in state.batches]
    changes += decide(state.batches, state.levels, state.groups, day)
    state.closed_day = day


def _check(state: BalanceState, hours: GroupHours) -> None:
    if hours.parent.shape != (len(hours), len(state.groups)) or hours.child.shape[1] != len(state.groups.child):
        raise ValueError(
            f"hours must have {len(state.groups)} parents and {len(state.groups.child)} children "
            f"(got {hours.parent.shape[1:]} and {hours.child.shape[1:]})"
        )
    if len(hours) and (int(hours.hour[0]) <= state.last_hour or (np.diff(hours.hour) <= 0).any()):
        raise ValueError(f"hours must ascend from after {state.last_hour} (they begin with {int(hours.hour[0])})")


def _joined(days: list[BalanceDays]) -> BalanceDays:
    names = ("group", "day", "hours", "parent", "children", "losses", "residual", "noise")
    kinds = {"group": np.int32, "day": np.int32, "hours": np.int16}
    return BalanceDays(
        **{
            name: np.concatenate([np.empty(0, kinds.get(name, np.float64)), *(getattr(part, name) for part in days)])
            for name in names
        }
    )


def restart(state: BalanceState, *, group: int, child: int) -> tuple[GainChange, ...]:
    """Discard the gain of a child's meter (or the parent's, `PARENT`) after it was replaced or adjusted.

    Parameters
    ----------
    state : BalanceState
        Changed in place.
    group : int
        Index into the groups.
    child : int
        Index among all children, or `PARENT`.

    Returns
    -------
    tuple of GainChange
        Closed detections of that meter.
    """
    return tuple(
        change
        for one in _places(state, group, child)  # a meter in two balances may have been reported by either
        for change in released(state.batches[one.batch], state.groups, one.row, one.which, max(state.closed_day, 0))
    )


def conclude(state: BalanceState, *, group: int, child: int, sound: bool) -> tuple[GainChange, ...]:
    """Apply an inspection of a suspected meter, or of a balance with an unnamed change (`UNNAMED`).

    Parameters
    ----------
    state : BalanceState
        Changed in place.
    group, child : int
        As for `restart`.
    sound : bool
        Whether the meter was found sound.

    Returns
    -------
    tuple of GainChange
        Closed detections.
    """
    return tuple(
        change
        for one in _places(state, group, child)
        for change in concluded(
            state.batches[one.batch], state.groups, one.row, one.which, max(state.closed_day, 0), sound=sound
        )
    )


def _places(state: BalanceState, group: int, child: int) -> list[Place]:
    """The balances that a meter belongs to: one place, or two."""
    for b, batch in enumerate(state.batches):
        for row in np.flatnonzero(batch.group == group).tolist():
            if child == UNNAMED:
                return [Place(b, row, -1)]
            n = batch.mask.shape[1]
            place = Place(b, row, n if child == PARENT else child - int(state.groups.start[group]))
            return [place, state.levels[place]] if place in state.levels else [place]
    raise ValueError(f"a group from 0 to {len(state.groups) - 1} is required (got {group})")
