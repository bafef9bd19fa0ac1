"""A board's SQL for psycopg: what a Grafana would put in as text goes as parameters, and a range says how fine.

The boards' questions have Grafana's macros in them (`dashboards.queries`). Values of a request never become text of a
statement: each is a parameter, and the statement is the same for all requests.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

from dashboards.panels import Panel

__all__ = ["RANGES", "Span", "statement"]

RANGES: Final[Mapping[str, timedelta]] = {
    "1d": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
    "365d": timedelta(days=365),
}
"""Ranges that a page offers, by the word in its address."""
_STEPS_S: Final = (60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86_400, 7 * 86_400)
_CELLS: Final = 320
"""About so many points along a chart."""
_VARIABLE: Final = re.compile(r"\$\{(\w+):sqlstring\}")
_MACRO: Final = re.compile(r"\$__(\w+)\(([^)]*)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The time that a page shows.

    Attributes
    ----------
    since, until : datetime
        With their offset.
    """

    since: datetime
    until: datetime

    def step(self, panel: Panel) -> timedelta:
        """What a point of a panel's chart stands for, at least the panel's own interval."""
        least_s = _seconds(panel.interval or "1m")
        wanted_s = (self.until - self.since).total_seconds() / (panel.cells or _CELLS)
        fitting = [step for step in _STEPS_S if step >= max(least_s, wanted_s)]
        return timedelta(seconds=fitting[0] if fitting else _STEPS_S[-1])

    def facts(self, step: timedelta) -> dict[str, Any]:
        """Parameters of a statement that `statement` made."""
        return {"since__": self.since, "until__": self.until, "step__": step, "step_ms__": step.total_seconds() * 1000}


@cache
def statement(text: str) -> str:
    """Statement with parameters: a board's variables by their names, and what `Span.facts` gives.

    Examples
    --------
    >>> statement("select 1 from a where u = ${unit:sqlstring} and $__timeFilter(start)")
    'select 1 from a where u = %(unit)s and start between %(since__)s::timestamptz and %(until__)s::timestamptz'
    """
    text = text.replace("%", "%%")
    text = _VARIABLE.sub(lambda found: f"%({found[1]})s", text)
    text = _MACRO.sub(_expanded, text)
    text = re.sub(r"\$__interval_ms\b", "%(step_ms__)s::float8", text)
    return re.sub(r"\$__interval\b", "%(step__)s::interval", text)


def _expanded(found: re.Match[str]) -> str:
    given = [argument.strip() for argument in found[2].split(",")]
    match found[1]:
        case "timeFilter":
            return f"{given[0]} between %(since__)s::timestamptz and %(until__)s::timestamptz"
        case "timeFrom":
            return "%(since__)s::timestamptz"
        case "timeTo":
            return "%(until__)s::timestamptz"
        case "timeGroup":
            return f"time_bucket(%(step__)s::interval, {given[0]})"
    raise ValueError(f"a macro must be one that boards use (got {found[0]!r})")


def _seconds(text: str) -> int:
    return int(text[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[text[-1]]
