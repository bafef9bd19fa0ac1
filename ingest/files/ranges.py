"""Row numbers as people read them."""

from collections.abc import Sequence

import numpy as np

__all__ = ["row_ranges"]

_RANGES = 8


def row_ranges(rows: Sequence[int], most: int = _RANGES) -> str:
    """Row numbers as ranges, cut where there are many.

    Examples
    --------
    >>> row_ranges([2, 3, 4, 9, 7])
    '2-4, 7, 9'
    """
    if not rows:
        return "–"
    numbers = np.unique(np.asarray(rows, np.int64))
    cuts = np.flatnonzero(np.diff(numbers) > 1) + 1
    runs = [(int(run[0]), int(run[-1])) for run in np.split(numbers, cuts)]
    shown = [str(low) if low == high else f"{low}-{high}" for low, high in runs[:most]]
    return ", ".join(shown) + (f" … ({len(numbers)})" if len(runs) > most else "")
