"""Compiled parser of single JSON readings in the usual form, straight from bytes into columns.

That is an object of the members that `json_format` names, each at most once, in any order, with texts that hold no
escapes, a number without exponent of at most 19 digits, and ISO 8601 times of the years 1970 to 2199. Whatever is
written otherwise, sound or not, is left alone for the parser that reads everything: what is taken here must be what
that parser reads, to the last bit. Every byte is looked at in bounds.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.compiled import compiled_plain
from analytics.domain.quality import ReadingFlag
from ingest.wire._bytes_kernel import FULL, Table, number_of, same
from ingest.wire.times import FIRST_YEAR, LAST_YEAR, MONTH_START

__all__ = ["NONE", "OFFSET", "SCANNED", "WALL", "scan"]

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
_MONTHS = MONTH_START.astype(np.int64)
_FIRST_YEAR, _LAST_YEAR = FIRST_YEAR, LAST_YEAR
_QUOTE, _COMMA, _MINUS, _POINT, _ZERO, _COLON, _BACKSLASH, _OPEN, _CLOSE = b'",-.0:\\{}'
_PLUS, _T, _BLANK, _Z, _E, _SMALL_E = b"+T ZEe"


@compiled_plain
def _at(data: Bytes, at: int, end: int) -> Any:
    """Byte, 0 behind the end: a character that JSON never has."""
    return np.int64(data[at]) if at < end else 0


@compiled_plain
def _past_blanks(data: Bytes, at: int, end: int) -> int:
    while at < end and (data[at] == 32 or data[at] == 10 or data[at] == 13 or data[at] == 9):
        at += 1
    return at


@compiled_plain
def _text(data: Bytes, at: int, end: int) -> Span:
    """Where the text within the quotes lies; (-1, -1) where there is none or one that is not plain."""
    if _at(data, at, end) != _QUOTE:
        return -1, -1
    for i in range(at + 1, end):
        byte = data[i]
        if byte == _QUOTE:
            return at + 1, i
        if byte < 32 or byte == _BACKSLASH:
            break
    return -1, -1


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
def _time(data: Bytes, at: int, end: int) -> tuple[int, int]:
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
def _reading(data: Bytes, at: int, end: int, pairs: Table, units: Table, row: Any) -> bool:
    """Read one message into `row`, whose `pair` stays -1 where it is not taken; False where a table is full."""
    row.pair, row.quality, row.received_form = -1, 0, NONE
    if _at(data, at, end) != _OPEN:
        return True
    code, meter, unit, register = (0, 0), (0, 0), (0, 0), (0, 0)
    seen = 0
    at = _past_blanks(data, at + 1, end)
    while True:
        name = _text(data, at, end)
        if name[0] < 0:
            return True
        member = _member(data, *name)
        if member < 0 or seen & (1 << member):
            return True
        seen |= 1 << member
        at = _past_blanks(data, name[1] + 1, end)
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
            text = _text(data, at, end)
            if text[0] < 0 or text[1] - text[0] > _LONGEST_TEXT:
                return True
            at = text[1] + 1
            if member == _MEASURED:
                row.measured_us, row.measured_form = _time(data, *text)
                at = at if row.measured_form >= 0 else -1
            elif member == _RECEIVED:
                row.received_us, row.received_form = _time(data, *text)
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
    unit_number = number_of(units, data, unit, (0, 0), (0, 0))
    pair = number_of(pairs, data, code, meter, register) if unit_number >= 0 else unit_number
    row.unit = unit_number
    row.pair = max(pair, -1)
    return bool(FULL not in (unit_number, pair))


@compiled_plain
def scan(
    data: Bytes, at: NDArray[np.int64], size: NDArray[np.int64], begin: int, pairs: Table, units: Table, out: Any
) -> int:
    """Read the messages from number `begin` on into `out`; the number of the one for which a table has no room.

    Parameters
    ----------
    at, size : (n,) int64
        Where in `data` the messages lie; what does not lie within is not taken.
    out : (n,) SCANNED
    """
    for i in range(begin, len(at)):
        first, end = at[i], at[i] + size[i]
        if not 0 <= first <= end <= len(data):
            out[i].pair = -1
        elif not _reading(data, first, end, pairs, units, out[i]):
            return i
    return len(at)
