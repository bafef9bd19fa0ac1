"""Rows for a terminal, Chinese letters counted as the two columns that they take."""

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from deploy.terminal import printable

__all__ = ["table"]


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Columns of equal width under their names; a word where there is nothing.

    Examples
    --------
    >>> print(table([{"id": 1, "title": "无数据"}, {"id": 12, "title": None}]))
    id  title
    1   无数据
    12  –
    """
    if not rows:
        return "none"
    lines = [list(rows[0])] + [[_cell(value) for value in row.values()] for row in rows]
    widths = [max(_width(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else printable(value)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
