"""The compiled state machine that turns register readings into hours; one reading at a time, in time order per point.

Because it never looks ahead and keeps all it needs in one record per metering point, a stream cut anywhere gives
the same rows as the whole. `analytics.columns.register` is its public door and says what the columns mean.

Times are int64 microseconds since 1970 UTC, dial values float64 in the register's unit, amounts int64 millionths of
the canonical unit. A dial value is quantised once, as rint(value * factor * 1e6), so that differences telescope:
the hours between two readings sum to their register difference to the last digit, however they were cut.
"""

import math

import numpy as np

from analytics.compiled import compiled, compiled_plain
from analytics.domain.quality import DetectionKind, HourFlag

__all__ = [
    "ACCEPTED",
    "CONFLICT",
    "DUPLICATE",
    "EVENT_ROW",
    "HOUR_ROW",
    "INSTALLATION_ROW",
    "LATE",
    "NEVER",
    "POINT_STATE",
    "RULES_ROW",
    "SENTINELS",
    "UNSPACED",
    "US_PER_HOUR",
    "advance",
    "close",
    "in_force",
    "sort_by_point",
]

US_PER_HOUR = 3_600_000_000
NEVER = np.iinfo(np.int64).min

POINT_STATE = np.dtype(
    [
        # the last good reading (the anchor), and the good one before it
        ("good_at", "<i8"), ("good_value", "<f8"), ("prev_at", "<i8"), ("prev_value", "<f8"),
        # the hour that holds the anchor, counted up to the anchor
        ("amount", "<i8"), ("covered", "<u4"), ("estimated", "<u4"), ("hour", "<i4"),
        # the same as it was at the reading before, so that an anchor that proves a spike can be taken back
        ("prev_amount", "<i8"), ("prev_covered", "<u4"), ("prev_estimated", "<u4"),
        # readings that do not fit the anchor and wait for the next ones to decide: first and last of the run
        ("run_at", "<i8"), ("run_value", "<f8"), ("last_at", "<i8"), ("last_value", "<f8"),
        # newest reading of all, and repeats of it [s]
        ("seen_at", "<i8"), ("seen_value", "<f8"), ("repeated_from", "<u4"), ("repeated_to", "<u4"),
        ("installation", "<i4"), ("run_n", "<u2"), ("repeats", "<u2"),
        ("flags", "u1"), ("prev_flags", "u1"), ("flat_flags", "u1"), ("kept_flags", "u1"),
        ("run_kind", "i1"), ("run_scale", "i1"), ("silent", "i1"), ("partial", "i1"), ("repeating", "i1"),
        # whether the waiting readings were reported as a fall of the dial already
        ("run_told", "i1"),
        # how long after it was measured the anchor was received [s]
        ("good_late", "<i4"),
        # where the dial began to stand still, so that a gateway that repeats a value can catch up
        ("flat_at", "<i8"), ("flat_amount", "<i8"), ("flat_covered", "<u4"), ("flat_estimated", "<u4"),
        # the anchor before the level that the register is on, should it go on from there; first reading of the level
        ("kept_at", "<i8"), ("kept_value", "<f8"), ("kept_run", "<i8"),
        ("kept_amount", "<i8"), ("kept_covered", "<u4"), ("kept_estimated", "<u4"),
        # highest rate believed so far [millionths of the canonical unit/h], moves it was learnt from, and the day from
        # which on it and what is kept have been as they are; how far apart readings are where the ledger is wrong [min]
        ("learnt", "<f4"), ("learnt_n", "u1"), ("spaced_n", "u1"), ("learnt_day", "<u2"), ("spacing", "<u2"),
    ]
)  # fmt: skip
"""One metering point between two batches; 220 bytes."""

HOUR_ROW = np.dtype(
    [("hour", "<i8"), ("amount", "<i8"), ("covered", "<i8"), ("estimated", "<i8"), ("point", "<i4"), ("flags", "<i4")]
)
EVENT_ROW = np.dtype(
    [
        ("started", "<i8"), ("ended", "<i8"), ("decided", "<i8"), ("amount", "<i8"),
        ("before", "<f8"), ("at", "<f8"), ("after", "<f8"),
        ("point", "<i4"), ("installation", "<i4"), ("n", "<i4"), ("kind", "<i2"), ("scale", "<i2"),
    ]
)  # fmt: skip

INSTALLATION_ROW = np.dtype(
    [
        ("installed_from", "<i8"), ("installed_to", "<i8"), ("interval", "<i8"),
        ("factor", "<f8"), ("unit_factor", "<f8"), ("full_scale", "<f8"), ("top", "<f8"), ("rate", "<f8"),
        ("first_reading", "<f8"), ("last_reading", "<f8"), ("meter", "<i4"), ("point", "<i4"), ("renewed", "i1"),
    ]
)  # fmt: skip
"""One installation of the ledger; records, because arrays handed from function to function cost their counting."""

RULES_ROW = np.dtype(
    [
        ("slack", "<i8"), ("measured_span", "<i8"), ("opening_span", "<i8"), ("longest_gap", "<i8"),
        ("partial_after", "<i8"), ("silent_after", "<f8"), ("catch_up", "<i8"), ("repeat_hold", "<i8"),
    ]
)  # fmt: skip

ACCEPTED, DUPLICATE, CONFLICT, LATE = 0, 1, 2, 3


def _fills() -> set[float]:
    """Frames of one byte repeated, read as BCD of 6 to 12 digits: FF, EE … and what DL/T 645's 0x33 makes of them."""
    fills = set()
    for byte in (0x99, 0x33, 0xAA, 0xBB, 0xCC, 0xCD, 0xDD, 0xEE, 0xFF):
        pair = 10 * (byte >> 4) + (byte & 15)
        for n in range(3, 7):
            whole = pair * sum(100**i for i in range(n))
            fills |= {float(whole) / 10**decimals for decimals in range(5)}
    return fills


# What devices say when they have nothing to say: all bits set in 16, 24, 31 and 32 bits, at the usual decimals,
# and the same in BCD. No first reading is one of these; of others, only a value that does not fit the register.
SENTINELS = np.array(
    sorted(
        {float(bits) / 10**decimals for bits in (0xFFFF, 0xFFFFFF, 0x7FFFFFFF, 0xFFFFFFFF) for decimals in range(4)}
        | {float(nines) / 10**decimals for nines in (99_999_999, 999_999_999) for decimals in range(4)}
    )
)
FILLS = np.array(
    sorted(
        _fills()
        | {float(10**digits - 1) / 10**decimals for digits in range(4, 13) for decimals in range(5)}
        | {
            float(bits) / 10**decimals
            for bits in (
                0x7FFF, 0x8000, 0x7FFFFF, 0x800000, 0x80000000, 2**31 + 1, 2**48 - 1, 2**53, 2**63, 2**64, 0xFFFFFFFE,
                0xFFFE, 0x7FFFFFFE,
            )
            for decimals in range(5)
        }
    )
)  # fmt: skip
"""What devices fill a register with when they have no value, beside `SENTINELS`."""
TURNS = np.array([1.0, *(float(2**bits) / 10**decimals for bits in (16, 23, 24, 31, 32) for decimals in range(5))])
"""Where dials turn to zero: at a power of ten (1), and counters of so many bits."""

_ESTIMATED = int(HourFlag.ESTIMATED)
_ROLLOVER = int(HourFlag.ROLLOVER)
_REPLACEMENT = int(HourFlag.REPLACEMENT)
_SUSPECT = int(HourFlag.SUSPECT)
_BREAK = int(HourFlag.BREAK)
_CHANGE = int(HourFlag.MULTIPLIER_CHANGE)

_GAP = int(DetectionKind.GAP)
_SILENCE = int(DetectionKind.SILENCE)
_SPIKE = int(DetectionKind.SPIKE)
_ROLLBACK = int(DetectionKind.ROLLBACK)
_RESET = int(DetectionKind.RESET)
_ZERO_DIP = int(DetectionKind.ZERO_DIP)
_SENTINEL = int(DetectionKind.SENTINEL)
_SCALE = int(DetectionKind.SCALE)
_REPEAT = int(DetectionKind.DUPLICATE)
_UNDECLARED = int(DetectionKind.UNDECLARED_REPLACEMENT)
_EV_ROLLOVER = int(DetectionKind.ROLLOVER)
_EV_REPLACEMENT = int(DetectionKind.REPLACEMENT)
_EV_CHANGE = int(DetectionKind.MULTIPLIER_CHANGE)
_EV_CATCH_UP = int(DetectionKind.CATCH_UP)
_JUMP = int(DetectionKind.JUMP)
_INTERVAL = int(DetectionKind.INTERVAL)

_CONFIRM = 3  # readings in a row that must agree with each other before a new level is believed
_MAX_SCALE = 6
_SCALE_WINDOW = 0.05  # a x10^n reading must land within this share of the register, or chance would do
_ROLLBACK_SHARE = 0.01
_LOST_SHARE = 0.25  # a reset leaves less of the register, a rollback takes less of it
_SLIP_STEPS = 100.0  # a register of fewer steps is a power of ten of others by chance
_DIGITS = 50.0  # steps that a value must have to be held against another to the accuracy of its step
_DAY_H = 24.0
_LOW_SHARE = 0.01
_NOISE_SHARE = 0.01  # a fall of a step or two of the dial, and below this share of it, is no use and no fault

# How far beyond the highest rate believed so far a rise is believed at once, by the moves that rate was learnt from.
_MARGIN, _MARGIN_YOUNG, _MARGIN_FIRST = 4.0, 16.0, 64.0
_FIRST, _YOUNG = 8, 24
_MODERATE_H = 24.0  # a surprise of at most so many hours at that rate is counted when the register goes on from it
_MODERATE = 32.0  # the same where readings are far apart: so many times the believed rate
_SAME_LOAD = 10.0  # a load goes on at no less than this part of the rate at which it surprised; an offset does not
_LOAD, _LOAD_MOST = 300.0, 10_000.0  # times the believed rate: up to here three readings tell a load, never beyond
_LOAD_READINGS = 6  # and a day, to tell a load of more than `_LOAD`
_PATIENCE = 2 * US_PER_HOUR  # before a surprise is counted or set apart, in case the register returns
_UNLEARNT, _UNLEARNT_STEPS = 1.0, 100.0  # of the dial, or its steps: what an unknown register may rise by at once
_UNLEARNT_PASS = 0.05  # of the full scale: what such a register may rise through it
_SUSPICIOUS = 3  # intervals after which a value that fills a register is not believed though it could be reached
_UP = 128  # in `kept_flags`: the level was reported as a jump
_DAY = 24 * US_PER_HOUR
_TURN_HOURS = 20.0  # a dial must stand that much above a usual rise for its turn to be told from a reset
_SECOND = 1_000_000
_MINUTE = 60 * _SECOND
_LATEST = 2_000_000_000
_RHYTHM = 6  # equal spacings in a row that contradict the ledger's interval
UNSPACED = 200  # nothing is known of the spacing yet: fewer will do


@compiled
def sort_by_point(point, at, n_points):
    """Order of readings by point, then time, then arrival: a counting sort, then insertion where out of order."""
    n = point.size
    start = np.zeros(n_points + 1, np.int64)
    for i in range(n):
        start[point[i] + 1] += 1
    for p in range(n_points):
        start[p + 1] += start[p]
    order = np.empty(n, np.int64)
    for i in range(n):
        p = point[i]
        order[start[p]] = i
        start[p] += 1
    for k in range(1, n):
        j = k
        moving = order[k]
        while j > 0 and point[order[j - 1]] == point[moving] and at[order[j - 1]] > at[moving]:
            order[j] = order[j - 1]
            j -= 1
        order[j] = moving
    return order


@compiled
def in_force(meter, at, start, order, installed_from, installed_to):
    """Row of the installations in force for each meter at each time, -1 where there is none."""
    out = np.empty(meter.size, np.int32)
    for i in range(meter.size):
        m = meter[i]
        found = -1
        if m >= 0:
            for j in range(start[m], start[m + 1]):
                k = order[j]
                if installed_from[k] > at[i]:
                    break
                if at[i] <= installed_to[k]:  # the last reading may be taken at the very end; a later start wins
                    found = k
        out[i] = found
    return out


@compiled_plain
def _micro(value, factor):
    return np.rint(value * (factor * 1e6))


@compiled_plain
def _emit_hour(s, p, hours, cursor):
    if s.covered > 0:
        row = hours[cursor[0]]
        row.point = p
        row.hour = s.hour
        row.amount = s.amount
        row.covered = s.covered
        row.estimated = s.estimated
        row.flags = s.flags
        cursor[0] += 1
    s.amount = 0
    s.covered = 0
    s.estimated = 0
    s.flags = 0


@compiled_plain
def _emit_event(s, p, kind, started, ended, decided, before, at, after, n, amount, events, cursor):
    row = events[cursor[1]]
    row.point = p
    row.installation = s.installation
    row.kind = kind
    row.scale = s.run_scale if kind == _SCALE else 0
    row.n = n
    row.started = started
    row.ended = ended
    row.decided = decided
    row.before = before
    row.at = at
    row.after = after
    row.amount = amount
    cursor[1] += 1


@compiled_plain
def _spread(s, p, t1, micro, limit, flags, hours, cursor):
    """Count `micro` evenly over [anchor, t1), closing every hour it passes; the parts sum to `micro` exactly."""
    t0 = s.good_at
    dt = t1 - t0
    estimated = dt > limit and t1 > (s.hour + 1) * US_PER_HOUR
    if estimated:
        flags |= _ESTIMATED
    a = t0
    done = np.int64(0)
    while a < t1:
        end = (s.hour + 1) * US_PER_HOUR
        b = min(end, t1)
        upto = micro if b == t1 else np.int64(np.rint(micro * (float(b - t0) / float(dt))))
        s.amount += upto - done
        s.covered += b - a
        if estimated:
            s.estimated += b - a
        s.flags |= flags
        done = upto
        a = b
        if b == end:
            _emit_hour(s, p, hours, cursor)
            s.hour += 1


@compiled_plain
def _anchor(s, t, v, r):
    s.good_at = t
    s.good_value = v
    s.good_late = np.int32(min(max((r - t) // _SECOND, -_LATEST), _LATEST))
    s.partial = 0


@compiled_plain
def _stand(s):
    """The dial shows the anchor's value again: keep the state as it was when it first did."""
    if s.flat_at == NEVER:
        s.flat_at = s.good_at
        s.flat_amount = s.amount
        s.flat_covered = s.covered
        s.flat_estimated = s.estimated
        s.flat_flags = s.flags


@compiled_plain
def _remember(s):
    """Keep the state at the anchor, before the next reading becomes the anchor."""
    s.prev_at = s.good_at
    s.prev_value = s.good_value
    s.prev_amount = s.amount
    s.prev_covered = s.covered
    s.prev_estimated = s.estimated
    s.prev_flags = s.flags


@compiled_plain
def _take_back(s):
    """Make the reading before the anchor the anchor again; hours written since are written anew by what follows."""
    s.good_at = s.prev_at
    s.good_value = s.prev_value
    s.hour = s.prev_at // US_PER_HOUR
    s.amount = s.prev_amount
    s.covered = s.prev_covered
    s.estimated = s.prev_estimated
    s.flags = s.prev_flags | _SUSPECT
    s.prev_at = NEVER
    s.flat_at = NEVER


@compiled_plain
def _break_to(s, p, t, flag, hours, cursor):
    """Leave [anchor, t) without a value."""
    s.flags |= flag
    hour = t // US_PER_HOUR
    if hour != s.hour:
        _emit_hour(s, p, hours, cursor)
        s.hour = hour
        s.flags = flag
    s.prev_at = NEVER
    s.flat_at = NEVER


@compiled_plain
def _open(s, p, t, v, r, hours, cursor):
    """An anchor where none stands; what an earlier meter counted in an hour before is closed."""
    hour = t // US_PER_HOUR
    if hour != s.hour:
        _emit_hour(s, p, hours, cursor)
        s.hour = hour
    s.prev_at = NEVER
    s.flat_at = NEVER
    _anchor(s, t, v, r)


@compiled_plain
def _resolution(v):
    """Step of the dial as far as the value shows it, and of a float32 of that size."""
    step = 0.001
    if v == np.floor(v):
        step = 1.0
    elif v * 10.0 == np.floor(v * 10.0):
        step = 0.1
    elif v * 100.0 == np.floor(v * 100.0):
        step = 0.01
    if v > 0.0:
        step = max(step, 2.0 ** (np.floor(np.log2(v)) - 22.0))
    return step


@compiled_plain
def _hours(dt, rules):
    """Hours that a register may have had to rise in, clocks allowed for."""
    return float(dt + rules.slack) / 3.6e9


@compiled_plain
def _margin(s):
    if s.learnt_n >= _YOUNG:
        return _MARGIN
    return _MARGIN_YOUNG if s.learnt_n >= _FIRST else _MARGIN_FIRST


@compiled_plain
def _declared(s, c):
    """The ledger's highest rate, infinite where it gives none or the register has been seen to exceed it. [micro/h]"""
    most = c.rate * c.factor * 1e6
    return math.inf if s.learnt > 1.001 * most else most


@compiled_plain
def _rate(s, c):
    """Highest rate at which the register may rise, infinite where nothing is known. [dial/h]"""
    most = _declared(s, c)
    if s.learnt > 0.0 and (math.isinf(most) or s.learnt_n >= _YOUNG):
        most = min(most, _margin(s) * s.learnt)
    return most / (c.factor * 1e6)


@compiled_plain
def _believable(s, c, dt, rules):
    """Most that the register may rise by to be believed at once, infinite where nothing is known. [dial]"""
    hours = _hours(dt, rules)
    most = _declared(s, c) * hours
    if s.learnt > 0.0 and (math.isinf(most) or s.learnt_n >= _YOUNG):
        learnt = _margin(s) * s.learnt
        # a rise that the ledger says is possible may be that of a day
        most = learnt * hours if math.isinf(most) else min(most, learnt * (hours + _MODERATE_H))
    return most / (c.factor * 1e6)


@compiled_plain
def _usual(s, c, dt, rules):
    """Most that the register rises by at the highest rate believed so far. [dial]"""
    return s.learnt * _hours(dt, rules) / (c.factor * 1e6)


@compiled_plain
def _rise(s, c, t0, v0, t1, v1, rules):
    """Whether a rise from v0 to v1 in that time is believed."""
    if v1 < v0:
        return False
    d = v1 - v0
    reach = _believable(s, c, t1 - t0, rules)
    if math.isinf(reach):
        reach = max(_UNLEARNT * v0, _UNLEARNT_STEPS * _resolution(v1))
    return d <= reach or d <= reach + max(_resolution(v0), _resolution(v1))


@compiled_plain
def _follows(s, c, t0, v0, t1, v1, jump, jump_t, rules):
    """Whether waiting readings agree with each other: the next one is reached from the last at a like rate."""
    if v1 < v0:
        return False
    if _rise(s, c, t0, v0, t1, v1, rules) or s.learnt == 0.0:
        return True
    hours = _hours(t1 - t0, rules)
    d = v1 - v0
    if jump > 0.0:
        return d <= _SAME_LOAD * jump / _hours(jump_t, rules) * hours
    return d <= _MARGIN_YOUNG * s.learnt * hours / (c.factor * 1e6)


@compiled_plain
def _turns_at(s, c, v0, v1, usual):
    """Where the dial turns to zero: as the ledger says, or the power of ten or two that a usual rise leads through."""
    if not math.isnan(c.full_scale) or v1 >= v0 or v1 < 0.0 or s.learnt_n < _YOUNG or v0 < _TURN_HOURS * usual:
        return c.full_scale
    for base in TURNS:
        full = base * 10.0 ** np.ceil(np.log10(v0 / base)) if base == 1.0 else base
        if v0 < full and full - v0 + v1 <= usual:
            return full
    return c.full_scale


@compiled_plain
def _rolled(s, c, t0, v0, t1, v1, rules):
    """Whether the fall from v0 to v1 may be a pass through the full scale."""
    full = _turns_at(s, c, v0, v1, _usual(s, c, t1 - t0, rules))
    if math.isnan(full) or v1 >= v0 or v1 < 0.0:
        return False
    d = v1 + full - v0
    hours = _hours(t1 - t0, rules)
    declared = _declared(s, c) * hours / (c.factor * 1e6)
    reach = min(declared, _rate(s, c) * hours)
    if math.isinf(reach):
        reach = _UNLEARNT_PASS * full
    if d > reach + max(_resolution(v0), _resolution(v1)):
        return False
    return d <= 0.5 * full or d <= _usual(s, c, t1 - t0, rules) or declared < full


@compiled_plain
def _passes(s, c, dt, d, rules):
    """How often more the dial may have passed its full scale in that time than a rise by `d` says."""
    if math.isnan(c.full_scale):
        return 0
    most = _usual(s, c, dt, rules)
    if s.learnt == 0.0 and not math.isinf(c.rate):
        most = c.rate * _hours(dt, rules)
    return int(min(max((most - d) / c.full_scale, 0.0), 1e6))


@compiled_plain
def _scale_of(v0, v1, reach):
    """The n for which v1 * 10**n continues the register, or 0; it may have risen by `reach` [dial]."""
    if v0 <= 0.0 or v1 <= 0.0:
        return 0
    decades = np.rint(np.log10(v0) - np.log10(v1))
    if decades == 0.0 or abs(decades) > _MAX_SCALE:
        return 0
    n = int(decades)
    w = v1 * 10.0**n
    step = _resolution(v0)
    if v1 >= _DIGITS * _resolution(v1):
        step = max(step, _resolution(v1) * 10.0**n)
    if w < v0 - step or w > v0 + reach + step:
        return 0
    return n


@compiled_plain
def _slip(s, c, t0, v0, t1, v1, rules):
    """The n for which v1 * 10**n continues the register and v1 cannot be believed as it is, or 0."""
    dt = t1 - t0
    reach = _believable(s, c, dt, rules)
    if s.learnt > 0.0 and v1 > v0:
        if v1 - v0 <= _moderate(s, c, dt, rules):
            return 0
    elif v1 > v0 and v0 < _SLIP_STEPS * _resolution(v0):
        return 0
    if s.learnt_n >= _FIRST:
        reach = min(_usual(s, c, dt, rules), 0.5 * v0)
    if s.learnt_n < _FIRST:
        reach = min(reach, _SCALE_WINDOW * v0)
    return _scale_of(v0, v1, reach)


@compiled_plain
def _moderate(s, c, dt, rules):
    """Most of a surprise that is counted when the register goes on from it, at whatever rate. [dial]"""
    hours = _hours(dt, rules)
    most = max(_MODERATE_H * _margin(s), _MODERATE * hours) * s.learnt
    declared = _declared(s, c) * hours
    if not math.isinf(declared):
        most = max(most, min(declared, 10.0 * most)) if s.learnt > 0.0 else declared
    return most / (c.factor * 1e6)


@compiled_plain
def _is_one_of(v, known):
    at = np.searchsorted(known, v)
    for i in range(max(at - 1, 0), min(at + 1, known.size)):
        if v == known[i]:
            return True
        # as float32, but 99999999 as float32 is 10**8, which a register may well show
        if np.float32(v) == np.float32(known[i]) and v != 1000.0 * np.floor(v / 1000.0):
            return True
    return False


@compiled_plain
def _is_sentinel(v):
    return v < 0.0 or _is_one_of(v, SENTINELS)


@compiled_plain
def _is_filled(v):
    """Whether a device without a value may say this; a register that rises to it says so too."""
    return _is_sentinel(v) or _is_one_of(v, FILLS)


@compiled_plain
def _learn(s, c, t, micro, dt, certain, rules):
    """A rise was believed: at what rate, in powers of two."""
    if micro <= 0:
        return
    rate = micro / _hours(dt, rules)
    if s.learnt_n < _YOUNG:
        s.learnt_n += 1
        s.learnt_day = t // _DAY + 1
    if rate <= s.learnt:
        return
    new = 2.0 ** np.ceil(np.log2(rate))
    declared = c.rate * c.factor * 1e6
    if rate <= declared:
        new = min(new, declared)
    if not certain and s.learnt > 0.0:
        new = min(new, _MARGIN * s.learnt)
    if new > s.learnt:
        s.learnt = np.float32(new)
        s.learnt_day = t // _DAY + 1


@compiled_plain
def _keep(s, run_at, decided, flags):
    """The register goes on elsewhere, or seems to: keep the anchor in case it goes on from there after all."""
    s.kept_at = s.good_at
    s.kept_value = s.good_value
    s.kept_run = run_at
    s.kept_amount = s.amount
    s.kept_covered = s.covered
    s.kept_estimated = s.estimated
    s.kept_flags = s.flags | flags
    s.learnt_day = decided // _DAY + 1


@compiled_plain
def _forget_kept(s, t):
    if s.kept_at != NEVER:
        s.kept_at = NEVER
        s.learnt_day = t // _DAY + 1


@compiled_plain
def _fallen_to(s, rate, rules):
    """What it is if the register goes on at the lower level at which the waiting readings began."""
    old, first = s.good_value, s.run_value
    reach = _LOW_SHARE * old if math.isinf(rate) else rate * (float(s.run_at - s.good_at + rules.slack) / 3.6e9)
    small = max(0.0 if math.isinf(rate) else min(_DAY_H * rate, _LOST_SHARE * old), _ROLLBACK_SHARE * old)
    if first <= min(reach, _LOST_SHARE * old):
        return _RESET
    return _ROLLBACK if old - first <= small else _UNDECLARED


@compiled_plain
def _end_run(s, p, decided, after, c, rules, events, cursor):
    """The waiting readings were wrong: say what they were."""
    if s.run_n == 0:
        return
    rate = _rate(s, c)
    kind = s.run_kind
    if s.run_told != 0:
        kind = _JUMP if s.run_value > s.good_value else _fallen_to(s, rate, rules)
    elif kind == 0:
        fall = s.good_value - s.run_value
        small = max(_DAY_H * rate if not math.isinf(rate) else 0.0, _ROLLBACK_SHARE * s.good_value)
        if s.run_value == 0.0 and s.good_value > 0.0:
            kind = _ZERO_DIP
        elif 0.0 < fall <= small:
            kind = _ROLLBACK
        else:
            kind = _SPIKE
    _emit_event(s, p, kind, s.run_at, decided, decided, s.good_value, s.run_value, after, s.run_n, 0, events, cursor)
    s.run_n = 0
    s.run_kind = 0
    s.run_scale = 0
    s.run_told = 0
    s.flags |= _SUSPECT


@compiled_plain
def _count(s, p, t, v, r, k, extra, tab, rules, hours, events, cursor):
    """Take (t, v) as good: count what was used since the anchor, and make it the anchor."""
    dt = t - s.good_at
    factor = tab[k].factor
    rolled = v < s.good_value
    raw = _micro(v, factor) - _micro(s.good_value, factor)
    if rolled:
        raw += _micro(_turns_at(s, tab[k], s.good_value, v, _usual(s, tab[k], dt, rules)), factor)
    micro = np.int64(raw)
    more = _passes(s, tab[k], dt, raw / (factor * 1e6), rules)
    if rolled or more > 0:
        _emit_event(s, p, _EV_ROLLOVER, s.good_at, t, t, s.good_value, v, v, rolled + more, micro, events, cursor)
        extra |= _ROLLOVER
    if more > 0:  # the total is known but for whole turns of the dial
        extra |= _ESTIMATED
    _remember(s)
    if v == s.good_value and not rolled:
        _stand(s)
    else:
        s.flat_at = NEVER
    if dt > rules.longest_gap:
        _break_to(s, p, t, _BREAK, hours, cursor)
    elif dt > 0:
        _spread(s, p, t, micro, _span_limit(s, tab[k], rules.measured_span), extra, hours, cursor)
        _learn(s, tab[k], t, micro, dt, (extra & _SUSPECT) == 0, rules)
    _anchor(s, t, v, r)


@compiled_plain
def _close_installation(s, p, k, r, tab, rules, hours, events, cursor):
    """The installation ends as the ledger says: count up to its last reading, if one was declared."""
    end, last = tab[k].installed_to, tab[k].last_reading
    if s.run_n > 0 and s.run_kind == 0 and s.run_value > s.good_value and last >= s.last_value:
        _accept_run(s, p, r, k, _SUSPECT, tab, rules, hours, events, cursor)  # the declared dial says they were right
    _end_run(s, p, end, s.good_value, tab[k], rules, events, cursor)
    if math.isnan(last) or end <= s.good_at:
        return
    if last >= s.good_value or _rolled(s, tab[k], s.good_at, s.good_value, end, last, rules):
        _count(s, p, end, last, r, k, _REPLACEMENT, tab, rules, hours, events, cursor)


@compiled_plain
def _change_in_place(s, p, k, t, v, r, tab, rules, hours, events, cursor):
    """The same meter goes on from installation k to k + 1: another multiplier or unit from that instant."""
    start = tab[k + 1].installed_from
    rescale = tab[k].unit_factor / tab[k + 1].unit_factor
    declared = tab[k + 1].first_reading
    dial = np.nan
    if not math.isnan(declared):
        dial = declared / rescale
    elif not math.isnan(tab[k].last_reading):
        dial = tab[k].last_reading
    elif start >= s.good_at and t > s.good_at and s.run_n == 0:
        then = v / rescale
        if _rise(s, tab[k], s.good_at, s.good_value, t, then, rules):
            dial = s.good_value + (then - s.good_value) * (float(start - s.good_at) / float(t - s.good_at))
    certain = not math.isnan(declared) or not math.isnan(tab[k].last_reading)
    if certain and s.run_n > 0 and s.run_kind == 0 and s.run_value > s.good_value and dial >= s.last_value:
        _accept_run(s, p, r, k, _SUSPECT, tab, rules, hours, events, cursor)  # the declared dial says they were right
    if not math.isnan(dial) and start > s.good_at:
        fits = (certain and dial >= s.good_value) or _rise(s, tab[k], s.good_at, s.good_value, start, dial, rules)
        if fits or _rolled(s, tab[k], s.good_at, s.good_value, start, dial, rules):
            _count(s, p, start, dial, r, k, _CHANGE, tab, rules, hours, events, cursor)
    s.flags |= _CHANGE
    s.good_value *= rescale
    if s.kept_at != NEVER:
        s.kept_value *= rescale
        s.learnt_day = start // _DAY + 1
    s.prev_at = NEVER
    s.flat_at = NEVER
    if s.run_n > 0:
        s.run_value *= rescale
        s.last_value *= rescale
    s.installation = k + 1
    if tab[k].factor != tab[k + 1].factor:
        _emit_event(s, p, _EV_CHANGE, start, start, start, tab[k].factor, tab[k + 1].factor, dial, 1, 0, events, cursor)


@compiled_plain
def _install(s, p, target, t, v, r, tab, rules, hours, events, cursor):
    """Walk the point's installations up to `target`; no anchor stands afterwards where the ledger gives none."""
    if s.installation < 0:
        s.installation = target
        start, first = tab[target].installed_from, tab[target].first_reading
        if not math.isnan(first) and start < t and t - start <= rules.opening_span:
            _open(s, p, start, first, r, hours, cursor)
        return
    while s.installation < target:
        k = s.installation
        standing = s.good_at != NEVER
        start, first = tab[k + 1].installed_from, tab[k + 1].first_reading
        same = tab[k].meter == tab[k + 1].meter and tab[k + 1].renewed == 0
        if standing and same and tab[k].installed_to == start:
            _change_in_place(s, p, k, t, v, r, tab, rules, hours, events, cursor)
            continue
        if standing:
            _close_installation(s, p, k, r, tab, rules, hours, events, cursor)
        _emit_event(
            s, p, _EV_REPLACEMENT, start, start, start, s.good_value, tab[k].last_reading, first, 1, 0, events, cursor
        )
        s.installation = k + 1
        s.flags |= _REPLACEMENT
        s.prev_at = NEVER
        s.flat_at = NEVER
        _forget_kept(s, start)
        if math.isnan(first):
            s.good_at = NEVER
            continue
        start = max(start, s.good_at)
        if start > s.good_at:
            _break_to(s, p, start, _REPLACEMENT, hours, cursor)
        _anchor(s, start, first, r)
        s.prev_value = first  # declared: it does not stand alone


@compiled_plain
def _caught_up(s, p, t, v, r, k, tab, rules, hours, events, cursor):
    """The value that stood still was a repeat: what the waiting readings show was used in all that time."""
    since, at, value = s.flat_at, s.run_at, s.run_value
    amount = np.int64(_micro(value, tab[k].factor) - _micro(s.good_value, tab[k].factor))
    _emit_event(s, p, _EV_CATCH_UP, since, at, t, s.good_value, value, v, 1, amount, events, cursor)
    s.good_at = since
    s.hour = since // US_PER_HOUR
    s.amount = s.flat_amount
    s.covered = s.flat_covered
    s.estimated = s.flat_estimated
    s.flags = s.flat_flags
    _count(s, p, at, value, r, k, _SUSPECT, tab, rules, hours, events, cursor)


@compiled_plain
def _reset_run(s):
    s.run_n = 0
    s.run_kind = 0
    s.run_scale = 0
    s.run_told = 0


@compiled_plain
def _accept_run(s, p, r, k, extra, tab, rules, hours, events, cursor):
    """The waiting readings were right: count them."""
    run_at, run_value, last_at, last_value = s.run_at, s.run_value, s.last_at, s.last_value
    _reset_run(s)
    _count(s, p, run_at, run_value, r, k, extra, tab, rules, hours, events, cursor)
    if last_at > run_at:
        _count(s, p, last_at, last_value, r, k, 0, tab, rules, hours, events, cursor)


@compiled_plain
def _go_on(s, p, t, v, r, k, tab, rules, hours, events, cursor):
    """Count the readings that waited on the level that begins with the anchor, and the one that decided."""
    last_at, last_value = s.last_at, s.last_value
    _reset_run(s)
    if last_at > s.good_at:
        _count(s, p, last_at, last_value, r, k, 0, tab, rules, hours, events, cursor)
    _count(s, p, t, v, r, k, 0, tab, rules, hours, events, cursor)


@compiled_plain
def _returned(s, c, rules):
    """Whether the waiting readings go on from the anchor before the level that the register is on."""
    if s.kept_at == NEVER or s.run_at - s.kept_at > rules.longest_gap:
        return False
    if s.run_value < s.good_value and s.run_value <= _MODERATE_H * s.learnt / (c.factor * 1e6):
        return False  # so low a register may have been reset as well
    return s.run_value >= s.kept_value and _rise(s, c, s.kept_at, s.kept_value, s.run_at, s.run_value, rules)


@compiled_plain
def _take_level_back(s, p, t, v, r, k, tab, rules, hours, events, cursor):
    """The level was false: what the register shows now was used since the anchor before it; all hours are new."""
    began, run_at, run_value = s.kept_run, s.run_at, s.run_value
    if run_value < s.good_value:
        kind = _JUMP if s.kept_flags & _UP else _SPIKE
        _emit_event(s, p, kind, began, run_at, t, s.kept_value, s.good_value, run_value, 1, 0, events, cursor)
    s.good_at = s.kept_at
    s.good_value = s.kept_value
    s.hour = s.kept_at // US_PER_HOUR
    s.amount = s.kept_amount
    s.covered = s.kept_covered
    s.estimated = s.kept_estimated
    s.flags = s.kept_flags & ~_UP
    s.flat_at = NEVER
    _forget_kept(s, t)
    _count(s, p, run_at, run_value, r, k, _SUSPECT, tab, rules, hours, events, cursor)
    s.prev_at = NEVER
    _go_on(s, p, t, v, r, k, tab, rules, hours, events, cursor)


@compiled_plain
def _same_load(s, c, t, v, rules):
    """Whether the register goes on at a rate like that at which it surprised: a load that was switched on."""
    jump = s.run_value - s.good_value
    rate = jump / _hours(s.run_at - s.good_at, rules)
    times = rate * c.factor * 1e6 / s.learnt if s.learnt > 0.0 else 1.0
    if times > _LOAD and (times > _LOAD_MOST or s.run_n < _LOAD_READINGS or t - s.run_at < _DAY):
        return False  # more than any line draws: words of a register that are swapped go on at a like rate too
    since = (v - s.run_value) / _hours(t - s.run_at, rules)
    last = (v - s.last_value) / _hours(t - s.last_at, rules)
    if rate <= _SAME_LOAD * max(since, last):
        return True
    return s.learnt == 0.0 and jump <= _SAME_LOAD * (v - s.last_value)


@compiled_plain
def _decide(s, p, t, v, r, k, tab, rules, hours, events, cursor):
    """Three readings or more agree with each other. What they are; False where that has to wait still."""
    c = tab[k]
    moved = v > s.run_value
    if moved and _returned(s, c, rules):
        _take_level_back(s, p, t, v, r, k, tab, rules, hours, events, cursor)
        return True
    # a level is one only where the register goes on as it did before, or not much faster for a day
    level = moved and _level(s, c, t, v, rules)
    if s.run_value < s.good_value or s.run_kind == _SCALE:
        if level:
            _broken_off(s, p, t, v, r, k, tab, rules, hours, events, cursor)
            _go_on(s, p, t, v, r, k, tab, rules, hours, events, cursor)
        return level
    same_load = moved and _same_load(s, c, t, v, rules)
    stood = s.flat_at != NEVER and s.run_at - s.flat_at <= rules.catch_up and s.good_at > s.flat_at
    loaded = same_load and s.learnt > 0.0 and _strong(s, t, v, rules)
    caught_up = moved and stood and not loaded
    if caught_up and _rise(s, c, s.flat_at, s.good_value, s.run_at, s.run_value, rules):
        _caught_up(s, p, t, v, r, k, tab, rules, hours, events, cursor)
        _go_on(s, p, t, v, r, k, tab, rules, hours, events, cursor)
        return True
    if same_load:
        _accept_run(s, p, r, k, 0, tab, rules, hours, events, cursor)
        _count(s, p, t, v, r, k, 0, tab, rules, hours, events, cursor)
        return True
    if t - s.run_at < _PATIENCE and not _alone(s):
        return False
    if s.run_value - s.good_value <= _moderate(s, c, s.run_at - s.good_at, rules):
        _keep(s, s.run_at, t, 0)
        _accept_run(s, p, r, k, _SUSPECT, tab, rules, hours, events, cursor)
        _count(s, p, t, v, r, k, 0, tab, rules, hours, events, cursor)
        return True
    if level:
        _broken_off(s, p, t, v, r, k, tab, rules, hours, events, cursor)
        _go_on(s, p, t, v, r, k, tab, rules, hours, events, cursor)
    elif moved and s.run_told == 0:
        _emit_event(s, p, _JUMP, s.run_at, NEVER, t, s.good_value, s.run_value, v, s.run_n, 0, events, cursor)
        s.run_told = 1
    return level


@compiled_plain
def _level(s, c, t, v, rules):
    """Whether the register goes on from the waiting readings at a rate that is believed of it."""
    if s.learnt == 0.0 or _rise(s, c, s.run_at, s.run_value, t, v, rules):
        return True
    hours = _hours(t - s.run_at, rules)
    return t - s.run_at >= _DAY and v - s.run_value <= _MODERATE * s.learnt * hours / (c.factor * 1e6)


@compiled_plain
def _strong(s, t, v, rules):
    """Whether the register goes on at half the rate at which it surprised, or more."""
    rate = (s.run_value - s.good_value) / _hours(s.run_at - s.good_at, rules)
    return rate <= 2.0 * (v - s.run_value) / _hours(t - s.run_at, rules)


@compiled_plain
def _alone(s):
    """Whether the anchor is a register's first reading, and no other has agreed with it."""
    return s.prev_at == NEVER and math.isnan(s.prev_value)


@compiled_plain
def _broken_off(s, p, t, v, r, k, tab, rules, hours, events, cursor):
    """The register goes on elsewhere: say what that is, and by how much it is not explained."""
    old, first = s.good_value, s.run_value
    kind = _JUMP if first > old else _fallen_to(s, _rate(s, tab[k]), rules)
    if s.run_kind == _SCALE:  # reported already: it was the first reading that was off by that power of ten
        kind = _SCALE
    amount = np.int64(0)
    alone = _alone(s)
    if kind == _JUMP and not alone:
        amount = np.int64(_micro(first, tab[k].factor) - _micro(old, tab[k].factor))
    _emit_event(s, p, kind, s.run_at, s.run_at, t, old, first, v, s.run_n + 1, amount, events, cursor)
    if not alone:
        _keep(s, s.run_at, t, _SUSPECT | (_UP if kind == _JUMP else 0))
    _break_to(s, p, s.run_at, _BREAK, hours, cursor)
    _anchor(s, s.run_at, s.run_value, r)


@compiled_plain
def _tell_fall(s, p, t, v, rate, rules, events, cursor):
    """A second reading agrees that the dial fell: reported now, counted from there once a third one does.

    Zeros that do not move may still be a dip.
    """
    if s.run_told == 0 and s.run_value < s.good_value and v > 0.0:
        kind = _fallen_to(s, rate, rules)
        _emit_event(s, p, kind, s.run_at, NEVER, t, s.good_value, s.run_value, v, s.run_n, 0, events, cursor)
        s.run_told = 1


@compiled_plain
def _waits_on(s, t, v):
    s.run_n = min(s.run_n + 1, 60_000)
    s.last_at = t
    s.last_value = v


@compiled_plain
def _scaled_on(s, c, t, v, rules):
    """Whether (t, v) continues the waiting readings at the power of ten by which they are off."""
    by = 10.0**s.run_scale
    step = _resolution(v) * by
    before, now = s.last_value * by, v * by
    if now < before - step:
        return now > 0.0 and _rolled(s, c, s.last_at, before, t, now, rules)
    return now <= before or _rise(s, c, s.last_at, before, t, max(before, now - step), rules)


@compiled_plain
def _wait(s, p, t, v, r, k, kind, scale, tab, rules, hours, events, cursor):
    """(t, v) does not continue the register: let the next readings decide."""
    c = tab[k]
    jump, jump_t = s.run_value - s.good_value, s.run_at - s.good_at
    if s.run_n > 0 and s.run_kind == _SCALE and kind != _SENTINEL and _scaled_on(s, c, t, v, rules):
        if _alone(s) and s.run_n + 1 >= _CONFIRM and v > s.run_value:
            _decide(s, p, t, v, r, k, tab, rules, hours, events, cursor)
        else:
            _waits_on(s, t, v)
        return
    if s.run_n > 0:
        follows = _follows(s, c, s.last_at, s.last_value, t, v, jump, jump_t, rules)
        if kind == 0 and s.run_kind == 0 and follows:
            if s.run_n + 1 >= _CONFIRM and _decide(s, p, t, v, r, k, tab, rules, hours, events, cursor):
                return
            _waits_on(s, t, v)
            _tell_fall(s, p, t, v, _rate(s, c), rules, events, cursor)
            return
        if kind not in (0, _SCALE) and s.run_kind == kind:
            _waits_on(s, t, v)
            return
        if kind == 0 and s.run_kind == _SCALE and follows:
            s.run_kind = 0  # it looked like x10^n at first, but does not follow the register at that scale
            s.run_scale = 0
            _waits_on(s, t, v)
            _tell_fall(s, p, t, v, _rate(s, c), rules, events, cursor)
            return
        if kind == _SCALE and s.run_kind == 0 and follows and s.run_told == 0:
            s.run_kind = _SCALE  # its first reading had too few digits to show it
            s.run_scale = scale
            _waits_on(s, t, v)
            _emit_event(s, p, kind, s.run_at, NEVER, t, s.good_value, s.run_value, v, s.run_n, 0, events, cursor)
            return
        _end_run(s, p, t, v, c, rules, events, cursor)
    s.run_at = t
    s.run_value = v
    s.last_at = t
    s.last_value = v
    s.run_n = 1
    s.run_kind = kind
    s.run_scale = scale
    if kind != 0:  # no need to wait to know what this is
        _emit_event(s, p, kind, t, NEVER, t, s.good_value, v, v, 1, 0, events, cursor)


@compiled_plain
def _surprises(s, c, t, v, rules):
    """Whether a rise that could be believed has another explanation, so that the next readings are asked."""
    d = v - s.good_value
    dt = t - s.good_at
    if s.learnt == 0.0:
        return _is_filled(v) and d > 2.0 * _resolution(v)
    usual = _usual(s, c, dt, rules) + _resolution(v)
    if _is_filled(v) and (d > usual or (c.interval > 0 and dt > _SUSPICIOUS * c.interval)):
        return True
    if d <= usual:
        return False
    # the gateway may have repeated a value
    stood = s.flat_at != NEVER and s.good_at - s.flat_at >= 2 * dt
    if stood and s.learnt_n >= _FIRST // 2 and _rise(s, c, s.flat_at, s.good_value, t, v, rules):
        return True
    return _slip(s, c, s.good_at, s.good_value, t, v, rules) != 0


@compiled_plain
def _take(s, p, t, v, r, k, tab, rules, hours, events, cursor):
    """(t, v) continues the register; what waited was wrong, or is confirmed by it."""
    if s.run_n > 0 and s.run_kind == 0 and s.good_value < s.run_value and s.last_value <= v:
        _accept_run(s, p, r, k, 0, tab, rules, hours, events, cursor)
        _count(s, p, t, v, r, k, 0, tab, rules, hours, events, cursor)
        return
    suspect = _SUSPECT if s.run_n > 0 else 0
    _end_run(s, p, t, v, tab[k], rules, events, cursor)
    _count(s, p, t, v, r, k, suspect, tab, rules, hours, events, cursor)


@compiled_plain
def _read(s, p, t, v, r, k, tab, rules, hours, events, cursor):
    """One new reading of the installation k, later than all before."""
    if s.installation != k:
        _install(s, p, k, t, v, r, tab, rules, hours, events, cursor)
    c = tab[k]
    if s.good_at == NEVER:
        if not _is_sentinel(v) and v < c.top:
            _open(s, p, t, v, r, hours, cursor)
            s.prev_value = np.nan  # it stands alone: nothing says yet that it is right
        return
    if t <= s.good_at:  # at the very instant of a declared replacement: the ledger's value stands
        return
    shown = 0.0 <= v < c.top
    if shown and (
        (_rise(s, c, s.good_at, s.good_value, t, v, rules) and not _surprises(s, c, t, v, rules))
        or (_rolled(s, c, s.good_at, s.good_value, t, v, rules) and not _is_filled(v))
    ):
        _take(s, p, t, v, r, k, tab, rules, hours, events, cursor)
        return
    # the meter's clock may have fallen back: our own says how long the register had to rise
    waited = r - (s.good_at + np.int64(s.good_late) * _SECOND)
    if (
        shown
        and waited > t - s.good_at
        and _rise(s, c, s.good_at, s.good_value, s.good_at + waited, v, rules)
        and not _surprises(s, c, s.good_at + waited, v, rules)
    ):
        _end_run(s, p, t, v, c, rules, events, cursor)
        _count(s, p, t, v, r, k, _SUSPECT, tab, rules, hours, events, cursor)
        return
    if _is_filled(v) and (v < 0.0 or abs(v - s.good_value) > 2.0 * _resolution(v)):
        _wait(s, p, t, v, r, k, _SENTINEL, 0, tab, rules, hours, events, cursor)
        return
    scale = _slip(s, c, s.good_at, s.good_value, t, v, rules)
    if not shown:
        _wait(s, p, t, v, r, k, _SCALE if scale != 0 else _SPIKE, scale, tab, rules, hours, events, cursor)
        return
    if (
        s.run_n == 0
        and s.prev_at != NEVER
        and v < s.good_value
        and v >= s.prev_value
        and _rise(s, c, s.prev_at, s.prev_value, t, v, rules)
    ):
        high_at, high = s.good_at, s.good_value
        if high - v > 2.0 * _resolution(high):
            _emit_event(s, p, _SPIKE, high_at, t, t, s.prev_value, high, v, 1, 0, events, cursor)
        _take_back(s)
        _count(s, p, t, v, r, k, _SUSPECT, tab, rules, hours, events, cursor)
        s.prev_at = NEVER
        return
    fall = s.good_value - v
    if 0.0 < fall <= min(2.0 * _resolution(s.good_value), _NOISE_SHARE * s.good_value) and s.run_n == 0:
        _count(s, p, t, s.good_value, r, k, 0, tab, rules, hours, events, cursor)
        return
    _wait(s, p, t, v, r, k, _SCALE if scale != 0 else 0, scale, tab, rules, hours, events, cursor)


@compiled_plain
def _room(s, t, k, tab, hours, events, cursor):
    """Whether the outputs can hold whatever one reading may add."""
    start = t
    if s.good_at != NEVER:
        start = min(start, s.good_at)
    if s.prev_at != NEVER:
        start = min(start, s.prev_at)
    if s.run_n > 0 and s.flat_at != NEVER:
        start = min(start, s.flat_at)
    if s.run_n + 1 >= _CONFIRM and s.kept_at != NEVER:
        start = min(start, s.kept_at)
    if s.installation != k:
        start = min(start, tab[k].installed_from)
    need = (t - start) // US_PER_HOUR + 8
    walks = k - s.installation + 1 if s.installation >= 0 else 1
    if cursor[0] + need + 2 * walks > hours.size:
        cursor[2] = cursor[0] + need + 2 * walks
        return False
    if cursor[1] + 8 + 6 * walks > events.size:
        cursor[3] = cursor[1] + 8 + 6 * walks
        return False
    return True


@compiled_plain
def _keeps_rhythm(s):
    return _RHYTHM <= s.spaced_n <= 2 * _RHYTHM


@compiled_plain
def _interval(s, c):
    """How far apart readings are: as the ledger says, or longer where they keep to that."""
    return max(c.interval, np.int64(s.spacing) * _MINUTE) if _keeps_rhythm(s) else c.interval


@compiled_plain
def _span_limit(s, c, measured_span):
    """Longest time between two readings over which an hour's edge is measured."""
    return min(np.int64(1.5 * _interval(s, c)), measured_span) if c.interval > 0 else measured_span


@compiled_plain
def _ordinary(s, c, t, v, micro, rules):
    """Whether (t, v) is the next sound reading, in the open hour or the one after it, with nothing else to tell."""
    return (
        s.good_at != NEVER
        and s.run_n == 0
        and (s.repeats == 0 or (s.repeating != 0 and t - np.int64(s.repeated_to) * _SECOND <= rules.repeat_hold))
        and s.silent == 0
        and s.good_at == s.seen_at
        and t < (s.hour + 2) * US_PER_HOUR
        and t - s.good_at <= _span_limit(s, c, rules.measured_span)
        and v < c.top
        and 0.0 <= micro <= s.learnt * (float(t - s.good_at + rules.slack) / 3.6e9)
    )


@compiled_plain
def _tell_repeats(s, p, now, v, rules, events, cursor):
    """Readings come more than once: said when it begins, and again when none has come for long."""
    since, until = np.int64(s.repeated_from) * _SECOND, np.int64(s.repeated_to) * _SECOND
    over = now - until > rules.repeat_hold
    if s.repeating == 0 or over:
        ended = until if over else NEVER
        seen = s.seen_value
        _emit_event(s, p, _REPEAT, since, ended, now, seen, seen, v, s.repeats, 0, events, cursor)
        s.repeating = 1
    if over:
        s.repeating = 0
        s.repeats = 0


@compiled_plain
def _spaced(s, p, t, v, c, events, cursor):
    """Nothing came for longer than the ledger says: a gap, unless readings keep to that, which is reported once."""
    apart = t - s.seen_at
    if apart <= 1.5 * c.interval:
        if not _keeps_rhythm(s):
            s.spaced_n = 0
        elif 2 * apart < np.int64(s.spacing) * _MINUTE:  # nearer to what the ledger says
            s.spaced_n -= 1
        return
    minutes = min(np.int64(np.rint(float(apart) / _MINUTE)), 65_535)
    known = _keeps_rhythm(s)
    if abs(minutes - np.int64(s.spacing)) <= max(1, s.spacing // 8):
        s.spaced_n = min(s.spaced_n + 1, 2 * _RHYTHM)
        if known:
            return
        if s.spaced_n == _RHYTHM:
            stated, found = float(c.interval) / _MINUTE, float(minutes)
            _emit_event(s, p, _INTERVAL, s.seen_at, t, t, stated, found, v, _RHYTHM, 0, events, cursor)
            s.learnt_day = t // _DAY + 1
            return
    elif not known:
        s.spacing = minutes
        s.spaced_n = 1 if s.spaced_n < UNSPACED else _RHYTHM - 1
    elif apart <= 1.5 * s.spacing * _MINUTE:
        return
    every = _interval(s, c)
    missing = np.int64(np.rint(float(apart) / float(every))) - 1
    _emit_event(s, p, _GAP, s.seen_at, t, t, s.seen_value, v, v, missing, 0, events, cursor)


@compiled_plain
def advance(state, tab, rules, point, installation, at, received, value, disposition, hours, events, cursor, first):
    """Advance `state` by readings sorted by point and time, from index `first`.

    Fills `disposition`, `hours[:cursor[0]]` and `events[:cursor[1]]`. Returns the index of the first reading not
    taken: the length when all were, less when an output is full (then `cursor[2:]` says what it needs).
    """
    for i in range(first, point.size):
        p = point[i]
        k = installation[i]
        t = at[i]
        v = value[i]
        r = received[i]
        s = state[p]
        if s.seen_at != NEVER and t <= s.seen_at:
            if t < s.seen_at:
                disposition[i] = LATE
                continue
            if s.installation >= 0 and tab[s.installation].meter == tab[k].meter:
                disposition[i] = DUPLICATE if v == s.seen_value else CONFLICT
                if s.repeats == 0:
                    s.repeated_from = t // _SECOND
                s.repeated_to = t // _SECOND
                s.repeats = min(s.repeats + 1, 60_000)
                continue
        if s.installation == k and s.good_at != NEVER and t < s.good_at:  # its removal was counted already
            disposition[i] = LATE
            continue
        if s.installation > k:  # the old meter, at the very instant of its replacement: the ledger's reading stands
            disposition[i] = ACCEPTED
            continue
        exact = _micro(v, tab[k].factor) - _micro(s.good_value, tab[k].factor)
        if s.installation == k and _ordinary(s, tab[k], t, v, exact, rules):
            # what _count does, without handing arrays on: their counting costs ten times as much as the work
            end = (s.hour + 1) * US_PER_HOUR
            if t >= end and cursor[0] == hours.size:
                cursor[2] = cursor[0] + 1
                return i
            disposition[i] = ACCEPTED
            _remember(s)
            if v == s.good_value:
                _stand(s)
            else:
                s.flat_at = NEVER
            if not _keeps_rhythm(s):
                s.spaced_n = 0
            micro = np.int64(exact)
            if s.learnt_n < _YOUNG and micro > 0:
                s.learnt_n += 1
                s.learnt_day = t // _DAY + 1
            if t < end:
                s.amount += micro
                s.covered += t - s.good_at
            else:
                part = micro
                if t > end:
                    part = np.int64(np.rint(micro * (float(end - s.good_at) / float(t - s.good_at))))
                row = hours[cursor[0]]
                row.point = p
                row.hour = s.hour
                row.amount = s.amount + part
                row.covered = s.covered + end - s.good_at
                row.estimated = s.estimated
                row.flags = s.flags
                cursor[0] += 1
                s.hour += 1
                s.amount = micro - part
                s.covered = t - end
                s.estimated = 0
                s.flags = 0
            _anchor(s, t, v, r)
            s.seen_at = t
            s.seen_value = v
            continue
        if not _room(s, t, k, tab, hours, events, cursor):
            return i
        disposition[i] = ACCEPTED
        if s.repeats > 0:
            _tell_repeats(s, p, t, v, rules, events, cursor)
        if tab[k].interval > 0 and s.seen_at != NEVER:
            _spaced(s, p, t, v, tab[k], events, cursor)
        if s.silent != 0:
            _emit_event(s, p, _SILENCE, s.seen_at, t, t, s.seen_value, v, v, 0, 0, events, cursor)
            s.silent = 0
        _read(s, p, t, v, r, k, tab, rules, hours, events, cursor)
        s.seen_at = t
        s.seen_value = v
    return point.size


@compiled_plain
def close(state, tab, rules, now, ends, wait, hours, events, cursor, first):
    """What only the clock can say: hours that are over but not filled, and meters that fell silent.

    An hour that was written half full is written again when a reading completes it. Returns like `advance`.
    """
    for p in range(first, state.size):
        s = state[p]
        if s.seen_at == NEVER or s.installation < 0:
            continue
        if cursor[0] + 1 > hours.size or cursor[1] + 2 > events.size:
            cursor[2] = cursor[0] + state.size - p
            cursor[3] = cursor[1] + 2 * (state.size - p)
            return p
        k = s.installation
        end = tab[k].installed_to
        if s.good_at != NEVER and s.good_at < end <= ends and not math.isnan(tab[k].last_reading):
            if not _room(s, end, k, tab, hours, events, cursor):
                return p
            _close_installation(s, p, k, end, tab, rules, hours, events, cursor)
        if s.repeats > 0 and now > np.int64(s.repeated_to) * _SECOND + rules.slack:
            _tell_repeats(s, p, now, s.seen_value, rules, events, cursor)
        interval = _interval(s, tab[s.installation])
        due = interval > 0 and now - s.seen_at > rules.silent_after * interval + rules.slack + wait[p]
        if due and s.silent == 0 and now < tab[s.installation].installed_to:
            _emit_event(s, p, _SILENCE, s.seen_at, NEVER, now, s.seen_value, s.seen_value, np.nan, 0, 0, events, cursor)
            s.silent = 1
        if s.covered > 0 and s.partial == 0 and (s.hour + 1) * US_PER_HOUR + rules.partial_after <= now:
            amount, covered, estimated, flags = s.amount, s.covered, s.estimated, s.flags
            _emit_hour(s, p, hours, cursor)
            s.amount = amount
            s.covered = covered
            s.estimated = estimated
            s.flags = flags
            s.partial = 1
    return state.size
