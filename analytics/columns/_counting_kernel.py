"""Counting: the rise from the last good reading (the anchor) to the next, spread over the hours between."""

import math

import numpy as np

from analytics.columns._digits_kernel import learn_digits, still_doubted
from analytics.columns._events_kernel import write_event
from analytics.columns._layout import BREAK, JUMP, NEVER, RHYTHM, SCALE, SUSPECT
from analytics.columns._rates_kernel import TURNED, YOUNG, further_turns, learn_rate, turns_at, usual_rise
from analytics.columns._values_kernel import micro_of
from analytics.compiled import compiled_plain
from analytics.domain.instants import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE, US_PER_SECOND
from analytics.domain.quality import DetectionKind, HourFlag

__all__ = [
    "back_to_stillness",
    "break_to",
    "count",
    "emit_event",
    "emit_hour",
    "forget_kept",
    "keep_level",
    "keep_stillness",
    "keeps_rhythm",
    "open_at",
    "remember_anchor",
    "set_anchor",
    "spacing_of",
    "span_limit",
    "take_back",
]

_ESTIMATED = int(HourFlag.ESTIMATED)
_ROLLOVER = int(HourFlag.ROLLOVER)
_EV_ROLLOVER = int(DetectionKind.ROLLOVER)
_LATEST = 2_000_000_000


@compiled_plain
def emit_hour(s, p, work):
    if s.covered > 0:
        row = work.hours[work.cursor[0]]
        row.point = p
        row.hour = s.hour
        row.amount = s.amount
        row.covered = s.covered
        row.estimated = s.estimated
        row.flags = s.flags
        work.cursor[0] += 1
    s.amount = 0
    s.covered = 0
    s.estimated = 0
    s.flags = 0


@compiled_plain
def emit_event(s, p, kind, started, ended, decided, before, at, after, n, amount, work):
    scale = s.run_scale if kind == SCALE else 0
    write_event(
        work.events[work.cursor[1]],
        p,
        s.installation,
        kind,
        scale,
        started,
        ended,
        decided,
        before,
        at,
        after,
        n,
        amount,
    )
    work.cursor[1] += 1


@compiled_plain
def _spread(s, p, t1, micro, limit, flags, work):
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
            emit_hour(s, p, work)
            s.hour += 1


@compiled_plain
def set_anchor(s, t, v, r):
    s.good_at = t
    s.good_value = v
    s.good_late = np.int32(min(max((r - t) // US_PER_SECOND, -_LATEST), _LATEST))
    s.partial = 0


@compiled_plain
def keep_stillness(s):
    """The dial has not moved: save the state of the first reading with this value, in case of a later catch-up."""
    if s.flat_at == NEVER:
        s.flat_at = s.good_at
        s.flat_amount = s.amount
        s.flat_covered = s.covered
        s.flat_estimated = s.estimated
        s.flat_flags = s.flags


@compiled_plain
def back_to_stillness(s):
    """Make the instant at which the dial began to stand still the anchor; the caller counts from there anew."""
    s.good_at = s.flat_at
    s.hour = s.flat_at // US_PER_HOUR
    s.amount = s.flat_amount
    s.covered = s.flat_covered
    s.estimated = s.flat_estimated
    s.flags = s.flat_flags


@compiled_plain
def remember_anchor(s):
    """Keep the state at the anchor, before the next reading becomes the anchor."""
    s.prev_at = s.good_at
    s.prev_value = s.good_value
    s.prev_amount = s.amount
    s.prev_covered = s.covered
    s.prev_estimated = s.estimated
    s.prev_flags = s.flags


@compiled_plain
def take_back(s):
    """Make the reading before the anchor the anchor again; hours written since are written anew by what follows."""
    s.good_at = s.prev_at
    s.good_value = s.prev_value
    s.hour = s.prev_at // US_PER_HOUR
    s.amount = s.prev_amount
    s.covered = s.prev_covered
    s.estimated = s.prev_estimated
    s.flags = s.prev_flags | SUSPECT
    s.prev_at = NEVER
    s.flat_at = NEVER


@compiled_plain
def break_to(s, p, t, flag, work):
    """Close the open hour; the time from the anchor to t gets no consumption."""
    s.flags |= flag
    hour = t // US_PER_HOUR
    if hour != s.hour:
        emit_hour(s, p, work)
        s.hour = hour
        s.flags = flag
    s.prev_at = NEVER
    s.flat_at = NEVER


@compiled_plain
def open_at(s, p, t, v, r, work):
    """Set the first anchor of an installation; an open hour of the meter before it is written."""
    hour = t // US_PER_HOUR
    if hour != s.hour:
        emit_hour(s, p, work)
        s.hour = hour
    s.prev_at = NEVER
    s.flat_at = NEVER
    set_anchor(s, t, v, r)
    learn_digits(s, t, v)


@compiled_plain
def keep_level(s, run_at, decided, flags):
    """The register continues at another level: save the old anchor, in case the new level proves false."""
    s.kept_at = s.good_at
    s.kept_value = s.good_value
    s.kept_run = run_at
    s.kept_amount = s.amount
    s.kept_covered = s.covered
    s.kept_estimated = s.estimated
    s.kept_flags = s.flags | flags
    s.learnt_day = decided // US_PER_DAY + 1


@compiled_plain
def forget_kept(s, t):
    if s.kept_at != NEVER:
        s.kept_at = NEVER
        s.learnt_day = t // US_PER_DAY + 1


@compiled_plain
def _may_have_turned(s, c, dt, v, rise, rules):
    """Whether a dial that is known to turn, but not where, may have turned once more in a gap."""
    if s.learnt_n != TURNED or not math.isnan(c.full_scale) or dt <= 1.5 * spacing_of(s, c) or c.interval == 0:
        return False
    full = 10.0 ** np.ceil(np.log10(max(v, s.good_value, 1.0e-6)))
    return rise + full <= usual_rise(s, c, dt, rules)


@compiled_plain
def count(s, p, t, v, r, k, extra, work):
    """Accept (t, v): add the consumption since the anchor to the hours, and make it the anchor."""
    dt = t - s.good_at
    factor = work.tab[k].factor
    rolled = v < s.good_value
    raw = micro_of(v, factor) - micro_of(s.good_value, factor)
    if rolled:
        raw += micro_of(turns_at(s, work.tab[k], s.good_value, v, usual_rise(s, work.tab[k], dt, work.rules)), factor)
    micro = np.int64(raw)
    more = further_turns(s, work.tab[k], dt, raw / (factor * 1e6), work.rules)
    if rolled or more > 0:
        emit_event(s, p, _EV_ROLLOVER, s.good_at, t, t, s.good_value, v, v, rolled + more, micro, work)
        extra |= _ROLLOVER
        if s.learnt_n <= YOUNG and math.isnan(work.tab[k].full_scale):
            extra |= SUSPECT  # nobody declared where it turns: a reset near there looks the same
            if s.learnt_n == YOUNG:
                s.learnt_n = TURNED
                s.learnt_day = t // US_PER_DAY + 1
    if _may_have_turned(s, work.tab[k], dt, v, raw / (factor * 1e6), work.rules):
        extra |= SUSPECT
    if more > 0:  # the total is known but for whole turns of the dial
        extra |= _ESTIMATED | SUSPECT
    certain = (extra & SUSPECT) == 0
    if still_doubted(s, t, v):
        extra |= SUSPECT
    remember_anchor(s)
    if v == s.good_value and not rolled:
        keep_stillness(s)
    else:
        s.flat_at = NEVER
    if dt > work.rules.longest_gap:
        emit_event(s, p, JUMP, t, t, t, s.good_value, v, v, 1, micro, work)
        break_to(s, p, t, BREAK, work)
    elif dt > 0:
        _spread(s, p, t, micro, span_limit(s, work.tab[k], work.rules.measured_span), extra, work)
        learn_rate(s, work.tab[k], t, micro, dt, certain, work.rules)
    learn_digits(s, t, v)
    set_anchor(s, t, v, r)


@compiled_plain
def keeps_rhythm(s):
    return RHYTHM <= s.spaced_n <= 2 * RHYTHM


@compiled_plain
def spacing_of(s, c):
    """Interval between readings: the ledger's, or the longer one that the readings keep to. [µs]"""
    return max(c.interval, np.int64(s.spacing) * US_PER_MINUTE) if keeps_rhythm(s) else c.interval


@compiled_plain
def span_limit(s, c, measured_span):
    """Longest time between two readings for which the split at an hour's edge counts as measured. [µs]"""
    return min(np.int64(1.5 * spacing_of(s, c)), measured_span) if c.interval > 0 else measured_span
