"""Values as people write them: codes in words with their sign, local times, numbers with their unit.

By a column's name in the SQL, the same names as the boards'.
"""

import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from analytics.domain.words import Language, Phrase
from analytics.review.certificates import CONCLUSIONS as CERTIFIED
from analytics.review.certificates import KINDS as CERTIFICATES
from analytics.review.process import CONCLUSIONS, ORIGINS, STATES
from dashboards.render import DECIMALS, UNITS
from dashboards.text import COLUMNS as _BOARDS
from dashboards.text import NO_VALUE, NONE, NONE_WHERE_EMPTY, VALUES, Word
from dashboards.web.words import ACTORS, ALERT_ACTIONS, ROLES, UPLOAD_STATES
from dashboards.web.words import COLUMNS as _OWN
from dashboards.web.work_words import COLUMNS as _WORK
from dashboards.web.work_words import DIFFERENCE_WORDS, GATEWAY_STATES, NO_REVIEW, REVIEW_ACTIONS

__all__ = ["Cell", "cell", "duration", "heading", "instant", "number", "size"]

_TONES: Final = {"■": "bad", "▲": "warn", "✓": "good", "?": "unknown", "●": "note", "–": "muted", "◆": "note"}
_PERCENT: Final = {"percent", "percentunit"}
_SUFFIXES: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_SPANS: Final = (
    (86_400.0, Phrase(zh="天", en="d")),
    (3_600.0, Phrase(zh="小时", en="h")),
    (60.0, Phrase(zh="分钟", en="min")),
)
_WORDS: Final = {
    **VALUES,
    "alert_action": {code: Word(text) for code, text in ALERT_ACTIONS.items()},
    "upload_state": {code: Word(text) for code, text in UPLOAD_STATES.items()},
    "certificate_kind": {code: Word(text) for code, text in CERTIFICATES.items()},
    "certificate_conclusion": {code: Word(text) for code, text in CERTIFIED.items()},
    "gateway_state": {code: Word(text) for code, text in GATEWAY_STATES.items()},
    "review_origin": {code: Word(text) for code, text in ORIGINS.items()},
    "review_state": {code: Word(text) for code, text in STATES.items()},
    "this_year": {code: Word(text) for code, text in {**STATES, **NO_REVIEW}.items()},
    "review_conclusion": {code: Word(text) for code, text in CONCLUSIONS.items()},
    "review_action": {code: Word(text) for code, text in REVIEW_ACTIONS.items()},
    "difference_word": {code: Word(text) for code, text in DIFFERENCE_WORDS.items()},
    "by_name": {code: Word(text) for code, text in ACTORS.items()},
    "role": {code: Word(text) for code, text in ROLES.items()},
}
_EMPTY: Final = NONE_WHERE_EMPTY | {
    "agent",
    "assignee_name",
    "client",
    "due_on",
    "grade",
    "loaded_by",
    "note",
    "reason",
    "closed_on",
    "concluded_on",
    "corrected_on",
    "acknowledged_at",
    "gateway_fault",
    "platform_answer",
    "gateway_told",
    "given_up",
    "kafka_since",
    "late",
    "last_backup",
    "last_delivery",
    "oldest_waiting",
    "spool_used",
    "waiting_readings",
    "last_signed",
    "valid_until",
    "review_conclusion",
    "scan",
    "visited_on",
    "serial_no",
    "source",
    "unit_code",
    "unit_of_person",
    "verdict_on_site",
    "what",
    "what_en",
}
"""Columns whose empty cells say that there is none."""
_NAMES: Final = frozenset({"year", "last_signed", "alert", "review_no", "draw_no", "item"})
"""Columns of numbers that count nothing, and are written without commas."""
_SHARES: Final = frozenset({"required", "covered"})
"""Columns of percents that stand beside columns of words of the same name."""
_YES: Final = Phrase(zh="是", en="yes")
_NO: Final = Phrase(zh="否", en="no")
_SECONDS: Final = Phrase(zh="秒", en="s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A value as it is shown.

    Attributes
    ----------
    text : str
    tone : str
        One of good, warn, bad, unknown, note, muted or nothing: the style sheet's colour, never the only sign.
    right : bool
        Whether it is a number, set to the right.
    href : str
        Where it leads.
    """

    text: str
    tone: str = ""
    right: bool = False
    href: str = ""


def heading(column: str, language: Language) -> str:
    """What a column is called; its own name where nobody named it."""
    named = _OWN.get(column) or _WORK.get(column) or _BOARDS.get(column)
    return named.of(language) if named else column


def cell(column: str, value: Any, *, language: Language, zone: tzinfo, href: str = "") -> Cell:
    """A value of a column."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return Cell(text=(NONE if column in _EMPTY else NO_VALUE).of(language), tone="muted")
    words = _WORDS.get(column)
    word = None if words is None else words.get(str(value))
    if word is not None:
        return _worded(word, language, href)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return Cell(text=_measured(column, float(value), language), right=True, href=href)
    return Cell(text=_written(column, value, language, zone), href=href)


def _written(column: str, value: Any, language: Language, zone: tzinfo) -> str:
    if isinstance(value, bool):
        return (_YES if value else _NO).of(language)
    if isinstance(value, datetime):
        return instant(value, zone, day=UNITS.get(column) == "time:YYYY-MM-DD")
    return value.isoformat() if isinstance(value, date) else str(value)


@lru_cache(4096)  # a table of 500 meters has thousands of the same few words
def _worded(word: Word, language: Language, href: str) -> Cell:
    return Cell(text=word.of(language), tone=_TONES.get(word.sign, ""), href=href)


def _measured(column: str, value: float, language: Language) -> str:
    if column in _NAMES:
        return f"{value:.0f}"
    unit = "percent" if column in _SHARES else UNITS.get(column, "")
    if unit in _PERCENT:
        return f"{number(value * (100 if unit == 'percentunit' else 1), 1)} %"
    if unit == "bytes":
        return size(value)
    if unit in {"s", "dthms"}:
        return duration(timedelta(seconds=value), language)
    if column == "confidence":
        return f"{number(100 * value, 0)} %"
    return number(value, DECIMALS.get(column))


def number(value: float, decimals: int | None = None) -> str:
    """A number with its thousands apart; without `decimals` four significant digits or all of a whole number.

    Examples
    --------
    >>> number(1234567.891, 1), number(0.012345), number(250000.0), number(12.5), number(5999.98)
    ('1,234,567.9', '0.01235', '250,000', '12.5', '6,000')
    """
    if decimals is not None:
        text = f"{value:,.{decimals}f}"
        if value and not text.strip("-0.,"):  # it is small, not nothing
            return f"{value:.2g}"
        return text
    if value == round(value) or abs(value) >= 10_000:
        return f"{value:,.0f}"
    if value and abs(value) < 1e-4:
        return f"{value:.3g}"
    text = f"{value:,.{max(0, 3 - math.floor(math.log10(abs(value))))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def size(value: float) -> str:
    """Bytes in the largest unit that leaves one digit before the point.

    Examples
    --------
    >>> size(3 * 2**30)
    '3.0 GiB'
    """
    place = 0
    while value >= 1024 and place < len(_SUFFIXES) - 1:
        value /= 1024
        place += 1
    return f"{value:.{1 if place else 0}f} {_SUFFIXES[place]}"


def duration(span: timedelta, language: Language) -> str:
    """A length of time in its largest unit.

    Examples
    --------
    >>> duration(timedelta(hours=50), "en")
    '2.1 d'
    """
    seconds = span.total_seconds()
    for length, name in _SPANS:
        if abs(seconds) >= length:
            return f"{number(seconds / length, 1)} {name.of(language)}"
    return f"{number(seconds, 0 if abs(seconds) >= 10 else 1)} {_SECONDS.of(language)}"


def instant(value: datetime, zone: tzinfo, *, day: bool = False) -> str:
    """A local time to the minute, or the day."""
    return value.astimezone(zone).isoformat(" ", "minutes")[: 10 if day else 16]
