"""Rows for a terminal, Chinese letters counted as the two columns that they take."""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import click

from deploy.terminal import printable

__all__ = ["AS_JSON", "listed", "table"]

AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of a table.")


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


def listed(rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> str:
    """A table for people, or an object a line for programs: the same names, instants with offset, null for nothing.

    Examples
    --------
    >>> print(listed([{"id": 1, "title": "无数据", "case": None}], as_json=True))
    {"id": 1, "title": "无数据", "case": null}
    """
    if not as_json:
        return table(rows)
    return "\n".join(json.dumps(dict(row), ensure_ascii=False, default=_plain) for row in rows)


def _plain(value: object) -> object:
    """What JSON has no kind for."""
    if isinstance(value, date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else str(value)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else printable(value)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
