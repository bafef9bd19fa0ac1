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
from analytics.columns._digits_kernel import DOUBT, SHOW, are_known, digits_of_power, has_finer, learn_digits
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
from analytics.columns._rates_kernel import (
    TURNED,
    YOUNG,
    goes_on_from_kept,
    has_rolled,
    is_believed,
    is_surprising,
    scale_by_digits,
    scale_slip,
    turns_at,
    unlearn_rate,
    usual_rise,
)
from analytics.columns._values_kernel import DIGITS, is_filled, is_sentinel, micro_of, resolution, scale_of
from analytics.columns._waiting_kernel import confirm_run, end_run, is_still_scaled, reset_run, set_aside
from analytics.compiled import compiled, compiled_plain
from analytics.domain.instants import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE, US_PER_SECOND
from analytics.domain.quality import DetectionKind

__all__ = ["UNSPACED", "advance", "close", "sort_by_point"]

_GAP = int(DetectionKind.GAP)
_SILENCE = int(DetectionKind.SILENCE)
_REPEAT = int(DetectionKind.DUPLICATE)
_INTERVAL = int(DetectionKind.INTERVAL)

_NOISE_SHARE = 0.01  # a fall of one or two steps and below this share of the dial is noise
_YOUNG_TURN = 4.0  # a turn of a dial that is declared may rise so much more than the few rises seen before it
UNSPACED = 200  # initial `spaced_n`: the spacing is unknown, fewer repeats suffice


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
def _take(s, p, t, v, r, k, work):
    """(t, v) continues the register: waiting readings are confirmed by it, or rejected."""
    if s.run_n > 0 and s.run_kind == 0 and s.good_value < s.run_value and s.last_value <= v:
        confirm_run(s, p, t, v, r, k, work)
        return
    turned = v < s.good_value and s.run_kind == 0 and s.run_value == 0.0 and s.last_value == 0.0
    if s.run_n > 0 and turned:  # through 0 by chance, or without a value just then: no fault is sure
        reset_run(s)
    suspect = SUSPECT if s.run_n > 0 else 0
    end_run(s, p, t, v, work.tab[k], work)
    count(s, p, t, v, r, k, suspect, work)


@compiled_plain
def _could_turn(s, c, t, v, rules):
    """Whether a fall to v may be a turn of the dial: if it began with readings that wait, it was one when it began."""
    if is_filled(v):
        return False
    sure = not math.isnan(c.full_scale) and not math.isinf(c.rate)
    shows = v >= DIGITS * resolution(v)  # enough digits to show a power of ten
    scale = 0 if sure or not shows else scale_slip(s, c, s.good_at, s.good_value, t, v, rules)
    if scale < 0 or (scale > 0 and (not are_known(s) or has_finer(s, v))):  # by chance, or it is that
        usual = usual_rise(s, c, t - s.good_at, rules)
        full = turns_at(s, c, s.good_value, v, usual)
        known = s.learnt_n >= TURNED and full == 10.0 ** np.rint(np.log10(full))  # it has turned there before
        reach = usual if s.learnt_n >= YOUNG else _YOUNG_TURN * usual
        if v + full - s.good_value > reach or (math.isnan(c.full_scale) and not known):
            return False
    waiting = s.run_n > 0 and s.run_kind == 0 and 0.0 < s.run_value <= v
    return not waiting or has_rolled(s, c, s.good_at, s.good_value, s.run_at, s.run_value, rules)


@compiled_plain
def _goes_on_from_prev(s, c, t, v, rules):
    """Whether v continues the anchor before the last, directly or as the last did through a turn of the dial."""
    if v >= s.prev_value:
        return is_believed(s, c, s.prev_at, s.prev_value, t, v, rules)
    turned = v > 0.0 and s.good_value < s.prev_value
    usual = usual_rise(s, c, t - s.good_at, rules)
    if turned and math.isnan(c.full_scale) and are_known(s) and scale_of(s.good_value, v, usual) > 0:
        return False  # or a tenth from here on: the digits of the next will show it
    return turned and has_rolled(s, c, s.prev_at, s.prev_value, t, v, rules)


@compiled_plain
def _read(s, p, t, v, r, k, work):
    """One new reading of the installation k, later than all before."""
    if s.installation != k:
        install(s, p, k, t, v, r, work)
    c = work.tab[k]
    if s.good_at == NEVER:
        if not is_sentinel(v) and v < c.top:
            open_at(s, p, t, v, r, work)
            s.prev_value = np.nan  # not confirmed by another reading yet
        return
    if t <= s.good_at:  # exactly at a declared replacement the ledger's dial takes precedence
        return
    if s.run_n > 0 and is_still_scaled(s, c, t, v, work.rules):
        set_aside(s, p, t, v, r, k, SCALE, s.run_scale, work)
        return
    scale = scale_by_digits(s, c, s.good_at, s.good_value, t, v, work.rules)
    if scale != 0:
        set_aside(s, p, t, v, r, k, SCALE, scale, work)
        return
    shown = 0.0 <= v < c.top
    if shown and (
        (is_believed(s, c, s.good_at, s.good_value, t, v, work.rules) and not is_surprising(s, c, t, v, work.rules))
        or (
            v > 0.0
            and has_rolled(s, c, s.good_at, s.good_value, t, v, work.rules)
            and _could_turn(s, c, t, v, work.rules)
        )
    ):
        _take(s, p, t, v, r, k, work)
        return
    # the meter's clock may have been set back: use the time that passed by ours
    waited = r - (s.good_at + np.int64(s.good_late) * US_PER_SECOND)
    if (
        shown
        and waited > t - s.good_at
        and is_believed(s, c, s.good_at, s.good_value, s.good_at + waited, v, work.rules)
        and not is_surprising(s, c, s.good_at + waited, v, work.rules)
    ):
        end_run(s, p, t, v, c, work)
        count(s, p, t, v, r, k, SUSPECT, work)
        return
    if is_filled(v) and (v < 0.0 or abs(v - s.good_value) > 2.0 * resolution(v)):
        set_aside(s, p, t, v, r, k, SENTINEL, 0, work)
        return
    scale = scale_slip(s, c, s.good_at, s.good_value, t, v, work.rules)
    if scale != 0 and digits_of_power(s, v, scale) != SHOW and goes_on_from_kept(s, c, t, v, work.rules):
        scale = 0
    if not shown:
        set_aside(s, p, t, v, r, k, SCALE if scale != 0 else SPIKE, scale, work)
        return
    if s.run_n == 0 and s.prev_at != NEVER and v < s.good_value and _goes_on_from_prev(s, c, t, v, work.rules):
        high_at, high = s.good_at, s.good_value
        if high - v > 2.0 * resolution(high):
            emit_event(s, p, SPIKE, high_at, t, t, s.prev_value, high, v, 1, 0, work)
        rise, took = high - s.prev_value, high_at - s.prev_at
        take_back(s)
        count(s, p, t, v, r, k, SUSPECT, work)  # by the rate at which it was seen to have turned, if it did
        unlearn_rate(s, c, t, rise, took, work.rules)
        s.prev_at = NEVER
        return
    fall = s.good_value - v
    if 0.0 < fall <= min(2.0 * resolution(s.good_value), _NOISE_SHARE * s.good_value) and s.run_n == 0:
        count(s, p, t, s.good_value, r, k, 0, work)
        return
    set_aside(s, p, t, v, r, k, SCALE if scale != 0 else 0, scale, work)


@compiled_plain
def _room(s, t, k, work):
    """Whether the output arrays have room for all that one reading can add."""
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
        start = min(start, work.tab[k].installed_from)
    need = (t - start) // US_PER_HOUR + 8
    walks = k - s.installation + 1 if s.installation >= 0 else 1
    if work.cursor[0] + need + 2 * walks > work.hours.size:
        work.cursor[2] = work.cursor[0] + need + 2 * walks
        return False
    if work.cursor[1] + 8 + 6 * walks > work.events.size:
        work.cursor[3] = work.cursor[1] + 8 + 6 * walks
        return False
    return True


@compiled_plain
def _ordinary(s, c, t, v, micro, rules):
    """Whether (t, v) needs no special treatment: plausible, in the open hour or the next, no state pending."""
    return (
        s.good_at != NEVER
        and s.run_n == 0
        and (s.repeats == 0 or (s.repeating != 0 and t - np.int64(s.repeated_to) * US_PER_SECOND <= rules.repeat_hold))
        and s.silent == 0
        and s.digits < DOUBT
        and s.good_at == s.seen_at
        and t < (s.hour + 2) * US_PER_HOUR
        and t - s.good_at <= span_limit(s, c, rules.measured_span)
        and v < c.top
        and 0.0 <= micro <= s.learnt * (float(t - s.good_at + rules.slack) / 3.6e9)
    )


@compiled_plain
def _tell_repeats(s, p, now, v, work):
    """Report repeated readings: when they begin, and when none has come for `repeat_hold`."""
    since, until = np.int64(s.repeated_from) * US_PER_SECOND, np.int64(s.repeated_to) * US_PER_SECOND
    over = now - until > work.rules.repeat_hold
    if s.repeating == 0 or over:
        ended = until if over else NEVER
        seen = s.seen_value
        emit_event(s, p, _REPEAT, since, ended, now, seen, seen, v, s.repeats, 0, work)
        s.repeating = 1
    if over:
        s.repeating = 0
        s.repeats = 0


@compiled_plain
def _spaced(s, p, t, v, c, work):
    """Report a gap, or once, if the longer spacing is regular, that the ledger's interval is wrong."""
    apart = t - s.seen_at
    if apart <= 1.5 * c.interval:
        if not keeps_rhythm(s):
            s.spaced_n = 0
        elif 2 * apart < np.int64(s.spacing) * US_PER_MINUTE:  # closer to the ledger's interval again
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
            emit_event(s, p, _INTERVAL, s.seen_at, t, t, stated, found, v, RHYTHM, 0, work)
            s.learnt_day = t // US_PER_DAY + 1
            return
    elif not known:
        s.spacing = minutes
        s.spaced_n = 1 if s.spaced_n < UNSPACED else RHYTHM - 1
    elif apart <= 1.5 * s.spacing * US_PER_MINUTE:
        return
    every = spacing_of(s, c)
    missing = np.int64(np.rint(float(apart) / float(every))) - 1
    emit_event(s, p, _GAP, s.seen_at, t, t, s.seen_value, v, v, missing, 0, work)


@compiled_plain
def advance(state, point, installation, at, received, value, disposition, work, first):
    """Advance `state` by readings sorted by point and time, from index `first`.

    Fills `disposition`, `work.hours[:cursor[0]]` and `work.events[:cursor[1]]`. Returns the index of the first reading
    not taken: the length when all were, less when an output is full (then `work.cursor[2:]` says what it needs).
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
            if s.installation >= 0 and work.tab[s.installation].meter == work.tab[k].meter:
                disposition[i] = DUPLICATE if v == s.seen_value else CONFLICT
                if s.repeats == 0:
                    s.repeated_from = t // US_PER_SECOND
                s.repeated_to = t // US_PER_SECOND
                s.repeats = min(s.repeats + 1, 60_000)
                continue
        if s.installation == k and s.good_at != NEVER and t < s.good_at:  # its removal is counted already
            disposition[i] = LATE
            continue
        if s.installation > k:  # the old meter exactly at its replacement: the ledger's last reading takes precedence
            disposition[i] = ACCEPTED
            continue
        exact = micro_of(v, work.tab[k].factor) - micro_of(s.good_value, work.tab[k].factor)
        if s.installation == k and _ordinary(s, work.tab[k], t, v, exact, work.rules):
            # what `count` does, inlined: as a function it takes 1.2 times as long, by the general path 3.9 times
            end = (s.hour + 1) * US_PER_HOUR
            if t >= end and work.cursor[0] == work.hours.size:
                work.cursor[2] = work.cursor[0] + 1
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
            learn_digits(s, t, v)
            if t < end:
                s.amount += micro
                s.covered += t - s.good_at
            else:
                part = micro
                if t > end:
                    part = np.int64(np.rint(micro * (float(end - s.good_at) / float(t - s.good_at))))
                row = work.hours[work.cursor[0]]
                row.point = p
                row.hour = s.hour
                row.amount = s.amount + part
                row.covered = s.covered + end - s.good_at
                row.estimated = s.estimated
                row.flags = s.flags
                work.cursor[0] += 1
                s.hour += 1
                s.amount = micro - part
                s.covered = t - end
                s.estimated = 0
                s.flags = 0
            set_anchor(s, t, v, r)
            s.seen_at = t
            s.seen_value = v
            continue
        if not _room(s, t, k, work):
            return i
        disposition[i] = ACCEPTED
        if s.repeats > 0:
            _tell_repeats(s, p, t, v, work)
        if work.tab[k].interval > 0 and s.seen_at != NEVER:
            _spaced(s, p, t, v, work.tab[k], work)
        if s.silent != 0:
            emit_event(s, p, _SILENCE, s.seen_at, t, t, s.seen_value, v, v, 0, 0, work)
            s.silent = 0
        _read(s, p, t, v, r, k, work)
        s.seen_at = t
        s.seen_value = v
    return point.size


@compiled_plain
def close(state, now, ends, wait, work, first):
    """Write what follows from the time alone: hours over but incomplete, and meters that fell silent.

    An hour that was written half full is written again when a reading completes it. Returns like `advance`.
    """
    for p in range(first, state.size):
        s = state[p]
        if s.seen_at == NEVER or s.installation < 0:
            continue
        if work.cursor[0] + 1 > work.hours.size or work.cursor[1] + 2 > work.events.size:
            work.cursor[2] = work.cursor[0] + state.size - p
            work.cursor[3] = work.cursor[1] + 2 * (state.size - p)
            return p
        k = s.installation
        end = work.tab[k].installed_to
        if s.good_at != NEVER and s.good_at < end <= ends and not math.isnan(work.tab[k].last_reading):
            if not _room(s, end, k, work):
                return p
            close_installation(s, p, k, end, work)
        if s.repeats > 0 and now > np.int64(s.repeated_to) * US_PER_SECOND + work.rules.slack:
            _tell_repeats(s, p, now, s.seen_value, work)
        interval = spacing_of(s, work.tab[s.installation])
        due = interval > 0 and now - s.seen_at > work.rules.silent_after * interval + work.rules.slack + wait[p]
        if due and s.silent == 0 and now < work.tab[s.installation].installed_to:
            emit_event(s, p, _SILENCE, s.seen_at, NEVER, now, s.seen_value, s.seen_value, np.nan, 0, 0, work)
            s.silent = 1
        if s.covered > 0 and s.partial == 0 and (s.hour + 1) * US_PER_HOUR + work.rules.partial_after <= now:
            amount, covered, estimated, flags = s.amount, s.covered, s.estimated, s.flags
            emit_hour(s, p, work)
            s.amount = amount
            s.covered = covered
            s.estimated = estimated
            s.flags = flags
            s.partial = 1
    return state.size
