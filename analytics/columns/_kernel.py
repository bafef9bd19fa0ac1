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
        ("hour", "<i8"), ("amount", "<i8"), ("covered", "<i8"), ("estimated", "<i8"),
        # the same as it was at the reading before, so that an anchor that proves a spike can be taken back
        ("prev_hour", "<i8"), ("prev_amount", "<i8"), ("prev_covered", "<i8"), ("prev_estimated", "<i8"),
        # readings that do not fit the anchor and wait for the next ones to decide: first and last of the run
        ("run_at", "<i8"), ("run_value", "<f8"), ("last_at", "<i8"), ("last_value", "<f8"),
        # newest reading of all, and repeats of it
        ("seen_at", "<i8"), ("seen_value", "<f8"), ("repeat_from", "<i8"), ("repeat_to", "<i8"),
        ("installation", "<i4"), ("seen_meter", "<i4"), ("run_n", "<i4"), ("repeat_n", "<i4"),
        ("flags", "<i2"), ("prev_flags", "<i2"),
        ("run_kind", "i1"), ("run_scale", "i1"), ("silent", "i1"), ("partial", "i1"),
        # when the anchor was received
        ("good_received", "<i8"),
        # where the dial began to stand still, so that a gateway that repeats a value can catch up
        ("flat_at", "<i8"), ("flat_amount", "<i8"), ("flat_covered", "<u4"), ("flat_estimated", "<u4"),
        ("flat_flags", "<i2"), ("repeating", "i1"),
        # whether the waiting readings were told as a fall of the dial already
        ("run_told", "i1"),
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
        ("first_reading", "<f8"), ("last_reading", "<f8"), ("meter", "<i4"), ("point", "<i4"),
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

# What devices say when they have nothing to say: all bits set in 16, 24, 31 and 32 bits, at the usual decimals,
# and the same in BCD. Only a value that does not fit the register counts as one.
SENTINELS = np.array(
    sorted(
        {float(bits) / 10**decimals for bits in (0xFFFF, 0xFFFFFF, 0x7FFFFFFF, 0xFFFFFFFF) for decimals in range(4)}
        | {float(nines) / 10**decimals for nines in (99_999_999, 999_999_999) for decimals in range(4)}
    )
)

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

_CONFIRM = 3  # readings in a row that must agree with each other before a new level is believed
_MAX_SCALE = 6
_SCALE_WINDOW = 0.05  # a x10^n reading must land within this share of the register, or chance would do
_ROLLBACK_SHARE = 0.01
_LOST_SHARE = 0.25  # a reset leaves less of the register, a rollback takes less of it
_SLIP_STEPS = 100.0  # where no rate is known, a x100 or more of a register of so many steps is a slip all the same
_DAY_H = 24.0
_LOW_SHARE = 0.01
_NOISE_SHARE = 0.01  # a fall of a step or two of the dial, and below this share of it, is no use and no fault


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
    s.good_received = r
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
    s.prev_hour = s.hour
    s.prev_amount = s.amount
    s.prev_covered = s.covered
    s.prev_estimated = s.estimated
    s.prev_flags = s.flags


@compiled_plain
def _take_back(s):
    """Make the reading before the anchor the anchor again; hours written since are written anew by what follows."""
    s.good_at = s.prev_at
    s.good_value = s.prev_value
    s.hour = s.prev_hour
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
def _rise(t0, v0, t1, v1, rate, slack):
    """Whether the register may have risen from v0 to v1 in that time."""
    if v1 < v0:
        return False
    if math.isinf(rate):
        return True
    reach = rate * (float(t1 - t0 + slack) / 3.6e9)
    d = v1 - v0
    return d <= reach or d <= reach + max(_resolution(v0), _resolution(v1))


@compiled_plain
def _rolled(t0, v0, t1, v1, rate, slack, full_scale):
    """Whether the fall from v0 to v1 may be one pass through `full_scale`."""
    if math.isnan(full_scale) or v1 >= v0:
        return False
    d = v1 + full_scale - v0
    if d > 0.5 * full_scale:
        return False
    return d <= rate * (float(t1 - t0 + slack) / 3.6e9) + max(_resolution(v0), _resolution(v1))


@compiled_plain
def _scale_of(t0, v0, t1, v1, rate, slack):
    """The n for which v1 * 10**n continues the register, or 0."""
    if v0 <= 0.0 or v1 <= 0.0:
        return 0
    decades = np.rint(np.log10(v0) - np.log10(v1))
    if decades == 0.0 or abs(decades) > _MAX_SCALE:
        return 0
    n = int(decades)
    w = v1 * 10.0**n
    step = _resolution(v1) * 10.0**n
    if w < v0 - step or w > v0 * (1.0 + _SCALE_WINDOW) + step:
        return 0
    if w > v0 and not _rise(t0, v0, t1, w - min(step, w - v0), rate, slack):
        return 0
    return n


@compiled_plain
def _is_sentinel(v):
    if v < 0.0:
        return True
    v32 = np.float32(v)
    for sentinel in SENTINELS:  # noqa: SIM110 - compiled
        if v == sentinel or v32 == np.float32(sentinel):
            return True
    return False


@compiled_plain
def _slipped(s, t, v, rate, rules):
    """Whether v is the register times 100 or more where nothing else is known that could forbid it, within a day."""
    if not math.isinf(rate) or v < 50.0 * s.good_value or s.good_value < _SLIP_STEPS * _resolution(s.good_value):
        return False
    return t - s.good_at < _DAY_H * US_PER_HOUR and _scale_of(s.good_at, s.good_value, t, v, rate, rules.slack) <= -2


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
def _end_run(s, p, decided, after, rate, rules, events, cursor):
    """The waiting readings were wrong: say what they were."""
    if s.run_n == 0:
        return
    kind = s.run_kind
    if s.run_told != 0:
        kind = _fallen_to(s, rate, rules)
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
        raw += _micro(tab[k].full_scale, factor)
    micro = np.int64(raw)
    if rolled:
        _emit_event(s, p, _EV_ROLLOVER, s.good_at, t, t, s.good_value, v, v, 1, micro, events, cursor)
        extra |= _ROLLOVER
    _remember(s)
    if v == s.good_value and not rolled:
        _stand(s)
    else:
        s.flat_at = NEVER
    if dt > rules.longest_gap:
        _break_to(s, p, t, _BREAK, hours, cursor)
    elif dt > 0:
        _spread(s, p, t, micro, _span_limit(tab[k], rules.measured_span), extra, hours, cursor)
    _anchor(s, t, v, r)


@compiled_plain
def _close_installation(s, p, k, r, tab, rules, hours, events, cursor):
    """The installation ends as the ledger says: count up to its last reading, if one was declared."""
    _end_run(s, p, tab[k].installed_to, s.good_value, tab[k].rate, rules, events, cursor)
    end, last = tab[k].installed_to, tab[k].last_reading
    if math.isnan(last) or end <= s.good_at:
        return
    rate, full = tab[k].rate, tab[k].full_scale
    if _rise(s.good_at, s.good_value, end, last, rate, rules.slack) or _rolled(
        s.good_at, s.good_value, end, last, rate, rules.slack, full
    ):
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
        if _rise(s.good_at, s.good_value, t, then, tab[k].rate, rules.slack):
            dial = s.good_value + (then - s.good_value) * (float(start - s.good_at) / float(t - s.good_at))
    if not math.isnan(dial) and start > s.good_at:
        fits = _rise(s.good_at, s.good_value, start, dial, tab[k].rate, rules.slack)
        if fits or _rolled(s.good_at, s.good_value, start, dial, tab[k].rate, rules.slack, tab[k].full_scale):
            _count(s, p, start, dial, r, k, _CHANGE, tab, rules, hours, events, cursor)
    s.flags |= _CHANGE
    s.good_value *= rescale
    s.prev_at = NEVER
    s.flat_at = NEVER
    if s.run_n > 0:
        s.run_value *= rescale
        s.last_value *= rescale
    s.installation = k + 1
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
        if standing and tab[k].meter == tab[k + 1].meter and tab[k].installed_to == start:
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
        if math.isnan(first):
            s.good_at = NEVER
            continue
        start = max(start, s.good_at)
        if start > s.good_at:
            _break_to(s, p, start, _REPLACEMENT, hours, cursor)
        _anchor(s, start, first, r)


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
def _new_level(s, p, t, v, r, k, tab, rules, hours, events, cursor):
    """The waiting readings agree with each other: the register goes on from there, what lies between has no value.

    But where the dial stood still before, and the rise is possible in the time since it began to, nothing is lost.
    """
    rate = tab[k].rate
    old, first = s.good_value, s.run_value
    last_at, last_value = s.last_at, s.last_value
    if (
        s.flat_at != NEVER
        and s.run_at - s.flat_at <= rules.catch_up
        and _rise(s.flat_at, old, s.run_at, first, rate, rules.slack)
    ):
        _caught_up(s, p, t, v, r, k, tab, rules, hours, events, cursor)
    else:
        _broken_off(s, p, t, v, r, k, tab, rules, hours, events, cursor)
    s.run_n = 0
    s.run_kind = 0
    s.run_scale = 0
    s.run_told = 0
    if last_at > s.good_at:
        _count(s, p, last_at, last_value, r, k, 0, tab, rules, hours, events, cursor)
    _count(s, p, t, v, r, k, 0, tab, rules, hours, events, cursor)


@compiled_plain
def _alone(s):
    """Whether the anchor is a register's first reading, and no other has agreed with it."""
    return s.prev_at == NEVER and math.isnan(s.prev_value)


@compiled_plain
def _broken_off(s, p, t, v, r, k, tab, rules, hours, events, cursor):
    """The register goes on elsewhere: say what that is."""
    old, first = s.good_value, s.run_value
    kind = _UNDECLARED if first > old else _fallen_to(s, tab[k].rate, rules)
    if s.run_kind == _SCALE:  # told already: it was the first reading that was off by that power of ten
        kind = _SCALE
    _emit_event(s, p, kind, s.run_at, s.run_at, t, old, first, v, s.run_n + 1, 0, events, cursor)
    _break_to(s, p, s.run_at, _BREAK, hours, cursor)
    _anchor(s, s.run_at, s.run_value, r)


@compiled_plain
def _tell_fall(s, p, t, v, rate, rules, events, cursor):
    """A second reading agrees that the dial fell: said now, counted from there once a third one does.

    Zeros that do not move may still be a dip.
    """
    if s.run_told == 0 and s.run_value < s.good_value and v > 0.0:
        kind = _fallen_to(s, rate, rules)
        _emit_event(s, p, kind, s.run_at, NEVER, t, s.good_value, s.run_value, v, s.run_n, 0, events, cursor)
        s.run_told = 1


@compiled_plain
def _wait(s, p, t, v, r, k, kind, scale, tab, rules, hours, events, cursor):
    """(t, v) does not continue the register: let the next readings decide."""
    if s.run_n > 0:
        same = s.run_kind == kind and s.run_scale == scale
        if kind == 0 and same and _rise(s.last_at, s.last_value, t, v, tab[k].rate, rules.slack):
            if s.run_n + 1 >= _CONFIRM and v > s.run_value:
                _new_level(s, p, t, v, r, k, tab, rules, hours, events, cursor)
                return
            s.run_n += 1
            s.last_at = t
            s.last_value = v
            _tell_fall(s, p, t, v, tab[k].rate, rules, events, cursor)
            return
        if kind != 0 and same:
            follows = kind == _SCALE and _rise(s.last_at, s.last_value, t, v, tab[k].rate, rules.slack)
            if follows and _alone(s) and s.run_n + 1 >= _CONFIRM and v > s.run_value:
                _new_level(s, p, t, v, r, k, tab, rules, hours, events, cursor)
                return
            s.run_n += 1
            s.last_at = t
            s.last_value = v
            return
        if kind == 0 and s.run_kind == _SCALE and _rise(s.last_at, s.last_value, t, v, tab[k].rate, rules.slack):
            s.run_kind = 0  # it looked like x10^n at first, but does not follow the register at that scale
            s.run_scale = 0
            s.run_n += 1
            s.last_at = t
            s.last_value = v
            _tell_fall(s, p, t, v, tab[k].rate, rules, events, cursor)
            return
        _end_run(s, p, t, v, tab[k].rate, rules, events, cursor)
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
def _read(s, p, t, v, r, k, tab, rules, hours, events, cursor):
    """One new reading of the installation k, later than all before."""
    if s.installation != k:
        _install(s, p, k, t, v, r, tab, rules, hours, events, cursor)
    if s.good_at == NEVER:
        if not _is_sentinel(v) and v < tab[k].top:
            _open(s, p, t, v, r, hours, cursor)
            s.prev_value = np.nan  # it stands alone: nothing says yet that it is right
        return
    rate, full = tab[k].rate, tab[k].full_scale
    if t <= s.good_at:  # at the very instant of a declared replacement: the ledger's value stands
        return
    shown = 0.0 <= v < tab[k].top and not _slipped(s, t, v, rate, rules)
    if shown and (
        _rise(s.good_at, s.good_value, t, v, rate, rules.slack)
        or _rolled(s.good_at, s.good_value, t, v, rate, rules.slack, full)
    ):
        suspect = _SUSPECT if s.run_n > 0 else 0
        _end_run(s, p, t, v, rate, rules, events, cursor)
        _count(s, p, t, v, r, k, suspect, tab, rules, hours, events, cursor)
        return
    # the meter's clock may have fallen back: our own says how long the register had to rise
    waited = r - s.good_received
    if shown and waited > t - s.good_at and _rise(s.good_at, s.good_value, s.good_at + waited, v, rate, rules.slack):
        _end_run(s, p, t, v, rate, rules, events, cursor)
        _count(s, p, t, v, r, k, _SUSPECT, tab, rules, hours, events, cursor)
        return
    if _is_sentinel(v):
        _wait(s, p, t, v, r, k, _SENTINEL, 0, tab, rules, hours, events, cursor)
        return
    if not shown:
        scale = _scale_of(s.good_at, s.good_value, t, v, rate, rules.slack)
        _wait(s, p, t, v, r, k, _SCALE if scale != 0 else _SPIKE, scale, tab, rules, hours, events, cursor)
        return
    if (
        s.run_n == 0
        and s.prev_at != NEVER
        and v < s.good_value
        and v >= s.prev_value
        and _rise(s.prev_at, s.prev_value, t, v, rate, rules.slack)
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
    scale = _scale_of(s.good_at, s.good_value, t, v, rate, rules.slack)
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
def _span_limit(c, measured_span):
    """Longest time between two readings over which an hour's edge is measured."""
    return min(np.int64(1.5 * c.interval), measured_span) if c.interval > 0 else measured_span


@compiled_plain
def _ordinary(s, c, t, v, rules):
    """Whether (t, v) is the next sound reading, in the open hour or the one after it, with nothing else to tell."""
    return (
        s.good_at != NEVER
        and s.run_n == 0
        and (s.repeat_n == 0 or (s.repeating != 0 and t - s.repeat_to <= rules.repeat_hold))
        and s.silent == 0
        and s.good_at == s.seen_at
        and t < (s.hour + 2) * US_PER_HOUR
        and t - s.good_at <= _span_limit(c, rules.measured_span)
        and v < c.top
        and _rise(s.good_at, s.good_value, t, v, c.rate, rules.slack)
        and (not math.isinf(c.rate) or v < 50.0 * s.good_value)
    )


@compiled_plain
def _tell_repeats(s, p, now, v, rules, events, cursor):
    """Readings come more than once: said when it begins, and again when none has come for long."""
    over = now - s.repeat_to > rules.repeat_hold
    if s.repeating == 0 or over:
        ended = s.repeat_to if over else NEVER
        seen = s.seen_value
        _emit_event(s, p, _REPEAT, s.repeat_from, ended, now, seen, seen, v, s.repeat_n, 0, events, cursor)
        s.repeating = 1
    if over:
        s.repeating = 0
        s.repeat_n = 0


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
            same_meter = s.seen_meter == tab[k].meter
            if t < s.seen_at:
                disposition[i] = LATE
                continue
            if same_meter:
                disposition[i] = DUPLICATE if v == s.seen_value else CONFLICT
                if s.repeat_n == 0:
                    s.repeat_from = t
                s.repeat_to = t
                s.repeat_n += 1
                continue
        if s.installation > k:  # the old meter, at the very instant of its replacement: the ledger's reading stands
            disposition[i] = ACCEPTED
            continue
        if s.installation == k and _ordinary(s, tab[k], t, v, rules):
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
            micro = np.int64(_micro(v, tab[k].factor) - _micro(s.good_value, tab[k].factor))
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
        if s.repeat_n > 0:
            _tell_repeats(s, p, t, v, rules, events, cursor)
        interval = tab[k].interval
        if interval > 0 and s.seen_at != NEVER and t - s.seen_at > 1.5 * interval:
            missing = np.int64(np.rint(float(t - s.seen_at) / float(interval))) - 1
            _emit_event(s, p, _GAP, s.seen_at, t, t, s.seen_value, v, v, missing, 0, events, cursor)
        if s.silent != 0:
            _emit_event(s, p, _SILENCE, s.seen_at, t, t, s.seen_value, v, v, 0, 0, events, cursor)
            s.silent = 0
        _read(s, p, t, v, r, k, tab, rules, hours, events, cursor)
        s.seen_at = t
        s.seen_value = v
        s.seen_meter = tab[k].meter
    return point.size


@compiled_plain
def close(state, tab, rules, now, wait, hours, events, cursor, first):
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
        if s.repeat_n > 0 and now > s.repeat_to + rules.slack:
            _tell_repeats(s, p, now, s.seen_value, rules, events, cursor)
        interval = tab[s.installation].interval
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
