"""Compiled state machine of the redundancy checks; `analytics.health.redundancy` is its public interface.

Readings of the registers of one check are put in time order in a small buffer, and taken from it once every register
has gone on for `LAG` or the buffer is full. So it does not matter in which order the registers arrive, nor how the
stream is cut. Times are float64 microseconds since 1970 UTC (exact up to 2**53), energies kWh.
"""

import numpy as np

from analytics.columns._layout import ACCEPTED, CONFLICT, DUPLICATE, LATE
from analytics.compiled import compiled_plain
from analytics.health.redundancy._heat_kernel import heat_event
from analytics.health.redundancy._phases_kernel import phase_event
from analytics.health.redundancy._state_kernel import (
    BEYOND,
    BUFFER,
    FAULTY,
    FLOW_RETURN,
    FLOW_SUPPLY,
    HEAT,
    PHASES,
    PRIMARY,
    SLOTS,
    Given,
    forget,
    tell,
)
from analytics.health.redundancy._windows_kernel import close_cell, reference

__all__ = ["compare", "follow"]


@compiled_plain
def _digit(digit, v):
    """Smallest step of a register's values so far: powers of ten, begun with the largest."""
    a = abs(v)
    while digit > 1e-6:
        steps = a / digit
        if abs(steps - np.rint(steps)) <= 1e-6 * max(1.0, steps):
            break
        digit *= 0.1
    return digit


@compiled_plain
def _settle(s, g, buffer):
    """Process and remove the oldest reading in the buffer."""
    t = buffer[0, 0]
    v = buffer[0, 1]
    scale = buffer[0, 2]
    slot = int(buffer[0, 3])
    most = buffer[0, 4]
    for b in range(s.buffered - 1):
        for c in range(5):
            buffer[b, c] = buffer[b + 1, c]
    s.buffered -= 1
    s.settled = t
    if s.first < 0.0:
        s.first = t
    s.digit[slot] = _digit(s.digit[slot], v)
    if s.check == PHASES:
        phase_event(s, g, slot, t, v)
        return
    if slot == 0:
        s.pending_at = t
        s.pending = v
        s.pending_scale = scale
        s.pending_most = most
        last = s.at[1] if s.check != HEAT else s.at[FLOW_RETURN]
        if last == t:  # the readings of the other registers are here already
            close_cell(s, g, t, v, scale, most)
            s.pending_at = -1.0
        return
    if s.check == HEAT:
        heat_event(s, g, slot, t, v)
        return
    if abs(v) > BEYOND * most:  # beyond any possible load
        return
    if s.at[1] >= 0.0:
        reference(s, g, s.at[1], t, s.value[1], v)
    s.value[1] = v
    s.at[1] = t


@compiled_plain
def _put(s, buffer, t, v, scale, slot, most):
    """Insert a reading in time order; a repeated one is ignored."""
    place = s.buffered
    order = float(slot) if slot != 0 else float(SLOTS)  # at equal times the energy comes last
    while place > 0:
        other = buffer[place - 1, 3]
        rank = other if other != 0.0 else float(SLOTS)
        if buffer[place - 1, 0] < t or (buffer[place - 1, 0] == t and rank < order):
            break
        if buffer[place - 1, 0] == t and rank == order:
            return
        place -= 1
    for b in range(s.buffered, place, -1):
        for c in range(5):
            buffer[b, c] = buffer[b - 1, c]
    buffer[place, 0] = t
    buffer[place, 1] = v
    buffer[place, 2] = scale
    buffer[place, 3] = slot
    buffer[place, 4] = most
    s.buffered += 1


@compiled_plain
def _another_meter(s, t, meter, events, cursor):
    """Close the open detections of the replaced meter."""
    if s.status == FAULTY:
        tell(s, t, max(t, s.since), events, cursor)
    forget(s)
    s.meter = meter
    s.agreed = 0
    s.primary = 0
    s.buffered = 0
    s.settled = -1.0
    s.newest[:] = -1.0
    s.first = -1.0
    s.at[:] = -1.0
    s.pending_at = -1.0
    s.cell_ok = 0
    s.stood = 0
    s.open_at = -1.0
    s.hour = -1
    s.hours = 0
    s.low[:] = 1.0
    s.alive[:] = 0
    s.dead[:] = 0
    s.run[:] = 0
    s.longest[:] = 0
    s.against[:] = 0
    s.pair[:] = 0
    s.still[:] = 0
    s.moved[:] = 0
    s.negative = 0
    s.digit[:] = 1e3
    s.heat = np.nan


@compiled_plain
def _all_beyond(s, t):
    """Whether every register of the check is past `t`."""
    behind = 0
    for slot in range(1 if s.check == PHASES else 0, 2 if s.check <= PRIMARY else SLOTS):
        behind += s.newest[slot] < t
    return behind == 0


@compiled_plain
def follow(
    state, buffers, windows, blocks, row, meter, slot, at, value, scale, amount, most, limits, factors, multiplier,
    rules, events, cursor, sights, seen, first,
):  # fmt: skip
    """Advance checks by readings in the order of their arrival, from index `first`.

    `row` is the check, `slot` which of its registers (0 the energy), `value` the dial or the canonical unit, `scale`
    kWh a dial unit of the energy, `amount` the point's canonical unit a kWh, `most` the kWh that an hour can bring.
    Returns the index of the first reading not taken: the length when all were, less when `events` or `sights` is full.
    """
    for i in range(first, row.size):
        if cursor[0] + BUFFER + 2 > events.size or seen[0] + BUFFER + 2 > sights.size:
            return i
        p = row[i]
        s = state[p]
        t = float(at[i])
        if s.meter != meter[i]:
            if s.begun != 0 and t <= s.settled:
                continue
            _another_meter(s, t, meter[i], events, cursor)
            s.begun = 0
        k = slot[i]
        if k == FLOW_SUPPLY:
            s.in_supply = 1
            k = FLOW_RETURN
        elif k == FLOW_RETURN and s.check == HEAT:
            s.in_supply = 0
        if k != 0 and s.begun == 0:
            s.begun = 1
            s.begin = t
        if s.begun == 0 or (k == 0 and t <= s.begin + rules.lag):  # the earlier of the two
            continue
        s.newest[k] = max(s.newest[k], t)
        if t <= s.settled:
            continue
        s.amount_scale = amount[i] / (multiplier[i] if s.primary != 0 else 1.0)
        by = multiplier[i] if s.primary != 0 else 1.0
        _put(s, buffers[p], t, value[i], scale[i] * by, k, most[i] * by)
        s.newest[k] = max(s.newest[k], t)
        while s.buffered > 0 and (s.buffered >= BUFFER or _all_beyond(s, buffers[p, 0, 0] + rules.lag)):
            g = Given(windows[p], blocks[p], limits[i], factors[i], multiplier[i], rules, events, cursor, sights, seen)
            _settle(s, g, buffers[p])
    return row.size


@compiled_plain
def compare(newest, place, at, value, said):
    """Hold readings against the newest of their registers; see `analytics.health.redundancy.newest`."""
    for i in range(place.size):
        one = newest[place[i]]
        if at[i] > one.at:
            one.at = at[i]
            one.value = value[i]
            said[i] = ACCEPTED
        elif at[i] < one.at:
            said[i] = LATE
        else:
            said[i] = DUPLICATE if value[i] == one.value else CONFLICT
