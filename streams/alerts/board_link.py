"""The address of the board that a message leads to: the right unit, point, language and time."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote

__all__ = ["board_link"]

_BEFORE: Final = timedelta(days=1)
"""What is seen of the time before it began."""


def board_link(
    template: str,
    *,
    alerts: Collection[int],
    units: Collection[str],
    points: Collection[str],
    language: str,
    since: datetime,
    until: datetime,
) -> str:
    """Address of a board, with what is one for all alerts of a message; what differs among them is left empty.

    Parameters
    ----------
    template : str
        With ``{alert}``, ``{unit}``, ``{point}``, ``{language}``, ``{from}`` and ``{to}``; times are in milliseconds,
        as Grafana has them.
    alerts, units, points : collections
        Of the message.
    since, until : datetime
        When it began, and now.

    Examples
    --------
    >>> from datetime import UTC
    >>> day = datetime(2026, 11, 30, tzinfo=UTC)
    >>> board_link("/d/mw-point-{language}?var-unit={unit}&var-point={point}&from={from}", alerts=[7, 8], units={"U&1"},
    ...            points={"W #2"}, language="zh", since=day, until=day)
    '/d/mw-point-zh?var-unit=U%261&var-point=W%20%232&from=1795910400000'
    """
    words = {
        "alert": _one({str(alert) for alert in alerts}),
        "unit": _one(units),
        "point": _one(points),
        "language": language,
        "from": str(round((since - _BEFORE).timestamp() * 1000)),
        "to": str(round(until.timestamp() * 1000)),
    }
    for name, word in words.items():
        template = template.replace(f"{{{name}}}", quote(word, safe=""))
    return template


def _one(names: Collection[str]) -> str:
    distinct = set(names)
    return distinct.pop() if len(distinct) == 1 else ""
