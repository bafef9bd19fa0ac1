"""Which verdicts on stuck dials are worth writing: those that changed, and every one now and then."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.health.habit import what_decides

__all__ = ["SaidHabits"]

_AGAIN_DAYS = 4
"""A row left alone for a week may be written by others."""
_DAY_US = 86_400_000_000


class SaidHabits:
    """What was last written of each point; not part of a snapshot, for saying it again does no harm."""

    def __init__(self) -> None:
        self._said: NDArray[np.float64] | None = None

    def news(self, habits: NDArray[Any], n_points: int) -> NDArray[Any]:
        """Those of which something is to be written: a steady fleet says a quarter of its points again each day.

        Parameters
        ----------
        habits : (h,) analytics.health.arrival.HABIT_ROW
            At most one row a point.
        n_points : int
            Points there are.
        """
        if not len(habits):
            return habits
        point, now = habits["point"], what_decides(habits)
        if self._said is None:
            self._said = np.full((n_points, now.shape[1]), np.nan)
        again = (habits["at"] // _DAY_US + point) % _AGAIN_DAYS == 0
        new = again | (self._said[point] != now).any(axis=1)
        self._said[point] = now
        news: NDArray[Any] = habits[new]
        return news
