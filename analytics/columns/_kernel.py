"""The compiled state machine that turns register readings into hours; one reading at a time, in time order per point.

Because it never looks ahead and keeps all it needs in one record per metering point, a stream cut anywhere gives
the same rows as the whole. `analytics.columns.register` is its public door and says what the columns mean.

Times are int64 microseconds since 1970 UTC, dial values float64 in the register's unit, amounts int64 millionths of
the canonical unit. A dial value is quantised once, as rint(value * factor * 1e6), so that differences telescope:
the hours between two readings sum to their register difference to the last digit, however they were cut.
"""

import math

import numpy as np

from analytics.columns._counting_kernel import (
    count,
    emit_event,
    emit_hour,
    keep_stillness,
    keeps_rhythm,
    open_at,
    remember_anchor,
    set_anchor,
    spacing_of,
    span_limit,
    take_back,
)
from analytics.columns._installing_kernel import close_installation, install
from analytics.columns._layout import (
    ACCEPTED,
    CONFIRM,
    CONFLICT,
    DUPLICATE,
    LATE,
    NEVER,
    RHYTHM,
    SCALE,
    SENTINEL,
    SPIKE,
    SUSPECT,
)
from analytics.columns._rates_kernel import YOUNG, has_rolled, is_believed, is_surprising, scale_slip
from analytics.columns._values_kernel import is_filled, is_sentinel, micro_of, resolution
from analytics.columns._waiting_kernel import accept_run, end_run, set_aside
from analytics.compiled import compiled, compiled_plain
from analytics.domain.instants import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE, US_PER_SECOND
from analytics.domain.quality import DetectionKind

__all__ = ["UNSPACED", "advance", "close", "sort_by_point"]

_GAP = int(DetectionKind.GAP)
_SILENCE = int(DetectionKind.SILENCE)
_REPEAT = int(DetectionKind.DUPLICATE)
_INTERVAL = int(DetectionKind.INTERVAL)

_NOISE_SHARE = 0.01  # a fall of a step or two of the dial, and below this share of it, is no use and no fault
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


@compiled_plain
def _take(s, p, t, v, r, k, tab, rules, hours, events, cursor):
    """(t, v) continues the register; what waited was wrong, or is confirmed by it."""
    if s.run_n > 0 and s.run_kind == 0 and s.good_value < s.run_value and s.last_value <= v:
        accept_run(s, p, r, k, 0, tab, rules, hours, events, cursor)
        count(s, p, t, v, r, k, 0, tab, rules, hours, events, cursor)
        return
    suspect = SUSPECT if s.run_n > 0 else 0
    end_run(s, p, t, v, tab[k], rules, events, cursor)
    count(s, p, t, v, r, k, suspect, tab, rules, hours, events, cursor)


@compiled_plain
def _read(s, p, t, v, r, k, tab, rules, hours, events, cursor):
    """One new reading of the installation k, later than all before."""
    if s.installation != k:
        install(s, p, k, t, v, r, tab, rules, hours, events, cursor)
    c = tab[k]
    if s.good_at == NEVER:
        if not is_sentinel(v) and v < c.top:
            open_at(s, p, t, v, r, hours, cursor)
            s.prev_value = np.nan  # it stands alone: nothing says yet that it is right
        return
    if t <= s.good_at:  # at the very instant of a declared replacement: the ledger's value stands
        return
    shown = 0.0 <= v < c.top
    if shown and (
        (is_believed(s, c, s.good_at, s.good_value, t, v, rules) and not is_surprising(s, c, t, v, rules))
        or (has_rolled(s, c, s.good_at, s.good_value, t, v, rules) and not is_filled(v))
    ):
        _take(s, p, t, v, r, k, tab, rules, hours, events, cursor)
        return
    # the meter's clock may have fallen back: our own says how long the register had to rise
    waited = r - (s.good_at + np.int64(s.good_late) * US_PER_SECOND)
    if (
        shown
        and waited > t - s.good_at
        and is_believed(s, c, s.good_at, s.good_value, s.good_at + waited, v, rules)
        and not is_surprising(s, c, s.good_at + waited, v, rules)
    ):
        end_run(s, p, t, v, c, rules, events, cursor)
        count(s, p, t, v, r, k, SUSPECT, tab, rules, hours, events, cursor)
        return
    if is_filled(v) and (v < 0.0 or abs(v - s.good_value) > 2.0 * resolution(v)):
        set_aside(s, p, t, v, r, k, SENTINEL, 0, tab, rules, hours, events, cursor)
        return
    scale = scale_slip(s, c, s.good_at, s.good_value, t, v, rules)
    if not shown:
        set_aside(s, p, t, v, r, k, SCALE if scale != 0 else SPIKE, scale, tab, rules, hours, events, cursor)
        return
    if (
        s.run_n == 0
        and s.prev_at != NEVER
        and v < s.good_value
        and v >= s.prev_value
        and is_believed(s, c, s.prev_at, s.prev_value, t, v, rules)
    ):
        high_at, high = s.good_at, s.good_value
        if high - v > 2.0 * resolution(high):
            emit_event(s, p, SPIKE, high_at, t, t, s.prev_value, high, v, 1, 0, events, cursor)
        take_back(s)
        count(s, p, t, v, r, k, SUSPECT, tab, rules, hours, events, cursor)
        s.prev_at = NEVER
        return
    fall = s.good_value - v
    if 0.0 < fall <= min(2.0 * resolution(s.good_value), _NOISE_SHARE * s.good_value) and s.run_n == 0:
        count(s, p, t, s.good_value, r, k, 0, tab, rules, hours, events, cursor)
        return
    set_aside(s, p, t, v, r, k, SCALE if scale != 0 else 0, scale, tab, rules, hours, events, cursor)


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
    if s.run_n + 1 >= CONFIRM and s.kept_at != NEVER:
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
def _ordinary(s, c, t, v, micro, rules):
    """Whether (t, v) is the next sound reading, in the open hour or the one after it, with nothing else to tell."""
    return (
        s.good_at != NEVER
        and s.run_n == 0
        and (s.repeats == 0 or (s.repeating != 0 and t - np.int64(s.repeated_to) * US_PER_SECOND <= rules.repeat_hold))
        and s.silent == 0
        and s.good_at == s.seen_at
        and t < (s.hour + 2) * US_PER_HOUR
        and t - s.good_at <= span_limit(s, c, rules.measured_span)
        and v < c.top
        and 0.0 <= micro <= s.learnt * (float(t - s.good_at + rules.slack) / 3.6e9)
    )


@compiled_plain
def _tell_repeats(s, p, now, v, rules, events, cursor):
    """Readings come more than once: said when it begins, and again when none has come for long."""
    since, until = np.int64(s.repeated_from) * US_PER_SECOND, np.int64(s.repeated_to) * US_PER_SECOND
    over = now - until > rules.repeat_hold
    if s.repeating == 0 or over:
        ended = until if over else NEVER
        seen = s.seen_value
        emit_event(s, p, _REPEAT, since, ended, now, seen, seen, v, s.repeats, 0, events, cursor)
        s.repeating = 1
    if over:
        s.repeating = 0
        s.repeats = 0


@compiled_plain
def _spaced(s, p, t, v, c, events, cursor):
    """Nothing came for longer than the ledger says: a gap, unless readings keep to that, which is reported once."""
    apart = t - s.seen_at
    if apart <= 1.5 * c.interval:
        if not keeps_rhythm(s):
            s.spaced_n = 0
        elif 2 * apart < np.int64(s.spacing) * US_PER_MINUTE:  # nearer to what the ledger says
            s.spaced_n -= 1
        return
    minutes = min(np.int64(np.rint(float(apart) / US_PER_MINUTE)), 65_535)
    known = keeps_rhythm(s)
    if abs(minutes - np.int64(s.spacing)) <= max(1, s.spacing // 8):
        s.spaced_n = min(s.spaced_n + 1, 2 * RHYTHM)
        if known:
            return
        if s.spaced_n == RHYTHM:
            stated, found = float(c.interval) / US_PER_MINUTE, float(minutes)
            emit_event(s, p, _INTERVAL, s.seen_at, t, t, stated, found, v, RHYTHM, 0, events, cursor)
            s.learnt_day = t // US_PER_DAY + 1
            return
    elif not known:
        s.spacing = minutes
        s.spaced_n = 1 if s.spaced_n < UNSPACED else RHYTHM - 1
    elif apart <= 1.5 * s.spacing * US_PER_MINUTE:
        return
    every = spacing_of(s, c)
    missing = np.int64(np.rint(float(apart) / float(every))) - 1
    emit_event(s, p, _GAP, s.seen_at, t, t, s.seen_value, v, v, missing, 0, events, cursor)


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
                    s.repeated_from = t // US_PER_SECOND
                s.repeated_to = t // US_PER_SECOND
                s.repeats = min(s.repeats + 1, 60_000)
                continue
        if s.installation == k and s.good_at != NEVER and t < s.good_at:  # its removal was counted already
            disposition[i] = LATE
            continue
        if s.installation > k:  # the old meter, at the very instant of its replacement: the ledger's reading stands
            disposition[i] = ACCEPTED
            continue
        exact = micro_of(v, tab[k].factor) - micro_of(s.good_value, tab[k].factor)
        if s.installation == k and _ordinary(s, tab[k], t, v, exact, rules):
            # what count does, without handing arrays on: their counting costs ten times as much as the work
            end = (s.hour + 1) * US_PER_HOUR
            if t >= end and cursor[0] == hours.size:
                cursor[2] = cursor[0] + 1
                return i
            disposition[i] = ACCEPTED
            remember_anchor(s)
            if v == s.good_value:
                keep_stillness(s)
            else:
                s.flat_at = NEVER
            if not keeps_rhythm(s):
                s.spaced_n = 0
            micro = np.int64(exact)
            if s.learnt_n < YOUNG and micro > 0:
                s.learnt_n += 1
                s.learnt_day = t // US_PER_DAY + 1
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
            set_anchor(s, t, v, r)
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
            emit_event(s, p, _SILENCE, s.seen_at, t, t, s.seen_value, v, v, 0, 0, events, cursor)
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
            close_installation(s, p, k, end, tab, rules, hours, events, cursor)
        if s.repeats > 0 and now > np.int64(s.repeated_to) * US_PER_SECOND + rules.slack:
            _tell_repeats(s, p, now, s.seen_value, rules, events, cursor)
        interval = spacing_of(s, tab[s.installation])
        due = interval > 0 and now - s.seen_at > rules.silent_after * interval + rules.slack + wait[p]
        if due and s.silent == 0 and now < tab[s.installation].installed_to:
            emit_event(s, p, _SILENCE, s.seen_at, NEVER, now, s.seen_value, s.seen_value, np.nan, 0, 0, events, cursor)
            s.silent = 1
        if s.covered > 0 and s.partial == 0 and (s.hour + 1) * US_PER_HOUR + rules.partial_after <= now:
            amount, covered, estimated, flags = s.amount, s.covered, s.estimated, s.flags
            emit_hour(s, p, hours, cursor)
            s.amount = amount
            s.covered = covered
            s.estimated = estimated
            s.flags = flags
            s.partial = 1
    return state.size
