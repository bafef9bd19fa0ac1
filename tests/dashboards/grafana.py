"""A board's SQL as Grafana sends it: variables by the browser, then macros by the server's PostgreSQL data source.

After Grafana 9.4: `SqlDatasource.interpolateVariable` with the format ``sqlstring``, and the macro engine of
``pkg/tsdb/postgres`` with TimescaleDB switched on.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

__all__ = ["Range", "expand"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What a board shows, and how long a point of a chart stands for."""

    since: datetime
    until: datetime
    interval: timedelta

    @property
    def interval_text(self) -> str:
        """As Grafana writes it."""
        seconds = round(self.interval.total_seconds())
        for size, letter in ((86_400, "d"), (3_600, "h"), (60, "m")):
            if seconds % size == 0:
                return f"{seconds // size}{letter}"
        return f"{seconds}s"


def expand(text: str, span: Range, variables: Mapping[str, str | Sequence[str]] | None = None) -> str:
    """The statement that reaches the database."""
    text = re.sub(r"\$\{(\w+):sqlstring\}", lambda found: _quoted((variables or {})[found[1]]), text)
    milliseconds = round(span.interval.total_seconds() * 1000)
    text = re.sub(r"\$__interval_ms\b", str(milliseconds), text)
    text = re.sub(r"\$__interval\b", span.interval_text, text)
    return re.sub(r"\$([_a-zA-Z0-9]+)\(([^)]*)\)", lambda found: _macro(found[1], found[2], span), text)


def _quoted(value: str | Sequence[str]) -> str:
    values = [value] if isinstance(value, str) else value
    return ",".join("'" + one.replace("'", "''") + "'" for one in values)


def _macro(name: str, arguments: str, span: Range) -> str:
    given = [argument.strip(" ") for argument in arguments.split(",")]
    match name:
        case "__timeFilter":
            return f"{given[0]} BETWEEN '{_at(span.since)}' AND '{_at(span.until)}'"
        case "__timeFrom":
            return f"'{_at(span.since)}'"
        case "__timeTo":
            return f"'{_at(span.until)}'"
        case "__timeGroup":
            return f"time_bucket('{_seconds(given[1]):.3f}s',{given[0]})"
    raise ValueError(f"unknown macro {name!r}")


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+)([smhd])", text.strip("'"))
    if found is None:
        raise ValueError(f"error parsing interval {text}")
    return int(found[1]) * {"s": 1, "m": 60, "h": 3_600, "d": 86_400}[found[2]]


def _at(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")
