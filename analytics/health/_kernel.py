"""The compiled walk over readings in the order of their arrival; `analytics.health.arrival` is its public door.

Order of arrival does not depend on how a stream is cut, so pieces give what the whole gives. Times are int64
microseconds since 1970 UTC, values float64 in the register's unit.
"""

import math

import numpy as np

from analytics.columns._jit import compiled_plain
from analytics.columns._kernel import NEVER
from analytics.domain.quality import DetectionKind
from analytics.health._stuck_kernel import SLOTS, flat, moves, say_habit, tell

__all__ = [
    "AHEAD",
    "BEHIND",
    "DRIFTS",
    "HEALTH_RULES",
    "HEALTH_STATE",
    "UNKNOWN",
    "UNSURE",
    "arrive",
]

UNKNOWN = np.iinfo(np.uint16).max
"""How late the first reading of an upload is, where there was none yet."""

HEALTH_STATE = np.dtype(
    [
        # the newest reading by its own clock, and the one that arrived last
        ("seen_at", "<i8"), ("received", "<i8"), ("value", "<f8"), ("last_at", "<i8"), ("last_received", "<i8"),
        # since when the value has not changed; a reading whose time cannot be right
        ("flat_from", "<i8"), ("astray_at", "<i8"), ("astray_received", "<i8"),
        # since when readings have arrived as late as they do now, and since when the clock has been wrong
        ("level_from", "<i8"), ("wrong_from", "<i8"),
        # how late readings arrive: as learnt, now, and while the clock was wrong [s]; use an hour; how odd a stillness
        ("home", "<f4"), ("level", "<f4"), ("wrong", "<f4"), ("use", "<f4"), ("surprise", "<f4"), ("longest", "<f4"),
        # (`home_hour`: the newest hour in which readings arrived as usual)
        ("home_hour", "<i4"), ("hour", "<i4"), ("flat_n", "<i4"), ("meter", "<i4"),
        # hours learnt of working days and of weekends
        ("learnt_work", "<i2"), ("learnt_rest", "<i2"),
        ("steady", "<i2"), ("odd", "i1"), ("moved", "i1"), ("stuck", "i1"), ("clock", "i1"),
        # how often the dial moved in each hour of the day, in 255ths
        ("slots", "u1", (SLOTS,)),
        # how late the first reading of an upload usually is; `UNKNOWN` before the first [min]
        ("wait", "<u2"),
    ]
)  # fmt: skip
"""Habits of one metering point between two batches; 180 bytes."""

HEALTH_RULES = np.dtype(
    [
        ("offset_h", "<i8"), ("flat_us", "<i8"), ("catch_slack", "<i8"),
        ("surprise", "<f8"), ("longest_weight", "<f8"),
        ("away_us", "<f8"), ("away_from", "<f8"), ("away_over", "<f8"),
        ("tolerance_s", "<f8"), ("shift_s", "<f8"), ("confirm", "<i8"), ("home_after", "<i8"),
    ]
)  # fmt: skip

UNSURE, AHEAD, BEHIND, DRIFTS = 0, 1, 2, 3
"""What is known of a clock: it or the way to us is late; it is ahead; it went back; it runs away slowly."""

_STUCK = int(DetectionKind.STUCK)
_CLOCK = int(DetectionKind.CLOCK)

_HOUR = 3_600_000_000
_DAY = 24 * _HOUR
_WEEK_H = 168
_ODD = 3  # readings below the dial, or beyond it, after which they are believed
_RUN = 30_000
_MINUTE = 60_000_000
_LONGEST_WAIT = 24 * 60


@compiled_plain
def _standing(s, slots, p, k, t, v, factor, c, rules, events, cursor):
    """Follow the dial; False where the reading is set aside as odd."""
    if v == s.value:
        s.odd = 0
        flat(s, slots, p, k, t, factor, c, rules, events, cursor)
        return True
    if v < s.value or v >= c.top:  # a rollover, or no reading at all: the next ones tell
        s.odd += 1
        if s.odd < _ODD or v >= c.top:
            s.odd = min(s.odd, _ODD)
            return False
        moves(s, slots, p, k, t, s.value, c, rules, events, cursor)
    else:
        moves(s, slots, p, k, t, v, c, rules, events, cursor)
    s.odd = 0
    s.value = v
    return True


@compiled_plain
def _expect(s, late_us, c):
    """The first reading of an upload is so late: how long the next may be waited for before the meter is silent.

    The first upload of a gateway that packs readings is seldom a full one. A single outage hardly counts, and what is
    sent after more than a day is history, not a way.
    """
    late = max(late_us // _MINUTE, 0)
    if late > _LONGEST_WAIT:
        return
    wait = np.int64(s.wait)
    early = s.learnt_work + s.learnt_rest < _WEEK_H
    if wait == UNKNOWN:
        wait = late if 2 * late_us < c.interval else min(4 * late, _LONGEST_WAIT)
    elif late > wait:
        wait += late - wait if early else (late - wait + 15) // 16
    else:
        wait -= (wait - late + 7) // 8 if early else (wait - late + 63) // 64
    s.wait = np.uint16(wait)


@compiled_plain
def _wrong_clock(s, c, shift, limit, rules):
    """What is wrong with the clock if readings arrive that much later than they used to, -1 for nothing. [s]."""
    if s.level < -rules.tolerance_s:
        return AHEAD
    if math.isnan(s.home) or shift <= limit:
        return -1
    if s.home_hour * _HOUR >= s.level_from:  # never a jump since it was last as usual
        return DRIFTS
    if s.astray_received >= s.level_from - 2 * c.interval:
        return BEHIND
    return UNSURE if shift < c.interval / 1e6 else -1


@compiled_plain
def _sample(s, p, k, late_s, arrived, factor, c, rules, events, cursor):
    """The last reading of an upload arrived so many seconds after it was measured."""
    if s.steady > 0 and abs(late_s - s.level) <= min(rules.tolerance_s, c.interval / 4e6):
        s.steady = min(s.steady + 1, _RUN)
        s.level += np.float32((late_s - s.level) / 8.0)
    else:
        s.steady = 1
        s.level = late_s
        s.level_from = arrived
    if s.steady < rules.confirm:
        return
    limit = rules.shift_s * factor
    home = max(s.home, np.float32(0.0)) if not math.isnan(s.home) else np.float32(0.0)
    shift = s.level - home
    if s.clock != 0:
        if abs(s.level - s.wrong) <= abs(s.level - home):  # still wrong: how much, is known better
            s.wrong = s.level
        if abs(shift) <= 0.5 * limit and s.level >= -rules.tolerance_s:
            tell(
                p, k, _CLOCK, s.clock - 1, s.wrong_from, s.level_from, arrived, home, s.wrong, s.level, s.steady, 0,
                events, cursor,
            )  # fmt: skip
            s.clock = 0
        return
    how = _wrong_clock(s, c, shift, limit, rules)
    if how >= 0:
        s.wrong_from = s.home_hour * _HOUR if how == DRIFTS else s.level_from
        s.wrong = s.level
        s.clock = 1 + how
        tell(p, k, _CLOCK, how, s.wrong_from, NEVER, arrived, home, s.level, s.level, s.steady, 0, events, cursor)
    elif s.steady >= rules.home_after and (math.isnan(s.home) or abs(shift) > limit):
        s.home = s.level
        s.home_hour = arrived // _HOUR + 1
    elif not math.isnan(s.home) and abs(shift) <= rules.tolerance_s:
        s.home_hour = max(s.home_hour, arrived // _HOUR)  # still as usual: what drifts began to later


@compiled_plain
def _another_meter(s, p, k, t, meter, events, cursor):
    """What was open of the meter before ends here; the habit is the point's and stays."""
    if s.stuck != 0:
        tell(p, k, _STUCK, 0, s.flat_from, t, t, s.value, s.longest, np.nan, s.flat_n, 0, events, cursor)
    if s.clock != 0:
        tell(
            p, k, _CLOCK, s.clock - 1, s.wrong_from, max(t, s.wrong_from), t, s.home, s.wrong, np.nan, s.steady, 0,
            events, cursor,
        )  # fmt: skip
    s.meter = meter
    s.seen_at = NEVER
    s.last_received = NEVER
    s.astray_at = NEVER
    s.astray_received = NEVER
    s.home = np.float32(np.nan)
    s.use = 0.0
    s.wait = UNKNOWN
    s.surprise = 0.0
    s.steady = 0
    s.stuck = 0
    s.clock = 0
    s.odd = 0


@compiled_plain
def _is_astray(s, c, t, r, v, punctual, rules):
    """Whether the dial shows that it is later than this reading's time says, at a meter that is known to be punctual.

    It came in the place of an ordinary reading: one interval after the one before, not beside or after others.
    """
    if v <= s.value or t <= s.astray_at or s.odd != 0 or math.isinf(c.rate) or v >= c.top:
        return False
    if math.isnan(s.home) or not punctual:
        return False
    waited = r - s.received
    return waited >= c.interval // 2 and v - s.value <= c.rate * (float(waited + rules.catch_slack) / _HOUR)


@compiled_plain
def arrive(
    state,
    slots,
    tab,
    factors,
    rules,
    point,
    installation,
    at,
    received,
    value,
    future,
    astray,
    punctual,
    events,
    habits,
    room,
    cursor,
    first,
):
    """Advance `state` by readings in the order of their arrival, from index `first`.

    Fills `astray`, `punctual`, `events[:cursor[0]]` and `habits[:cursor[1]]`; `room` is for `SLOTS` numbers. Returns
    the index of the first reading not taken: the length when all were, less when `events` or `habits` is full.
    """
    for i in range(first, point.size):
        if cursor[0] + 6 > events.size or cursor[1] + 1 > habits.size:
            return i
        p = point[i]
        k = installation[i]
        t = at[i]
        r = received[i]
        v = value[i]
        s = state[p]
        c = tab[k]
        astray[i] = 0
        punctual[i] = 0
        if s.meter != c.meter:
            if s.meter >= 0 and s.seen_at != NEVER and t <= s.seen_at:
                continue
            _another_meter(s, p, k, t, c.meter, events, cursor)
        since_last = r - s.last_received if s.last_received != NEVER else np.int64(0)
        punctual[i] = c.interval // 2 < since_last <= 3 * c.interval // 2
        if c.interval > 0 and s.last_received != NEVER and since_last >= c.interval // 2:
            late_s = np.float32((s.last_received - s.last_at) / 1e6)
            _sample(s, p, k, late_s, s.last_received, factors[p, 1], c, rules, events, cursor)
        if t > s.seen_at and c.interval > 0 and (s.last_received == NEVER or since_last >= c.interval // 2):
            _expect(s, r - t, c)
        s.last_at = t
        s.last_received = r
        if future[i]:
            continue
        if s.seen_at == NEVER:
            if v < 0.0 or v >= c.top:
                continue
            s.hour = t // _HOUR
            s.moved = 0
            s.flat_from = t
            s.flat_n = 1
            s.value = v
        elif t <= s.seen_at:
            if t < s.seen_at and _is_astray(s, c, t, r, v, punctual[i], rules):
                astray[i] = 1
                s.astray_at = t
                s.astray_received = r
            continue
        elif t // _DAY > s.seen_at // _DAY and s.odd == 0:
            say_habit(s, slots, p, s.seen_at, factors[p, 0], c, rules, room, habits, cursor)
        if s.seen_at != NEVER and not _standing(s, slots, p, k, t, v, factors[p, 0], c, rules, events, cursor):
            continue
        s.seen_at = t
        s.received = r
    return point.size
