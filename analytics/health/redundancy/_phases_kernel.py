"""Phases: one that is dead while the others carry the load, and one that counts backwards."""

import numpy as np

from analytics.compiled import compiled_plain
from analytics.health.redundancy._state_kernel import (
    AGREES,
    DEAD,
    FAULTY,
    HOUR,
    LEARNS,
    REVERSED,
    count_off,
    start_again,
    tell,
)

__all__ = ["phase_event"]

_LOADED = 0.1  # below this share of a phase's usual load, the other phases carry no information on it
_CARRIES = 0.1  # a phase that never fell below this share of the others is fed by what feeds them
_FORGETS = 1e-4  # forgetting per hour: a memory of some weeks


@compiled_plain
def _phase_hour(s, g, now):
    """Evaluate a completed hour of the phases."""
    for j in range(3):
        if s.count[j] == 0:
            return
    mean0 = s.sum[0] / s.count[0]
    mean1 = s.sum[1] / s.count[1]
    mean2 = s.sum[2] / s.count[2]
    total = mean0 + mean1 + mean2
    digits = 5.0 * max(s.digit[1], s.digit[2], s.digit[3])
    least = max(digits, _LOADED * s.load)
    loaded = False
    for j in range(3):
        mine = mean0 if j == 0 else mean1 if j == 1 else mean2
        a = mean1 if j == 0 else mean0
        b = mean1 if j == 2 else mean2
        if min(abs(a), abs(b)) <= least:
            if mine > digits:
                s.against[j] = 0
            continue
        loaded = True
        others = 0.5 * (abs(a) + abs(b))
        dead = abs(mine) < g.rules.dead * others
        against = mine < -0.1 * others and a > 0.0 and b > 0.0
        if dead:
            if s.run[j] == 0:
                s.run_at[j] = now - HOUR
            s.dead[j] += 1
            s.run[j] += 1
            if abs(abs(a) - abs(b)) < 0.2 * others:
                s.pair[j] += 1
        elif against:
            if s.against[j] == 0:
                s.run_at[j] = now - HOUR
            s.against[j] += 1
        else:
            s.alive[j] += 1
            if s.run[j] > 0:  # a reported run updates the profile no further than up to the report
                told = s.status == FAULTY and s.cause == DEAD + j
                most = max(g.rules.loose_hours, 2 * s.longest[j])
                s.longest[j] = max(s.longest[j], min(s.run[j], most) if told else s.run[j])
            s.run[j] = 0
            s.against[j] = 0
            s.low[j] = min(abs(mine) / others, s.low[j] + _FORGETS)
            if total > 0.0 and s.status != FAULTY:
                rate = max(1.0 / s.alive[j], 0.01)
                s.share[j] += (mine / total - s.share[j]) * rate
        _phase_verdict(s, g, now, j, mine, total)
    if loaded:
        s.hours += 1
        s.load += (abs(total) / 3.0 - s.load) * max(0.01, 1.0 / s.hours)


@compiled_plain
def _true_total(s, cause, j, mine, total):
    share = s.share[j] if s.alive[j] > 0 else 1.0 / 3.0
    if cause == DEAD + j:
        return total / max(1.0 - share, 0.1)
    return total + 2.0 * abs(mine)


@compiled_plain
def _phase_verdict(s, g, now, j, mine, total):
    if s.status == FAULTY:
        if s.cause != DEAD + j and s.cause != REVERSED + j:
            return
        if (s.run[j] if s.cause == DEAD + j else s.against[j]) > 0:
            count_off(s, total, _true_total(s, s.cause, j, mine, total))
            if s.off_n >= 2.0 * s.told_windows:
                s.told_windows = np.int32(min(s.off_n, 2e9))
                tell(s, now, -1.0, g.events, g.cursor)
        else:
            tell(s, now, now - HOUR, g.events, g.cursor)
            s.status = AGREES
        return
    cause = -1
    if s.run[j] > 0:
        hours = s.alive[j] + s.dead[j]
        if s.alive[j] >= (4 * g.rules.habit_hours // 7 if s.low[j] >= 0.5 else g.rules.habit_hours):
            least = g.rules.dead_hours if s.low[j] >= _CARRIES else g.rules.loose_hours
            if s.run[j] >= max(least, 2 * s.longest[j]) * g.factor:
                cause = DEAD + j
        elif s.alive[j] < 0.05 * hours and s.run[j] >= 2 * g.rules.habit_hours and s.pair[j] >= 0.9 * s.dead[j]:
            cause = DEAD + j
    elif s.against[j] >= g.rules.reversed_hours * g.factor:
        cause = REVERSED + j
    if cause < 0:
        return
    n = s.run[j] if cause < REVERSED else s.against[j]
    s.status = FAULTY
    s.cause = cause
    s.since = s.run_at[j] if s.alive[j] > 0 else s.first
    start_again(s)
    for _ in range(n):  # the hours before are taken for such as this one
        count_off(s, total, _true_total(s, cause, j, mine, total))
    s.told = np.nan
    s.told_windows = np.int32(n)
    tell(s, now, -1.0, g.events, g.cursor)


@compiled_plain
def phase_event(s, g, slot, t, v):
    hour = np.int64(t // HOUR)
    if hour != s.hour:
        if s.hour >= 0:
            _phase_hour(s, g, (s.hour + 1) * HOUR)
            if s.hours > 0 and s.hours % 24 == 0:
                out = g.sights[g.seen[0]]
                out.at = np.int64((s.hour + 1) * HOUR)
                out.point = s.point
                out.check = s.check
                out.status = s.status if s.hours >= g.rules.habit_hours or s.status == FAULTY else LEARNS
                out.primary = 0
                out.refused = 0
                out.n = s.hours
                out.ratio = np.nan
                out.deviation = np.nan
                out.tolerance = g.rules.dead
                out.smallest = 1.0 / 3.0 if s.hours >= g.rules.habit_hours else np.nan
                g.seen[0] += 1
                if s.status == LEARNS and s.hours >= g.rules.habit_hours:
                    s.status = AGREES
        s.hour = hour
        for j in range(3):
            s.sum[j] = 0.0
            s.count[j] = 0
    s.sum[slot - 1] += v
    s.count[slot - 1] += 1
