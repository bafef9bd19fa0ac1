"""What a register is believed to have risen by in a time, from the rates learnt of it and the ledger's."""

import math

import numpy as np

from analytics.columns._layout import NEVER
from analytics.columns._values_kernel import is_filled, resolution, scale_of
from analytics.compiled import compiled_plain
from analytics.domain.instants import US_PER_DAY

__all__ = [
    "MODERATE",
    "MODERATE_H",
    "SAME_LOAD",
    "TURNS",
    "YOUNG",
    "follows_run",
    "further_turns",
    "has_rolled",
    "highest_rate",
    "hours_between",
    "is_believed",
    "is_surprising",
    "learn_rate",
    "moderate_surprise",
    "scale_slip",
    "turns_at",
    "usual_rise",
]

TURNS = np.array([1.0, *(float(2**bits) / 10**decimals for bits in (16, 23, 24, 31, 32) for decimals in range(5))])
"""Where dials turn to zero: at a power of ten (1), and counters of so many bits."""

_SCALE_WINDOW = 0.05  # a x10^n reading must land within this share of the register, or chance would do
_SLIP_STEPS = 100.0  # a register of fewer steps is a power of ten of others by chance
# How far beyond the highest rate believed so far a rise is believed at once, by the moves that rate was learnt from.
_MARGIN, _MARGIN_YOUNG, _MARGIN_FIRST = 4.0, 16.0, 64.0
_FIRST, YOUNG = 8, 24
MODERATE_H = 24.0  # a surprise of at most so many hours at that rate is counted when the register goes on from it
MODERATE = 32.0  # the same where readings are far apart: so many times the believed rate
SAME_LOAD = 10.0  # a load goes on at no less than this part of the rate at which it surprised; an offset does not
_UNLEARNT, _UNLEARNT_STEPS = 1.0, 100.0  # of the dial, or its steps: what an unknown register may rise by at once
_UNLEARNT_PASS = 0.05  # of the full scale: what such a register may rise through it
_SUSPICIOUS = 3  # intervals after which a value that fills a register is not believed though it could be reached
_TURN_HOURS = 20.0  # a dial must stand that much above a usual rise for its turn to be told from a reset


@compiled_plain
def hours_between(dt, rules):
    """Hours that a register may have had to rise in, clocks allowed for."""
    return float(dt + rules.slack) / 3.6e9


@compiled_plain
def _margin(s):
    if s.learnt_n >= YOUNG:
        return _MARGIN
    return _MARGIN_YOUNG if s.learnt_n >= _FIRST else _MARGIN_FIRST


@compiled_plain
def _declared(s, c):
    """The ledger's highest rate, infinite where it gives none or the register has been seen to exceed it. [micro/h]"""
    most = c.rate * c.factor * 1e6
    return math.inf if s.learnt > 1.001 * most else most


@compiled_plain
def highest_rate(s, c):
    """Highest rate at which the register may rise, infinite where nothing is known. [dial/h]"""
    most = _declared(s, c)
    if s.learnt > 0.0 and (math.isinf(most) or s.learnt_n >= YOUNG):
        most = min(most, _margin(s) * s.learnt)
    return most / (c.factor * 1e6)


@compiled_plain
def _believable(s, c, dt, rules):
    """Most that the register may rise by to be believed at once, infinite where nothing is known. [dial]"""
    hours = hours_between(dt, rules)
    most = _declared(s, c) * hours
    if s.learnt > 0.0 and (math.isinf(most) or s.learnt_n >= YOUNG):
        learnt = _margin(s) * s.learnt
        # a rise that the ledger says is possible may be that of a day
        most = learnt * hours if math.isinf(most) else min(most, learnt * (hours + MODERATE_H))
    return most / (c.factor * 1e6)


@compiled_plain
def usual_rise(s, c, dt, rules):
    """Most that the register rises by at the highest rate believed so far. [dial]"""
    return s.learnt * hours_between(dt, rules) / (c.factor * 1e6)


@compiled_plain
def is_believed(s, c, t0, v0, t1, v1, rules):
    """Whether a rise from v0 to v1 in that time is believed."""
    if v1 < v0:
        return False
    d = v1 - v0
    reach = _believable(s, c, t1 - t0, rules)
    if math.isinf(reach):
        reach = max(_UNLEARNT * v0, _UNLEARNT_STEPS * resolution(v1))
    return d <= reach or d <= reach + max(resolution(v0), resolution(v1))


@compiled_plain
def follows_run(s, c, t0, v0, t1, v1, jump, jump_t, rules):
    """Whether waiting readings agree with each other: the next one is reached from the last at a like rate."""
    if v1 < v0:
        return False
    if is_believed(s, c, t0, v0, t1, v1, rules) or s.learnt == 0.0:
        return True
    hours = hours_between(t1 - t0, rules)
    d = v1 - v0
    if jump > 0.0:
        return d <= SAME_LOAD * jump / hours_between(jump_t, rules) * hours
    return d <= _MARGIN_YOUNG * s.learnt * hours / (c.factor * 1e6)


@compiled_plain
def turns_at(s, c, v0, v1, usual):
    """Where the dial turns to zero: as the ledger says, or the power of ten or two that a usual rise leads through."""
    if not math.isnan(c.full_scale) or v1 >= v0 or v1 < 0.0 or s.learnt_n < YOUNG or v0 < _TURN_HOURS * usual:
        return c.full_scale
    for base in TURNS:
        full = base * 10.0 ** np.ceil(np.log10(v0 / base)) if base == 1.0 else base
        if v0 < full and full - v0 + v1 <= usual:
            return full
    return c.full_scale


@compiled_plain
def has_rolled(s, c, t0, v0, t1, v1, rules):
    """Whether the fall from v0 to v1 may be a pass through the full scale."""
    full = turns_at(s, c, v0, v1, usual_rise(s, c, t1 - t0, rules))
    if math.isnan(full) or v1 >= v0 or v1 < 0.0:
        return False
    d = v1 + full - v0
    hours = hours_between(t1 - t0, rules)
    declared = _declared(s, c) * hours / (c.factor * 1e6)
    reach = min(declared, highest_rate(s, c) * hours)
    if math.isinf(reach):
        reach = _UNLEARNT_PASS * full
    if d > reach + max(resolution(v0), resolution(v1)):
        return False
    return d <= 0.5 * full or d <= usual_rise(s, c, t1 - t0, rules) or declared < full


@compiled_plain
def further_turns(s, c, dt, d, rules):
    """How often more the dial may have passed its full scale in that time than a rise by `d` says."""
    if math.isnan(c.full_scale):
        return 0
    most = usual_rise(s, c, dt, rules)
    if s.learnt == 0.0 and not math.isinf(c.rate):
        most = c.rate * hours_between(dt, rules)
    return int(min(max((most - d) / c.full_scale, 0.0), 1e6))


@compiled_plain
def scale_slip(s, c, t0, v0, t1, v1, rules):
    """The n for which v1 * 10**n continues the register and v1 cannot be believed as it is, or 0."""
    dt = t1 - t0
    reach = _believable(s, c, dt, rules)
    if s.learnt > 0.0 and v1 > v0:
        if v1 - v0 <= moderate_surprise(s, c, dt, rules):
            return 0
    elif v1 > v0 and v0 < _SLIP_STEPS * resolution(v0):
        return 0
    if s.learnt_n >= _FIRST:
        reach = min(usual_rise(s, c, dt, rules), 0.5 * v0)
    if s.learnt_n < _FIRST:
        reach = min(reach, _SCALE_WINDOW * v0)
    return scale_of(v0, v1, reach)


@compiled_plain
def moderate_surprise(s, c, dt, rules):
    """Most of a surprise that is counted when the register goes on from it, at whatever rate. [dial]"""
    hours = hours_between(dt, rules)
    most = max(MODERATE_H * _margin(s), MODERATE * hours) * s.learnt
    declared = _declared(s, c) * hours
    if not math.isinf(declared):
        most = max(most, min(declared, 10.0 * most)) if s.learnt > 0.0 else declared
    return most / (c.factor * 1e6)


@compiled_plain
def learn_rate(s, c, t, micro, dt, certain, rules):
    """A rise was believed: at what rate, in powers of two."""
    if micro <= 0:
        return
    rate = micro / hours_between(dt, rules)
    if s.learnt_n < YOUNG:
        s.learnt_n += 1
        s.learnt_day = t // US_PER_DAY + 1
    if rate <= s.learnt:
        return
    new = 2.0 ** np.ceil(np.log2(rate))
    declared = c.rate * c.factor * 1e6
    if rate <= declared:
        new = min(new, declared)
    if not certain and s.learnt > 0.0:
        new = min(new, _MARGIN * s.learnt)
    if new > s.learnt:
        s.learnt = np.float32(new)
        s.learnt_day = t // US_PER_DAY + 1


@compiled_plain
def is_surprising(s, c, t, v, rules):
    """Whether a rise that could be believed has another explanation, so that the next readings are asked."""
    d = v - s.good_value
    dt = t - s.good_at
    if s.learnt == 0.0:
        return is_filled(v) and d > 2.0 * resolution(v)
    usual = usual_rise(s, c, dt, rules) + resolution(v)
    if is_filled(v) and (d > usual or (c.interval > 0 and dt > _SUSPICIOUS * c.interval)):
        return True
    if d <= usual:
        return False
    # the gateway may have repeated a value
    stood = s.flat_at != NEVER and s.good_at - s.flat_at >= 2 * dt
    if stood and s.learnt_n >= _FIRST // 2 and is_believed(s, c, s.flat_at, s.good_value, t, v, rules):
        return True
    return scale_slip(s, c, s.good_at, s.good_value, t, v, rules) != 0
