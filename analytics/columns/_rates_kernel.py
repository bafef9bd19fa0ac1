"""Plausibility of a rise: against the highest rate seen of the register so far, and the ledger's `max_rate`."""

import math

import numpy as np

from analytics.columns._digits_kernel import CONTRADICT, SHOW, digits_of_power, has_finer, is_coarser, powers_shown
from analytics.columns._layout import NEVER
from analytics.columns._values_kernel import is_filled, resolution, scale_of
from analytics.compiled import compiled_plain
from analytics.domain.instants import US_PER_DAY, US_PER_HOUR

__all__ = [
    "LOAD",
    "MARGIN",
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
    "says_much",
    "scale_by_digits",
    "scale_slip",
    "turns_at",
    "unlearn_rate",
    "usual_rise",
]

TURNS = np.array([float(2**bits) / 10**decimals for bits in (16, 23, 24, 31, 32) for decimals in range(5)])
"""Full scales of usual counters beside powers of ten: 16 to 32 bits with decimals."""

_SCALE_WINDOW = 0.05  # a reading times 10^n must land this close above the register, else it may be chance
_SLIP_STEPS = 100.0  # below this many steps a factor of 10^n is likely by chance
# A rise is accepted at once up to these multiples of the highest rate so far: the fewer rises seen, the wider.
MARGIN, _MARGIN_YOUNG, _MARGIN_FIRST, _MARGIN_LONG = 4.0, 16.0, 64.0, 8.0
_LONG = 20 * US_PER_HOUR
_SOME, _FIRST, YOUNG = 3, 8, 24
TURNED = YOUNG + 1  # in `learnt_n`: as many moves, and a turn of a dial whose full scale nobody declared
MODERATE_H = 24.0  # hours at that rate: a larger rise is not counted, even if the register continues from it
MODERATE = 32.0  # the same for readings far apart, as a multiple of that rate
LOAD = 300.0  # multiple of the learnt rate above which a new load needs more evidence
SAME_LOAD = 10.0  # a new load continues at no less than a tenth of the rate of its first rise, an offset does not
# largest first rise of a register of which no rate is known: share of the dial, or its steps
_UNLEARNT, _UNLEARNT_STEPS = 1.0, 100.0
_UNLEARNT_PASS = 0.05  # the same through the full scale, as a share of it
_BOOT_STEPS = 10.0  # a first rise from 0 by more may be the total that a device shows once it has booted
_SUSPICIOUS = 3  # after this many intervals a fill value (`FILLS`) needs confirmation even if it could be reached
# hours of usual rise that a dial must stand above zero for a rollover to be distinguishable from a reset
_TURN_HOURS = 20.0
_DECIMAL_HOURS = 4.0  # the same at a power of ten, where most dials turn
_TURNED_HOURS = 4.0  # the same for a dial that was seen to turn before


@compiled_plain
def hours_between(dt, rules):
    """Time between two readings plus the clock tolerance. [h]"""
    return float(dt + rules.slack) / 3.6e9


@compiled_plain
def _margin(s, dt):
    if s.learnt_n >= YOUNG:
        return MARGIN
    if dt >= _LONG:  # a mean over a day varies less than one over an hour
        return _MARGIN_LONG
    return _MARGIN_YOUNG if s.learnt_n >= _FIRST else _MARGIN_FIRST


@compiled_plain
def _declared(s, c):
    """The ledger's highest rate, infinite where it gives none or the register has been seen to exceed it. [micro/h]"""
    most = c.rate * c.factor * 1e6
    return math.inf if s.learnt > 1.001 * most else most


@compiled_plain
def highest_rate(s, c, dt):
    """Highest rate at which the register may rise, infinite where nothing is known. [dial/h]"""
    most = _declared(s, c)
    if s.learnt > 0.0 and (math.isinf(most) or s.learnt_n >= YOUNG):
        most = min(most, _margin(s, dt) * s.learnt)
    return most / (c.factor * 1e6)


@compiled_plain
def _believable(s, c, dt, rules):
    """Largest rise that is accepted without confirmation; infinite if no rate is known. [dial]"""
    hours = hours_between(dt, rules)
    most = _declared(s, c) * hours
    if s.learnt > 0.0 and (math.isinf(most) or s.learnt_n >= YOUNG):
        learnt = _margin(s, dt) * s.learnt
        # within the ledger's rate, a day's worth at the learnt rate is accepted at once
        most = learnt * hours if math.isinf(most) else min(most, learnt * (hours + MODERATE_H))
    return most / (c.factor * 1e6)


@compiled_plain
def usual_rise(s, c, dt, rules):
    """Rise at the highest rate seen so far. [dial]"""
    return s.learnt * hours_between(dt, rules) / (c.factor * 1e6)


@compiled_plain
def unlearnt_reach(s, v0, v1):
    """Largest plausible rise of a register of which no rate is known. [dial]

    96.0 after 95.97 does not mean that the dial has no decimals.
    """
    step = resolution(v1)
    if s.seen_at != NEVER and s.seen_value > 0.0:
        step = min(step, resolution(s.seen_value))
    if s.run_n > 0 and s.run_value > 0.0:
        step = min(step, resolution(s.run_value))
    return max(_UNLEARNT * v0, _UNLEARNT_STEPS * step)


@compiled_plain
def goes_on_from_kept(s, c, t, v, rules):
    """Whether (t, v) continues from the anchor saved before the present level, by no more than a usual rise."""
    if s.kept_at == NEVER or v <= s.good_value or v < s.kept_value:
        return False
    usual = usual_rise(s, c, t - s.kept_at, rules)
    return v - s.kept_value <= usual + resolution(v) and says_much(s, usual)


@compiled_plain
def says_much(s, usual):
    """Whether a usual rise from the anchor before the level is less than what lies between: else anything fits it."""
    return usual <= abs(s.kept_value - s.good_value)


@compiled_plain
def is_believed(s, c, t0, v0, t1, v1, rules):
    """Whether a rise from v0 to v1 between t0 and t1 is plausible."""
    if v1 < v0:
        return False
    d = v1 - v0
    reach = _believable(s, c, t1 - t0, rules)
    if math.isinf(reach):
        reach = unlearnt_reach(s, v0, v1)
    return d <= reach or d <= reach + (resolution(v1) if v0 == 0.0 else max(resolution(v0), resolution(v1)))


@compiled_plain
def follows_run(s, c, t0, v0, t1, v1, jump, jump_t, rules):
    """Whether (t1, v1) is consistent with the run: reached from its last reading at a similar rate."""
    if v1 < v0:
        return False
    if is_believed(s, c, t0, v0, t1, v1, rules) or s.learnt == 0.0:
        return True
    hours = hours_between(t1 - t0, rules)
    d = v1 - v0
    if jump > 0.0:
        return d <= SAME_LOAD * jump / hours_between(jump_t, rules) * hours
    return d <= LOAD * s.learnt * hours / (c.factor * 1e6)  # it may have turned amid a new load


@compiled_plain
def turns_at(s, c, v0, v1, usual):
    """Full scale: the ledger's, or the next power of ten or two if a usual rise passes it; NaN if unknown. [dial]"""
    if not math.isnan(c.full_scale) or v1 >= v0 or v1 < 0.0:
        return c.full_scale
    turned = s.learnt_n >= TURNED
    full = 10.0 ** np.ceil(np.log10(v0))
    known = s.learnt_n >= _FIRST // 2 and v0 >= (_TURNED_HOURS if turned else _DECIMAL_HOURS) * usual
    if known and v0 < full and full - v0 + v1 <= usual:
        return full
    if s.learnt_n >= YOUNG and v0 >= (_TURNED_HOURS if turned else _TURN_HOURS) * usual:
        for full in TURNS:
            if v0 < full and full - v0 + v1 <= usual:
                return full
    return c.full_scale


@compiled_plain
def has_rolled(s, c, t0, v0, t1, v1, rules):
    """Whether the fall from v0 to v1 is a plausible rollover."""
    full = turns_at(s, c, v0, v1, usual_rise(s, c, t1 - t0, rules))
    if math.isnan(full) or v1 >= v0 or v1 < 0.0:
        return False
    d = v1 + full - v0
    hours = hours_between(t1 - t0, rules)
    declared = _declared(s, c) * hours / (c.factor * 1e6)
    reach = min(declared, highest_rate(s, c, t1 - t0) * hours)
    if math.isinf(reach):
        reach = _UNLEARNT_PASS * full
    if d > reach + max(resolution(v0), resolution(v1)):
        return False
    return d <= 0.5 * full or d <= usual_rise(s, c, t1 - t0, rules) or declared < full


@compiled_plain
def further_turns(s, c, dt, d, rules):
    """Additional full turns of the dial that were possible in that time, beyond the rise `d`."""
    if math.isnan(c.full_scale):
        return 0
    most = usual_rise(s, c, dt, rules)
    if s.learnt == 0.0 and not math.isinf(c.rate):
        most = c.rate * hours_between(dt, rules)
    return int(min(max((most - d) / c.full_scale, 0.0), 1e6))


@compiled_plain
def scale_slip(s, c, t0, v0, t1, v1, rules):
    """Exponent n if v1 * 10**n continues the register and v1 itself is not plausible; else 0."""
    dt = t1 - t0
    reach = _believable(s, c, dt, rules)
    if s.learnt > 0.0 and v1 > v0:
        young = v0 < _TURN_HOURS * usual_rise(s, c, dt, rules)
        chance = young and v1 < c.top and v1 - v0 <= moderate_surprise(s, c, dt, rules)
    else:
        chance = v1 > v0 and v0 < _SLIP_STEPS * resolution(v0)
    if s.learnt_n >= _FIRST:
        reach = min(usual_rise(s, c, dt, rules), 0.5 * v0)
    if s.learnt_n < _FIRST:
        usual = usual_rise(s, c, dt, rules) if s.learnt_n >= _SOME else 0.0
        reach = min(reach, max(_SCALE_WINDOW * v0, min(usual, 0.5 * v0)))
    n = scale_of(v0, v1, reach)
    said = digits_of_power(s, v1, n)
    if said == CONTRADICT or (chance and (said != SHOW or n == -1)):
        return 0
    return n


@compiled_plain
def scale_by_digits(s, c, t0, v0, t1, v1, rules):
    """Exponent n that the last digits of v1 show if v1 * 10**n continues the register, directly or by a turn; else 0.

    Where v1 itself is a usual rise, it ends in zeros by chance.
    """
    low, high = powers_shown(s, v1)
    if low == 0 or v0 <= 0.0:
        return 0
    usual = usual_rise(s, c, t1 - t0, rules)
    if low < 0 and (0.0 <= v1 - v0 <= usual or has_rolled(s, c, t0, v0, t1, v1, rules)):
        return 0
    reach = MARGIN * usual
    found, least = 0, math.inf
    for n in range(low, high + 1):
        w = v1 * 10.0**n
        rise = w - v0
        step = max(resolution(v0), resolution(v1) * 10.0**n)
        if -step <= rise <= reach + step:
            rise = abs(rise)
        elif rise < 0.0 and has_rolled(s, c, t0, v0, t1, w, rules):
            rise += turns_at(s, c, v0, w, usual)
        else:
            continue
        if rise < least:
            found, least = n, rise
    return found if found != -1 else 0


@compiled_plain
def moderate_surprise(s, c, dt, rules):
    """Largest implausible rise that is still counted once the register continues from it. [dial]"""
    hours = hours_between(dt, rules)
    most = max(MODERATE_H * _margin(s, dt), MODERATE * hours) * s.learnt
    declared = _declared(s, c) * hours
    if not math.isinf(declared):
        most = max(most, min(declared, 10.0 * most)) if s.learnt > 0.0 else declared
    return most / (c.factor * 1e6)


@compiled_plain
def learn_rate(s, c, t, micro, dt, certain, rules):
    """Update the highest rate seen, rounded up to a power of two so that it changes seldom."""
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
        new = min(new, MARGIN * s.learnt)
    if new > s.learnt:
        s.learnt = np.float32(new)
        s.learnt_day = t // US_PER_DAY + 1


@compiled_plain
def unlearn_rate(s, c, t, rise, dt, rules):
    """Take back what a rise that proved false has taught; `rise` is negative where it went through a turn. [dial]

    The rate before it is not kept, so the least that would have let it through stands in; true rises teach it again.
    """
    rate = rise * c.factor * 1e6 / hours_between(dt, rules)
    if s.learnt > 0.0 and (rise < 0.0 or (rate > 0.0 and s.learnt <= 1.001 * 2.0 ** np.ceil(np.log2(rate)))):
        s.learnt = np.float32(s.learnt / _margin(s, dt))
        s.learnt_day = t // US_PER_DAY + 1


@compiled_plain
def is_surprising(s, c, t, v, rules):
    """Whether a plausible rise has another explanation (fill value, power of ten, catch-up) and needs confirmation."""
    d = v - s.good_value
    dt = t - s.good_at
    if s.learnt == 0.0:
        undeclared = math.isnan(c.first_reading) and math.isinf(c.rate)
        booted = s.good_value == 0.0 and undeclared and d > _BOOT_STEPS * resolution(v)
        return booted or (is_filled(v) and d > 2.0 * resolution(v))
    usual = usual_rise(s, c, dt, rules) + resolution(v)
    near = usual if s.learnt_n >= YOUNG else MARGIN * usual
    if is_filled(v) and (d > near or has_finer(s, v) or (c.interval > 0 and dt > _SUSPICIOUS * c.interval)):
        return True
    if d <= usual:
        return False
    if goes_on_from_kept(s, c, t, v, rules):
        return True
    if is_coarser(s, v) and 0.0 <= 0.1 * v - s.good_value <= usual:  # or ten times as much from here on
        return True
    # after a stillness the gateway may be catching up
    stood = s.flat_at != NEVER and s.good_at - s.flat_at >= 2 * dt
    if stood and s.learnt_n >= _FIRST // 2 and is_believed(s, c, s.flat_at, s.good_value, t, v, rules):
        return True
    return scale_slip(s, c, s.good_at, s.good_value, t, v, rules) != 0
