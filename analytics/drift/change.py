"""What the balance says: a meter's gain changed, by how much, since when, and how much energy that was."""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from analytics.domain.quality import DetectionKind

__all__ = ["PARENT", "UNMETERED", "UNNAMED", "Accused", "BalanceDays", "ChangeState", "Ending", "GainChange"]

PARENT = -1
"""Stands for the group's parent where a child's index is asked for."""
UNNAMED = -2
"""No meter is accused: two or more explain what was seen about equally well."""
UNMETERED = -3
"""Among candidates: a load that is always on and that no meter counts came or went."""


class ChangeState(Enum):
    """Where a detection is in its life."""

    OPEN = "open"
    UPDATED = "updated"
    """Said before and still so; size, interval and energy are better known now."""
    CLOSED = "closed"
    """It stands no longer; `Ending` says why."""


class Ending(Enum):
    """Why a detection was closed."""

    WITHDRAWN = "withdrawn"
    """What was left of the change is none: it was a false alarm, or none that matters."""
    BACK = "back"
    """The gain changed once more and is where it was: the meter was mended."""
    AGAIN = "again"
    """The gain changed once more; what it is now is another detection."""
    REPLACED = "replaced"
    """The meter was replaced."""
    VERDICT = "verdict"
    """Somebody looked at the meter and entered what was found."""
    LEARNT = "learnt"
    """No meter could be named for months; the balance as it is now is the new normal."""
    RETOLD = "retold"
    """The change is reported anew: by name, or as a drift."""


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
    """A gain change of one meter, or of one of several that cannot be told apart.

    `group`, `child`, `kind` and `started_hour` stay the same through a detection's life and name it. A step that is
    found to be a ramp is closed, and opened as one with a start of its own; `detected_hour` stays.

    Attributes
    ----------
    group : int
        Index into the groups.
    child : int
        Index into `BalanceGroups.child`, `PARENT` or `UNNAMED`.
    point : int
        Metering point of the accused meter; the parent's where none is named.
    kind : DetectionKind
        `GAIN_STEP`, `GAIN_DRIFT`, or `BALANCE_CHANGE` where no meter is named.
    state : ChangeState
    watched : bool
        The meter may still hold its class: kept and shown, but nobody is sent. False for an alarm.
    ending : Ending or None
        Why it was closed; None while it stands.
    started_hour, started_low, started_high : int
        When it began, and the span in which it began with 95 %. [h since 1970-01-01 UTC]
    detected_hour : int
        End of the day on which it was first said. [h since 1970-01-01 UTC]
    as_of_hour : int
        End of the last day that was looked at. [h since 1970-01-01 UTC]
    magnitude, magnitude_low, magnitude_high : float
        Change of gain up to now and its 95 % interval: -0.02 counts 2 % too little. NaN where no meter is named. [1]
    energy, energy_low, energy_high : float
        Counted too much since it began, with 95 %; negative is counted too little. [canonical unit]
    lacks : float
        Where no meter is named: what the parent counts more in an hour than before; 0 else. [canonical unit]
    score : float
        Standard deviations from what sound meters do.
    confidence : float
        Weight of the accused meter among all explanations of the change. [1]
    candidates : tuple of Accused
        Explanations that are left, the best first.
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
    """n closed UTC days of groups: what went in, what the children counted, what is explained.

    Attributes
    ----------
    group : (n,) int32
    day : (n,) int32
        [d since 1970-01-01 UTC]
    hours : (n,) int16
        Hours in which the parent and every child were measured; the amounts are of these only.
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
