"""From one installation of the ledger to the next: replaced meters, and multipliers that change in place."""

import math

import numpy as np

from analytics.columns._counting_kernel import break_to, count, emit_event, forget_kept, open_at, set_anchor
from analytics.columns._digits_kernel import forget_digits
from analytics.columns._layout import JUMP, NEVER, SUSPECT
from analytics.columns._rates_kernel import has_rolled, is_believed
from analytics.columns._values_kernel import is_filled, micro_of
from analytics.columns._waiting_kernel import accept_run, end_run
from analytics.compiled import compiled, compiled_plain
from analytics.domain.instants import US_PER_DAY
from analytics.domain.quality import DetectionKind, HourFlag

__all__ = ["close_installation", "in_force", "in_force_at", "install"]

_REPLACEMENT = int(HourFlag.REPLACEMENT)
_CHANGE = int(HourFlag.MULTIPLIER_CHANGE)
_EV_REPLACEMENT = int(DetectionKind.REPLACEMENT)
_EV_CHANGE = int(DetectionKind.MULTIPLIER_CHANGE)


@compiled_plain
def in_force_at(meter, at, start, order, installed_from, installed_to):
    """Row of the installation in force for a meter at a time, -1 where there is none."""
    found = -1
    if meter >= 0:
        for j in range(start[meter], start[meter + 1]):
            k = order[j]
            if installed_from[k] > at:
                break
            # a last reading may be taken exactly at the end; the next installation's start takes precedence
            if at <= installed_to[k]:
                found = k
    return found


@compiled
def in_force(meter, at, start, order, installed_from, installed_to):
    """Row of the installations in force for each meter at each time, -1 where there is none."""
    out = np.empty(meter.size, np.int32)
    for i in range(meter.size):
        out[i] = in_force_at(meter[i], at[i], start, order, installed_from, installed_to)
    return out


@compiled_plain
def close_installation(s, p, k, r, work):
    """End an installation as declared in the ledger: count up to its last reading, if one is given."""
    end, last = work.tab[k].installed_to, work.tab[k].last_reading
    if s.run_n > 0 and s.run_kind == 0 and s.run_value > s.good_value and last >= s.last_value:
        accept_run(s, p, r, k, SUSPECT, work)  # the declared dial confirms them
    end_run(s, p, end, s.good_value, work.tab[k], work)
    if math.isnan(last) or end <= s.good_at:
        return
    if last >= s.good_value or has_rolled(s, work.tab[k], s.good_at, s.good_value, end, last, work.rules):
        count(s, p, end, last, r, k, _REPLACEMENT, work)


@compiled_plain
def _change_in_place(s, p, k, t, v, r, work):
    """The same meter goes on from installation k to k + 1: another multiplier or unit from that instant."""
    start = work.tab[k + 1].installed_from
    rescale = work.tab[k].unit_factor / work.tab[k + 1].unit_factor
    declared = work.tab[k + 1].first_reading
    dial = np.nan
    if not math.isnan(declared):
        dial = declared / rescale
    elif not math.isnan(work.tab[k].last_reading):
        dial = work.tab[k].last_reading
    elif start >= s.good_at and t > s.good_at and s.run_n == 0:
        then = v / rescale
        if is_believed(s, work.tab[k], s.good_at, s.good_value, t, then, work.rules):
            dial = s.good_value + (then - s.good_value) * (float(start - s.good_at) / float(t - s.good_at))
    certain = not math.isnan(declared) or not math.isnan(work.tab[k].last_reading)
    if certain and s.run_n > 0 and s.run_kind == 0 and s.run_value > s.good_value and dial >= s.last_value:
        accept_run(s, p, r, k, SUSPECT, work)  # the declared dial says they were right
    if not math.isnan(dial) and start > s.good_at:
        fits = (certain and dial >= s.good_value) or is_believed(
            s, work.tab[k], s.good_at, s.good_value, start, dial, work.rules
        )
        if fits or has_rolled(s, work.tab[k], s.good_at, s.good_value, start, dial, work.rules):
            count(s, p, start, dial, r, k, _CHANGE, work)
    s.flags |= _CHANGE
    s.good_value *= rescale
    if rescale != 1.0:
        forget_digits(s, start)
    if s.kept_at != NEVER:
        s.kept_value *= rescale
        s.learnt_day = start // US_PER_DAY + 1
    s.prev_at = NEVER
    s.flat_at = NEVER
    if s.run_n > 0:
        s.run_value *= rescale
        s.last_value *= rescale
    s.installation = k + 1
    if work.tab[k].factor != work.tab[k + 1].factor:
        emit_event(s, p, _EV_CHANGE, start, start, start, work.tab[k].factor, work.tab[k + 1].factor, dial, 1, 0, work)


@compiled_plain
def install(s, p, target, t, v, r, work):
    """Walk the point's installations up to `target`; no anchor stands afterwards where the ledger gives none."""
    if s.installation < 0:
        s.installation = target
        start, first = work.tab[target].installed_from, work.tab[target].first_reading
        if not math.isnan(first) and start < t:
            if t - start <= work.rules.opening_span:
                open_at(s, p, start, first, r, work)
            elif first < v < work.tab[target].top and not is_filled(v):  # nobody can say when it was used
                amount = np.int64(micro_of(v, work.tab[target].factor) - micro_of(first, work.tab[target].factor))
                emit_event(s, p, JUMP, t, t, t, first, v, v, 1, amount, work)
        return
    while s.installation < target:
        k = s.installation
        standing = s.good_at != NEVER
        start, first = work.tab[k + 1].installed_from, work.tab[k + 1].first_reading
        same = work.tab[k].meter == work.tab[k + 1].meter and work.tab[k + 1].renewed == 0
        if standing and same and work.tab[k].installed_to == start:
            _change_in_place(s, p, k, t, v, r, work)
            continue
        if standing:
            close_installation(s, p, k, r, work)
        emit_event(
            s, p, _EV_REPLACEMENT, start, start, start, s.good_value, work.tab[k].last_reading, first, 1, 0, work
        )
        s.installation = k + 1
        s.flags |= _REPLACEMENT
        forget_digits(s, start)
        s.prev_at = NEVER
        s.flat_at = NEVER
        forget_kept(s, start)
        if math.isnan(first):
            s.good_at = NEVER
            continue
        start = max(start, s.good_at)
        if start > s.good_at:
            break_to(s, p, start, _REPLACEMENT, work)
        set_anchor(s, start, first, r)
        s.prev_value = first  # declared, so it needs no confirmation
