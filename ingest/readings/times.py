"""Columns of times as people and systems write them: which way of writing a whole column has, and its instants.

A way of writing is decided by all cells of a column. What nothing decides, 02/01/2024 alone, stays open: `TimeSurvey`
then holds more than one order of day and month. Without an offset a time is the wall clock of a zone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from ingest.readings.options import READING_DAY
from ingest.wire.times import FIRST_YEAR, LAST_YEAR, MONTH_START, instants_of_wall, parse_times

__all__ = [
    "TimeForm",
    "TimeSurvey",
    "Times",
    "clock_of_day",
    "is_date_only",
    "is_dated",
    "is_month",
    "is_span_of_day",
    "parse",
]

Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]
Column = Any
_compute: Any = pyarrow.compute

_DAY_S = 86_400
_CLOCK = (
    r"(?:\s*[T,_]?\s*(?:星期[一二三四五六日天]|周[一二三四五六日天]|\((?:星期|周)?[一二三四五六日天]\)|(?i:mon|tue|wed|thu|fri|sat|sun)[a-z]*)?"
    r"\s*(?P<half>(?i:AM|PM|A\.M\.|P\.M\.)|上午|下午|凌晨|早上|中午|晚上|傍晚)?"
    r"\s*(?P<hour>\d{1,2})(?:\s*[:时點点.h]\s*(?P<minute>\d{1,2})(?:\s*[:分.]\s*(?P<second>\d{1,2})(?:[.,](?P<part>\d{1,9}))?)?)?"
    r"\s*[时時点點分秒]?(?:整)?"
    r"\s*(?P<late>(?i:AM|PM|A\.M\.|P\.M\.))?\s*(?P<zone>Z|(?i:UTC|GMT)?\s*[+-]\d{1,2}(?::?\d{2})?|(?i:UTC|GMT))?)?$"
)
_YMD = r"^(?P<year>\d{4})\s*[-/.年_]\s*(?P<month>\d{1,2})\s*[-/.月_]\s*(?P<day>\d{1,2})\s*[日号號]?" + _CLOCK
_ABC = r"^(?P<a>\d{1,2})\s*(?P<mark>[-/.])\s*(?P<b>\d{1,2})\s*[-/.]\s*(?P<c>\d{4}|\d{1,2})" + _CLOCK
_MONTHS = r"(?i:(?P<name>jan|feb|m[aä]r|mrz|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)[a-zä]*\.?)"
_DAY_NAME = r"^(?P<day>\d{1,2})(?:st|nd|rd|th|\.)?[-\s/.]*" + _MONTHS + r"[-\s/.,]*(?P<year>\d{4})" + _CLOCK
_NAME_DAY = (
    r"^(?:(?i:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+)?"
    + _MONTHS
    + r"\s*(?P<day>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<year>\d{4})"
    + _CLOCK
)
_COMPACT = (
    r"^(?P<year>(?:19|20|21)\d\d)(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12]\d|3[01])"
    r"(?:[T\s_-]?(?P<hour>[01]\d|2[0-4])(?::?(?P<minute>[0-5]\d)(?::?(?P<second>[0-5]\d)(?:\.?(?P<part>\d{1,6}))?)?)?)?"
    r"(?P<zone>Z|[+-]\d{2}:?\d{2})?$"
)
_EPOCH = r"^\d{10}(?:\.\d{1,9})?$|^\d{13}$|^\d{16}$|^\d{19}$"
_SERIAL = r"^[2-7]\d{4}(?:[.,]\d*)?$"
_MONTH_WORDS = r"(?:底|末|月末|表底数?|表码|示数|示值|读数|止码|抄见数|抄表数)?"
_MONTH_OF_YEAR = (
    r"^(?P<year>(?:19|20|21)\d\d)\s*(?:[-/年]\s*(?P<month>1[0-2]|0?[1-9])|\.\s*(?P<dotted>1[0-2]|0[1-9]))\s*(?:月份?)?\s*"
    + _MONTH_WORDS
    + "$"
)
_MONTH_NAMED = r"^" + _MONTHS + r"[-\s/.,']*(?P<year>(?:19|20|21)\d\d)$"
_MONTH_COMPACT = r"^(?P<year>20\d\d)(?P<month>0[1-9]|1[0-2])$"
_MONTH_ALONE = r"^(?P<month>1[0-2]|0?[1-9])\s*月份?\s*" + _MONTH_WORDS + "$"
_MONTH_FAMILIES: Mapping[str, str] = {
    "month": _MONTH_OF_YEAR,
    "named_month": _MONTH_NAMED,
    "compact_month": _MONTH_COMPACT,
    "month_alone": _MONTH_ALONE,
}
"""Months without a day: a time only where it is stated when in a month the dials were read."""
_FAMILIES: Mapping[str, str] = {
    "ymd": _YMD,
    "abc": _ABC,
    "day_name": _DAY_NAME,
    "name_day": _NAME_DAY,
    "compact": _COMPACT,
    "epoch": _EPOCH,
    "serial": _SERIAL,
    **_MONTH_FAMILIES,
}
_BARE = frozenset({"compact", "epoch", "serial", *_MONTH_FAMILIES})
"""Bare numbers and months: a time only where the column is made of them."""
_NAMES = {
    **dict(
        zip(
            ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
            range(1, 13),
            strict=True,
        )
    ),
    "mär": 3,
    "mrz": 3,
    "mai": 5,
    "okt": 10,
    "dez": 12,
}
_ISO = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d"
_ORDERS = {"day-first": ("c", "b", "a"), "month-first": ("c", "a", "b"), "year-first": ("a", "b", "c")}
_EXAMPLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeForm:
    """How a column writes its times.

    Attributes
    ----------
    families : tuple of str
        Ways of writing that occur.
    order : str
        What a date of three short numbers begins with: ``day-first``, ``month-first`` or ``year-first``.
    offset_s : int or None
        Offset from UTC that the header states. [s]
    reading_day : str
        When in a month the dials were read, as in `ReadingOptions`; empty where the column has no months.
    year : int
        Of months that state none.
    """

    families: tuple[str, ...]
    order: str = ""
    offset_s: int | None = None
    reading_day: str = ""
    year: int = 0

    @property
    def is_iso(self) -> bool:
        """Whether the column can be read by the reader of the wire alone."""
        return self.families == ("ymd",) and self.offset_s is None


@dataclass(frozen=True, slots=True)
class Times:
    """A column of n times read.

    Attributes
    ----------
    us : (n,) int64
        Instants, 0 where unreadable. [us since 1970-01-01 UTC]
    assumed : (n,) bool
        Where no offset was stated and a zone was taken.
    readable : (n,) bool
    """

    us: Longs
    assumed: Bools
    readable: Bools


@dataclass(slots=True)
class TimeSurvey:
    """What a column of times holds, gathered batch by batch.

    Attributes
    ----------
    cells : int
        Cells that say something.
    counts : dict of str to int
        Cells of each way of writing.
    orders : set of str
        Orders that every date of three short numbers allows.
    examples : list of str
        Some cells of such dates, or of no known way of writing.
    date_only : int
        Cells that are a date without a time of day.
    """

    cells: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_FAMILIES, 0))
    orders: set[str] = field(default_factory=lambda: set(_ORDERS))
    examples: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    date_only: int = 0
    future: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_ORDERS, 0))
    _example: str = ""

    def add(self, cells: Column, latest_us: int) -> None:
        """Take in cells: texts folded in width, null where they say nothing."""
        rest = cells.drop_null()
        self.cells += len(rest)
        for family, pattern in _FAMILIES.items():
            if not len(rest):
                return
            found = _compute.match_substring_regex(rest, pattern)
            n = int(_compute.sum(found).as_py() or 0)
            self.counts[family] += n
            if n and family in _MONTH_FAMILIES and not self._example:
                self._example = rest.filter(found)[0].as_py()
            if n and family in {"ymd", "abc"}:
                mine = rest if n == len(rest) else rest.filter(found)
                self.date_only += _count(mine, r"^\d{1,4}\s*[-/.年_]\s*\d{1,2}\s*[-/.月_]\s*\d{1,4}\s*[日号號]?$")
                if family == "abc":
                    self._numbers(mine, latest_us)
            if n:
                rest = rest.filter(_compute.invert(found))
        if len(self.odd) < _EXAMPLES:
            self.odd += rest.slice(0, _EXAMPLES).to_pylist()

    def _numbers(self, cells: Column, latest_us: int) -> None:
        parts = _compute.extract_regex(cells, _ABC)
        a, b, c = (_ints(parts, name) for name in "abc")
        long_year = bool((c >= 100).any())
        if _count(cells, r"^\d{1,2}\.") == len(cells) and long_year:
            self.orders &= {"day-first"}  # points between mean day, month, year wherever they are used
        if long_year or a.max() > 99:
            self.orders.discard("year-first")
        if a.max() > 12:
            self.orders.discard("month-first")
        if b.max() > 12:
            self.orders -= {"day-first", "year-first"}
        if a.max() > 31:
            self.orders -= {"day-first", "month-first"}
        if b.max() > 31 or c.max() > 31:
            self.orders.discard("year-first")
        for order in list(self.orders):
            year, month, day = ({"a": a, "b": b, "c": c}[name] for name in _ORDERS[order])
            days, sound = _days(np.where(year < 100, year + 2000, year), month, day)
            self.future[order] += int((days[sound] * _DAY_S * 1_000_000 > latest_us + 2 * _DAY_S * 1_000_000).sum())
        if len(self.examples) < _EXAMPLES:
            self.examples += cells.slice(0, _EXAMPLES).to_pylist()

    @property
    def possible_orders(self) -> list[str]:
        """Orders that are left: those that every date allows and that do not put most of them into the future."""
        dates = self.counts["abc"]
        left = [order for order in _ORDERS if order in self.orders and self.future[order] * 2 <= dates]
        return left or [order for order in _ORDERS if order in self.orders]

    def form(self, order: str | None, offset_s: int | None, *, typed: bool = False) -> TimeForm | None:
        """Form of the column; None where the order of its dates is open, or its dates contradict each other.

        Parameters
        ----------
        order : str or None
            Order of its dates as stated by a person.
        offset_s : int or None
            Offset that the header states. [s]
        typed : bool
            Whether it comes from a workbook, whose dates lose their format here and there and become bare numbers.
        """
        families = tuple(name for name, n in self.counts.items() if n and self._counts(name, typed=typed))
        chosen = ""
        if "abc" in families:
            possible = self.possible_orders
            if order is not None:
                chosen = order
            elif len(possible) == 1:
                chosen = possible[0]
            else:
                return None
        return TimeForm(families=families or ("ymd",), order=chosen, offset_s=offset_s)

    @property
    def months(self) -> str:
        """A cell of a column of months without a day, empty where it is none."""
        return self._example if any(self.counts[one] * 2 > self.cells for one in _MONTH_FAMILIES) else ""

    @property
    def lacks_year(self) -> bool:
        """Whether it is a column of months without a year."""
        return self.counts["month_alone"] * 2 > self.cells

    def _counts(self, family: str, *, typed: bool) -> bool:
        if family not in _BARE or (typed and family == "serial"):
            return True
        return self.counts[family] * 2 > self.cells


def _count(cells: Column, pattern: str) -> int:
    return int(_compute.sum(_compute.match_substring_regex(cells, pattern)).as_py() or 0)


def _ints(parts: Column, name: str, *, nothing: int = 0) -> Longs:
    cells = parts.field(name)
    filled = _compute.if_else(_compute.equal(cells, ""), None, cells)
    return np.asarray(filled.cast(pa.int64()).fill_null(nothing))


def _days(year: Longs, month: Longs, day: Longs) -> tuple[Longs, Bools]:
    """Days since 1970-01-01 of dates, and which of them the calendar has."""
    sound = (year >= FIRST_YEAR) & (year <= LAST_YEAR) & (month >= 1) & (month <= 12) & (day >= 1)
    index = np.where(sound, (year - FIRST_YEAR) * 12 + month - 1, 0)
    starts = MONTH_START.astype(np.int64)
    sound &= day <= (starts[index + 1] - starts[index])
    return np.where(sound, starts[index] + day - 1, 0), sound


def parse(cells: Column, form: TimeForm, zone: ZoneInfo) -> Times:
    """Instants of a column.

    Parameters
    ----------
    cells : n texts
        Folded in width, null where they say nothing.
    form : TimeForm
    zone : ZoneInfo
        Of times without an offset.
    """
    n = len(cells)
    if form.is_iso and _first_is_iso(cells):
        us, assumed, readable = parse_times(cells.fill_null("").to_pylist(), zone)
        if readable.all():
            return Times(us, assumed, readable)
        times = Times(us, assumed, readable)
        open_rows = np.flatnonzero(~readable)
    else:
        times = Times(np.zeros(n, np.int64), np.zeros(n, np.bool_), np.zeros(n, np.bool_))
        open_rows = np.arange(n)
    texts = cells.take(pa.array(open_rows))
    for family in form.families:
        if not len(open_rows):
            break
        us, stated, sound = _READERS[family](texts, family, form)
        if not sound.any():
            continue
        rows = open_rows[sound]
        times.us[rows], times.assumed[rows], times.readable[rows] = _placed(us[sound], stated[sound], form, zone)
        left = ~sound
        open_rows, texts = open_rows[left], texts.filter(pa.array(left))
    return times


def _first_is_iso(cells: Column) -> bool:
    first = next((cell for cell in cells.slice(0, 64).to_pylist() if cell), "")
    return bool(_count(pa.array([first]), _ISO))


def _placed(us: Longs, stated: Longs, form: TimeForm, zone: ZoneInfo) -> tuple[Longs, Bools, Bools]:
    """Instants of wall times, with the offset that each states [s], the header's, or the zone's."""
    none = stated == _NO_OFFSET
    if form.offset_s is not None:
        stated = np.where(none, form.offset_s, stated)
        none = np.zeros(len(us), np.bool_)
    out = us - np.where(none, 0, stated) * 1_000_000
    readable = np.ones(len(us), np.bool_)
    if none.any():
        out[none], readable[none] = instants_of_wall(us[none], zone)
    return out, none, readable


_NO_OFFSET = np.int64(1 << 40)
_HALVES_PM = ("下午", "晚上", "傍晚", "PM", "P.M.")
_HALVES_AM = ("上午", "凌晨", "早上", "AM", "A.M.")


def _clock(parts: Column) -> tuple[Longs, Bools]:
    """Microseconds after midnight, 24:00 among them, and which are a time of day."""
    hour, minute, second = (_ints(parts, name) for name in ("hour", "minute", "second"))
    names = {parts.type.field(i).name for i in range(parts.type.num_fields)}
    if "half" in names:
        half = _compute.utf8_upper(_compute.binary_join_element_wise(parts.field("half"), parts.field("late"), ""))
        if _compute.any(_compute.not_equal(half, "")).as_py():
            hour = _from_halves(hour, half)
    sound = (hour < 24) & (minute < 60) & (second < 60)
    sound |= (hour == 24) & (minute == 0) & (second == 0)
    micro = _fraction(parts.field("part"))
    return ((hour * 60 + minute) * 60 + second) * 1_000_000 + micro, sound


def _from_halves(hour: Longs, half: Column) -> Longs:
    late = np.asarray(_compute.is_in(half, value_set=pa.array(_HALVES_PM)))
    early = np.asarray(_compute.is_in(half, value_set=pa.array(_HALVES_AM)))
    noon = np.asarray(_compute.equal(half, "中午"))
    hour = np.where(late & (hour < 12), hour + 12, hour)
    hour = np.where(noon & (hour < 4), hour + 12, hour)
    return np.where(early & (hour == 12), 0, hour)


def _fraction(part: Column) -> Longs:
    if not _compute.any(_compute.not_equal(part, "")).as_py():
        return np.zeros(len(part), np.int64)
    padded = _compute.utf8_slice_codeunits(_compute.utf8_rpad(part, 6, "0"), 0, 6)
    return np.asarray(padded.cast(pa.int64()))


def _offsets(parts: Column) -> Longs:
    """Offset from UTC that each states, `_NO_OFFSET` where none. [s]"""
    zone = parts.field("zone")
    if not _compute.any(_compute.not_equal(zone, "")).as_py():
        return np.full(len(zone), _NO_OFFSET)
    distinct = zone.dictionary_encode()
    values = np.array([_offset_of(text) for text in distinct.dictionary.to_pylist()], np.int64)
    return values[np.asarray(distinct.indices, np.int64)]


def _offset_of(text: str) -> int:
    if not text:
        return int(_NO_OFFSET)
    digits = text.upper().removeprefix("UTC").removeprefix("GMT").strip()
    if digits in {"", "Z"}:
        return 0
    hours, minutes = [*digits[1:].split(":"), "0"][:2] if ":" in digits else (digits[1:3], digits[3:] or "0")
    shift = int(hours) * 3600 + int(minutes) * 60
    return -shift if digits[0] == "-" else shift


def _dated(texts: Column, family: str, form: TimeForm) -> tuple[Longs, Longs, Bools]:
    """Wall times, stated offsets, and which cells are such a time."""
    pattern = _FAMILIES[family]
    parts = _compute.extract_regex(texts, pattern)
    matched = np.asarray(parts.is_valid())
    if not matched.all():
        parts = parts.filter(pa.array(matched))
    year, month, day = _date_of(parts, family, form)
    days, sound = _days(year, month, day)
    clock, is_clock = _clock(parts)
    sound &= is_clock
    us = np.zeros(len(texts), np.int64)
    stated = np.full(len(texts), _NO_OFFSET)
    readable = np.zeros(len(texts), np.bool_)
    us[matched], stated[matched], readable[matched] = days * _DAY_S * 1_000_000 + clock, _offsets(parts), sound
    return us, stated, readable


def _date_of(parts: Column, family: str, form: TimeForm) -> tuple[Longs, Longs, Longs]:
    if family == "abc":
        year, month, day = (_ints(parts, name) for name in _ORDERS[form.order])
        return np.where(year < 100, year + 2000, year), month, day
    year, day = _ints(parts, "year"), _ints(parts, "day")
    if family in {"day_name", "name_day"}:
        return year, _month_numbers(parts), day
    return year, _ints(parts, "month"), day


def _epochs(texts: Column, family: str, _: TimeForm) -> tuple[Longs, Longs, Bools]:
    matched = np.asarray(_compute.match_substring_regex(texts, _FAMILIES[family]).fill_null(False))
    us = np.zeros(len(texts), np.int64)
    whole = _compute.replace_substring_regex(texts.filter(pa.array(matched)), r"\..*$", "")
    number = np.asarray(whole.cast(pa.int64()))
    digits = np.asarray(_compute.utf8_length(whole).cast(pa.int64()))
    scale = {10: 1_000_000.0, 13: 1000.0, 16: 1.0, 19: 1e-3}
    part = np.zeros(len(number), np.int64)
    us_of = np.zeros(len(number), np.int64)
    for length, factor in scale.items():
        mine = digits == length
        us_of[mine] = number[mine] * int(factor) if factor >= 1 else number[mine] // 1000
    fractions = _compute.replace_substring_regex(texts.filter(pa.array(matched)), r"^\d+\.?", "")
    part = _fraction(fractions)
    us[matched] = us_of + part
    return us, np.zeros(len(texts), np.int64), matched


def _serials(texts: Column, family: str, _: TimeForm) -> tuple[Longs, Longs, Bools]:
    """Day numbers of a spreadsheet, day 25569 being 1970-01-01; to the second, which is all that they hold."""
    matched = np.asarray(_compute.match_substring_regex(texts, _FAMILIES[family]).fill_null(False))
    us = np.zeros(len(texts), np.int64)
    number = _compute.replace_substring(texts.filter(pa.array(matched)), ",", ".").cast(pa.float64())
    seconds = np.rint((np.asarray(number) - 25_569.0) * _DAY_S).astype(np.int64)
    us[matched] = seconds * 1_000_000
    return us, np.full(len(texts), _NO_OFFSET), matched


def _months(texts: Column, family: str, form: TimeForm) -> tuple[Longs, Longs, Bools]:
    """The instant of each month at which its dials were read."""
    parts = _compute.extract_regex(texts, _MONTH_FAMILIES[family])
    us = np.zeros(len(texts), np.int64)
    nothing = np.full(len(texts), _NO_OFFSET)
    said = READING_DAY.fullmatch(form.reading_day)
    matched = np.asarray(parts.is_valid())
    if said is None or not matched.any():
        return us, nothing, np.zeros(len(texts), np.bool_)
    parts = parts.filter(pa.array(matched))
    year = np.full(len(parts), form.year) if family == "month_alone" else _ints(parts, "year")
    if family == "named_month":
        month = _month_numbers(parts)
    else:
        month = _ints(parts, "month") + (_ints(parts, "dotted") if family == "month" else 0)
    if said[1] == "end":
        days, sound = _days(year + month // 12, month % 12 + 1, np.ones(len(month), np.int64))
        days, clock = days - 1, said[2] or "24:00"
    else:
        days, sound = _days(year, month, np.full(len(month), int(said[1])))
        clock = said[2] or "0:00"
    hour, minute = map(int, clock.split(":"))
    us[matched] = (days * _DAY_S + hour * 3600 + minute * 60) * 1_000_000
    readable = matched.copy()
    readable[matched] = sound
    return us, nothing, readable


def _month_numbers(parts: Column) -> Longs:
    names = _compute.utf8_lower(parts.field("name")).dictionary_encode()
    numbers = np.array([_NAMES[name] for name in names.dictionary.to_pylist()] or [0], np.int64)
    return numbers[np.asarray(names.indices, np.int64)]


_READERS = {
    "ymd": _dated,
    "abc": _dated,
    "day_name": _dated,
    "name_day": _dated,
    "compact": _dated,
    "epoch": _epochs,
    "serial": _serials,
    **dict.fromkeys(_MONTH_FAMILIES, _months),
}

_TIME_OF_DAY = (
    r"^(?P<half>(?i:AM|PM)|上午|下午|凌晨|早上|中午|晚上)?\s*(?P<hour>\d{1,2})\s*[:时點点h]\s*"
    r"(?:(?P<minute>\d{1,2})(?:\s*[:分]\s*(?P<second>\d{1,2})(?:\.(?P<part>\d{1,6}))?)?)?"
    r"\s*[分秒]?\s*(?P<late>(?i:AM|PM))?$"
)
_SPAN_OF_DAY = r"^\d{1,2}\s*[:时點点]?\s*(?:\d{2})?\s*(?:[-~—–−～]|至|到|to)\s*\d{1,2}\s*[:时點点]\s*(?:\d{2})?$"
_HOUR = r"^\d{1,2}$"
_FRACTION_OF_DAY = r"^(?:0?\.\d+|0|1(?:\.0*)?)$"
_DATE_ONLY = (
    r"^\d{1,4}\s*[-/.年_]\s*\d{1,2}\s*[-/.月_]\s*\d{1,4}\s*[日号號]?(?:\s*[T ]\s*0{1,2}:00(?::00(?:\.0*)?)?)?$"
    r"|^\d{8}$|^[2-7]\d{4}(?:\.0*)?$"
)


def clock_of_day(texts: Sequence[str]) -> list[str] | None:
    """Times of day as ``HH:MM:SS``; None where one of them is none. Whole numbers are hours.

    Examples
    --------
    >>> clock_of_day(["0:15", "24:00", "下午1:00"]), clock_of_day(["noon"])
    (['00:15:00', '24:00:00', '13:00:00'], None)
    """
    cells = pa.array(list(texts), pa.string())
    if _count(cells, _HOUR) == len(cells) and all(int(text) <= 24 for text in texts):
        return [f"{int(text):02d}:00:00" for text in texts]
    if _count(cells, _FRACTION_OF_DAY) == len(cells):
        seconds = [round(float(text) * _DAY_S) for text in texts]
        return [f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in seconds]
    parts = _compute.extract_regex(cells, _TIME_OF_DAY)
    if not np.asarray(parts.is_valid()).all():
        return None
    us, sound = _clock(parts)
    if not sound.all():
        return None
    return [f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in (us // 1_000_000).tolist()]


def is_date_only(texts: Sequence[str]) -> bool:
    """Whether all texts are dates without a time of day."""
    cells = pa.array(list(texts), pa.string())
    return len(cells) > 0 and _count(cells, _DATE_ONLY) == len(cells)


def is_dated(texts: Sequence[str]) -> bool:
    """Whether all texts are days of a year, with or without a time of day; bare numbers are not.

    Examples
    --------
    >>> is_dated(["2026-06-30 24:00", "30/06/2026"]), is_dated(["2026-06"]), is_dated(["46203"])
    (True, False, False)
    """
    cells = pa.array(list(texts), pa.string())
    patterns = [_YMD, _DAY_NAME, _NAME_DAY, _ABC.replace(r"(?P<c>\d{4}|\d{1,2})", r"(?P<c>\d{4})")]
    matched = np.zeros(len(cells), np.bool_)
    for pattern in patterns:
        matched |= np.asarray(_compute.match_substring_regex(cells, pattern))
    return len(cells) > 0 and bool(matched.all())


def is_month(text: str) -> bool:
    """Whether a text is a month without a day.

    Examples
    --------
    >>> is_month("2026-01"), is_month("1月表底"), is_month("Jan 2026"), is_month("2026.1"), is_month("2026-01-31")
    (True, True, True, False, False)
    """
    cells = pa.array([text], pa.string())
    return any(_count(cells, pattern) for name, pattern in _MONTH_FAMILIES.items() if name != "compact_month")


def is_span_of_day(texts: Sequence[str]) -> bool:
    """Whether all texts are spans of a day, such as ``22:00-23:00``."""
    cells = pa.array(list(texts), pa.string())
    return len(cells) > 0 and _count(cells, _SPAN_OF_DAY) == len(cells)
