"""Compiled parser of single JSON readings in the usual form, straight from bytes into columns.

That is an object of the members that `json_format` names, each at most once, in any order, with texts that hold no
escapes, a number without exponent of at most 19 digits, and ISO 8601 times of the years 1970 to 2199. Whatever is
written otherwise, sound or not, is left alone for the parser that reads everything: what is taken here must be what
that parser reads, to the last bit. Every byte is looked at in bounds.

Names, texts and times are looked at in words of eight bytes, the first of them lowest. `scan` sees to it that eight
bytes lie behind each message; what they are does not matter.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.compiled import compiled_plain
from analytics.domain.quality import ReadingFlag
from ingest.wire._bytes_kernel import FULL, Table, Words, number_of, same
from ingest.wire.times import FIRST_YEAR, LAST_YEAR, MONTH_START

__all__ = ["NONE", "OFFSET", "SCANNED", "SPARE", "WALL", "scan"]

Bytes = NDArray[np.uint8]
Span = tuple[int, int]

SCANNED = np.dtype(
    [
        ("measured_us", "<i8"), ("received_us", "<i8"), ("value", "<f8"), ("pair", "<i4"), ("unit", "<i4"),
        ("quality", "<i2"), ("measured_form", "i1"), ("received_form", "i1"),
    ]
)  # fmt: skip
"""`pair` is the number of unit code, meter and register among those known, -1 where the message was not taken; times
are instants where their form is OFFSET, what a wall clock shows where it is WALL, and not said where it is NONE."""

NONE, OFFSET, WALL = 0, 1, 2

_UNIT_CODE, _METER, _MEASURED, _VALUE, _UNIT, _REGISTER, _QUALITY, _RECEIVED = range(8)
_TEXTS = tuple(
    np.frombuffer(name, np.uint8)
    for name in (b"unit_code", b"meter_no", b"measured_at", b"value", b"unit", b"register", b"quality", b"received_at")
)
_T_UNIT_CODE, _T_METER, _T_MEASURED, _T_VALUE, _T_UNIT, _T_REGISTER, _T_QUALITY, _T_RECEIVED = _TEXTS
_NULL = np.frombuffer(b"null", np.uint8)
_REQUIRED = 0b00011111
_MAX_QUALITY = int(ReadingFlag.STATED_MASK | ReadingFlag.ZONE_ASSUMED)
_LONGEST_TEXT = 255
_MOST_DIGITS = 19  # 10 ** 19 - 1 < 2 ** 64
_MOST_SCALE = 18
_TENS = 10.0 ** np.arange(_MOST_SCALE + 1)  # exact
_WHOLE_TENS = 10 ** np.arange(_MOST_SCALE + 1, dtype=np.uint64)
_EXACT = np.uint64(2**53)
_QUOTIENT = np.uint64(2**54)
_MANTISSA_BITS = 53
_MICRO_DIGITS, _FRACTION_DIGITS = 6, 30
_PADDED = 64
SPARE = 8
"""Bytes behind a message that may be looked at; where they are there, nothing has to be copied."""
_MONTHS = MONTH_START.astype(np.int64)
_FIRST_YEAR, _LAST_YEAR = FIRST_YEAR, LAST_YEAR
_QUOTE, _COMMA, _MINUS, _POINT, _ZERO, _COLON, _BACKSLASH, _OPEN, _CLOSE = b'",-.0:\\{}'
_PLUS, _T, _BLANK, _Z, _E, _SMALL_E = b"+T ZEe"


def _word(text: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(text, "little"))


_ONES, _HIGHS = _word(b"\x01" * 8), _word(b"\x80" * 8)
_QUOTES, _BACKSLASHES, _CONTROLS = _word(b'"' * 8), _word(b"\\" * 8), _word(b"\x20" * 8)
_PLACES = _word(bytes(range(7, -1, -1)))
"""Times 1 << 8 * k it has k in its highest byte."""
_SEVEN, _56, _SMALL = np.uint64(7), np.uint64(56), np.uint64(15)
_W_UNIT_CODE, _W_METER, _W_REGISTER = _word(b"unit_cod"), _word(b"meter_no"), _word(b"register")
_W_MEASURED, _W_RECEIVED, _W_QUALITY = _word(b"measured"), _word(b"received"), _word(b'quality"')
_W_VALUE, _FIRST_6, _W_UNIT, _FIRST_5 = _word(b'value"'), _word(b"\xff" * 6), _word(b'unit"'), _word(b"\xff" * 5)
_W_END_OF_CODE, _FIRST_2, _W_END_OF_AT, _FIRST_4 = _word(b'e"'), _word(b"\xff" * 2), _word(b'_at"'), _word(b"\xff" * 4)
_FIRST_1, _FIRST_3 = _word(b"\xff"), _word(b"\xff" * 3)
_W_DATE, _DATE_ROOM = _word(b"0000-00-"), _word(b"\x76\x76\x76\x76\x7f\x76\x76\x7f")
_W_HOUR, _HOUR_ROOM = _word(b"00\x0000:00"), _word(b"\x76\x76\x7f\x76\x76\x7f\x76\x76")
_W_SECOND, _SECOND_ROOM = _word(b":00"), _word(b"\x7f\x76\x76")
"""What a time shows beside its digits, and what may be added to the rest before its highest bit is set: so much more
than 9 where a digit stands, than 0 where none does."""
_MARK, _NO_MARK = np.uint64(16), ~_word(b"\0\0\xff")


@compiled_plain
def _at(data: Bytes, at: int, end: int) -> Any:
    """Byte, 0 behind the end: a character that JSON never has."""
    return np.int64(data[at]) if at < end else 0


@compiled_plain
def _past_blanks(data: Bytes, at: int, end: int) -> int:
    while at < end and data[at] <= 32 and (data[at] == 32 or data[at] == 10 or data[at] == 13 or data[at] == 9):
        at += 1
    return at


@compiled_plain
def _text(data: Bytes, words: Words, at: int, end: int) -> Span:
    """Where the text within the quotes lies; (-1, -1) where there is none or one that is not plain."""
    if _at(data, at, end) != _QUOTE:
        return -1, -1
    i: Any = at + 1
    while i + 8 <= end:
        word = words[i]
        quote, backslash = word ^ _QUOTES, word ^ _BACKSLASHES
        # the lowest bit that is set belongs to the first such byte; one above it may be set for none
        found = (
            ((quote - _ONES) & ~quote) | ((backslash - _ONES) & ~backslash) | ((word - _CONTROLS) & ~word)
        ) & _HIGHS
        if found:
            i += np.int64((((found & (~found + np.uint64(1))) >> _SEVEN) * _PLACES) >> _56)
            break
        i += 8
    while i < end:
        byte = data[i]
        if byte == _QUOTE:
            return at + 1, i
        if byte < 32 or byte == _BACKSLASH:
            break
        i += 1
    return -1, -1


@compiled_plain
def _name(data: Bytes, words: Words, at: int, end: int) -> tuple[int, int]:
    """Which member the name within the quotes is, and the place behind it; -1 for one that we do not know."""
    if at + 13 < end and data[at] == _QUOTE:
        word, after = words[at + 1], words[at + 9]
        if word == _W_MEASURED and after & _FIRST_4 == _W_END_OF_AT:
            return _MEASURED, at + 13
        if word & _FIRST_6 == _W_VALUE:
            return _VALUE, at + 7
        if word == _W_METER and after & _FIRST_1 == np.uint64(_QUOTE):
            return _METER, at + 10
        if word == _W_UNIT_CODE and after & _FIRST_2 == _W_END_OF_CODE:
            return _UNIT_CODE, at + 11
        if word & _FIRST_5 == _W_UNIT:
            return _UNIT, at + 6
        if word == _W_RECEIVED and after & _FIRST_4 == _W_END_OF_AT:
            return _RECEIVED, at + 13
        if word == _W_QUALITY:
            return _QUALITY, at + 9
        if word == _W_REGISTER and after & _FIRST_1 == np.uint64(_QUOTE):
            return _REGISTER, at + 10
    name = _text(data, words, at, end)
    return (_member(data, *name), name[1] + 1) if name[0] >= 0 else (-1, -1)


@compiled_plain
def _member(data: Bytes, at: int, end: int) -> int:
    """Which member a name is; -1 for one that we do not know."""
    size = end - at
    if size == 5:
        return _VALUE if same(data, at, size, _T_VALUE) else -1
    if size == 4:
        return _UNIT if same(data, at, size, _T_UNIT) else -1
    if size == 8:
        if same(data, at, size, _T_METER):
            return _METER
        return _REGISTER if same(data, at, size, _T_REGISTER) else -1
    if size == 9:
        return _UNIT_CODE if same(data, at, size, _T_UNIT_CODE) else -1
    if size == 11:
        if same(data, at, size, _T_MEASURED):
            return _MEASURED
        return _RECEIVED if same(data, at, size, _T_RECEIVED) else -1
    return _QUALITY if same(data, at, size, _T_QUALITY) else -1


@compiled_plain
def _digit(data: Bytes, at: int, end: int) -> int:
    digit = _at(data, at, end) - _ZERO
    return digit if 0 <= digit <= 9 else -1


@compiled_plain
def _two(data: Bytes, at: int, end: int) -> int:
    """Two digits as a number, negative where there are not two."""
    high, low = _digit(data, at, end), _digit(data, at + 1, end)
    return high * 10 + low if high >= 0 and low >= 0 else -1


@compiled_plain
def _shift(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """Offset [s] and form of the rest of a time; form -1 where it is no offset that we know."""
    if at == end:
        return 0, WALL
    sign = data[at]
    if sign == _Z and at + 1 == end:
        return 0, OFFSET
    hour, minute = _two(data, at + 1, end), _two(data, at + 4, end)
    if (
        end - at != 6
        or sign not in (_PLUS, _MINUS)
        or _at(data, at + 3, end) != _COLON
        or not (0 <= hour < 24 and 0 <= minute < 60)
    ):
        return 0, -1
    seconds = hour * 3600 + minute * 60
    return (-seconds if sign == _MINUS else seconds), OFFSET


@compiled_plain
def _fraction(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """Microseconds of the digits from `at` on, and the place after them; -1 where there is none or too many."""
    micro, digits = 0, 0
    digit = _digit(data, at, end)
    while digit >= 0:
        if digits < _MICRO_DIGITS:
            micro = micro * 10 + digit
        digits += 1
        digit = _digit(data, at + digits, end)
    for _ in range(digits, _MICRO_DIGITS):
        micro *= 10
    return micro, at + digits if 0 < digits <= _FRACTION_DIGITS else -1


@compiled_plain
def _figure(digits: np.uint64, first: int) -> Any:
    """Two digits of a word as a number; its bytes are digits less their zero."""
    return np.int64((digits >> np.uint64(8 * first)) & _SMALL) * 10 + np.int64(
        (digits >> np.uint64(8 * first + 8)) & _SMALL
    )


@compiled_plain
def _usual_time(words: Words, at: int) -> tuple[int, int, int]:
    """Day, as a place among months and a day of it, and second of the day; -1 where it is not written as usual.

    That is 2026-11-21T08:15:00, a blank for the T or not.
    """
    hour = words[at + 8]
    mark = (hour >> _MARK) & _FIRST_1
    date, hour = words[at] ^ _W_DATE, (hour & _NO_MARK) ^ _W_HOUR
    second = (words[at + 16] & _FIRST_3) ^ _W_SECOND
    odd = (date | (date + _DATE_ROOM) | hour | (hour + _HOUR_ROOM) | second | (second + _SECOND_ROOM)) & _HIGHS
    if odd or (mark != np.uint64(_T) and mark != np.uint64(_BLANK)):
        return -1, -1, -1
    year, month, day = _figure(date, 0) * 100 + _figure(date, 2), _figure(date, 5), _figure(hour, 0)
    hours, minutes, seconds = _figure(hour, 3), _figure(hour, 6), _figure(second, 1)
    if not (_FIRST_YEAR <= year <= _LAST_YEAR and 1 <= month <= 12 and hours < 24 and minutes < 60 and seconds < 60):
        return -1, -1, -1
    return (year - _FIRST_YEAR) * 12 + month - 1, day, hours * 3600 + minutes * 60 + seconds


@compiled_plain
def _time(data: Bytes, words: Words, at: int, end: int) -> tuple[int, int]:
    """Time [us] and its form; form -1 where it is none that is read here."""
    if end - at >= 19:
        index, day, of_day = _usual_time(words, at)
        if index < 0 or not 1 <= day <= _MONTHS[index + 1] - _MONTHS[index]:
            return _unusual_time(data, at, end)
        at += 19
        micro = 0
        if _at(data, at, end) == _POINT or _at(data, at, end) == _COMMA:
            micro, at = _fraction(data, at + 1, end)
            if at < 0:
                return 0, -1
        seconds, form = _shift(data, at, end)
        return ((_MONTHS[index] + day - 1) * 86400 + of_day - seconds) * 1_000_000 + micro, form
    return _unusual_time(data, at, end)


@compiled_plain
def _unusual_time(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """Time [us] and its form; form -1 where it is none that is read here."""
    century, of_century = _two(data, at, end), _two(data, at + 2, end)
    year = century * 100 + of_century
    month, day = _two(data, at + 5, end), _two(data, at + 8, end)
    hour, minute = _two(data, at + 11, end), _two(data, at + 14, end)
    mark = _at(data, at + 10, end)
    if (
        century < 0 or of_century < 0
        or _at(data, at + 4, end) != _MINUS or _at(data, at + 7, end) != _MINUS or _at(data, at + 13, end) != _COLON
        or mark not in (_T, _BLANK)
        or not (_FIRST_YEAR <= year <= _LAST_YEAR and 1 <= month <= 12 and day >= 1)
        or not (0 <= hour < 24 and 0 <= minute < 60)
    ):  # fmt: skip
        return 0, -1
    index = (year - _FIRST_YEAR) * 12 + month - 1
    if day > _MONTHS[index + 1] - _MONTHS[index]:
        return 0, -1
    at += 16
    second, micro = 0, 0
    if _at(data, at, end) == _COLON:
        second = _two(data, at + 1, end)
        if not 0 <= second < 60:
            return 0, -1
        at += 3
        if _at(data, at, end) == _POINT or _at(data, at, end) == _COMMA:
            micro, at = _fraction(data, at + 1, end)
            if at < 0:
                return 0, -1
    seconds, form = _shift(data, at, end)
    of_day = hour * 3600 + minute * 60 + second - seconds
    return ((_MONTHS[index] + day - 1) * 86400 + of_day) * 1_000_000 + micro, form


@compiled_plain
def _nearest(digits: np.uint64, scale: int) -> Any:
    """Double nearest to digits / 10 ** scale, for a scale of at most 18; ties to even (IEEE 754)."""
    if digits < _EXACT:  # both exact, so one division rounds once
        return np.float64(digits) / _TENS[scale]
    tens = _WHOLE_TENS[scale]
    quotient, rest, doublings = digits // tens, digits % tens, 0
    while quotient < _QUOTIENT:  # rest < 10 ** 18, so twice the rest fits
        rest += rest
        quotient += quotient
        if rest >= tens:
            rest -= tens
            quotient += np.uint64(1)
        doublings += 1
    surplus = 0
    while quotient >> np.uint64(_MANTISSA_BITS + surplus) != np.uint64(0):
        surplus += 1
    mantissa = quotient >> np.uint64(surplus)
    dropped = quotient - (mantissa << np.uint64(surplus))
    half = np.uint64(1) << np.uint64(surplus - 1)
    odd = (mantissa & np.uint64(1)) != np.uint64(0)
    if dropped > half or (dropped == half and (rest != np.uint64(0) or odd)):
        mantissa += np.uint64(1)
    return math.ldexp(np.float64(mantissa), surplus - doublings)


@compiled_plain
def _number(data: Bytes, at: int, end: int) -> tuple[float, int]:
    """Number and the place after it; -1 where it is not written in a way that is read here."""
    negative = _at(data, at, end) == _MINUS
    if negative:
        at += 1
    digits, count, scale, whole = np.uint64(0), 0, 0, at
    digit = _digit(data, at, end)
    while digit >= 0 and count < _MOST_DIGITS:
        digits = digits * np.uint64(10) + np.uint64(digit)
        count += 1
        at += 1
        digit = _digit(data, at, end)
    if at == whole or (at > whole + 1 and data[whole] == _ZERO):
        return 0.0, -1
    count = 0 if digits == np.uint64(0) else count
    if _at(data, at, end) == _POINT:
        at += 1
        point = at
        digit = _digit(data, at, end)
        while digit >= 0 and count < _MOST_DIGITS and scale < _MOST_SCALE:
            digits = digits * np.uint64(10) + np.uint64(digit)
            count += 1 if digits != np.uint64(0) else 0
            scale += 1
            at += 1
            digit = _digit(data, at, end)
        if at == point:
            return 0.0, -1
    byte = _at(data, at, end)
    # more digits than are read here, an exponent, or a negative zero
    if digit >= 0 or byte in (_E, _SMALL_E, _POINT):
        return 0.0, -1
    if negative and digits == np.uint64(0):
        return 0.0, -1
    value = _nearest(digits, scale)
    return -value if negative else value, at


@compiled_plain
def _quality(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """Whole number of at most three digits and the place after it; -1 where it is not."""
    number, first = 0, at
    digit = _digit(data, at, end)
    while digit >= 0 and at - first < 4:
        number = number * 10 + digit
        at += 1
        digit = _digit(data, at, end)
    byte = _at(data, at, end)
    plain = 0 < at - first < 4 and (at == first + 1 or data[first] != _ZERO) and number <= _MAX_QUALITY
    return number, at if plain and byte not in (_POINT, _E, _SMALL_E) else -1


@compiled_plain
def _reading(data: Bytes, words: Words, at: int, end: int, pairs: Table, units: Table, row: Any) -> bool:
    """Read one message into `row`, whose `pair` stays -1 where it is not taken; False where a table is full."""
    row.pair, row.quality, row.received_form = -1, 0, NONE
    if _at(data, at, end) != _OPEN:
        return True
    code, meter, unit, register = (0, 0), (0, 0), (0, 0), (0, 0)
    seen = 0
    at = _past_blanks(data, at + 1, end)
    while True:
        member, at = _name(data, words, at, end)
        if member < 0 or seen & (1 << member):
            return True
        seen |= 1 << member
        at = _past_blanks(data, at, end)
        if _at(data, at, end) != _COLON:
            return True
        at = _past_blanks(data, at + 1, end)
        if member == _VALUE:
            row.value, at = _number(data, at, end)
        elif member >= _REGISTER and end - at >= 4 and same(data, at, 4, _NULL):
            at += 4
        elif member == _QUALITY:
            row.quality, at = _quality(data, at, end)
        else:
            text = _text(data, words, at, end)
            if text[0] < 0 or text[1] - text[0] > _LONGEST_TEXT:
                return True
            at = text[1] + 1
            if member == _MEASURED:
                row.measured_us, row.measured_form = _time(data, words, *text)
                at = at if row.measured_form >= 0 else -1
            elif member == _RECEIVED:
                row.received_us, row.received_form = _time(data, words, *text)
                at = at if row.received_form >= 0 else -1
            elif member == _UNIT_CODE:
                code = text
            elif member == _METER:
                meter = text
            elif member == _UNIT:
                unit = text
            else:
                register = text
        if at < 0:
            return True
        at = _past_blanks(data, at, end)
        byte = _at(data, at, end)
        at = _past_blanks(data, at + 1, end)
        if byte == _CLOSE:
            break
        if byte != _COMMA:
            return True
    if at != end or seen & _REQUIRED != _REQUIRED or code[0] == code[1] or meter[0] == meter[1] or unit[0] == unit[1]:
        return True
    unit_number = number_of(units, data, words, unit, (0, 0), (0, 0))
    pair = number_of(pairs, data, words, code, meter, register) if unit_number >= 0 else unit_number
    row.unit = unit_number
    row.pair = max(pair, -1)
    return bool(FULL not in (unit_number, pair))


@compiled_plain
def _scan(
    data: Bytes,
    words: Words,
    limit: int,
    at: NDArray[np.int64],
    size: NDArray[np.int64],
    begin: int,
    pairs: Table,
    units: Table,
    out: Any,
) -> int:
    for i in range(begin, len(at)):
        first, end = at[i], at[i] + size[i]
        if not 0 <= first <= end <= limit:
            out[i].pair = -1
        elif not _reading(data, words, first, end, pairs, units, out[i]):
            return i
    return len(at)


def scan(
    data: Bytes, at: NDArray[np.int64], size: NDArray[np.int64], begin: int, pairs: Table, units: Table, out: Any
) -> int:
    """Read the messages from number `begin` on into `out`; the number of the one for which a table has no room.

    Parameters
    ----------
    data : (b,) uint8
        Not to be written to.
    at, size : (n,) int64
        Where in `data` the messages lie; what does not lie within is not taken.
    out : (n,) SCANNED
    """
    limit = len(data)
    if limit < _PADDED or (len(at) and (at + size).max() > limit - SPARE):
        padded = np.zeros(limit + _PADDED, np.uint8)
        padded[:limit] = data
        padded.flags.writeable = False
        data = padded
    words: Words = np.ndarray((len(data) - 7,), "<u8", data, strides=(1,))
    return _scan(data, words, limit, at, size, begin, pairs, units, out)
