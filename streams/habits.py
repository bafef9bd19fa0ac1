"""Which verdicts on stuck dials are worth writing: those that changed, and every one now and then."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.drift.observability import PointVerdict
from analytics.health.habit import stuck_verdict

__all__ = ["SaidHabits"]

_AGAIN_DAYS = 4
"""A row left alone for a week may be written by others."""
_DAY_US = 86_400_000_000


class SaidHabits:
    """The verdicts that were last written of each point; not part of a snapshot, for saying one again does no harm."""

    def __init__(self) -> None:
        self._said: dict[int, PointVerdict] = {}

    def news(self, habits: NDArray[Any]) -> list[tuple[PointVerdict, np.void]]:
        """What is to be written of them: a steady fleet says a quarter of its points again each day.

        Parameters
        ----------
        habits : (p,) analytics.health.arrival.HABIT_ROW
            At most one row a point.
        """
        due = (habits["at"] // _DAY_US + habits["point"]) % _AGAIN_DAYS == 0
        new = []
        for habit, again in zip(habits, due.tolist(), strict=True):
            one = stuck_verdict(habit)
            if again or _differs(one, self._said.get(one.point)):
                self._said[one.point] = one
                new.append((one, habit))
        return new


def _differs(one: PointVerdict, other: PointVerdict | None) -> bool:
    # not the hours that are not known: those never equal themselves
    return other is None or (one.verdict, one.reason, str(one.hours_typical), str(one.hours_worst)) != (
        other.verdict,
        other.reason,
        str(other.hours_typical),
        str(other.hours_worst),
    )
