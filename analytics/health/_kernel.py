"""Compiled state machine over readings in order of arrival; `analytics.health.arrival` is its public interface.

Order of arrival does not depend on how a stream is cut, so pieces give what the whole gives. Times are int64
microseconds since 1970 UTC, values float64 in the register's unit.

Stuck dials: usage profile, improbability of a standstill, time to detect a jam. Clocks: lateness of readings.
"""

import math

import numpy as np

from analytics.columns._events_kernel import write_event
from analytics.columns._layout import NEVER
from analytics.compiled import compiled, compiled_plain
from analytics.domain.instants import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE
from analytics.domain.quality import DetectionKind

__all__ = [
    "AHEAD",
    "BEHIND",
    "DRIFTS",
    "HABIT_ROW",
    "HEALTH_RULES",
    "HEALTH_STATE",
    "MOST_SURE",
    "SLOTS",
    "UNKNOWN",
    "UNSURE",
    "alone_in_upload",
    "arrive",
    "hidden_hours",
]

SLOTS = 48
"""Slots of the usage profile: the hours of a working day, then of a weekend day."""
MOST_SURE = 0.9375
"""Cap of the probability of a move in a slot, which averages over about sixteen of its days."""

UNKNOWN = np.iinfo(np.uint16).max
"""Marks a lateness that is not known yet."""

HEALTH_STATE = np.dtype(
    [
        # the newest reading by its own clock, and the one that arrived last
        ("seen_at", "<i8"), ("received", "<i8"), ("value", "<f8"), ("last_at", "<i8"), ("last_received", "<i8"),
        # since when the value has not changed; a reading whose time cannot be right
        ("flat_from", "<i8"), ("astray_at", "<i8"), ("astray_received", "<i8"),
        # since when readings have arrived as late as they do now, and since when the clock has been wrong
        ("level_from", "<i8"), ("wrong_from", "<i8"),
        # lateness of readings: as learnt, now, while the clock was wrong [s]; use an hour; surprise of a standstill
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
"""State of one metering point between two batches: usage profile, standstill, lateness; 180 bytes."""

HEALTH_RULES = np.dtype(
    [
        ("offset_h", "<i8"), ("flat_us", "<i8"), ("catch_slack", "<i8"),
        ("surprise", "<f8"), ("longest_weight", "<f8"),
        ("away_us", "<f8"), ("away_from", "<f8"), ("away_over", "<f8"),
        ("closed_us", "<f8"), ("chance_from", "<f8"), ("chance_over", "<f8"),
        ("tolerance_s", "<f8"), ("shift_s", "<f8"), ("confirm", "<i8"), ("home_after", "<i8"),
    ]
)  # fmt: skip

HABIT_ROW = np.dtype(
    [
        ("at", "<i8"), ("point", "<i4"), ("days", "<i4"),
        ("typical_h", "<f4"), ("worst_h", "<f4"), ("still", "<f4"), ("away", "<f4"), ("rested", "?"),
    ]
)  # fmt: skip
"""How long a jam could hide at a point, by its habit at the newest reading `at` of a UTC day: hours until it would be
reported in the middle and at the worst; share of still hours; hours for which its users may be away; whether a still
span that ended by itself asks for more than usual."""

UNSURE, AHEAD, BEHIND, DRIFTS = 0, 1, 2, 3
"""What is known of a clock: it or the way to us is late; it is ahead; it went back; it runs away slowly."""

_STUCK = int(DetectionKind.STUCK)
_CLOCK = int(DetectionKind.CLOCK)

_WEEK_H = 168
_ODD = 3  # readings below or beyond the dial in a row that are accepted
_RUN = 30_000
_LONGEST_WAIT = 24 * 60
_FORGET = 1.0 / 16.0  # weight of a new day: a slot averages over about sixteen of its days
_MEMORY_H = 168.0  # use an hour is remembered for about a week
_DECAY = 0.999  # a day: the most surprising normal standstill has a half-life of two years
_WALK = 72  # most hours of a silence that are evaluated one by one
_TAUGHT = 14 * 24  # most hours of a standstill that update the profile
_LONG = 24 * 100
_CLOCK_DAYS = 20  # working days before a meter can be classified as resting by the clock
_NEW_REST = 1.0 / 3.0  # of a working day's probability, for a weekend of which little is known


@compiled_plain
def _slot(hour, offset_h):
    """Slot of an hour since 1970 UTC; 1970-01-01 was a Thursday."""
    local = hour + offset_h
    weekend = (local // 24 + 3) % 7 >= 5
    return local % 24 + (24 if weekend else 0)


@compiled_plain
def _per_day(interval):
    """Hours of a day of which a meter can say something: all of them, or one for each reading."""
    return 24 if interval < 2 * US_PER_HOUR else max(1, US_PER_DAY // interval)


@compiled_plain
def _share(s, slots, p, i, per_day):
    """Probability of a move in a slot; for a weekend not known yet, a part of a working day's."""
    share = slots[p, i] / 255.0
    if i >= SLOTS // 2 and s.learnt_rest < 2 * per_day:
        share = max(share, _NEW_REST * slots[p, i - SLOTS // 2] / 255.0)
    return min(share, MOST_SURE)


@compiled_plain
def _oddness(s, slots, p, hour, c, rules):
    """Surprise of an hour without a move, -ln(1 - share). [nat]"""
    return -math.log(1.0 - _share(s, slots, p, _slot(hour, rules.offset_h), _per_day(c.interval)))


@compiled_plain
def _teach(s, slots, p, hour, moved, c, rules):
    """Update the profile with a completed hour."""
    i = _slot(hour, rules.offset_h)
    share = slots[p, i] / 255.0
    hours = s.learnt_work if i < SLOTS // 2 else s.learnt_rest
    rate = max(_FORGET, 1.0 / (hours // _per_day(c.interval) + 2.0))
    share += ((1.0 if moved else 0.0) - share) * rate
    slots[p, i] = np.uint8(min(255.0, max(0.0, np.rint(share * 255.0))))
    if i % 24 == 0:
        s.longest *= _DECAY
    if hours < _LONG:
        if i < SLOTS // 2:
            s.learnt_work += 1
        else:
            s.learnt_rest += 1


@compiled_plain
def _teach_stillness(s, slots, p, c, rules):
    """Update the profile with a standstill that ended by itself, as far as it was not improbable."""
    step = max(1, c.interval // US_PER_HOUR)
    first = s.flat_from // US_PER_HOUR + step
    odd = 0.0
    for hour in range(first, min(s.hour, first + _TAUGHT), step):
        odd += _oddness(s, slots, p, hour, c, rules)
        if odd > rules.surprise:
            return
        _teach(s, slots, p, hour, False, c, rules)


@compiled_plain
def _always(s, per_day):
    """Value that an always-moving slot of working days has reached: (slots seen once more, other slots)."""
    days = s.learnt_work // per_day
    return (days + 1.0) / (days + 2.0), days / (days + 1.0)


@compiled_plain
def _still_share(s, slots, p, per_day):
    """Share of still hours on working days; weekends are not counted, since a still one is normal."""
    moving = 0
    for i in range(SLOTS // 2):
        moving += slots[p, i]
    once_more, others = _always(s, per_day)
    more = s.learnt_work % per_day
    most = (per_day - more) * others + more * once_more
    return max(0.0, 1.0 - moving / (255.0 * most)) if most > 0.0 else 1.0


@compiled_plain
def _chance(s, slots, p, per_day):
    """Share of still hours among those of working days in which the dial moves: small where it rests by the clock.

    Of some days alone nobody can tell.
    """
    if s.learnt_work < _CLOCK_DAYS * per_day:
        return 1.0
    most = _always(s, per_day)[1]
    moving, chance = 0.0, 0.0
    for i in range(SLOTS // 2):
        share = slots[p, i] / 255.0
        moving += share
        chance += share * (1.0 - min(1.0, share / most))
    return chance / moving if moving > 0.0 else 1.0


@compiled_plain
def _away_us(s, slots, p, per_day, rules):
    """Longest absence of a meter's users: if nothing runs by itself, a jam looks like their absence. [µs]"""
    still = min(1.0, max(0.0, _still_share(s, slots, p, per_day) - rules.away_from) / rules.away_over)
    if still == 0.0:
        return 0.0
    chance = min(1.0, max(0.0, _chance(s, slots, p, per_day) - rules.chance_from) / rules.chance_over)
    return (rules.closed_us + (rules.away_us - rules.closed_us) * chance) * still


@compiled_plain
def _limit(s, factor, rules):
    """Surprise beyond which a standing dial is reported: the limit, or more if it stood as long before. [nat]"""
    return max(rules.surprise, rules.longest_weight * s.longest) * factor


@compiled_plain
def _tell(p, k, kind, how, started, ended, decided, before, at, after, n, amount, events, cursor):
    """Add an event."""
    write_event(events[cursor[0]], p, k, kind, how, started, ended, decided, before, at, after, n, amount)
    cursor[0] += 1


@compiled_plain
def _missed(s, until, factor):
    """What is usually used in the time that the dial has stood still. [millionths of the canonical unit]."""
    micro = s.use * (float(until - s.flat_from) / US_PER_HOUR) * factor * 1e6
    return np.int64(min(max(micro, 0.0), 4e18))


@compiled_plain
def _flat(s, slots, p, k, t, factor, c, rules, events, cursor):
    """The same value again."""
    s.flat_n += 1
    hour = t // US_PER_HOUR
    if c.interval >= 2 * US_PER_HOUR:
        s.surprise += _oddness(s, slots, p, hour, c, rules)
        s.hour = hour
    elif hour > s.hour:
        if s.moved != 0:
            _teach(s, slots, p, s.hour, True, c, rules)
        else:
            s.surprise += _oddness(s, slots, p, s.hour, c, rules)
        for passed in range(max(s.hour + 1, hour - _WALK), hour):
            s.surprise += _oddness(s, slots, p, passed, c, rules)
        s.hour = hour
        s.moved = 0
    stood = t - s.flat_from
    if s.stuck != 0 or s.surprise < rules.surprise * factor or stood < max(rules.flat_us, 3 * c.interval):
        return
    if s.surprise >= _limit(s, factor, rules) and stood >= factor * _away_us(s, slots, p, _per_day(c.interval), rules):
        s.stuck = 1
        _tell(
            p, k, _STUCK, 0, s.flat_from, NEVER, t, s.value, s.longest, s.surprise, s.flat_n,
            _missed(s, t, c.factor), events, cursor,
        )  # fmt: skip


@compiled_plain
def _moves(s, slots, p, k, t, v, c, rules, events, cursor):
    """Another value: ends a standstill, if there is one."""
    hour = t // US_PER_HOUR
    gone = float(t - s.seen_at) / US_PER_HOUR
    odd = s.surprise
    if s.stuck != 0:
        # it may have been a jam: a reported one must not mask the next, and does not enter the profile
        odd = min(odd, rules.surprise)
        _tell(
            p, k, _STUCK, 0, s.flat_from, t, t, s.value, s.longest, v, s.flat_n,
            _missed(s, t, c.factor), events, cursor,
        )  # fmt: skip
    else:
        _teach_stillness(s, slots, p, c, rules)
        if v > s.value and gone > 0.0:
            weight = min(1.0, gone / min(_MEMORY_H, s.learnt_work + s.learnt_rest + gone))
            s.use += np.float32(((v - s.value) / gone - s.use) * weight)
    s.longest = max(s.longest, odd)
    if c.interval >= 2 * US_PER_HOUR:
        _teach(s, slots, p, hour, True, c, rules)
    elif hour > s.hour and s.hour >= hour - 1 and s.stuck == 0:
        # after a silence the hour of the move is unknown, so nothing is learnt from it
        _teach(s, slots, p, s.hour, s.moved != 0, c, rules)
    s.surprise = 0.0
    s.stuck = 0
    s.flat_from = t
    s.flat_n = 1
    s.hour = hour
    s.moved = 1


@compiled_plain
def _of_week(hour):
    """Slot of an hour of two weeks that begin with a Monday, by the local clock."""
    hour = hour % _WEEK_H
    return hour % 24 + (24 if hour >= 120 else 0)


@compiled_plain
def _hidden(s, slots, p, interval, limit, shortest, odd):
    """Hours until a jam is detected, at least `shortest`, median and worst case; `odd` is scratch space of `SLOTS`.

    The middle is over the hours of the week in which the dial moves, as a jam begins when a move goes missing. The hour
    in which it begins says nothing, and what an hour shows is known at the first reading after it.
    """
    per_day = _per_day(interval)
    a_week = 0.0
    for i in range(SLOTS):
        odd[i] = -math.log(1.0 - _share(s, slots, p, i, per_day))
        a_week += odd[i] * (5.0 if i < SLOTS // 2 else 2.0)
    if a_week <= 0.0:
        return math.inf, math.inf
    weeks = math.floor(limit / a_week)
    rest = limit - weeks * a_week
    begun = 1.0 + interval / US_PER_HOUR
    worst, total, weight = 0.0, 0.0, 0.0
    end, so_far = 0, 0.0
    for start in range(_WEEK_H):
        end = max(end, start)
        while so_far < rest - 1e-9:
            so_far += odd[_of_week(end)]
            end += 1
        hours = max(shortest, weeks * _WEEK_H + (end - start))
        worst = max(worst, hours)
        share = 1.0 - math.exp(-odd[_of_week(start)])
        total += hours * share
        weight += share
        so_far = max(0.0, so_far - odd[_of_week(start)]) if end > start else 0.0
    return total / weight + 0.5 * begun, worst + begun


@compiled_plain
def _say_habit(s, slots, p, at, factor, c, rules, odd, habits, cursor):
    """Append the current detection times of a jam to `habits`."""
    row = habits[cursor[1]]
    per_day = _per_day(c.interval)
    limit = _limit(s, factor, rules)
    away_h = factor * _away_us(s, slots, p, per_day, rules) / US_PER_HOUR
    typical, worst = _hidden(s, slots, p, c.interval, limit, max(away_h, rules.flat_us / US_PER_HOUR), odd)
    row.at = at
    row.point = p
    row.days = (s.learnt_work + s.learnt_rest) // per_day
    row.typical_h = typical
    row.worst_h = worst
    row.still = _still_share(s, slots, p, per_day)
    row.away = away_h
    row.rested = rules.longest_weight * s.longest > rules.surprise
    cursor[1] += 1


@compiled
def hidden_hours(state, slots, interval, factor, rules):
    """`_hidden` of every point."""
    out = np.empty((state.size, 2))
    odd = np.empty(SLOTS)
    for p in range(state.size):
        limit = _limit(state[p], factor[p], rules)
        away = factor[p] * _away_us(state[p], slots, p, _per_day(interval[p]), rules)
        hours = max(away, rules.flat_us) / US_PER_HOUR
        out[p, 0], out[p, 1] = _hidden(state[p], slots, p, interval[p], limit, hours, odd)
    return out


@compiled_plain
def _standing(s, slots, p, k, t, v, factor, c, rules, events, cursor):
    """Update the standstill with a reading; False if it is set aside as implausible."""
    if v == s.value:
        s.odd = 0
        _flat(s, slots, p, k, t, factor, c, rules, events, cursor)
        return True
    if v < s.value or v >= c.top:  # a rollover, or not a reading: decided by the next ones
        s.odd += 1
        if s.odd < _ODD or v >= c.top:
            s.odd = min(s.odd, _ODD)
            return False
        _moves(s, slots, p, k, t, s.value, c, rules, events, cursor)
    else:
        _moves(s, slots, p, k, t, v, c, rules, events, cursor)
    s.odd = 0
    s.value = v
    return True


@compiled_plain
def _expect(s, late_us, c):
    """Update the expected delay of uploads by the lateness of one's first reading.

    The first upload of a gateway that packs readings is seldom a full one. A single outage hardly counts, and what is
    sent after more than a day is history, not a way.
    """
    late = max(late_us // US_PER_MINUTE, 0)
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
    """Kind of clock fault for a shift of the lateness, -1 for none. Shifts in seconds."""
    if s.level < -rules.tolerance_s:
        return AHEAD
    if math.isnan(s.home) or shift <= limit:
        return -1
    if s.home_hour * US_PER_HOUR >= s.level_from:  # no jump since the lateness was last normal
        return DRIFTS
    if s.astray_received >= s.level_from - 2 * c.interval:
        return BEHIND
    return UNSURE if shift < c.interval / 1e6 else -1


@compiled_plain
def _sample(s, p, k, late_s, arrived, factor, c, rules, events, cursor):
    """Update the clock's state by the lateness of the last reading of an upload. [s]"""
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
        if abs(s.level - s.wrong) <= abs(s.level - home):  # still wrong: refine the estimate
            s.wrong = s.level
        if abs(shift) <= 0.5 * limit and s.level >= -rules.tolerance_s:
            _tell(
                p, k, _CLOCK, s.clock - 1, s.wrong_from, s.level_from, arrived, home, s.wrong, s.level, s.steady, 0,
                events, cursor,
            )  # fmt: skip
            s.clock = 0
        return
    how = _wrong_clock(s, c, shift, limit, rules)
    if how >= 0:
        s.wrong_from = s.home_hour * US_PER_HOUR if how == DRIFTS else s.level_from
        s.wrong = s.level
        s.clock = 1 + how
        _tell(p, k, _CLOCK, how, s.wrong_from, NEVER, arrived, home, s.level, s.level, s.steady, 0, events, cursor)
    elif s.steady >= rules.home_after and (math.isnan(s.home) or abs(shift) > limit):
        s.home = s.level
        s.home_hour = arrived // US_PER_HOUR + 1
    elif not math.isnan(s.home) and abs(shift) <= rules.tolerance_s:
        s.home_hour = max(s.home_hour, arrived // US_PER_HOUR)  # still normal: a drift began later


@compiled_plain
def _another_meter(s, p, k, t, meter, events, cursor):
    """Close the open detections of the replaced meter; the usage profile belongs to the point and stays."""
    if s.stuck != 0:
        _tell(p, k, _STUCK, 0, s.flat_from, t, t, s.value, s.longest, np.nan, s.flat_n, 0, events, cursor)
    if s.clock != 0:
        _tell(
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


@compiled
def alone_in_upload(point, received, n_points):
    """Whether no further reading of its point was received at the very same instant, (n,) bool."""
    alone = np.ones(point.size, np.bool_)
    next_received = np.full(n_points, NEVER)
    for i in range(point.size - 1, -1, -1):
        p = point[i]
        alone[i] = next_received[p] != received[i]
        next_received[p] = received[i]
    return alone


@compiled_plain
def _is_astray(s, c, t, r, v, punctual, rules):
    """Whether the dial contradicts the timestamp of a reading of a usually punctual meter: it is from later.

    It came in the place of an ordinary reading: one interval after the one before, not beside or after others.
    """
    if v <= s.value or t <= s.astray_at or s.odd != 0 or math.isinf(c.rate) or v >= c.top:
        return False
    if math.isnan(s.home) or not punctual:
        return False
    waited = r - s.received
    return waited >= c.interval // 2 and v - s.value <= c.rate * (float(waited + rules.catch_slack) / US_PER_HOUR)


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
    alone,
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
        # the first of several readings sent at once carries no information on when it was measured
        punctual[i] = alone[i] and c.interval // 2 < since_last <= 3 * c.interval // 2
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
            s.hour = t // US_PER_HOUR
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
        elif t // US_PER_DAY > s.seen_at // US_PER_DAY and s.odd == 0:
            _say_habit(s, slots, p, s.seen_at, factors[p, 0], c, rules, room, habits, cursor)
        if s.seen_at != NEVER and not _standing(s, slots, p, k, t, v, factors[p, 0], c, rules, events, cursor):
            continue
        s.seen_at = t
        s.received = r
    return point.size
