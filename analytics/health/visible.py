"""Observability of a wrong ratio by redundant registers, as verdicts beside those of the balance."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.drift.observability import PointVerdict, Question, Reason, Verdict
from analytics.health.redundancy import Check

__all__ = ["best_of", "verdict_of"]

_RATIO, _WEAK = 0.15, 0.5
"""Smallest error that must be detectable: half of that of a lost phase; up to one half it is weak."""
_SEEN = {
    Check.POWER: (Verdict.WEAK, Reason.POWER),
    Check.PRIMARY_POWER: (Verdict.OBSERVABLE, Reason.PRIMARY_POWER),
    Check.PHASES: (Verdict.WEAK, Reason.PHASES),
    Check.HEAT: (Verdict.OBSERVABLE, Reason.HEAT),
}
_RANK = {Verdict.NOT_OBSERVABLE: 0, Verdict.WEAK: 1, Verdict.OBSERVABLE: 2}


def verdict_of(sight: np.void) -> PointVerdict:
    """Verdict of one check on the question of a wrong ratio.

    A power before the multiplier cannot show the transformers, which feed it and the energy alike: it is weak at best,
    and so are phases, which show one that is lost and no ratio.

    Parameters
    ----------
    sight : SIGHT_ROW
        One row.
    """
    check, smallest = Check(int(sight["check"])), float(sight["smallest"])
    primary = check is Check.POWER and bool(sight["primary"])
    best, reason = _SEEN[Check.PRIMARY_POWER if primary else check]
    if np.isnan(smallest):
        best, reason = Verdict.NOT_OBSERVABLE, Reason.LEARNING
    elif smallest > _WEAK or (check is not Check.PHASES and smallest > _RATIO):
        best = Verdict.NOT_OBSERVABLE if smallest > _WEAK else Verdict.WEAK
        reason = Reason.NOISY_POWER
    if check is Check.HEAT and sight["refused"] and best is not Verdict.OBSERVABLE:
        reason = Reason.SMALL_DIFFERENCE
    return PointVerdict(
        point=int(sight["point"]),
        question=Question.RATIO,
        verdict=best,
        reason=reason,
        share=float("nan"),
        smallest_30d=smallest,
        smallest_90d=smallest,
    )


def best_of(verdicts: Iterable[PointVerdict], sights: NDArray[Any]) -> tuple[PointVerdict, ...]:
    """Verdicts with those of further registers in their place, where these see as well or better.

    Parameters
    ----------
    verdicts : iterable of PointVerdict
        One a point and question.
    sights : (s,) SIGHT_ROW
        In order of time; of each check the last one counts.
    """
    newest: Mapping[tuple[int, int], np.void] = {(int(row["point"]), int(row["check"])): row for row in sights}
    found: dict[int, PointVerdict] = {}
    for row in newest.values():
        one = verdict_of(row)
        if one.point not in found or _RANK[one.verdict] > _RANK[found[one.point].verdict]:
            found[one.point] = one

    def better(old: PointVerdict) -> PointVerdict:
        new = found.get(old.point) if old.question is Question.RATIO else None
        return old if new is None or _RANK[new.verdict] < _RANK[old.verdict] else new

    return tuple(map(better, verdicts))
