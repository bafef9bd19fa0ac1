"""JSON readings of the usual shape straight from bytes to columns, compiled; whatever is unusual is left to others.

A message is taken if it is one reading, an array of them, or an envelope that says the unit first; if its texts hold no
escapes; if its values are numbers a float64 holds exactly as decimal digits say; if its times are of the usual shape.
Of such a message every reading is sound. Everything else, sound or not, is refused here and decoded with care
(`ingest.wire_json`); so this grammar may be narrower than JSON, and must never be wider.
"""

import numpy as np

from analytics.columns._jit import compiled
from ingest._words import first_byte, inlined, uncounted, word

__all__ = ["gather", "scan"]

_QUOTE, _BACKSLASH, _COMMA, _COLON, _DOT, _MINUS, _PLUS, _ZERO = 34, 92, 44, 58, 46, 45, 43, 48
_OPEN, _CLOSE, _LIST, _END = 123, 125, 91, 93
_SPACE = 32


PADDING = 8
"""Bytes that must follow the text: eight are looked at together."""


def _first_eight(name):
    return np.uint64(int.from_bytes(name[:8].ljust(8, b"\0"), "little"))


_UNIT_CODE, _METER_NO, _MEASURED_AT = _first_eight(b"unit_code"), _first_eight(b"meter_no"), _first_eight(b"measured")
_VALUE, _UNIT, _REGISTER = _first_eight(b"value"), _first_eight(b"unit"), _first_eight(b"register")
_QUALITY, _RECEIVED_AT, _READINGS = _first_eight(b"quality"), _first_eight(b"received"), _first_eight(b"readings")
_MAIN, _NULL, _TRUE, _FALSE = (
    _first_eight(b"main"),
    _first_eight(b"null"),
    _first_eight(b"true"),
    _first_eight(b"false"),
)
_LOW_4, _LOW_5, _LOW_7 = np.uint64(0xFFFFFFFF), np.uint64(0xFFFFFFFFFF), np.uint64(0xFFFFFFFFFFFFFF)
_ONES, _HIGHS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_QUOTES, _BACKSLASHES, _SPACES = (
    np.uint64(0x2222222222222222),
    np.uint64(0x5C5C5C5C5C5C5C5C),
    np.uint64(0x2020202020202020),
)

_IS_CODE, _IS_METER, _IS_TIME, _IS_VALUE, _IS_UNIT, _IS_REGISTER, _IS_QUALITY, _IS_RECEIVED, _IS_READINGS = range(1, 10)

# places in the scratch array of one reading
_S_CODE, _N_CODE, _S_METER, _N_METER, _S_UNIT, _N_UNIT, _S_REGISTER, _N_REGISTER = 0, 1, 2, 3, 4, 5, 6, 7
_AT, _ZONED, _RECEIVED, _HAS_RECEIVED, _STATED_QUALITY, _SEEN = 8, 9, 10, 11, 12, 13
_SEEN_METER, _SEEN_TIME, _SEEN_VALUE, _SEEN_UNIT, _SEEN_ALL = 1, 2, 4, 8, 15

_ROWS, _CODES, _NAMES, _UNITS, _OBJECTS = 0, 1, 2, 3, 4  # places in the counts
_SINGLE, _ARRAY, _ENVELOPE = 0, 1, 2

_EXACT = 2**53
_POWERS = 10.0 ** np.arange(23)
_FIRST_YEAR, _LAST_YEAR = 1970, 2199


@inlined
def _blank(text, at, stop):
    while at < stop and (text[at] == 32 or text[at] == 10 or text[at] == 13 or text[at] == 9):
        at += 1
    return at


@inlined
def _literal(text, at, stop, letters, low, length):
    """End of a literal of up to eight letters, -1 if it does not stand here."""
    if at + length > stop or (word(text, at) & low) != letters:
        return -1
    return at + length


@inlined
def _string(text, at, stop):
    """Place of the closing quote of a text that begins at `at`, -1 for one with escapes, controls or no end."""
    while at < stop:
        w = word(text, at)
        quotes, backslashes = w ^ _QUOTES, w ^ _BACKSLASHES
        # the lowest marked byte is a quote, a backslash or a control; those above it may be marked falsely
        special = ((quotes - _ONES) & ~quotes) | ((backslashes - _ONES) & ~backslashes) | ((w - _SPACES) & ~w)
        special &= _HIGHS
        if special:
            at += first_byte(special)
            return at if at < stop and text[at] == _QUOTE else -1
        at += 8
    return -1


@inlined
def _digit(text, at):
    return np.int64(text[at]) - _ZERO


@inlined
def _two(text, at):
    """Number of two digits, -1 if they are none."""
    a, b = _digit(text, at), _digit(text, at + 1)
    if a < 0 or a > 9 or b < 0 or b > 9:
        return np.int64(-1)
    return 10 * a + b


@uncounted
def _number(text, at, stop, value, place):
    """End of a JSON number, -1 if it is none or no float64 is certain to be the nearest; it is set."""
    negative = at < stop and text[at] == _MINUS
    if negative:
        at += 1
    first = at
    mantissa, scale = np.int64(0), 0
    while at < stop and 0 <= _digit(text, at) <= 9:
        mantissa = mantissa * 10 + _digit(text, at)
        at += 1
        if at - first > 15:
            return -1
    if at == first or (text[first] == _ZERO and at - first > 1):
        return -1
    if at < stop and text[at] == _DOT:
        at += 1
        point = at
        while at < stop and 0 <= _digit(text, at) <= 9:
            mantissa = mantissa * 10 + _digit(text, at)
            at += 1
            if at - first > 19 or mantissa > _EXACT:
                return -1
        scale = at - point
        if scale == 0:
            return -1
    if at < stop and (text[at] == 101 or text[at] == 69):  # an exponent: left to others
        return -1
    # both are exact, so IEEE division rounds once: the nearest float64
    number = mantissa / _POWERS[scale]
    value[place] = -number if negative else number
    return at


@uncounted
def _time(text, at, end, month_start, scratch, place):
    """Whether a text is a time of the usual shape; its instant or wall time [us] and if it has an offset are set."""
    if end - at < 19:
        return False
    if text[at + 4] != _MINUS or text[at + 7] != _MINUS or text[at + 13] != _COLON or text[at + 16] != _COLON:
        return False
    if text[at + 10] != 84 and text[at + 10] != _SPACE:
        return False
    century, rest = _two(text, at), _two(text, at + 2)
    month, day = _two(text, at + 5), _two(text, at + 8)
    hour, minute, second = _two(text, at + 11), _two(text, at + 14), _two(text, at + 17)
    year = 100 * century + rest
    if century < 0 or rest < 0 or year < _FIRST_YEAR or year > _LAST_YEAR or month < 1 or month > 12:
        return False
    index = (year - _FIRST_YEAR) * 12 + month - 1
    if day < 1 or day > month_start[index + 1] - month_start[index]:
        return False
    if hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 59:
        return False
    us = ((month_start[index] + day - 1) * 86400 + hour * 3600 + minute * 60 + second) * 1_000_000
    at += 19
    if at < end and text[at] == _DOT:
        at += 1
        first, unit = at, np.int64(100_000)
        while at < end and 0 <= _digit(text, at) <= 9:
            us += unit * _digit(text, at)
            unit //= 10
            at += 1
        if at == first or at - first > 9:
            return False
    scratch[place], scratch[place + 1] = us, 0
    if at == end:
        return True
    scratch[place + 1] = 1
    if text[at] == 90:
        return at + 1 == end
    if (text[at] != _PLUS and text[at] != _MINUS) or end - at != 6 or text[at + 3] != _COLON:
        return False
    hour, minute = _two(text, at + 1), _two(text, at + 4)
    if hour < 0 or hour > 23 or minute < 0 or minute > 59:
        return False
    shift = (hour * 3600 + minute * 60) * 1_000_000
    scratch[place] = us + shift if text[at] == _MINUS else us - shift
    return True


@uncounted
def _quality(text, at, stop, scratch):
    """End of a whole number from 0 to 511 or of null, -1 for anything else."""
    if text[at] == 110:  # n
        scratch[_STATED_QUALITY] = 0
        return _literal(text, at, stop, _NULL, _LOW_4, 4)
    first, number = at, np.int64(0)
    while at < stop and 0 <= _digit(text, at) <= 9 and at - first < 4:
        number = number * 10 + _digit(text, at)
        at += 1
    if at == first or (text[first] == _ZERO and at - first > 1) or number > 511:
        return -1
    scratch[_STATED_QUALITY] = number
    return at


@uncounted
def _other(text, at, stop, value):
    """End of a value that nobody asked for: text, number or word; -1 for anything deeper."""
    if text[at] == _QUOTE:
        end = _string(text, at + 1, stop)
        return end + 1 if end >= 0 else -1
    if text[at] == 110:
        return _literal(text, at, stop, _NULL, _LOW_4, 4)
    if text[at] == 116:
        return _literal(text, at, stop, _TRUE, _LOW_4, 4)
    if text[at] == 102:
        return _literal(text, at, stop, _FALSE, _LOW_5, 5)
    return _number(text, at, stop, value, 1)


@inlined
def _key(text, at, length):
    """Which member a name means, 0 if none of ours."""
    w = word(text, at)
    if length == 9:
        return _IS_CODE if w == _UNIT_CODE and text[at + 8] == 101 else 0  # e
    if length == 8:
        if w == _METER_NO:
            return _IS_METER
        if w == _REGISTER:
            return _IS_REGISTER
        return _IS_READINGS if w == _READINGS else 0
    if length == 11:
        if text[at + 8] != 95 or text[at + 9] != 97 or text[at + 10] != 116:  # _at
            return 0
        if w == _MEASURED_AT:
            return _IS_TIME
        return _IS_RECEIVED if w == _RECEIVED_AT else 0
    if length == 5:
        return _IS_VALUE if (w & _LOW_5) == _VALUE else 0
    if length == 4:
        return _IS_UNIT if (w & _LOW_4) == _UNIT else 0
    if length == 7:
        return _IS_QUALITY if (w & _LOW_7) == _QUALITY else 0
    return 0


@uncounted
def _text_member(text, key, at, end, month_start, scratch):
    """Take the text between `at` and `end` as a member; False if it is not of the usual kind."""
    if key == _IS_TIME:
        scratch[_SEEN] |= _SEEN_TIME
        return _time(text, at, end, month_start, scratch, _AT)
    if key == _IS_RECEIVED:
        return _time(text, at, end, month_start, scratch, _RECEIVED) and scratch[_RECEIVED + 1] == 1
    if key == _IS_REGISTER:
        scratch[_S_REGISTER], scratch[_N_REGISTER] = (
            at,
            0 if end - at == 4 and (word(text, at) & _LOW_4) == _MAIN else end - at,
        )
        return True
    place = _S_CODE
    if key == _IS_METER:
        place = _S_METER
        scratch[_SEEN] |= _SEEN_METER
    elif key == _IS_UNIT:
        place = _S_UNIT
        scratch[_SEEN] |= _SEEN_UNIT
    scratch[place], scratch[place + 1] = at, end - at
    return end > at


@uncounted
def _member(text, key, at, stop, month_start, scratch, value):
    """End of the value at `at` of one of our members, -1 if it is not of the usual kind."""
    if key == _IS_VALUE:
        scratch[_SEEN] |= _SEEN_VALUE
        return _number(text, at, stop, value, 0)
    if key == _IS_QUALITY:
        return _quality(text, at, stop, scratch)
    if key == _IS_READINGS:
        return -1
    if text[at] == _QUOTE:
        end = _string(text, at + 1, stop)
        return end + 1 if end >= 0 and _text_member(text, key, at + 1, end, month_start, scratch) else -1
    if key == _IS_REGISTER:
        scratch[_N_REGISTER] = 0
        return _literal(text, at, stop, _NULL, _LOW_4, 4)
    if key == _IS_RECEIVED:
        scratch[_HAS_RECEIVED] = 0
        return _literal(text, at, stop, _NULL, _LOW_4, 4)
    return -1


@uncounted
def _object(text, at, stop, month_start, scratch, value):
    """End of a reading that begins at `at`, -1 if it is not of the usual shape; what it says is in `scratch`."""
    if at >= stop or text[at] != _OPEN:
        return -1
    scratch[_N_REGISTER] = scratch[_HAS_RECEIVED] = scratch[_STATED_QUALITY] = scratch[_SEEN] = 0
    at = _blank(text, at + 1, stop)
    while at < stop:
        if text[at] != _QUOTE:
            return -1
        name = at + 1
        end = _string(text, name, stop)
        if end < 0:
            return -1
        at = _blank(text, end + 1, stop)
        if at >= stop or text[at] != _COLON:
            return -1
        at = _blank(text, at + 1, stop)
        if at >= stop:
            return -1
        which = _key(text, name, end - name)
        after = _member(text, which, at, stop, month_start, scratch, value) if which else _other(text, at, stop, value)
        if after < 0:
            return -1
        at = _blank(text, after, stop)
        if at >= stop:
            return -1
        if text[at] == _CLOSE:
            return at + 1 if scratch[_SEEN] == _SEEN_ALL and scratch[_N_CODE] > 0 else -1
        if text[at] != _COMMA:
            return -1
        at = _blank(text, at + 1, stop)
    return -1


@uncounted
def _envelope(text, at, stop, scratch):
    """Place of the opening bracket of the readings of an envelope that says its unit first, -1 if it is none."""
    for step in range(2):
        at = _blank(text, at + 1, stop)
        if at >= stop or text[at] != _QUOTE:
            return -1
        key = at + 1
        end = _string(text, key, stop)
        if end < 0 or _key(text, key, end - key) != (_IS_CODE if step == 0 else _IS_READINGS):
            return -1
        at = _blank(text, end + 1, stop)
        if at >= stop or text[at] != _COLON:
            return -1
        at = _blank(text, at + 1, stop)
        if at >= stop:
            return -1
        if step == 1:
            return at if text[at] == _LIST else -1
        end = _string(text, at + 1, stop) if text[at] == _QUOTE else -1
        if end <= at + 1:
            return -1
        scratch[_S_CODE], scratch[_N_CODE] = at + 1, end - at - 1
        at = _blank(text, end + 1, stop)
        if at >= stop or text[at] != _COMMA:
            return -1
    return -1


@inlined
def _low(length):
    """Mask of the first `length` bytes of a word, 1 to 7."""
    return (np.uint64(1) << np.uint64(8 * length)) - np.uint64(1)


@uncounted
def _hash(text, at, length, h):
    while length >= 8:
        h = (h ^ word(text, at)) * np.uint64(0x9E3779B97F4A7C15)
        h ^= h >> np.uint64(32)
        at += 8
        length -= 8
    if length:
        h = (h ^ (word(text, at) & _low(length))) * np.uint64(0x9E3779B97F4A7C15)
        h ^= h >> np.uint64(32)
    return h


@uncounted
def _same(text, a, b, length):
    while length >= 8:
        if word(text, a) != word(text, b):
            return False
        a += 8
        b += 8
        length -= 8
    return length == 0 or ((word(text, a) ^ word(text, b)) & _low(length)) == 0


@uncounted
def _numbered(text, scratch, place, owner, table, entries, count, seed):
    """Number of a text, and of its register, among those of its owner; a new one if it has none yet."""
    start, length = scratch[place], scratch[place + 1]
    more, more_length = scratch[_S_REGISTER], scratch[_N_REGISTER] if place == _S_METER else 0
    h = _hash(text, start, length, (seed ^ np.uint64(owner)) * np.uint64(0xD6E8FEB86659FD93))
    if more_length:
        h = _hash(text, more, more_length, h)
    mask = len(table) - 1
    slot = np.int64(h & np.uint64(mask))
    while table[slot] >= 0:
        e = table[slot]
        fits = entries[e, 0] == owner and entries[e, 2] == length and entries[e, 4] == more_length
        if fits and _same(text, entries[e, 1], start, length) and _same(text, entries[e, 3], more, more_length):
            return e
        slot = (slot + 1) & mask
    table[slot] = count
    entries[count, 0], entries[count, 1], entries[count, 2] = owner, start, length
    entries[count, 3], entries[count, 4] = more, more_length
    return count


@uncounted
def _store(text, message, position, scratch, number, seed, rows, value, codes, names, units, tables, counts):
    """Add the reading in `scratch` to the rows; False if there is no room."""
    # texts of messages that were not taken in the end count too
    if counts[_OBJECTS] == len(value):
        return False
    counts[_OBJECTS] += 1
    code = _numbered(text, scratch, _S_CODE, -1, tables[0], codes, counts[_CODES], seed)
    counts[_CODES] = max(counts[_CODES], code + 1)
    name = _numbered(text, scratch, _S_METER, code, tables[1], names, counts[_NAMES], seed)
    counts[_NAMES] = max(counts[_NAMES], name + 1)
    unit = _numbered(text, scratch, _S_UNIT, -1, tables[2], units, counts[_UNITS], seed)
    counts[_UNITS] = max(counts[_UNITS], unit + 1)
    n = counts[_ROWS]
    rows[n, 0], rows[n, 1], rows[n, 2], rows[n, 3], rows[n, 4] = message, position, code, name, unit
    rows[n, 5], rows[n, 6], rows[n, 7] = scratch[_AT], scratch[_ZONED], scratch[_RECEIVED]
    rows[n, 8], rows[n, 9] = scratch[_HAS_RECEIVED], scratch[_STATED_QUALITY]
    value[n] = number[0]
    counts[_ROWS] += 1
    return True


@uncounted
def scan(
    text, offsets, messages, month_start, seed, rows, value, codes, names, units, tables, taken, scratch, number, counts
):
    """Read messages into rows, those of unusual shape apart.

    Parameters
    ----------
    text : (bytes,) uint8
        The messages, one after the other, and `PADDING` bytes.
    offsets : (m + 1,) int64
        Where each begins and the last ends.
    messages : (m,) int32
        Their ordinals.
    month_start : (months + 1,) int64
        Days since 1970-01-01 of the first of each month.
    seed : uint64
        What makes collisions of names unforeseeable.
    rows : (n, 10) int64
        Out, a row a reading: message, position, code, name, unit, us, has offset, received us, has it, quality.
    value : (n,) float64
        Out.
    codes, names, units : (n, 5) int64
        Out, an entry a distinct text: owner, start, length, start and length of the register.
    tables : (3, slots) int32
        Filled with -1; slots a power of two, more than n.
    taken : (m,) bool
        Out: whether the message was taken.
    scratch : (14,) int64
    number : (2,) float64
        What one reading says.
    counts : (5,) int64
        0; out: rows, codes, names, units and objects.
    """
    for m in range(len(messages)):
        first = counts[_ROWS]
        stop = offsets[m + 1]
        at = _blank(text, offsets[m], stop)
        scratch[_N_CODE] = 0
        kind = _ARRAY if at < stop and text[at] == _LIST else _SINGLE
        if kind == _SINGLE:
            end = _object(text, at, stop, month_start, scratch, number)
            if end >= 0 and not _store(
                text, messages[m], 0, scratch, number, seed, rows, value, codes, names, units, tables, counts
            ):
                end = -1
            if end < 0 and at < stop and text[at] == _OPEN:
                scratch[_N_CODE] = 0
                inside = _envelope(text, at, stop, scratch)
                if inside >= 0:
                    at, kind = inside, _ENVELOPE
        if kind != _SINGLE:
            code_start, code_length = scratch[_S_CODE], scratch[_N_CODE]
            at = _blank(text, at + 1, stop)
            end = at + 1 if at < stop and text[at] == _END else -1  # an empty one
            position = 0
            while end < 0 and at >= 0:
                scratch[_S_CODE], scratch[_N_CODE] = code_start, code_length
                at = _object(text, at, stop, month_start, scratch, number)
                if at < 0 or not _store(
                    text, messages[m], position, scratch, number, seed, rows, value, codes, names, units, tables, counts
                ):
                    break
                position += 1
                at = _blank(text, at, stop)
                if at < stop and text[at] == _COMMA:
                    at = _blank(text, at + 1, stop)
                else:
                    end = at + 1 if at < stop and text[at] == _END else -1
                    at = -1
            if kind == _ENVELOPE and end >= 0:
                end = _blank(text, end, stop)
                end = end + 1 if end < stop and text[end] == _CLOSE else -1
        taken[m] = end >= 0 and _blank(text, end, stop) == stop
        if not taken[m]:
            counts[_ROWS] = first  # texts it has numbered stay: they harm nobody


@compiled
def gather(text, names, out):
    """Write names, each with its register behind U+001F and ended by U+0000; returns where each begins and the end."""
    begins = np.empty(len(names) + 1, np.int64)
    at = 0
    for i in range(len(names)):
        begins[i] = at
        for k in range(names[i, 2]):
            out[at] = text[names[i, 1] + k]
            at += 1
        if names[i, 4]:
            out[at] = 31
            at += 1
            for k in range(names[i, 4]):
                out[at] = text[names[i, 3] + k]
                at += 1
        out[at] = 0
        at += 1
    begins[len(names)] = at
    return begins
