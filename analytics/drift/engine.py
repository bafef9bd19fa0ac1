"""The energy balance, followed hour by hour: `(state, hours) -> (state, changes)`."""

from dataclasses import dataclass

from analytics.drift.change import BalanceDays, GainChange
from analytics.drift.hours import GroupHours
from analytics.drift.state import BalanceState

__all__ = ["Advanced", "advance", "restart"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced:
    """What a run of hours gave.

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
    raise NotImplementedError


def restart(state: BalanceState, *, child: int, group: int, hour: int) -> tuple[GainChange, ...]:
    """The meter of a child (or of the parent, `PARENT`) was replaced or adjusted: learn its gain anew.

    Gives the closed detections of that meter.
    """
    raise NotImplementedError
