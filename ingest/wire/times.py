"""ISO 8601 times as microseconds: thousands of equal shape at once, the odd ones exactly, one by one.

Accepted is ``YYYY-MM-DD``, ``T`` or a space, ``HH:MM`` with optional seconds and fraction (cut at microseconds), and
``Z``, ``±HH:MM``, ``±HHMM`` or ``±HH``. Without an offset the time is the wall clock of the zone given. A wall time
that a zone has twice (the hour when summer time ends) is taken as the first of the two, one that it skips (when it
begins) with the offset before the change: `fold=0` of PEP 495. Numbers are not times: seconds and milliseconds since
1970 cannot be distinguished by a machine that must be right.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import compress
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analytics.domain.instants import US_PER_DAY

__all__ = [
    "FIRST_YEAR",
    "LAST_YEAR",
    "MONTH_START",
    "TIME_REQUIRED",
    "format_utc",
    "instants_of_wall",
    "parse_time",
    "parse_times",
]

TIME_REQUIRED = "an ISO 8601 time with an offset, as 2026-11-21T08:15:00+08:00"

Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]
Bytes = NDArray[np.uint8]

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,30}))?)?(Z|([+-])(\d\d)(?::?(\d\d))?)?",
    re.ASCII,
)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
FIRST_YEAR, LAST_YEAR = 1970, 2199
MONTH_START = np.array(
    [
        date(y, m, 1).toordinal() - _EPOCH_ORDINAL
        for y in range(FIRST_YEAR, LAST_YEAR + 2)
        for m in range(1, 13)
        if (y, m) <= (LAST_YEAR + 1, 1)
    ],
    np.int32,
)
_MONTH_LENGTH = np.diff(MONTH_START).astype(np.uint8)
_FIRST_WALL_S = -62_135_510_400  # a day after the calendar begins, so that any offset stays inside
_LAST_WALL_S = 253_402_214_400  # a day before it ends
_MIN_TOGETHER = 16  # below this the columns cost more than they save
_ZERO, _PLUS, _MINUS, _COLON, _DOT, _NEWLINE = b"0+-:.\n"
_DATE_AND_TIME_DIGITS = (0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18)
_SECONDS_LENGTH = 19  # of YYYY-MM-DDTHH:MM:SS
_MICRO_DIGITS = 6


def parse_time(text: str, zone: ZoneInfo) -> tuple[int, bool] | None:
    """One time [us since 1970-01-01 UTC] and whether its zone was assumed; None if it cannot be read.

    Examples
    --------
    >>> parse_time("1970-01-01T08:00:00.25+08:00", ZoneInfo("UTC"))
    (250000, False)
    >>> parse_time("1970-01-01 08:00", ZoneInfo("Asia/Shanghai"))
    (0, True)
    >>> parse_time("1700000000", ZoneInfo("UTC")) is None
    True
    """
    found = _ISO.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, offset, sign, off_hour, off_minute = found.groups()
    try:
        wall = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0))  # noqa: DTZ001 - a wall clock
    except ValueError:
        return None
    seconds = (wall.toordinal() - _EPOCH_ORDINAL) * 86400 + wall.hour * 3600 + wall.minute * 60 + wall.second
    micro = int((fraction or "")[:_MICRO_DIGITS].ljust(_MICRO_DIGITS, "0"))
    if offset is None:
        return (seconds - _offset_of_wall(seconds, zone)) * 1_000_000 + micro, True
    shift = 0
    if sign:
        if int(off_hour) > 23 or int(off_minute or 0) > 59:
            return None
        shift = (int(off_hour) * 3600 + int(off_minute or 0) * 60) * (-1 if sign == "-" else 1)
    return (seconds - shift) * 1_000_000 + micro, False


def parse_times(texts: Sequence[str], zone: ZoneInfo) -> tuple[Longs, Bools, Bools]:
    """Read many times.

    Returns
    -------
    us : (n,) int64
        Instants, 0 where unreadable. [us since 1970-01-01 UTC]
    assumed : (n,) bool
        Where there was no offset and `zone` was taken.
    readable : (n,) bool
        Where the text is a time.

    Examples
    --------
    >>> parse_times(["1970-01-01T00:00:01Z", "noon"], ZoneInfo("UTC"))
    (array([1000000,       0]), array([False, False]), array([ True, False]))
    """
    n = len(texts)
    if n >= _MIN_TOGETHER:
        together = _same_length(texts, zone)
        if together is not None:
            return together
    us, assumed, readable = np.zeros(n, np.int64), np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    length = np.fromiter(map(len, texts), np.int64, n)
    lengths = set(length.tolist())
    if len(lengths) < 2 or len(lengths) * _MIN_TOGETHER > n:
        _one_by_one(texts, range(n), zone, (us, assumed, readable))
        return us, assumed, readable
    for one in lengths:
        rows = length == one
        us[rows], assumed[rows], readable[rows] = parse_times(list(compress(texts, rows.tolist())), zone)
    return us, assumed, readable


def _one_by_one(texts: Sequence[str], rows: Sequence[int], zone: ZoneInfo, into: tuple[Longs, Bools, Bools]) -> None:
    us, assumed, readable = into
    for i in rows:
        parsed = parse_time(texts[i], zone)
        readable[i] = parsed is not None
        us[i], assumed[i] = parsed or (0, False)


def _same_length(texts: Sequence[str], zone: ZoneInfo) -> tuple[Longs, Bools, Bools] | None:
    """Read together what has the first one's shape, the rest one by one; None if the texts differ in length."""
    n, width = len(texts), len(texts[0]) + 1
    joined = "\n".join(texts)
    shape = _Shape.of(texts[0])
    if shape is None or len(joined) != n * width - 1 or not joined.isascii() or joined.count("\n") != n - 1:
        return None
    columns = np.frombuffer((joined + "\n").encode(), np.uint8).reshape(n, width).T
    # n - 1 newlines, each at a row's end: every row is exactly one text
    if not np.all(columns[-1] == _NEWLINE):
        return None
    us, readable = shape.read(np.ascontiguousarray(columns))
    assumed = np.full(n, fill_value=shape.offset_at < 0)
    if shape.offset_at < 0:
        _shift_to_utc(us, readable, zone)
    odd = np.flatnonzero(~readable)
    if len(odd):
        _one_by_one(texts, odd.tolist(), zone, (us, assumed, readable))
    return us, assumed, readable


class _Shape:
    """Where the parts of a text are: ``YYYY-MM-DD?HH:MM:SS``, `digits` of a fraction, an offset at `offset_at`."""

    def __init__(self, mark: int, digits: int, offset_at: int, *, zulu: bool) -> None:
        self.mark, self.digits, self.offset_at, self.zulu = mark, digits, offset_at, zulu

    @classmethod
    @lru_cache(maxsize=64)
    def of_tail(cls, mark: int, tail: str) -> "_Shape | None":
        found = re.fullmatch(r"(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?", tail, re.ASCII)
        if found is None:
            return None
        offset_at = _SECONDS_LENGTH + found.start(2) if found[2] else -1
        return cls(mark, len(found[1] or ""), offset_at, zulu=found[2] == "Z")

    @classmethod
    def of(cls, text: str) -> "_Shape | None":
        found = re.match(r"\d{4}-\d\d-\d\d([T ])\d\d:\d\d:\d\d", text, re.ASCII)
        if found is None:
            return None
        # digits of the tail do not matter for its shape: one cache entry serves all
        return cls.of_tail(ord(found[1]), re.sub(r"\d", "0", text[_SECONDS_LENGTH:]).replace("-", "+"))

    def read(self, text: Bytes) -> tuple[Longs, Bools]:
        """Instants of columns (length, n) of bytes, and which rows have this shape and are a time."""
        digit = text - np.uint8(_ZERO)
        sound = (text[4] == _MINUS) & (text[7] == _MINUS) & (text[10] == self.mark)
        sound &= (text[13] == _COLON) & (text[16] == _COLON)
        for i in _DATE_AND_TIME_DIGITS:
            sound &= digit[i] <= 9

        year = _two(digit, 0).astype(np.int32) * 100 + _two(digit, 2)
        month, day = _two(digit, 5), _two(digit, 8)
        hour, minute, second = _two(digit, 11), _two(digit, 14), _two(digit, 17)
        sound &= (year >= FIRST_YEAR) & (year <= LAST_YEAR) & (month - np.uint8(1) < 12) & (day > 0)
        sound &= (hour < 24) & (minute < 60) & (second < 60)
        index = (year - FIRST_YEAR) * 12 + month - 1
        index[~sound] = 0
        sound &= day <= _MONTH_LENGTH[index]

        of_day = hour * np.int32(3600) + minute * np.int32(60) + second
        seconds = (MONTH_START[index] + day).astype(np.int64)
        seconds -= 1
        seconds *= 86400
        seconds += of_day
        if self.offset_at >= 0:
            seconds -= self._offset(text, digit, sound)
        seconds *= 1_000_000
        if self.digits:
            seconds += self._fraction(text, digit, sound)
        return seconds, sound

    def _fraction(self, text: Bytes, digit: Bytes, sound: Bools) -> NDArray[np.int32]:
        sound &= text[_SECONDS_LENGTH] == _DOT
        micro = np.zeros(text.shape[1], np.int32)
        for i in range(self.digits):
            column = digit[_SECONDS_LENGTH + 1 + i]
            sound &= column <= 9
            if i < _MICRO_DIGITS:
                micro += column * np.int32(10 ** (_MICRO_DIGITS - 1 - i))
        return micro

    def _offset(self, text: Bytes, digit: Bytes, sound: Bools) -> NDArray[np.int32]:
        at = self.offset_at
        if self.zulu:
            sound &= text[at] == ord("Z")
            return np.zeros(1, np.int32)
        sign = text[at]
        sound &= ((sign == _PLUS) | (sign == _MINUS)) & (text[at + 3] == _COLON)
        for i in (1, 2, 4, 5):
            sound &= digit[at + i] <= 9
        hour, minute = _two(digit, at + 1), _two(digit, at + 4)
        sound &= (hour < 24) & (minute < 60)
        shift = hour * np.int32(3600) + minute * np.int32(60)
        return np.where(sign == _MINUS, -shift, shift)


def _two(digit: Bytes, at: int) -> Bytes:
    two: Bytes = digit[at] * np.uint8(10) + digit[at + 1]
    return two  # garbage wraps around; whoever asked has checked the digits


def _shift_to_utc(wall_us: Longs, readable: Bools, zone: ZoneInfo) -> None:
    """Turn wall times into instants in place; those of a day on which the offset changes are left to the exact way."""
    if not readable.any():
        return
    day = wall_us // US_PER_DAY
    first = int(day[readable].min())
    day -= first
    day[~readable] = 0
    offset = np.zeros(int(day.max()) + 1, np.int64)  # shapes hold years from 1970 to 2199: 84,000 days at most
    constant = np.zeros(len(offset), np.bool_)
    seen = np.zeros(len(offset), np.bool_)
    seen[day] = True
    for i in np.flatnonzero(seen).tolist():
        # no zone changes twice within two days, so equal at both midnights is equal all day
        offset[i] = _offset_of_wall((first + i) * 86400, zone)
        constant[i] = offset[i] == _offset_of_wall((first + i + 1) * 86400, zone)
    readable &= constant[day]
    wall_us -= offset[day] * 1_000_000


def instants_of_wall(wall_us: Longs, zone: ZoneInfo) -> tuple[Longs, Bools]:
    """Instants at which a zone's wall clock shows these times [us], and which of them a calendar has.

    Examples
    --------
    >>> instants_of_wall(np.array([0, 8 * 3_600_000_000, 2**62]), ZoneInfo("Asia/Shanghai"))
    (array([-28800000000,            0,            0]), array([ True,  True, False]))
    """
    us = wall_us.copy()
    usual = (wall_us >= 0) & (wall_us < MONTH_START[-1].astype(np.int64) * US_PER_DAY)
    known = usual.copy()
    _shift_to_utc(us, known, zone)
    for i in np.flatnonzero(~known).tolist():
        wall_s, micro = divmod(int(wall_us[i]), 1_000_000)
        known[i] = _FIRST_WALL_S <= wall_s < _LAST_WALL_S
        us[i] = (wall_s - _offset_of_wall(wall_s, zone)) * 1_000_000 + micro if known[i] else 0
    return us, known


@lru_cache(maxsize=65536)
def _offset_of_wall(wall_s: int, zone: ZoneInfo) -> int:
    """Offset from UTC [s] of a wall clock that shows `wall_s`; the first of two where it does so twice."""
    wall = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None) + timedelta(seconds=wall_s)
    offset = wall.replace(tzinfo=zone).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def format_utc(us: Longs) -> list[str]:
    """Instants as ISO 8601 in UTC, with a fraction only where there is one in any of them.

    Examples
    --------
    >>> format_utc(np.array([0, 1_000_000]))
    ['1970-01-01T00:00:00Z', '1970-01-01T00:00:01Z']
    """
    whole = not np.any(us % 1_000_000)
    stamps = us.astype("datetime64[us]")
    texts: list[str] = np.datetime_as_string(stamps, unit="s" if whole else "us", timezone="UTC").tolist()
    return texts
