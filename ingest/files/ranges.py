"""Row numbers as people read them."""

from collections.abc import Sequence

import numpy as np

__all__ = ["SHEET_ROWS", "row_name", "row_ranges"]

_RANGES = 8
SHEET_ROWS = 10_000_000
"""Rows of the second sheet of a file of several are numbered from here on, those of the third from twice this."""


def row_name(row: int) -> str:
    """A row as a person finds it: its number, after that of its sheet where it is not of the first.

    Examples
    --------
    >>> row_name(12), row_name(SHEET_ROWS + 12)
    ('12', '2:12')
    """
    sheet, number = divmod(row, SHEET_ROWS)
    return f"{sheet + 1}:{number}" if sheet else str(number)


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
    shown = [row_name(low) + (f"-{high % SHEET_ROWS}" if low < high else "") for low, high in runs[:most]]
    return ", ".join(shown) + (f" … ({len(numbers)})" if len(runs) > most else "")
