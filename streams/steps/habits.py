"""Selection of verdicts on stuck dials to be written: those that changed, and each from time to time."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.domain.instants import US_PER_DAY
from analytics.health.arrival import HABIT_ROW
from analytics.health.habit import newest_habits, what_decides

__all__ = ["SaidHabits"]

_AGAIN_DAYS = 4
"""A row left alone for a week may be written by others."""
_AT_ONCE = 5000
"""Most rows per transaction, since all meters reach midnight at once."""


class SaidHabits:
    """What was last written of each point; not part of a snapshot, for saying it again does no harm."""

    def __init__(self) -> None:
        self._said: NDArray[np.float64] | None = None
        self._waiting: NDArray[Any] = np.empty(0, HABIT_ROW)

    def news(self, habits: NDArray[Any], n_points: int) -> NDArray[Any]:
        """Those to be written now: of a steady fleet a quarter of the points is written again each day.

        What is too much at once waits for the next batches.

        Parameters
        ----------
        habits : (h,) analytics.health.arrival.HABIT_ROW
            At most one row a point.
        n_points : int
            Points there are.
        """
        if len(habits):
            self._waiting = newest_habits(np.concatenate([self._waiting, self._changed(habits, n_points)]))
        news, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
        return news

    def _changed(self, habits: NDArray[Any], n_points: int) -> NDArray[Any]:
        point, now = habits["point"], what_decides(habits)
        if self._said is None:
            self._said = np.full((n_points, now.shape[1]), np.nan)
        again = (habits["at"] // US_PER_DAY + point) % _AGAIN_DAYS == 0
        new = again | (self._said[point] != now).any(axis=1)
        self._said[point] = now
        changed: NDArray[Any] = habits[new]
        return changed
