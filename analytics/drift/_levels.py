"""Meters that belong to two balances: child of an upper one and parent of a lower one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.drift._batch import Batch
from analytics.drift._evidence import Evidence
from analytics.drift.groups import BalanceGroups

__all__ = ["HONEST", "Place", "Twins", "agreement", "gain_of", "twins"]

HONEST = 1.4
"""Inflation of the model's standard deviations: its 95 % intervals covered 79 to 92 % on the development data."""

_SAME = 9.0
"""Largest deviance between two estimates of one change; beyond it they are different changes."""


@dataclass(frozen=True, slots=True)
class Place:
    """One meter in one balance."""

    batch: int
    row: int
    which: int


Twins = dict[Place, Place]
"""For each place of a meter in two balances, its other place."""


def gain_of(coefficient: float) -> float:
    """Gain change of a meter whose coefficient changed: parent = (1 + e) child, so a child that lost 2 % has e = 2 %.

    It is its own inverse.

    Examples
    --------
    >>> round(gain_of(0.02 / 0.98), 6)
    -0.02
    """
    return 1.0 / (1.0 + max(coefficient, -0.95)) - 1.0


def twins(groups: BalanceGroups, batches: Sequence[Batch]) -> Twins:
    """Both places of every meter that is the child of one balance and the parent of another."""
    place = {
        int(group): Place(b, row, batch.mask.shape[1])
        for b, batch in enumerate(batches)
        for row, group in enumerate(batch.group.tolist())
    }
    below = {int(point): group for group, point in enumerate(groups.parent.tolist())}
    group_of = groups.group_of
    out: Twins = {}
    for child in np.flatnonzero(np.isin(groups.child, groups.parent)).tolist():
        upper, lower = int(group_of[child]), place[below[int(groups.child[child])]]
        above = Place(place[upper].batch, place[upper].row, child - int(groups.start[upper]))
        out[above], out[lower] = lower, above
    return out


def agreement(mine: Evidence, here: Place, other: Evidence, there: Place, strength: NDArray[np.float64]) -> float:
    """Twice the log-likelihood by which the other balance supports a change that this one sees in the shared meter.

    Parameters
    ----------
    mine, other : Evidence
        Of the batches of the two places.
    here, there : Place
    strength : (k,) float64
        Standard deviations of `mine` for each day, 0 where no statement is allowed.
    """
    at = int(strength.argmax())
    day = int(np.searchsorted(other.day, mine.day[at]))
    if strength[at] == 0.0 or day == len(other.day) or other.day[day] != mine.day[at]:
        return 0.0
    where = (day, there.row, there.which)
    if other.z[where] == 0.0:
        return 0.0
    expected = gain_of(float(mine.size[at, here.row, here.which]))
    seen, deviation = float(other.size[where]), HONEST * float(other.deviation[where])
    own = HONEST * float(mine.deviation[at, here.row, here.which])
    apart = (expected - seen) ** 2 / (deviation**2 + own**2)
    says = (seen / deviation) ** 2 - apart
    return says if apart <= _SAME else min(says, 0.0)
