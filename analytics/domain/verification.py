"""Verification of a meter: verified on, cycle, due; two of the three give the third.

A verification holds through its last day: one of 2024-03-15 with a cycle of 12 months is due on 2025-03-14. There are
certificates that say 2025-03-15, so either day agrees with the other two facts; the stated one is kept.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["add_months", "completed", "consistent"]

Days = NDArray[np.int32]
Months = NDArray[np.float64]

_NO_DAY = np.iinfo(np.int32).min


def _month(day: NDArray[np.integer]) -> NDArray[np.int64]:
    """Months since January 1970 of days since its first."""
    return np.asarray(day.astype("datetime64[D]").astype("datetime64[M]"), np.int64)


def add_months(day: Days, months: Months) -> NDArray[np.int64]:
    """Same day of the month so many months on, the last one of a shorter month; where both are known.

    Parameters
    ----------
    day : (n,) int32
        Days since 1970-01-01.
    months : (n,) float64
        Whole months, negative to go back.

    Returns
    -------
    (n,) int64
        Days since 1970-01-01.

    Examples
    --------
    >>> january_31 = np.array([np.datetime64("2024-01-31").astype(int)], np.int32)
    >>> add_months(january_31, np.array([1.0])).astype("datetime64[D]")
    array(['2024-02-29'], dtype='datetime64[D]')
    """
    date = day.astype("datetime64[D]")
    month = date.astype("datetime64[M]")
    offset = (date - month.astype("datetime64[D]")).astype(np.int64)
    target = month + months.astype(np.int64).astype("timedelta64[M]")
    length = ((target + 1).astype("datetime64[D]") - target.astype("datetime64[D]")).astype(np.int64)
    return np.asarray(target.astype("datetime64[D]").astype(np.int64) + np.minimum(offset, length - 1), np.int64)


def consistent(verified_on: Days, cycle_months: Months, due: Days) -> NDArray[np.bool_]:
    """Whether the facts given agree: due after verified, and at most a day off the cycle's end.

    Parameters
    ----------
    verified_on, due : (n,) int32
        Days since 1970-01-01, `NO_DAY` where not given.
    cycle_months : (n,) float64
        NaN where not given. [months]
    """
    both = (verified_on != _NO_DAY) & (due != _NO_DAY)
    all_three = both & ~np.isnan(cycle_months)
    end = np.zeros(len(due), np.int64)
    end[all_three] = add_months(verified_on[all_three], cycle_months[all_three])
    off = end - due
    return np.asarray((~both | (due >= verified_on)) & (~all_three | ((off >= 0) & (off <= 1))), np.bool_)


def completed(verified_on: Days, cycle_months: Months, due: Days) -> tuple[Days, Months, Days]:
    """The three facts, the missing one worked out where the other two are given.

    The cycle between two days is stated only where it is a whole number of months.
    """
    has_from, has_due, has_cycle = verified_on != _NO_DAY, due != _NO_DAY, ~np.isnan(cycle_months)
    verified_on, cycle_months, due = verified_on.copy(), cycle_months.copy(), due.copy()
    no_due = has_from & has_cycle & ~has_due
    due[no_due] = add_months(verified_on[no_due], cycle_months[no_due]) - 1
    no_from = has_due & has_cycle & ~has_from
    verified_on[no_from] = add_months((due[no_from] + 1).astype(np.int32), -cycle_months[no_from])
    no_cycle = has_from & has_due & ~has_cycle
    start, end = verified_on[no_cycle], due[no_cycle]
    months = (
        (end + 1).astype("datetime64[D]").astype("datetime64[M]")
        - start.astype("datetime64[D]").astype("datetime64[M]")
    ).astype(np.float64)
    whole = (months > 0) & consistent(start, months, end)
    cycle_months[no_cycle] = np.where(whole, months, np.nan)
    return verified_on, cycle_months, due
