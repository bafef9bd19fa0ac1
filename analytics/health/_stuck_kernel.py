"""The compiled part of stuck dials: a point's habit, how odd a stillness is, and how long a jam could hide."""

import math

import numpy as np

from analytics.columns._jit import compiled, compiled_plain
from analytics.columns._kernel import NEVER
from analytics.domain.quality import DetectionKind

__all__ = ["HABIT_ROW", "MOST_SURE", "SLOTS", "flat", "hidden_hours", "moves", "say_habit", "tell"]

SLOTS = 48
"""Hours of a working day, then of a day of the weekend."""
MOST_SURE = 0.9375
"""No hour is surer to see a move than this: a slot remembers about sixteen of its days."""

HABIT_ROW = np.dtype(
    [
        ("at", "<i8"), ("point", "<i4"), ("days", "<i4"),
        ("typical_h", "<f4"), ("worst_h", "<f4"), ("still", "<f4"), ("away", "<f4"), ("rested", "?"),
    ]
)  # fmt: skip
"""How long a jam could hide at a point, by its habit at the newest reading `at` of a UTC day: hours to be told in the
middle and at the worst; share of still hours; hours for which its users may be away; whether a stillness that ended by
itself asks for more than usual."""

_STUCK = int(DetectionKind.STUCK)
_HOUR = 3_600_000_000
_DAY = 24 * _HOUR
_WEEK_H = 168
_FORGET = 1.0 / 16.0  # a slot remembers about sixteen of its days
_MEMORY_H = 168.0  # use an hour is remembered for about a week
_DECAY = 0.999  # a day: the longest honest stillness is forgotten by half in two years
_WALK = 72  # hours of a silence that are walked one by one
_TAUGHT = 14 * 24  # hours of a stillness that teach
_LONG = 24 * 100
_NEW_REST = 1.0 / 3.0  # of a working day's habit, for a weekend of which little is known


@compiled_plain
def _slot(hour, offset_h):
    """Slot of an hour since 1970 UTC; 1970-01-01 was a Thursday."""
    local = hour + offset_h
    weekend = (local // 24 + 3) % 7 >= 5
    return local % 24 + (24 if weekend else 0)


@compiled_plain
def _per_day(interval):
    """Hours of a day of which a meter can say something: all of them, or one for each reading."""
    return 24 if interval < 2 * _HOUR else max(1, _DAY // interval)


@compiled_plain
def _share(s, slots, p, i, per_day):
    """How often the dial moves in a slot; of a weekend that is not known yet, a part of what a working day has."""
    share = slots[p, i] / 255.0
    if i >= SLOTS // 2 and s.learnt_rest < 2 * per_day:
        share = max(share, _NEW_REST * slots[p, i - SLOTS // 2] / 255.0)
    return min(share, MOST_SURE)


@compiled_plain
def _oddness(s, slots, p, hour, c, rules):
    """How odd an hour without a move is."""
    return -math.log(1.0 - _share(s, slots, p, _slot(hour, rules.offset_h), _per_day(c.interval)))


@compiled_plain
def _teach(s, slots, p, hour, moved, c, rules):
    """What an hour that is over teaches."""
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
    """A stillness that ended by itself is habit, as far as it was not odd; until then the habit stays as it was."""
    step = max(1, c.interval // _HOUR)
    first = s.flat_from // _HOUR + step
    odd = 0.0
    for hour in range(first, min(s.hour, first + _TAUGHT), step):
        odd += _oddness(s, slots, p, hour, c, rules)
        if odd > rules.surprise:
            return
        _teach(s, slots, p, hour, False, c, rules)


@compiled_plain
def _still_share(s, slots, p, per_day):
    """Share of still hours of working days; a weekend that is always still surprises nobody."""
    moving = 0
    for i in range(SLOTS // 2):
        moving += slots[p, i]
    # what hours that always moved have come to by now: some have been seen once more than the others
    days, more = s.learnt_work // per_day, s.learnt_work % per_day
    most = (per_day - more) * (days / (days + 1.0)) + more * ((days + 1.0) / (days + 2.0))
    return max(0.0, 1.0 - moving / (255.0 * most)) if most > 0.0 else 1.0


@compiled_plain
def _away_us(still, rules):
    """How long those who use a meter may be away: where nothing runs by itself, a jam looks like their absence."""
    return rules.away_us * min(1.0, max(0.0, still - rules.away_from) / rules.away_over)


@compiled_plain
def _limit(s, factor, rules):
    """Surprise beyond which a dial that stands still is told, and beyond what it has shown before."""
    return max(rules.surprise, rules.longest_weight * s.longest) * factor


@compiled_plain
def tell(p, k, kind, how, started, ended, decided, before, at, after, n, amount, events, cursor):
    """Add an event."""
    row = events[cursor[0]]
    row.point = p
    row.installation = k
    row.kind = kind
    row.scale = how
    row.n = n
    row.started = started
    row.ended = ended
    row.decided = decided
    row.before = before
    row.at = at
    row.after = after
    row.amount = amount
    cursor[0] += 1


@compiled_plain
def _missed(s, until, factor):
    """What is usually used in the time that the dial has stood still. [millionths of the canonical unit]."""
    micro = s.use * (float(until - s.flat_from) / _HOUR) * factor * 1e6
    return np.int64(min(max(micro, 0.0), 4e18))


@compiled_plain
def flat(s, slots, p, k, t, factor, c, rules, events, cursor):
    """The same value again."""
    s.flat_n += 1
    hour = t // _HOUR
    if c.interval >= 2 * _HOUR:
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
    still = _still_share(s, slots, p, _per_day(c.interval))
    if s.surprise >= _limit(s, factor, rules) and stood >= factor * _away_us(still, rules):
        s.stuck = 1
        tell(
            p, k, _STUCK, 0, s.flat_from, NEVER, t, s.value, s.longest, s.surprise, s.flat_n,
            _missed(s, t, c.factor), events, cursor,
        )  # fmt: skip


@compiled_plain
def moves(s, slots, p, k, t, v, c, rules, events, cursor):
    """Another value: the stillness ends, if there was one."""
    hour = t // _HOUR
    gone = float(t - s.seen_at) / _HOUR
    odd = s.surprise
    if s.stuck != 0:
        # it may have been a jam: one that is told must not hide the next, and is no habit
        odd = min(odd, rules.surprise)
        tell(
            p, k, _STUCK, 0, s.flat_from, t, t, s.value, s.longest, v, s.flat_n,
            _missed(s, t, c.factor), events, cursor,
        )  # fmt: skip
    else:
        _teach_stillness(s, slots, p, c, rules)
        if v > s.value and gone > 0.0:
            weight = min(1.0, gone / min(_MEMORY_H, s.learnt_work + s.learnt_rest + gone))
            s.use += np.float32(((v - s.value) / gone - s.use) * weight)
    s.longest = max(s.longest, odd)
    if c.interval >= 2 * _HOUR:
        _teach(s, slots, p, hour, True, c, rules)
    elif hour > s.hour and s.hour >= hour - 1 and s.stuck == 0:
        # in which hour of a silence it moved is not known, so these teach nothing; between two readings it is this one
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
    """Hours for which a jam hides, at least `shortest`, in the middle and at the worst; `odd` is room for `SLOTS`.

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
    begun = 1.0 + interval / _HOUR
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
def say_habit(s, slots, p, at, factor, c, rules, odd, habits, cursor):
    """Add how long a jam could hide by now."""
    row = habits[cursor[1]]
    still = _still_share(s, slots, p, _per_day(c.interval))
    limit = _limit(s, factor, rules)
    away_h = factor * _away_us(still, rules) / _HOUR
    typical, worst = _hidden(s, slots, p, c.interval, limit, max(away_h, rules.flat_us / _HOUR), odd)
    row.at = at
    row.point = p
    row.days = (s.learnt_work + s.learnt_rest) // _per_day(c.interval)
    row.typical_h = typical
    row.worst_h = worst
    row.still = still
    row.away = away_h
    row.rested = rules.longest_weight * s.longest > rules.surprise
    cursor[1] += 1


@compiled
def hidden_hours(state, slots, interval, factor, rules):
    """`_hidden` of every point."""
    out = np.empty((state.size, 2))
    odd = np.empty(SLOTS)
    for p in range(state.size):
        still = _still_share(state[p], slots, p, _per_day(interval[p]))
        limit = _limit(state[p], factor[p], rules)
        hours = max(factor[p] * _away_us(still, rules), rules.flat_us) / _HOUR
        out[p, 0], out[p, 1] = _hidden(state[p], slots, p, interval[p], limit, hours, odd)
    return out
