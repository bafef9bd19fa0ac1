"""Observability of a stuck dial by the meter's own usage profile, as a verdict beside those of the balance."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.domain.instants import US_PER_DAY
from analytics.drift.observability import PointVerdict, Question, Reason, Verdict

__all__ = ["newest_habits", "stuck_verdict", "what_decides", "with_habits"]

_OBSERVABLE_H, _WEAK_H = 24.0, 168.0
"""Worst-case detection time up to which a jam is observable (a day), or weakly so (a week). [h]"""
_LEARNING_DAYS = 14
_LEFT_ALONE_US = 7 * US_PER_DAY


def stuck_verdict(habit: np.void) -> PointVerdict:
    """Verdict on a stuck dial.

    Parameters
    ----------
    habit : HABIT_ROW
        One row.

    Examples
    --------
    >>> from analytics.health.arrival import HABIT_ROW
    >>> row = np.zeros(1, HABIT_ROW)[0]
    >>> row["days"], row["typical_h"], row["worst_h"], row["away"] = 60, 674.0, 678.2, 672.0
    >>> one = stuck_verdict(row)
    >>> one.verdict.value, one.reason.name, one.hours_worst
    ('not_observable', 'ABSENCE', 679.0)
    """
    typical, worst = (float(np.ceil(habit[name])) for name in ("typical_h", "worst_h"))
    if worst <= _OBSERVABLE_H:
        verdict, reason = Verdict.OBSERVABLE, Reason.MOVES
    else:
        verdict, reason = Verdict.WEAK if worst <= _WEAK_H else Verdict.NOT_OBSERVABLE, _hindrance(habit)
    return PointVerdict(
        point=int(habit["point"]),
        question=Question.STUCK,
        verdict=verdict,
        reason=reason,
        hours_typical=typical if np.isfinite(typical) else float("nan"),
        hours_worst=worst if np.isfinite(worst) else float("nan"),
    )


def _hindrance(habit: np.void) -> Reason:
    """Reason why a jam is not detected within a day."""
    if habit["days"] < _LEARNING_DAYS:
        return Reason.LEARNING
    if habit["away"] > _OBSERVABLE_H:
        return Reason.ABSENCE
    # whether the limit is the rules' own, or raised by an earlier standstill
    return Reason.RESTED if habit["rested"] else Reason.SELDOM


def what_decides(habits: NDArray[Any]) -> NDArray[np.float64]:
    """What the verdicts on stuck dials depend on: rows of equal numbers have the same verdict, reason and hours.

    Parameters
    ----------
    habits : (h,) HABIT_ROW

    Returns
    -------
    (h, 5) float64
    """
    return np.column_stack(
        (
            np.ceil(habits["typical_h"].astype(np.float64)),
            np.ceil(habits["worst_h"].astype(np.float64)),
            habits["days"] < _LEARNING_DAYS,
            habits["away"] > _OBSERVABLE_H,
            habits["rested"],
        )
    )


def newest_habits(habits: NDArray[Any]) -> NDArray[Any]:
    """The last row of each point.

    Parameters
    ----------
    habits : (h,) HABIT_ROW
        In order of time.
    """
    _, last = np.unique(habits["point"][::-1], return_index=True)
    newest: NDArray[Any] = habits[habits.size - 1 - last]
    return newest


def with_habits(
    verdicts: Iterable[PointVerdict], habits: NDArray[Any], *, until_us: int | None = None
) -> tuple[PointVerdict, ...]:
    """Verdicts with those of the meters' habits in their place.

    Parameters
    ----------
    verdicts : iterable of PointVerdict
        One a point and question.
    habits : (h,) HABIT_ROW
        In order of time; of each point the last one counts.
    until_us : int, optional
        A habit that is a week older than this says nothing of a jam now. [us since 1970-01-01 UTC]
    """
    newest = newest_habits(habits)
    if until_us is not None:
        newest = newest[newest["at"] >= until_us - _LEFT_ALONE_US]
    found = {int(row["point"]): stuck_verdict(row) for row in newest}
    return tuple(found.get(old.point, old) if old.question is Question.STUCK else old for old in verdicts)
