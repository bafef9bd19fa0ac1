"""Observability of impossible rises of a register: by the ledger's rate, or the rate learnt from its own rises.

A rise that is believed at once is within a margin of the highest rate so far; a greater one waits for later readings
(`analytics.columns.register`). How many rises that rate was learnt from says how near the margin is.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.domain.ledger import Ledger
from analytics.drift.observability import PointVerdict, Question, Reason, Verdict

__all__ = ["LearntRate", "learnt_rates", "rise_verdict"]

_SETTLED, _SOME = 24, 8
"""Number of rises from which the margin is 4, and 16; see `analytics.columns._rates_kernel`."""


class LearntRate:
    """Highest plausible rate of a register, as known now.

    Attributes
    ----------
    point : int
        Index into the ledger's points.
    declared : float
        Of the ledger, NaN where it gives none. [canonical unit/h]
    learnt : float
        Highest rate so far, NaN before the first rise; in powers of two. [canonical unit/h]
    rises : int
        From which it was learnt, 24 at most.
    """

    __slots__ = ("declared", "learnt", "point", "rises")

    def __init__(self, *, point: int, declared: float, learnt: float, rises: int) -> None:
        self.point = point
        self.declared = declared
        self.learnt = learnt
        self.rises = rises


def learnt_rates(points: NDArray[Any], chosen: NDArray[np.integer], ledger: Ledger) -> Iterator[LearntRate]:
    """What is known of some points.

    Parameters
    ----------
    points : (p,) register state
        As `analytics.columns.register.advance` keeps it.
    chosen : (k,) int
        Points of the ledger; those where no meter was read yet are left out.
    """
    made = ledger.installations
    for place in chosen.tolist():
        state = points[place]
        k = int(state["installation"])
        if k < 0:
            continue
        learnt = float(state["learnt"]) / 1e6
        yield LearntRate(
            point=place,
            declared=float(made.max_rate[k] * made.factor[k]),
            learnt=learnt if learnt > 0 else float("nan"),
            rises=int(state["learnt_n"]),
        )


def rise_verdict(rate: LearntRate) -> PointVerdict:
    """Verdict on an impossible rise.

    Examples
    --------
    >>> one = rise_verdict(LearntRate(point=0, declared=float("nan"), learnt=16.0, rises=24))
    >>> one.verdict.value, one.reason.name
    ('observable', 'LEARNT')
    """
    if rate.rises >= _SETTLED:
        verdict, reason = Verdict.OBSERVABLE, Reason.LEARNT
    elif np.isfinite(rate.declared):
        verdict, reason = Verdict.OBSERVABLE, Reason.DECLARED_RATE
    elif rate.rises >= _SOME:
        verdict, reason = Verdict.WEAK, Reason.FEW_RISES
    else:
        verdict, reason = Verdict.NOT_OBSERVABLE, Reason.FEW_RISES
    return PointVerdict(point=rate.point, question=Question.RISE, verdict=verdict, reason=reason)
