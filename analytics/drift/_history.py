"""Self-calibration: the loudest statistic of each of a group's own weeks, and the threshold that follows from it.

Weeks in which nothing changed are exchangeable, more or less, so a week is louder than all of m others with probability
1 / (m + 1), whatever the distribution of its group's statistics: the conformal p-value by rank. Half a year of weeks
alone could promise no less than a false alarm in half a year, so the rank raises the rules' threshold and does not
replace it: a group must be louder than anything that its own past said without a change, within a bound.

References
----------
V. Vovk, A. Gammerman and G. Shafer, *Algorithmic Learning in a Random World*, Springer 2005, chapters 2 and 8
(conformal p-values; inductive tests of exchangeability).
E. J. Gumbel, *Statistics of Extremes*, Columbia University Press 1958 (maxima of blocks).
"""

import numpy as np
from numpy.typing import NDArray

from analytics.drift._batch import WEEKS, Batch

__all__ = ["calm", "own", "remember", "set_aside"]

_WEEK = 7
_LAG = 4
"""Weeks that are not yet anybody's past: a change that has just begun may be in them."""


def remember(batch: Batch, loudness: NDArray[np.float64], day: int) -> None:
    """Keep the week's loudest statistic of each group.

    Parameters
    ----------
    batch : Batch
        Changed in place.
    loudness : (g,) float64
        Largest statistic of the day over the rules' threshold, 0 where there is none.
    day : int
        [d since 1970-01-01 UTC]
    """
    now, week = batch.numbers, day // _WEEK
    for missed in range(max(int(now["loud_week"].min()) + 1, week + 1 - WEEKS), week + 1):
        for kept in ("loud", "restless_then"):
            now[kept][now["loud_week"] < missed, missed % WEEKS] = 0.0
    now["loud_week"][:] = week
    slot = now["loud"][:, week % WEEKS]
    np.maximum(slot, loudness, out=slot)
    now["restless_then"][:, week % WEEKS] = now["restless"]


def calm(batch: Batch, since: NDArray[np.int64]) -> NDArray[np.float64]:
    """Typical size of each group's statistics before a change began, which raises it as well; (g,) float64. [1].

    Parameters
    ----------
    batch : Batch
    since : (g,) int64
        Day on which the change began.
    """
    now = batch.numbers
    week = now["loud_week"].astype(np.int64)
    before = np.maximum(since // _WEEK - 1, week - WEEKS + 1)
    there = now["restless_then"][np.arange(len(week)), before % WEEKS].astype(np.float64)
    return np.asarray(np.where(there > 0.0, there, np.inf), np.float64)


def set_aside(batch: Batch, row: int, since: int) -> None:
    """Forget weeks from a day on, for they hold a change."""
    week = int(batch.numbers["loud_week"][row])
    for one in range(max(since // _WEEK, week - WEEKS + 1), week + 1):
        batch.numbers["loud"][row, one % WEEKS] = 0.0


def own(batch: Batch, since: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
    """Factor of each group's threshold by its own past; (g,) float64. [1].

    Parameters
    ----------
    batch : Batch
    since : (g,) int64, optional
        Day on which the change that is asked about began: weeks from it on do not count. Without it the last four weeks
        do not.
    """
    now, rules = batch.numbers, batch.rules
    week = now["loud_week"].astype(np.int64)
    until = week - _LAG if since is None else np.minimum(since // _WEEK - 1, week)
    newest = week[:, None] - (week[:, None] - np.arange(WEEKS)) % WEEKS  # of which week each slot is
    past = np.where(newest <= until[:, None], now["loud"], 0.0)
    return np.asarray(np.clip(rules.louder * past.max(axis=1), 1.0, rules.loudest), np.float64)
