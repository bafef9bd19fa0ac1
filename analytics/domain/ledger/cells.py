"""Parsers of ledger cells: numbers, words, days and instants as people and spreadsheets write them.

Each function gives the value of a non-empty cell or raises `CellError` with what was required.
"""

import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo

from analytics.domain.spelling import BLANKS, tidy
from analytics.domain.words import Phrase

__all__ = [
    "CellError",
    "Parser",
    "Taken",
    "all_plain",
    "code",
    "day",
    "instant_us",
    "is_empty",
    "number",
    "span",
    "text",
    "word",
]

_CODE_LIMIT = 128
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNIX_DAY = _EPOCH.toordinal()
_MICROSECOND = timedelta(microseconds=1)
_YEARS = range(1900, 2201)

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")  # all but line breaks and tabs
_SHEET_ERRORS = frozenset({"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#SPILL!", "#CALC!"})
_NUMBER = re.compile(r"[+-]?(?:\d+|\d{1,3}(?:[,' ]\d{3})+)(?:\.\d*)?(?:[eE][+-]?\d{1,3})?")
_MARKED = re.compile(r"'[=+\-@]")
_SPAN = re.compile(r"(?P<count>\d+(?:\.\d+)?)\s*(?P<unit>\D*)")
_DATE = re.compile(
    r"(?P<year>\d{4})(?:\s*[-/.年]\s*(?P<month>\d{1,2})\s*[-/.月]\s*(?P<day>\d{1,2})\s*日?|(?P<mm>\d{2})(?P<dd>\d{2}))"
    r"(?:[T\s]*(?P<hour>\d{1,2})\s*[:时]\s*(?P<minute>\d{1,2})\s*(?:分|[:分]\s*(?P<second>\d{1,2})(?:\.(?P<part>\d{1,6}))?\s*秒?)?"
    r"\s*(?P<zone>Z|[+-]\d{2}:?\d{2}|[+-]\d{2})?)?"
)


_LOST_DIGITS = re.compile(r"\d(?:\.\d+)?E\+\d\d")
_MONTH = re.compile(r"(?P<year>\d{4})(?:\s*[-/.年]\s*(?P<month>\d{1,2})\s*月?|(?P<mm>\d{2}))")
_SERIALS = range(20_000, 80_000)
_SERIAL_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - a day number has no zone
_FIRST_OF_MONTH = Phrase(en="no day is given: the first of the month", zh="未写日，按当月1日计")
_DAY_NUMBER = Phrase(en="a spreadsheet's day number", zh="电子表格序列值")


class CellError(Exception):
    """A cell that cannot be understood; the message says what was required."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Value inferred from a cell that does not state it directly, with the reason; None for an empty value."""

    value: object
    why: Phrase


_SAYS_NOTHING = frozenset(BLANKS)
_SHORTEST_WORD = 8


def is_empty(cell: object) -> bool:
    """Whether a cell counts as empty: blank, only spaces, or a customary mark for "none".

    Examples
    --------
    >>> [is_empty(cell) for cell in (None, " ", "/", "—", "无", "#N/A", "0", 0)]
    [True, True, True, True, True, False, False, False]
    """
    if not isinstance(cell, str):
        return cell is None
    plain = cell.strip()
    if len(plain) <= _SHORTEST_WORD and plain.strip() not in _SHEET_ERRORS:
        folded = (plain if plain.isascii() and plain.isalnum() else tidy(plain)).casefold()
        return folded in _SAYS_NOTHING or not folded.strip("-—–−")
    return not plain.isprintable() and not _INVISIBLE.sub("", plain).strip()


def text(cell: object, limit: int = 1000) -> str:
    """Text on one line, without the invisible characters that copying leaves behind."""
    if isinstance(cell, str):
        if not cell.isprintable():
            if _CONTROL.search(cell):
                raise CellError("text without control characters")
            cell = _INVISIBLE.sub("", cell)
        plain = " ".join(cell.split())
        if _MARKED.match(plain):  # a mark that keeps a spreadsheet from taking the text for a formula
            plain = plain[1:]
        if plain in _SHEET_ERRORS:
            raise CellError("a value (the sheet's formula has an error)")
        if len(plain) > limit:
            raise CellError(f"text of at most {limit} characters")
        return plain
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        if not math.isfinite(cell):
            raise CellError("text")
        return str(int(cell)) if cell == int(cell) else repr(cell)
    raise CellError("text (set the cell's format to text)")


def all_plain(cells: Sequence[object]) -> bool:
    """Whether every cell is a string that `text` and `code` give back as it is, or says nothing at all.

    Decided for a whole column at once, so that a million names need not be parsed one by one.
    """
    said = [cell for cell in cells if isinstance(cell, str) and cell]
    if any(len(cell) <= _SHORTEST_WORD and is_empty(cell) for cell in said):
        return False
    if len(said) < len(cells) - sum(cell is None or cell == "" for cell in cells):
        return False
    joined = f"|{'|'.join(said)}|"
    odd = any(trace in joined for trace in ("||", "| ", " |", "  ", "|#"))
    if odd or not joined.isprintable() or max(map(len, said), default=0) > _CODE_LIMIT:
        return False
    return unicodedata.is_normalized("NFKC", joined) and "|'" not in joined and "|=" not in joined


def code(cell: object) -> str:
    """Code or number that names something: text that a spreadsheet has not taken for a long number."""
    if isinstance(cell, int | float) and not isinstance(cell, bool) and abs(cell) >= 1e15:
        raise CellError("a code kept as text (as a number it has lost digits beyond the 15th)")
    plain = text(cell, _CODE_LIMIT)
    if _LOST_DIGITS.fullmatch(plain):
        raise CellError("a code kept as text (a spreadsheet has made a rounded number of it)")
    return tidy(plain)


def number(cell: object) -> float:
    """Finite number; commas part thousands, full-width digits are digits."""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        value = float(cell) if abs(cell) < 1e300 else math.inf
    elif isinstance(cell, str) and _NUMBER.fullmatch(plain := unicodedata.normalize("NFKC", cell).strip()):
        value = float(plain.replace(",", "").replace("'", "").replace(" ", ""))
    else:
        raise CellError("a number such as 1234.5")
    if not math.isfinite(value):
        raise CellError("a finite number")
    return value


def span(cell: object, units: Mapping[str, float], example: str) -> float:
    """Number, or number with a unit of time after it, in the unit whose size is 1."""
    try:
        return number(cell)
    except CellError:
        pass
    if isinstance(cell, str):
        match = _SPAN.fullmatch(unicodedata.normalize("NFKC", cell).strip().casefold())
        if match is not None and match["unit"].strip() in units:
            return float(match["count"]) * units[match["unit"].strip()]
    raise CellError(example)


def word(cell: object, words: Mapping[str, str], choice: str) -> str:
    """English word for one of the words that mean it, whatever its case and width."""
    plain = str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
    key = unicodedata.normalize("NFKC", "".join(plain.split())).casefold()
    found = words.get(key)
    if found is None:
        raise CellError(choice)
    return found


def _offset(zone: str) -> timezone:
    """Offset from UTC of ``Z``, ``+08``, ``+0800`` or ``+08:00``."""
    if zone == "Z":
        return UTC
    digits = zone[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if zone[0] == "-" else offset)


def _parsed(cell: object, required: str) -> tuple[datetime, bool]:
    """Date and time of a cell, and whether it says its own zone."""
    if isinstance(cell, datetime):
        return cell, cell.tzinfo is not None
    if isinstance(cell, date):
        return datetime(cell.year, cell.month, cell.day), False  # noqa: DTZ001 - the ledger's zone is put to it later
    digits = isinstance(cell, int | float) and not isinstance(cell, bool) and cell == cell // 1
    plain = str(int(cell)) if digits and isinstance(cell, int | float) else cell
    match = _DATE.fullmatch(unicodedata.normalize("NFKC", plain).strip()) if isinstance(plain, str) else None
    if match is None:
        raise CellError(required)
    micro = int((match["part"] or "0").ljust(6, "0"))
    try:
        naive = datetime(  # noqa: DTZ001 - likewise
            int(match["year"]),
            int(match["month"] or match["mm"]),
            int(match["day"] or match["dd"]),
            int(match["hour"] or 0),
            int(match["minute"] or 0),
            int(match["second"] or 0),
            micro,
        )
        return (naive.replace(tzinfo=_offset(match["zone"])), True) if match["zone"] else (naive, False)
    except ValueError:
        raise CellError(required) from None


def _in_range(moment: datetime) -> datetime:
    if moment.year not in _YEARS:
        raise CellError(f"a date from {_YEARS[0]} to {_YEARS[-1]}")
    return moment


def _inferred(cell: object) -> tuple[datetime, Phrase] | None:
    """Date of a cell that gives only a month, or the day number of a spreadsheet."""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        plain = str(int(cell)) if cell == cell // 1 else ""
    else:
        plain = tidy(cell) if isinstance(cell, str) else ""
    if plain.isdigit() and len(plain) == 5 and int(plain) in _SERIALS:
        return _SERIAL_EPOCH + timedelta(days=int(plain)), _DAY_NUMBER
    match = _MONTH.fullmatch(plain)
    if match is None or not 1 <= int(match["month"] or match["mm"]) <= 12:
        return None
    return datetime(int(match["year"]), int(match["month"] or match["mm"]), 1), _FIRST_OF_MONTH  # noqa: DTZ001 - likewise


def day(cell: object) -> int | Taken:
    """Day of a date, or of a date with a time; the first of a month where no day is given. [days since 1970-01-01]"""
    inferred = _inferred(cell)
    if inferred is not None:
        return Taken(_in_range(inferred[0]).toordinal() - _UNIX_DAY, inferred[1])
    moment, _ = _parsed(cell, "a date such as 2026-01-05")
    return _in_range(moment).toordinal() - _UNIX_DAY


def instant_us(cell: object, zone: tzinfo) -> int | Taken:
    """Instant of a date or time; one without an offset is local in `zone`, a date alone its midnight.

    Of a local time that occurs twice, the first is meant. [µs since 1970-01-01 UTC]
    """
    inferred = _inferred(cell)
    if inferred is not None:
        return Taken((_in_range(inferred[0]).replace(tzinfo=zone) - _EPOCH) // _MICROSECOND, inferred[1])
    moment, aware = _parsed(cell, "a date or time such as 2026-01-05 or 2026-01-05 08:00")
    moment = _in_range(moment)
    return ((moment if aware else moment.replace(tzinfo=zone)) - _EPOCH) // _MICROSECOND


Parser = Callable[[object], object]
"""Value of a non-empty cell, or `CellError`."""
