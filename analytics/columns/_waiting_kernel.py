"""Readings that do not continue the register wait, as a run, until later readings classify them."""

import math

import numpy as np

from analytics.columns._counting_kernel import (
    back_to_stillness,
    break_to,
    count,
    emit_event,
    forget_kept,
    keep_level,
    set_anchor,
    spacing_of,
)
from analytics.columns._digits_kernel import NOTHING, SHOW, digits_of_power, doubt_scale, is_coarser, learn_digits
from analytics.columns._layout import BREAK, CONFIRM, JUMP, NEVER, SCALE, SENTINEL, SPIKE, SUSPECT
from analytics.columns._rates_kernel import (
    LOAD,
    MARGIN,
    MODERATE,
    SAME_LOAD,
    follows_run,
    has_rolled,
    highest_rate,
    hours_between,
    is_believed,
    moderate_surprise,
    says_much,
    unlearnt_reach,
    usual_rise,
)
from analytics.columns._values_kernel import DIGITS, micro_of, resolution
from analytics.compiled import compiled_plain
from analytics.domain.instants import US_PER_DAY, US_PER_HOUR
from analytics.domain.quality import DetectionKind

__all__ = ["accept_run", "confirm_run", "end_run", "is_still_scaled", "reset_run", "set_aside"]

_ROLLBACK = int(DetectionKind.ROLLBACK)
_RESET = int(DetectionKind.RESET)
_ZERO_DIP = int(DetectionKind.ZERO_DIP)
_UNDECLARED = int(DetectionKind.UNDECLARED_REPLACEMENT)
_EV_CATCH_UP = int(DetectionKind.CATCH_UP)

_ROLLBACK_SHARE = 0.01
_LOST_SHARE = 0.25  # share of the dial: a reset leaves less, a rollback takes less
_DAY_H = 24.0
_LOW_SHARE = 0.01
_LOAD_MOST = 10_000.0  # multiple of the learnt rate above which nothing is a new load
_LOAD_READINGS = 6  # and a day: evidence for a load above `LOAD`
_BOOTING = 8  # intervals for which a device may say 0 before its first total
_STILL_READINGS = 8  # and a day, after which a fall to a value that does not move is reported
_PATIENCE = 2 * US_PER_HOUR  # wait before an implausible rise is settled, in case the register returns
_TOLD = 100  # `run_scale` of a run that is none of a power of ten: reported already, as a fall or jump of the dial
_UP = 128  # in `kept_flags`: the level was reported as a jump


@compiled_plain
def _fallen_to(s, rate, rules):
    """Kind of a fall to the level of the run: reset, rollback or undeclared replacement."""
    old, first = s.good_value, s.run_value
    reach = _LOW_SHARE * old if math.isinf(rate) else rate * (float(s.run_at - s.good_at + rules.slack) / 3.6e9)
    small = max(0.0 if math.isinf(rate) else min(_DAY_H * rate, _LOST_SHARE * old), _ROLLBACK_SHARE * old)
    if first <= min(reach, _LOST_SHARE * old):
        return _RESET
    return _ROLLBACK if old - first <= small else _UNDECLARED


@compiled_plain
def end_run(s, p, decided, after, c, work):
    """Reject the run: report what it was, and mark the hour as suspect."""
    if s.run_n == 0:
        return
    rate = highest_rate(s, c, s.run_at - s.good_at)
    kind = s.run_kind
    if s.run_scale == _TOLD:
        kind = JUMP if s.run_value > s.good_value else _fallen_to(s, rate, work.rules)
    elif kind == 0:
        fall = s.good_value - s.run_value
        small = max(_DAY_H * rate if not math.isinf(rate) else 0.0, _ROLLBACK_SHARE * s.good_value)
        if s.run_value == 0.0 and s.good_value > 0.0:
            kind = _ZERO_DIP
        elif 0.0 < fall <= small:
            kind = _ROLLBACK
        else:
            kind = SPIKE
    emit_event(s, p, kind, s.run_at, decided, decided, s.good_value, s.run_value, after, s.run_n, 0, work)
    s.run_n = 0
    s.run_kind = 0
    s.run_scale = 0
    s.flags |= SUSPECT


@compiled_plain
def _caught_up(s, p, t, v, r, k, work):
    """The dial only seemed still (the gateway repeated a value): spread the rise over that whole time."""
    since, at, value = s.flat_at, s.run_at, s.run_value
    amount = np.int64(micro_of(value, work.tab[k].factor) - micro_of(s.good_value, work.tab[k].factor))
    emit_event(s, p, _EV_CATCH_UP, since, at, t, s.good_value, value, v, 1, amount, work)
    back_to_stillness(s)
    count(s, p, at, value, r, k, SUSPECT, work)


@compiled_plain
def reset_run(s):
    s.run_n = 0
    s.run_kind = 0
    s.run_scale = 0


@compiled_plain
def accept_run(s, p, r, k, extra, work):
    """Accept the run: count its first and last reading."""
    run_at, run_value, last_at, last_value = s.run_at, s.run_value, s.last_at, s.last_value
    reset_run(s)
    count(s, p, run_at, run_value, r, k, extra, work)
    if last_at > run_at:
        count(s, p, last_at, last_value, r, k, 0, work)


@compiled_plain
def _go_on(s, p, t, v, r, k, doubted, work):
    """Count the rest of the run from the new anchor, and the reading that decided."""
    last_at, last_value = s.last_at, s.last_value
    reset_run(s)
    if last_at > s.good_at:
        count(s, p, last_at, last_value, r, k, SUSPECT if doubted and s.good_value == 0.0 else 0, work)
    count(s, p, t, v, r, k, SUSPECT if s.good_value == 0.0 else 0, work)


@compiled_plain
def _returned(s, c, rules):
    """Whether the run continues from the saved anchor, so that the level in between was false."""
    if s.kept_at == NEVER or s.run_at - s.kept_at > rules.longest_gap:
        return False
    if s.run_value < s.good_value and s.run_value <= usual_rise(s, c, s.run_at - s.good_at, rules):
        return False  # this low, it may be a reset as well
    if s.run_value > s.good_value and not says_much(s, usual_rise(s, c, s.run_at - s.kept_at, rules)):
        return False
    return s.run_value >= s.kept_value and is_believed(s, c, s.kept_at, s.kept_value, s.run_at, s.run_value, rules)


@compiled_plain
def _take_level_back(s, p, t, v, r, k, work):
    """Revert a false level: count from the anchor saved before it, and rewrite the hours since."""
    began, run_at, run_value = s.kept_run, s.run_at, s.run_value
    if run_value < s.good_value:
        if s.run_scale == _TOLD:  # what was reported as a fall is over: the register is back
            fell = _fallen_to(s, highest_rate(s, work.tab[k], s.run_at - s.good_at), work.rules)
            emit_event(s, p, fell, run_at, t, t, s.good_value, run_value, v, s.run_n, 0, work)
        kind = JUMP if s.kept_flags & _UP else SPIKE
        emit_event(s, p, kind, began, run_at, t, s.kept_value, s.good_value, run_value, 1, 0, work)
    s.good_at = s.kept_at
    s.good_value = s.kept_value
    s.hour = s.kept_at // US_PER_HOUR
    s.amount = s.kept_amount
    s.covered = s.kept_covered
    s.estimated = s.kept_estimated
    s.flags = s.kept_flags & ~_UP
    s.flat_at = NEVER
    forget_kept(s, t)
    count(s, p, run_at, run_value, r, k, SUSPECT, work)
    s.prev_at = NEVER
    _go_on(s, p, t, v, r, k, False, work)


@compiled_plain
def _same_load(s, c, t, v, rules):
    """Whether the register continues at a rate similar to that of the rise: a load was switched on."""
    jump = s.run_value - s.good_value
    rate = jump / hours_between(s.run_at - s.good_at, rules)
    times = rate * c.factor * 1e6 / s.learnt if s.learnt > 0.0 else jump / unlearnt_reach(s, s.good_value, v)
    early = s.learnt > 0.0 and (s.run_n < _LOAD_READINGS or t - s.run_at < US_PER_DAY)
    if times > LOAD and (times > _LOAD_MOST or early):
        return False  # beyond any plausible load; swapped register words would also continue at a similar rate
    since = (v - s.run_value) / hours_between(t - s.run_at, rules)
    last = (v - s.last_value) / hours_between(t - s.last_at, rules)
    if rate <= SAME_LOAD * max(since, last):
        return True
    return s.learnt == 0.0 and jump <= SAME_LOAD * (v - s.last_value)


@compiled_plain
def _doubt_coarse(s, t, v):
    """A run none of whose values shows the last digit may be ten times as much: a new load, or just after a turn."""
    if is_coarser(s, s.run_value) and is_coarser(s, s.last_value) and is_coarser(s, v):
        doubt_scale(s, t)


@compiled_plain
def _may_turn_by(s, c, t, rules):
    """Whether a dial whose full scale nobody declared stood so near a power of ten that it may have turned by t.

    Then a run that begins with 0 may be a device that had no value just then.
    """
    left = 10.0 ** np.ceil(np.log10(max(s.good_value, 1e-6))) - s.good_value
    return math.isnan(c.full_scale) and left <= MARGIN * usual_rise(s, c, t - s.good_at, rules)


@compiled_plain
def _decide(s, p, t, v, r, k, work):
    """Classify a run of at least three consistent readings; False if that needs more readings."""
    c = work.tab[k]
    moved = v > s.run_value
    if _returned(s, c, work.rules):
        if moved:
            _take_level_back(s, p, t, v, r, k, work)
        return moved
    # a new level is accepted only if the register continues at its former rate, or not much faster for a day
    level = moved and _level(s, c, t, v, work.rules)
    if s.run_value < s.good_value or s.run_kind == SCALE:
        if level:
            turned = _may_turn_by(s, c, t, work.rules)
            if turned:
                _doubt_coarse(s, t, v)
            _broken_off(s, p, t, v, r, k, work)
            _go_on(s, p, t, v, r, k, turned, work)
        return level
    same_load = moved and _same_load(s, c, t, v, work.rules)
    stood = s.flat_at != NEVER and s.run_at - s.flat_at <= work.rules.catch_up and s.good_at > s.flat_at
    loaded = same_load and s.learnt > 0.0 and _strong(s, t, v, work.rules)
    caught_up = moved and stood and not loaded
    if caught_up and is_believed(s, c, s.flat_at, s.good_value, s.run_at, s.run_value, work.rules):
        _caught_up(s, p, t, v, r, k, work)
        _go_on(s, p, t, v, r, k, False, work)
        return True
    if same_load:
        _doubt_coarse(s, t, v)
        accept_run(s, p, r, k, SUSPECT if _alone(s, c) and s.good_value == 0.0 else 0, work)
        count(s, p, t, v, r, k, 0, work)
        return True
    if t - s.run_at < _PATIENCE and not _alone(s, c):
        return False
    if s.run_value - s.good_value <= moderate_surprise(s, c, s.run_at - s.good_at, work.rules):
        keep_level(s, s.run_at, t, 0)
        accept_run(s, p, r, k, SUSPECT, work)
        count(s, p, t, v, r, k, 0, work)
        return True
    if level:
        _broken_off(s, p, t, v, r, k, work)
        _go_on(s, p, t, v, r, k, False, work)
    elif moved and s.run_scale != _TOLD:
        emit_event(s, p, JUMP, s.run_at, NEVER, t, s.good_value, s.run_value, v, s.run_n, 0, work)
        s.run_scale = _TOLD
    return level


@compiled_plain
def _level(s, c, t, v, rules):
    """Whether the register continues from the run at a plausible rate."""
    if s.learnt == 0.0 or is_believed(s, c, s.run_at, s.run_value, t, v, rules):
        return True
    if t - s.run_at < US_PER_DAY:
        return False
    hours = hours_between(t - s.run_at, rules)
    most = s.learnt * hours / (c.factor * 1e6)
    since = (v - s.run_value) / hours
    last = (v - s.last_value) / hours_between(t - s.last_at, rules)
    steady = 0.5 * since <= last <= 2.0 * since
    return v - s.run_value <= (LOAD if steady else MODERATE) * most


@compiled_plain
def _strong(s, t, v, rules):
    """Whether the register continues at no less than half the rate of the rise."""
    rate = (s.run_value - s.good_value) / hours_between(s.run_at - s.good_at, rules)
    return rate <= 2.0 * (v - s.run_value) / hours_between(t - s.run_at, rules)


@compiled_plain
def _alone(s, c):
    """Whether the anchor is a first reading that none but further zeros has confirmed."""
    return (s.prev_at == NEVER and math.isnan(s.prev_value)) or (
        s.good_value == 0.0 and s.learnt == 0.0 and math.isnan(c.first_reading)
    )


@compiled_plain
def _doubt_zeros(s, p, r, k, work):
    """The register showed 0 until it had booted: mark the hours of that time."""
    until = s.good_at
    back_to_stillness(s)
    count(s, p, until, s.good_value, r, k, SUSPECT, work)


@compiled_plain
def _broken_off(s, p, t, v, r, k, work):
    """Continue from the run's level: report the kind and the unexplained difference; the time between has no hours."""
    old, first = s.good_value, s.run_value
    kind = JUMP if first > old else _fallen_to(s, highest_rate(s, work.tab[k], s.run_at - s.good_at), work.rules)
    if s.run_kind == SCALE:  # reported already: the first reading was the one off by 10^n
        kind = SCALE
    amount = np.int64(0)
    alone = _alone(s, work.tab[k])
    if kind == JUMP and not alone:
        amount = np.int64(micro_of(first, work.tab[k].factor) - micro_of(old, work.tab[k].factor))
    emit_event(s, p, kind, s.run_at, s.run_at, t, old, first, v, s.run_n + 1, amount, work)
    if not alone:
        keep_level(s, s.run_at, t, SUSPECT | (_UP if kind == JUMP else 0))
    booting = max(work.rules.catch_up, _BOOTING * spacing_of(s, work.tab[k]))
    if alone and s.flat_at != NEVER and s.run_at - s.flat_at <= booting:
        _doubt_zeros(s, p, r, k, work)
    break_to(s, p, s.run_at, BREAK, work)
    set_anchor(s, s.run_at, s.run_value, r)
    learn_digits(s, t, s.run_value)


@compiled_plain
def confirm_run(s, p, t, v, r, k, work):
    """(t, v) is believed, and the run lies on its way; but the run's own rise may have been too fast when it came."""
    c = work.tab[k]
    if is_believed(s, c, s.good_at, s.good_value, s.run_at, s.run_value, work.rules):
        accept_run(s, p, r, k, 0, work)
        count(s, p, t, v, r, k, 0, work)
    elif _alone(s, c) and v > s.run_value:
        _broken_off(s, p, t, v, r, k, work)
        _go_on(s, p, t, v, r, k, False, work)
    else:
        accept_run(s, p, r, k, SUSPECT, work)
        count(s, p, t, v, r, k, 0, work)


@compiled_plain
def _tell_fall(s, p, t, v, c, work):
    """Report a fall of the dial once a second reading confirms it; counting resumes there after a third.

    Zeros that do not move may still be a transient, and any value that does not move an error value.
    """
    moves = v > s.run_value or (s.run_n >= _STILL_READINGS and t - s.run_at >= US_PER_DAY)
    rate = highest_rate(s, c, s.run_at - s.good_at)
    near = not math.isinf(rate) and s.good_value - s.run_value <= _DAY_H * rate  # error values lie anywhere
    back = (s.kept_flags & _UP) != 0 and _returned(s, c, work.rules)  # from a jump that was reported
    if s.run_scale != _TOLD and s.run_value < s.good_value and v > 0.0 and (moves or near) and not back:
        kind = _fallen_to(s, rate, work.rules)
        emit_event(s, p, kind, s.run_at, NEVER, t, s.good_value, s.run_value, v, s.run_n, 0, work)
        s.run_scale = _TOLD


@compiled_plain
def _waits_on(s, t, v):
    s.run_n = min(s.run_n + 1, 60_000)
    s.last_at = t
    s.last_value = v


@compiled_plain
def _turns_scaled(s, c, t, v, before, now, rules):
    """Whether a run whose digits show its power of ten turns, where no full scale is declared: a wider margin."""
    if not math.isnan(c.full_scale) or digits_of_power(s, v, s.run_scale) != SHOW:
        return False
    rise = now + 10.0 ** np.ceil(np.log10(before)) - before
    return rise <= MARGIN * usual_rise(s, c, t - s.last_at, rules)


@compiled_plain
def _scaled_on(s, c, t, v, rules):
    """Whether (t, v) continues a run that is off by 10^n, with the same n."""
    by = 10.0**s.run_scale
    step = resolution(v) * by
    before, now = s.last_value * by, v * by
    if now < before - step:
        rolled = has_rolled(s, c, s.last_at, before, t, now, rules)
        return now > 0.0 and (rolled or _turns_scaled(s, c, t, v, before, now, rules))
    if now <= before or is_believed(s, c, s.last_at, before, t, max(before, now - step), rules):
        return True
    return s.run_n >= CONFIRM and now - before <= moderate_surprise(s, c, t - s.last_at, rules)  # a new load meanwhile


@compiled_plain
def is_still_scaled(s, c, t, v, rules):
    """Whether (t, v) goes on at that power of ten, and not at the register's own scale.

    The anchor is as old as the run: after weeks much else fits it, so it is asked last.
    """
    if s.run_kind != SCALE or not _scaled_on(s, c, t, v, rules):
        return False
    said = digits_of_power(s, v, s.run_scale)
    if said != NOTHING:
        return said == SHOW
    would = s.last_value * 10.0**s.run_scale  # what the register itself would have shown
    rise = v * 10.0**s.run_scale - would
    if rise >= 0.0 and (s.run_scale < 0 or rise <= usual_rise(s, c, t - s.last_at, rules)):
        return True  # just after a turn both may fit: that it returned just then is the less likely
    return v < would - resolution(would) or not is_believed(s, c, s.last_at, would, t, max(v, would), rules)


@compiled_plain
def _turns_on(s, c, t, v, rules):
    """Whether (t, v) continues a rising run through the declared end of the dial, at the rate of the run."""
    rise = v + c.full_scale - s.last_value  # NaN where no full scale is declared
    if not (s.run_value > s.good_value and s.last_at > s.run_at and 0.0 < rise <= 0.5 * c.full_scale):
        return False
    rate = (s.last_value - s.run_value) / hours_between(s.last_at - s.run_at, rules)
    began = (s.run_value - s.good_value) / hours_between(s.run_at - s.good_at, rules)
    return v < s.last_value and rise <= 2.0 * rate * hours_between(t - s.last_at, rules) and began <= SAME_LOAD * rate


@compiled_plain
def set_aside(s, p, t, v, r, k, kind, scale, work):
    """(t, v) does not continue the register: add it to the run, or begin one."""
    c = work.tab[k]
    jump, jump_t = s.run_value - s.good_value, s.run_at - s.good_at
    if s.run_n > 0 and s.run_kind == SCALE and kind != SENTINEL and _scaled_on(s, c, t, v, work.rules):
        if _alone(s, c) and s.run_n + 1 >= CONFIRM and v > s.run_value:
            _decide(s, p, t, v, r, k, work)
        else:
            _waits_on(s, t, v)
        return
    if kind == 0 and s.run_kind == 0 and s.run_n + 1 >= CONFIRM and _turns_on(s, c, t, v, work.rules):
        accept_run(s, p, r, k, 0, work)
        count(s, p, t, v, r, k, 0, work)
        return
    if s.run_n > 0:
        follows = follows_run(s, c, s.last_at, s.last_value, t, v, jump, jump_t, work.rules)
        short = s.run_value < DIGITS * resolution(s.run_value)  # too few digits to show a power of ten
        shows = kind == SCALE and scale != -1 and digits_of_power(s, v, scale) == SHOW
        shows = shows and (scale > 0 or digits_of_power(s, s.run_value, scale) == SHOW)
        if kind == SCALE and s.run_kind == 0 and follows and not shows and (s.run_scale == _TOLD or not short):
            kind = 0  # a dial that began anew, or has jumped, passes a power of ten by chance
        if kind == 0 and s.run_kind == 0 and follows:
            if s.run_n + 1 >= CONFIRM and _decide(s, p, t, v, r, k, work):
                return
            _waits_on(s, t, v)
            _tell_fall(s, p, t, v, c, work)
            return
        if kind not in (0, SCALE) and s.run_kind == kind:
            _waits_on(s, t, v)
            return
        if kind == 0 and s.run_kind == SCALE and follows:
            emit_event(s, p, SCALE, s.run_at, t, t, s.good_value, s.run_value, v, s.run_n, 0, work)
            s.run_kind = 0  # not a 10^n error after all: it does not follow the register at that scale
            s.run_scale = 0
            _waits_on(s, t, v)
            _tell_fall(s, p, t, v, c, work)
            return
        if kind == SCALE and s.run_kind == 0 and follows:
            s.run_kind = SCALE
            s.run_scale = scale
            _waits_on(s, t, v)
            emit_event(s, p, kind, s.run_at, NEVER, t, s.good_value, s.run_value, v, s.run_n, 0, work)
            return
        end_run(s, p, t, v, c, work)
    s.run_at = t
    s.run_value = v
    s.last_at = t
    s.last_value = v
    s.run_n = 1
    s.run_kind = kind
    s.run_scale = scale
    if kind != 0:  # the kind is known at once
        emit_event(s, p, kind, t, NEVER, t, s.good_value, v, v, 1, 0, work)
