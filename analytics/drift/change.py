"""Detections of the energy balance: which meter's gain changed, by how much, since when, and the energy affected."""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from analytics.domain.quality import DetectionKind

__all__ = ["PARENT", "UNMETERED", "UNNAMED", "Accused", "BalanceDays", "ChangeState", "Ending", "GainChange"]

PARENT = -1
"""Stands for the group's parent where a child's index is asked for."""
UNNAMED = -2
"""No meter is named: two or more explain the data about equally well."""
UNMETERED = -3
"""Among candidates: an unmetered constant load came or went."""


class ChangeState(Enum):
    """State of a detection."""

    OPEN = "open"
    UPDATED = "updated"
    """Still open; size, interval and energy are re-estimated."""
    CLOSED = "closed"
    """Over; `Ending` gives the reason."""


class Ending(Enum):
    """Why a detection was closed."""

    WITHDRAWN = "withdrawn"
    """The remaining change is negligible: a false alarm, or one that does not matter."""
    BACK = "back"
    """The gain returned to its former value: the meter was repaired."""
    AGAIN = "again"
    """The gain changed again; the new value is another detection."""
    REPLACED = "replaced"
    """The meter was replaced."""
    VERDICT = "verdict"
    """An inspection result was entered."""
    LEARNT = "learnt"
    """No meter could be named for months; the present balance is taken as the new normal."""
    RETOLD = "retold"
    """Replaced by another report of the same change: with a meter's name, or as a drift."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accused:
    """One meter that might explain a change.

    Attributes
    ----------
    child : int
        Index into `BalanceGroups.child`, `PARENT` or `UNMETERED`.
    point : int
        Its metering point; the parent's for `UNMETERED`.
    share : float
        Weight of this explanation among all; they add up to at most 1. [1]
    magnitude : float
        The gain change if it is this meter. [1]
    """

    child: int
    point: int
    share: float
    magnitude: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GainChange:
    """A gain change of one meter, or of one of several that cannot be distinguished.

    `group`, `child`, `kind` and `started_hour` stay the same through a detection's life and name it. A step that is
    found to be a ramp is closed, and opened as one with a start of its own; `detected_hour` stays.

    Attributes
    ----------
    group : int
        Index into the groups.
    child : int
        Index into `BalanceGroups.child`, `PARENT` or `UNNAMED`.
    point : int
        Metering point of the suspected meter; the parent's where none is named.
    kind : DetectionKind
        `GAIN_STEP`, `GAIN_DRIFT`, or `BALANCE_CHANGE` where no meter is named.
    state : ChangeState
    watched : bool
        The meter may still be within its class: recorded and shown, without an alert. False for an alarm.
    ending : Ending or None
        Why it was closed; None while it stands.
    started_hour, started_low, started_high : int
        When it began, and the span in which it began with 95 %. [h since 1970-01-01 UTC]
    detected_hour : int
        End of the day on which it was first reported. [h since 1970-01-01 UTC]
    as_of_hour : int
        End of the last day evaluated. [h since 1970-01-01 UTC]
    magnitude, magnitude_low, magnitude_high : float
        Change of gain up to now and its 95 % interval: -0.02 counts 2 % too little. NaN where no meter is named. [1]
    energy, energy_low, energy_high : float
        Counted too much since it began, with 95 %; negative is counted too little. [canonical unit]
    lacks : float
        If no meter is named: change of the parent's hourly amount; else 0. [canonical unit]
    score : float
        Test statistic against the drift of sound meters. [std. dev.]
    confidence : float
        Posterior weight of the named meter among all explanations. [1]
    candidates : tuple of Accused
        Remaining explanations, the best first.
    """

    group: int
    child: int
    point: int
    kind: DetectionKind
    state: ChangeState
    watched: bool = False
    ending: Ending | None = None
    started_hour: int
    started_low: int
    started_high: int
    detected_hour: int
    as_of_hour: int
    magnitude: float
    magnitude_low: float
    magnitude_high: float
    energy: float
    energy_low: float
    energy_high: float
    lacks: float = 0.0
    score: float
    confidence: float
    candidates: tuple[Accused, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BalanceDays:
    """Energy balances of n closed UTC days of groups.

    Attributes
    ----------
    group : (n,) int32
    day : (n,) int32
        [d since 1970-01-01 UTC]
    hours : (n,) int16
        Hours in which the parent and every child were measured and little of generators' can have been fed back; the
        amounts are of these only.
    parent, children, losses, residual : (n,) float64
        parent = children + losses + residual; `losses` holds the meters' steady errors too. [canonical unit]
    noise : (n,) float64
        Standard deviation of an hour's residual, as a share of the load. [1]
    """

    group: NDArray[np.int32]
    day: NDArray[np.int32]
    hours: NDArray[np.int16]
    parent: NDArray[np.float64]
    children: NDArray[np.float64]
    losses: NDArray[np.float64]
    residual: NDArray[np.float64]
    noise: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.group)
