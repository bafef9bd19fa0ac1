"""Heat meters: energy against volume and temperatures, and sensors that are exchanged or stand still."""

import math

import numpy as np

from analytics.compiled import compiled_plain
from analytics.domain.water import DENSITY, ENTHALPY, HOTTEST
from analytics.health.redundancy._state_kernel import (
    ENERGY,
    FAULTY,
    FLOW_RETURN,
    HOUR,
    STUCK_SENSOR,
    SWAPPED,
    count_off,
    forget,
    start_again,
    tell,
)
from analytics.health.redundancy._windows_kernel import close_cell, reference

__all__ = ["heat_event"]

_STEADY = 2 / 3  # share that heats of a cubic metre at two readings must keep: what lies between them is not known
_MOVES = 24  # readings that show a sensor as exchanged, or as still while the other moves


@compiled_plain
def _heat(supply, back, in_supply):
    """Heat of a cubic metre. [kWh/m3], NaN where a temperature is none of liquid water."""
    if not (0.0 <= supply <= HOTTEST and 0.0 <= back <= HOTTEST):
        return np.nan
    i = min(int(supply), HOTTEST - 1)
    j = min(int(back), HOTTEST - 1)
    h_supply = ENTHALPY[i] + (ENTHALPY[i + 1] - ENTHALPY[i]) * (supply - i)
    h_back = ENTHALPY[j] + (ENTHALPY[j + 1] - ENTHALPY[j]) * (back - j)
    if in_supply:
        rho = DENSITY[i] + (DENSITY[i + 1] - DENSITY[i]) * (supply - i)
    else:
        rho = DENSITY[j] + (DENSITY[j + 1] - DENSITY[j]) * (back - j)
    return rho * (h_supply - h_back) / 3600.0


@compiled_plain
def _temperature(s, slot, v):
    """Whether a temperature stands still while the other goes on."""
    other = 3 - slot
    if s.value[slot] == v:
        s.still[slot - 1] += 1
    else:
        s.still[slot - 1] = 0
        s.moved[slot - 1] = 0
        s.moved[other - 1] += 1


@compiled_plain
def _sensor(s, g, now, e, i):
    """Temperatures that cannot be right: exchanged ones, and one that stands still while the other moves."""
    if s.status == FAULTY:
        if s.cause == ENERGY:
            return
        count_off(s, e, abs(i))
        slot = s.cause - STUCK_SENSOR
        well = s.negative == 0 if s.cause == SWAPPED else s.still[slot] == 0
        if well:
            tell(s, now, now, g.events, g.cursor)
            forget(s)
        elif s.off_n >= 4.0 * s.told_windows:
            s.told_windows = np.int32(min(s.off_n, 2e9))
            tell(s, now, -1.0, g.events, g.cursor)
        return
    cause = -1
    if s.negative >= _MOVES and now - s.run_at[2] >= 0.5 * g.rules.still and s.warm >= 30.0:
        cause = SWAPPED
    for slot in range(2):
        long = s.still[slot] >= _MOVES and now - s.run_at[slot] >= g.rules.still
        if long and s.moved[slot] >= _MOVES and s.digit[slot + 1] < 0.5:
            cause = STUCK_SENSOR + slot
    if cause < 0:
        return
    s.status = FAULTY
    s.cause = cause
    s.since = s.run_at[2] if cause == SWAPPED else s.run_at[cause - STUCK_SENSOR]
    start_again(s)
    count_off(s, e, abs(i))
    s.told = np.nan
    s.told_windows = 1
    tell(s, now, -1.0, g.events, g.cursor)


@compiled_plain
def heat_event(s, g, slot, t, v):
    """A temperature, or the volume."""
    if slot != FLOW_RETURN:
        if s.at[slot] >= 0.0:
            if s.value[slot] != v:
                s.run_at[slot - 1] = t
            _temperature(s, slot, v)
        else:
            s.run_at[slot - 1] = t
        s.value[slot] = v
        s.at[slot] = t
        return
    t0 = s.at[FLOW_RETURN]
    poured = v - s.value[FLOW_RETURN]
    fresh = t - s.at[1] <= g.rules.gap and t - s.at[2] <= g.rules.gap and s.at[1] >= 0.0 and s.at[2] >= 0.0
    heat = _heat(s.value[1], s.value[2], s.in_supply != 0) if fresh else np.nan
    delta = s.value[1] - s.value[2]
    if t0 >= 0.0:
        usable = poured >= 0.0 and not math.isnan(heat) and not math.isnan(s.heat) and abs(delta) >= g.rules.delta_t
        if poured > 0.0 and fresh:
            if abs(delta) < g.rules.delta_t:
                s.refused += 1
            if delta <= -g.rules.delta_t:
                if s.negative == 0:
                    s.run_at[2] = t0
                s.negative += 1
                s.warm = 0.5 * (s.value[1] + s.value[2])
            elif delta >= g.rules.delta_t:
                s.negative = 0
            _sensor(s, g, t, 0.0, poured * (heat if not math.isnan(heat) else 0.0))
        if usable and min(heat, s.heat) >= _STEADY * max(heat, s.heat) > 0.0:
            hours = (t - t0) / HOUR
            flow = poured / hours if hours > 0.0 else 0.0
            mean = flow * 0.5 * (heat + s.heat)
            half = flow * (heat - s.heat)
            s.cell_noise += 0.25 * half * half * hours * hours
            reference(s, g, t0, t, mean, mean)
        else:
            s.cell_ok = 0
            if s.pending_at > t0 and s.pending_at <= t:
                close_cell(s, g, s.pending_at, s.pending, s.pending_scale, s.pending_most)
                s.pending_at = -1.0
                s.cell_ok = 0
    s.heat = heat
    s.value[FLOW_RETURN] = v
    s.at[FLOW_RETURN] = t
