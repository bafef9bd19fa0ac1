"""Rendering of boards' panels on web pages."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta, tzinfo
from typing import Any

from analytics.domain.words import Language
from dashboards.amounts import scaled_row
from dashboards.panels import Panel
from dashboards.text import SERIES
from dashboards.web.asking import Span
from dashboards.web.charts import Chart, chart, strip
from dashboards.web.values import Cell, cell, heading

__all__ = ["Figure", "Shown", "Table", "shown", "table_of"]

Href = Callable[[str, Mapping[str, Any]], str]
"""Where a cell leads, by its column and row; '' nowhere."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number with its name."""

    name: str
    cell: Cell


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under their headings."""

    headings: Sequence[tuple[str, bool]]
    """Each with whether its column is of numbers, which are set to the right."""
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A panel with what was found for it."""

    title: str
    description: str
    wide: bool
    table: Table | None = None
    figures: Sequence[Figure] = ()
    chart: Chart | None = None


def shown(
    panel: Panel,
    rows: Sequence[Mapping[str, Any]],
    *,
    span: Span,
    step: timedelta,
    language: Language,
    zone: tzinfo,
    href: Href,
    words: Mapping[str, str] | None = None,
) -> Shown:
    """A panel with rows.

    Parameters
    ----------
    rows
        What its question gave.
    span, step
        The time that the page shows, and what a row of a chart stands for.
    href : callable
        Where cells lead.
    words : mapping, optional
        What stands for ``${name}`` in titles.
    """
    title = panel.title.of(language)
    for name, word in (words or {}).items():
        title = title.replace(f"${{{name}}}", word)
    facts: dict[str, Any] = {
        "title": title,
        "description": panel.description.of(language),
        "wide": panel.kind == "table",
    }
    if panel.kind == "table":
        facts["table"] = table_of(rows, language=language, zone=zone, href=href, hidden=panel.hidden.get(language, ()))
    elif panel.kind == "stat":
        facts["figures"] = [
            Figure(heading_of(name, language), cell(name, value, language=language, zone=zone))
            for name, value in (rows[0] if rows else {}).items()
        ]
    elif panel.kind == "status-history":
        facts["chart"] = strip(panel, rows, span=span, step=step, language=language, zone=zone)
    else:
        facts["chart"] = chart(panel, rows, span=span, step=step, language=language, zone=zone)
    return Shown(**facts)


def heading_of(name: str, language: Language) -> str:
    """What a figure is called: as a series where it is one, else as a column."""
    word = SERIES.get(name)
    return word.text.of(language) if word else heading(name, language)


def table_of(
    rows: Sequence[Mapping[str, Any]],
    *,
    language: Language,
    zone: tzinfo,
    href: Href,
    hidden: Sequence[str] = (),
) -> Table | None:
    """Rows as a table; None where there are none."""
    if not rows:
        return None
    if language == "zh":
        rows = [scaled_row(row) for row in rows]
    columns = [name for name in rows[0] if name not in hidden and not name.startswith("_")]
    cells = [
        [cell(name, row[name], language=language, zone=zone, href=href(name, row)) for name in columns] for row in rows
    ]
    numbers = [any(one.right for one in column) for column in zip(*cells, strict=True)]
    return Table(
        [(heading(name, language), right) for name, right in zip(columns, numbers, strict=True)],
        [
            [one if one.right == right else replace(one, right=right) for one, right in zip(row, numbers, strict=True)]
            for row in cells
        ],
    )
