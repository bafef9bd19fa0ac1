"""Newest reading of each further register, and classification of later readings against it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.columns._layout import NEVER
from analytics.health.redundancy import _kernel as kernel
from analytics.health.redundancy._state_kernel import NEWEST

__all__ = ["NEWEST", "compare"]


def compare(
    newest: NDArray[Any], *, key: NDArray[np.int64], at_us: NDArray[np.int64], value: NDArray[np.float64]
) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Classify readings, in order of arrival, against the newest of their registers.

    Parameters
    ----------
    newest : (k,) NEWEST
        Sorted by key; changed in place, and longer in what is returned where registers are new.
    key : (n,) int64
    at_us : (n,) int64
        [us since 1970-01-01 UTC]
    value : (n,) float64

    Returns
    -------
    newest : (k',) NEWEST
    said : (n,) uint8
        `ACCEPTED`, `DUPLICATE`, `CONFLICT` or, for what is older than the newest, `LATE`.

    Examples
    --------
    >>> from analytics.columns.register import ACCEPTED, DUPLICATE, LATE
    >>> _, said = compare(
    ...     np.empty(0, NEWEST), key=np.array([7, 7, 7]), at_us=np.array([5, 5, 4]), value=np.array([1.0, 1.0, 1.0])
    ... )
    >>> said.tolist() == [ACCEPTED, DUPLICATE, LATE]
    True
    """
    keys = np.unique(key)
    fresh = keys[~np.isin(keys, newest["key"])]
    if fresh.size:
        more = np.zeros(fresh.size, NEWEST)
        more["key"], more["at"] = fresh, NEVER
        newest = np.concatenate([newest, more])
        newest = newest[np.argsort(newest["key"])]
    said = np.empty(key.size, np.uint8)
    kernel.compare(newest, np.searchsorted(newest["key"], key), at_us, value, said)
    return newest, said
