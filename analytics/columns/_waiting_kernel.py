"""Readings that do not continue the register wait, as a run, until the next ones say what they are."""

import math

import numpy as np

from analytics.columns._counting_kernel import break_to, count, emit_event, forget_kept, keep_level, set_anchor
from analytics.columns._layout import BREAK, CONFIRM, NEVER, SCALE, SENTINEL, SPIKE, SUSPECT
from analytics.columns._rates_kernel import (
    MODERATE,
    MODERATE_H,
    SAME_LOAD,
    follows_run,
    has_rolled,
    highest_rate,
    hours_between,
    is_believed,
    moderate_surprise,
)
from analytics.columns._values_kernel import micro_of, resolution
from analytics.compiled import compiled_plain
from analytics.domain.instants import US_PER_DAY, US_PER_HOUR
from analytics.domain.quality import DetectionKind

__all__ = ["accept_run", "end_run", "set_aside"]

_ROLLBACK = int(DetectionKind.ROLLBACK)
_RESET = int(DetectionKind.RESET)
_ZERO_DIP = int(DetectionKind.ZERO_DIP)
_UNDECLARED = int(DetectionKind.UNDECLARED_REPLACEMENT)
_EV_CATCH_UP = int(DetectionKind.CATCH_UP)
_JUMP = int(DetectionKind.JUMP)

_ROLLBACK_SHARE = 0.01
_LOST_SHARE = 0.25  # a reset leaves less of the register, a rollback takes less of it
_DAY_H = 24.0
_LOW_SHARE = 0.01
_LOAD, _LOAD_MOST = 300.0, 10_000.0  # times the believed rate: up to here three readings tell a load, never beyond
_LOAD_READINGS = 6  # and a day, to tell a load of more than `_LOAD`
_PATIENCE = 2 * US_PER_HOUR  # before a surprise is counted or set apart, in case the register returns
_UP = 128  # in `kept_flags`: the level was reported as a jump


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
def end_run(s, p, decided, after, c, rules, events, cursor):
    """The waiting readings were wrong: say what they were."""
    if s.run_n == 0:
        return
    rate = highest_rate(s, c)
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
            kind = SPIKE
    emit_event(s, p, kind, s.run_at, decided, decided, s.good_value, s.run_value, after, s.run_n, 0, events, cursor)
    s.run_n = 0
    s.run_kind = 0
    s.run_scale = 0
    s.run_told = 0
    s.flags |= SUSPECT


@compiled_plain
def _caught_up(s, p, t, v, r, k, tab, rules, hours, events, cursor):
    """The value that stood still was a repeat: what the waiting readings show was used in all that time."""
    since, at, value = s.flat_at, s.run_at, s.run_value
    amount = np.int64(micro_of(value, tab[k].factor) - micro_of(s.good_value, tab[k].factor))
    emit_event(s, p, _EV_CATCH_UP, since, at, t, s.good_value, value, v, 1, amount, events, cursor)
    s.good_at = since
    s.hour = since // US_PER_HOUR
    s.amount = s.flat_amount
    s.covered = s.flat_covered
    s.estimated = s.flat_estimated
    s.flags = s.flat_flags
    count(s, p, at, value, r, k, SUSPECT, tab, rules, hours, events, cursor)


@compiled_plain
def _reset_run(s):
    s.run_n = 0
    s.run_kind = 0
    s.run_scale = 0
    s.run_told = 0


@compiled_plain
def accept_run(s, p, r, k, extra, tab, rules, hours, events, cursor):
    """The waiting readings were right: count them."""
    run_at, run_value, last_at, last_value = s.run_at, s.run_value, s.last_at, s.last_value
    _reset_run(s)
    count(s, p, run_at, run_value, r, k, extra, tab, rules, hours, events, cursor)
    if last_at > run_at:
        count(s, p, last_at, last_value, r, k, 0, tab, rules, hours, events, cursor)


@compiled_plain
def _go_on(s, p, t, v, r, k, tab, rules, hours, events, cursor):
    """Count the readings that waited on the level that begins with the anchor, and the one that decided."""
    last_at, last_value = s.last_at, s.last_value
    _reset_run(s)
    if last_at > s.good_at:
        count(s, p, last_at, last_value, r, k, 0, tab, rules, hours, events, cursor)
    count(s, p, t, v, r, k, 0, tab, rules, hours, events, cursor)


@compiled_plain
def _returned(s, c, rules):
    """Whether the waiting readings go on from the anchor before the level that the register is on."""
    if s.kept_at == NEVER or s.run_at - s.kept_at > rules.longest_gap:
        return False
    if s.run_value < s.good_value and s.run_value <= MODERATE_H * s.learnt / (c.factor * 1e6):
        return False  # so low a register may have been reset as well
    return s.run_value >= s.kept_value and is_believed(s, c, s.kept_at, s.kept_value, s.run_at, s.run_value, rules)


@compiled_plain
def _take_level_back(s, p, t, v, r, k, tab, rules, hours, events, cursor):
    """The level was false: what the register shows now was used since the anchor before it; all hours are new."""
    began, run_at, run_value = s.kept_run, s.run_at, s.run_value
    if run_value < s.good_value:
        kind = _JUMP if s.kept_flags & _UP else SPIKE
        emit_event(s, p, kind, began, run_at, t, s.kept_value, s.good_value, run_value, 1, 0, events, cursor)
    s.good_at = s.kept_at
    s.good_value = s.kept_value
    s.hour = s.kept_at // US_PER_HOUR
    s.amount = s.kept_amount
    s.covered = s.kept_covered
    s.estimated = s.kept_estimated
    s.flags = s.kept_flags & ~_UP
    s.flat_at = NEVER
    forget_kept(s, t)
    count(s, p, run_at, run_value, r, k, SUSPECT, tab, rules, hours, events, cursor)
    s.prev_at = NEVER
    _go_on(s, p, t, v, r, k, tab, rules, hours, events, cursor)


@compiled_plain
def _same_load(s, c, t, v, rules):
    """Whether the register goes on at a rate like that at which it surprised: a load that was switched on."""
    jump = s.run_value - s.good_value
    rate = jump / hours_between(s.run_at - s.good_at, rules)
    times = rate * c.factor * 1e6 / s.learnt if s.learnt > 0.0 else 1.0
    if times > _LOAD and (times > _LOAD_MOST or s.run_n < _LOAD_READINGS or t - s.run_at < US_PER_DAY):
        return False  # more than any line draws: words of a register that are swapped go on at a like rate too
    since = (v - s.run_value) / hours_between(t - s.run_at, rules)
    last = (v - s.last_value) / hours_between(t - s.last_at, rules)
    if rate <= SAME_LOAD * max(since, last):
        return True
    return s.learnt == 0.0 and jump <= SAME_LOAD * (v - s.last_value)


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
    if s.run_value < s.good_value or s.run_kind == SCALE:
        if level:
            _broken_off(s, p, t, v, r, k, tab, rules, hours, events, cursor)
            _go_on(s, p, t, v, r, k, tab, rules, hours, events, cursor)
        return level
    same_load = moved and _same_load(s, c, t, v, rules)
    stood = s.flat_at != NEVER and s.run_at - s.flat_at <= rules.catch_up and s.good_at > s.flat_at
    loaded = same_load and s.learnt > 0.0 and _strong(s, t, v, rules)
    caught_up = moved and stood and not loaded
    if caught_up and is_believed(s, c, s.flat_at, s.good_value, s.run_at, s.run_value, rules):
        _caught_up(s, p, t, v, r, k, tab, rules, hours, events, cursor)
        _go_on(s, p, t, v, r, k, tab, rules, hours, events, cursor)
        return True
    if same_load:
        accept_run(s, p, r, k, 0, tab, rules, hours, events, cursor)
        count(s, p, t, v, r, k, 0, tab, rules, hours, events, cursor)
        return True
    if t - s.run_at < _PATIENCE and not _alone(s):
        return False
    if s.run_value - s.good_value <= moderate_surprise(s, c, s.run_at - s.good_at, rules):
        keep_level(s, s.run_at, t, 0)
        accept_run(s, p, r, k, SUSPECT, tab, rules, hours, events, cursor)
        count(s, p, t, v, r, k, 0, tab, rules, hours, events, cursor)
        return True
    if level:
        _broken_off(s, p, t, v, r, k, tab, rules, hours, events, cursor)
        _go_on(s, p, t, v, r, k, tab, rules, hours, events, cursor)
    elif moved and s.run_told == 0:
        emit_event(s, p, _JUMP, s.run_at, NEVER, t, s.good_value, s.run_value, v, s.run_n, 0, events, cursor)
        s.run_told = 1
    return level


@compiled_plain
def _level(s, c, t, v, rules):
    """Whether the register goes on from the waiting readings at a rate that is believed of it."""
    if s.learnt == 0.0 or is_believed(s, c, s.run_at, s.run_value, t, v, rules):
        return True
    hours = hours_between(t - s.run_at, rules)
    return t - s.run_at >= US_PER_DAY and v - s.run_value <= MODERATE * s.learnt * hours / (c.factor * 1e6)


@compiled_plain
def _strong(s, t, v, rules):
    """Whether the register goes on at half the rate at which it surprised, or more."""
    rate = (s.run_value - s.good_value) / hours_between(s.run_at - s.good_at, rules)
    return rate <= 2.0 * (v - s.run_value) / hours_between(t - s.run_at, rules)


@compiled_plain
def _alone(s):
    """Whether the anchor is a register's first reading, and no other has agreed with it."""
    return s.prev_at == NEVER and math.isnan(s.prev_value)


@compiled_plain
def _broken_off(s, p, t, v, r, k, tab, rules, hours, events, cursor):
    """The register goes on elsewhere: say what that is, and by how much it is not explained."""
    old, first = s.good_value, s.run_value
    kind = _JUMP if first > old else _fallen_to(s, highest_rate(s, tab[k]), rules)
    if s.run_kind == SCALE:  # reported already: it was the first reading that was off by that power of ten
        kind = SCALE
    amount = np.int64(0)
    alone = _alone(s)
    if kind == _JUMP and not alone:
        amount = np.int64(micro_of(first, tab[k].factor) - micro_of(old, tab[k].factor))
    emit_event(s, p, kind, s.run_at, s.run_at, t, old, first, v, s.run_n + 1, amount, events, cursor)
    if not alone:
        keep_level(s, s.run_at, t, SUSPECT | (_UP if kind == _JUMP else 0))
    break_to(s, p, s.run_at, BREAK, hours, cursor)
    set_anchor(s, s.run_at, s.run_value, r)


@compiled_plain
def _tell_fall(s, p, t, v, rate, rules, events, cursor):
    """A second reading agrees that the dial fell: reported now, counted from there once a third one does.

    Zeros that do not move may still be a dip.
    """
    if s.run_told == 0 and s.run_value < s.good_value and v > 0.0:
        kind = _fallen_to(s, rate, rules)
        emit_event(s, p, kind, s.run_at, NEVER, t, s.good_value, s.run_value, v, s.run_n, 0, events, cursor)
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
    step = resolution(v) * by
    before, now = s.last_value * by, v * by
    if now < before - step:
        return now > 0.0 and has_rolled(s, c, s.last_at, before, t, now, rules)
    return now <= before or is_believed(s, c, s.last_at, before, t, max(before, now - step), rules)


@compiled_plain
def set_aside(s, p, t, v, r, k, kind, scale, tab, rules, hours, events, cursor):
    """(t, v) does not continue the register: let the next readings decide."""
    c = tab[k]
    jump, jump_t = s.run_value - s.good_value, s.run_at - s.good_at
    if s.run_n > 0 and s.run_kind == SCALE and kind != SENTINEL and _scaled_on(s, c, t, v, rules):
        if _alone(s) and s.run_n + 1 >= CONFIRM and v > s.run_value:
            _decide(s, p, t, v, r, k, tab, rules, hours, events, cursor)
        else:
            _waits_on(s, t, v)
        return
    if s.run_n > 0:
        follows = follows_run(s, c, s.last_at, s.last_value, t, v, jump, jump_t, rules)
        if kind == 0 and s.run_kind == 0 and follows:
            if s.run_n + 1 >= CONFIRM and _decide(s, p, t, v, r, k, tab, rules, hours, events, cursor):
                return
            _waits_on(s, t, v)
            _tell_fall(s, p, t, v, highest_rate(s, c), rules, events, cursor)
            return
        if kind not in (0, SCALE) and s.run_kind == kind:
            _waits_on(s, t, v)
            return
        if kind == 0 and s.run_kind == SCALE and follows:
            s.run_kind = 0  # it looked like x10^n at first, but does not follow the register at that scale
            s.run_scale = 0
            _waits_on(s, t, v)
            _tell_fall(s, p, t, v, highest_rate(s, c), rules, events, cursor)
            return
        if kind == SCALE and s.run_kind == 0 and follows and s.run_told == 0:
            s.run_kind = SCALE  # its first reading had too few digits to show it
            s.run_scale = scale
            _waits_on(s, t, v)
            emit_event(s, p, kind, s.run_at, NEVER, t, s.good_value, s.run_value, v, s.run_n, 0, events, cursor)
            return
        end_run(s, p, t, v, c, rules, events, cursor)
    s.run_at = t
    s.run_value = v
    s.last_at = t
    s.last_value = v
    s.run_n = 1
    s.run_kind = kind
    s.run_scale = scale
    if kind != 0:  # no need to wait to know what this is
        emit_event(s, p, kind, t, NEVER, t, s.good_value, v, v, 1, 0, events, cursor)
