"""The compiled walk over a meter's further registers; `analytics.health.redundancy` is its public door.

Readings of the registers of one check are put in time order in a small buffer, and taken from it once every register
has gone on for `LAG` or the buffer is full. So it does not matter in which order the registers arrive, nor how the
stream is cut. Times are float64 microseconds since 1970 UTC (exact up to 2**53), energies kWh.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.columns._jit import compiled_plain
from analytics.columns._kernel import ACCEPTED, CONFLICT, DUPLICATE, LATE, NEVER
from analytics.domain.quality import DetectionKind
from analytics.domain.water import DENSITY, ENTHALPY, HOTTEST

__all__ = [
    "AGREES",
    "BLOCKS",
    "BUFFER",
    "CHECK_STATE",
    "DEAD",
    "ENERGY",
    "FAULTY",
    "FLOW_RETURN",
    "FLOW_SUPPLY",
    "HEAT",
    "LEARNS",
    "NEWEST",
    "PHASES",
    "POWER",
    "PRIMARY",
    "REVERSED",
    "RULES_ROW",
    "SIGHT_ROW",
    "SLOTS",
    "STUCK_SENSOR",
    "SWAPPED",
    "WINDOWS",
    "compare",
    "follow",
]

POWER, PRIMARY, PHASES, HEAT = 0, 1, 2, 3
"""Checks: energy against power before the multiplier, against primary power, phases, heat against volume and ΔT."""

LEARNS, AGREES, FAULTY = 0, 1, 2

ENERGY, SWAPPED, STUCK_SENSOR, DEAD, REVERSED = 0, 1, 2, 4, 7
"""Causes. A stuck sensor has its slot added (supply, return), a dead and a reversed phase the phase's number."""

SLOTS = 4
"""Registers of a check: the energy and up to three others."""
FLOW_RETURN, FLOW_SUPPLY = 3, 4
"""Slots of a heat meter's volume; the last one stands for 3 with the flow sensor in the supply."""

BUFFER, WINDOWS, BLOCKS = 48, 24, 16
_BLOCK = 24  # windows

CHECK_STATE = np.dtype(
    [
        # whose, and how far it is
        ("point", "<i4"), ("meter", "<i4"), ("check", "i1"), ("begun", "i1"), ("status", "i1"), ("cause", "<i2"),
        ("primary", "i1"), ("agreed", "i1"), ("in_supply", "i1"),
        ("buffered", "<i4"), ("windows", "<i4"), ("blocks", "<i4"), ("refused", "<i4"), ("told_windows", "<i4"),
        ("settled", "<f8"), ("begin", "<f8"), ("newest", "<f8", (SLOTS,)), ("first", "<f8"),
        # newest settled value and time of each register; energy that waits for the next other reading
        ("value", "<f8", (SLOTS,)), ("at", "<f8", (SLOTS,)), ("pending_at", "<f8"), ("pending", "<f8"),
        ("pending_scale", "<f8"), ("pending_most", "<f8"),
        # the energy reading that opened the running cell, and what the others have said since
        ("edge_at", "<f8"), ("edge", "<f8"), ("edge_scale", "<f8"), ("cell", "<f8"), ("cell_noise", "<f8"),
        ("cell_ok", "i1"), ("stood", "i1"), ("heat", "<f8"),
        # the running window, and the digits of the registers
        ("open_at", "<f8"), ("open_e", "<f8"), ("open_i", "<f8"), ("open_v", "<f8"), ("open_s", "<f8"),
        ("digit", "<f8", (SLOTS,)), ("amount_scale", "<f8"),
        # heat: windows in a row with the return warmer; readings in a row at which a temperature stood still
        ("negative", "<i4"), ("still", "<i4", (2,)), ("moved", "<i4", (2,)), ("warm", "<f8"),
        # phases: the running hour, what is usual, and how long each is dead or reversed
        ("sum", "<f8", (3,)), ("count", "<i4", (3,)), ("hour", "<i8"), ("share", "<f8", (3,)), ("load", "<f8"),
        ("hours", "<i4"), ("alive", "<i4", (3,)), ("dead", "<i4", (3,)), ("run", "<i4", (3,)), ("longest", "<i4", (3,)),
        ("against", "<i4", (3,)), ("low", "<f8", (3,)), ("pair", "<i4", (3,)), ("run_at", "<f8", (3,)),
        # what is told: since when, what was counted, what should have been
        ("since", "<f8"), ("off_k", "<f8"), ("told", "<f8"),
        ("off_n", "<f8"), ("off_e", "<f8"), ("off_i", "<f8"), ("off_ee", "<f8"), ("off_ei", "<f8"), ("off_ii", "<f8"),
        # sums of the block that is being filled
        ("fill", "<f8", (8,)),
        # readings not settled yet: time, value, scale, slot, most that can be
        ("buffer", "<f8", (BUFFER, 5)),
        # newest windows: begin, energy, what the others say, variance of that
        ("window", "<f8", (WINDOWS, 4)),
        # blocks of windows: begin, windows, E, I, EE, EI, II, variance
        ("block", "<f8", (BLOCKS, 8)),
    ]
)  # fmt: skip
"""One check of one meter between two batches."""

RULES_ROW = np.dtype(
    [
        ("lag", "<f8"), ("gap", "<f8"), ("window", "<f8"), ("z", "<f8"), ("fast_z", "<f8"), ("fast", "<f8"),
        ("agree", "<f8"), ("learn", "<i8"), ("floor", "<f8"), ("delta_t", "<f8"),
        ("dead", "<f8"), ("habit_hours", "<i8"), ("dead_hours", "<i8"), ("loose_hours", "<i8"),
        ("reversed_hours", "<i8"), ("still", "<f8"), ("other", "<f8"),
    ]
)  # fmt: skip

SIGHT_ROW = np.dtype(
    [
        ("at", "<i8"), ("ratio", "<f8"), ("deviation", "<f8"), ("smallest", "<f8"), ("tolerance", "<f8"),
        ("n", "<i4"), ("point", "<i4"), ("check", "i1"), ("status", "i1"), ("refused", "i1"),
        ("primary", "i1"),
    ]
)  # fmt: skip

NEWEST = np.dtype([("key", "<i8"), ("at", "<i8"), ("value", "<f8")])
"""A register by a number of the caller's, and its newest reading."""


class Given(NamedTuple):
    """What a check has at hand beside its state, and where it puts what it finds."""

    windows: NDArray[np.float64]
    blocks: NDArray[np.float64]
    limits: float
    factor: float
    multiplier: float
    rules: Any
    events: NDArray[Any]
    cursor: NDArray[np.int64]
    sights: NDArray[Any]
    seen: NDArray[np.int64]


_RATIO = int(DetectionKind.RATIO)
_HOUR = 3.6e9
_IDLE = 24.0 * _HOUR
_LOADED = 0.1  # share of the usual load of a phase below which the others' load says nothing of it
_CARRIES = 0.1  # a phase that never fell below this share of the others is fed by what feeds them
_FORGETS = 1e-4  # an hour: so it is what a phase did in some weeks
_STEADY = 2 / 3  # share that heats of a cubic metre at two readings must keep: what lies between them is not known
_MOVES = 24  # readings that show a sensor as exchanged, or as still while the other moves
_BEYOND = 20.0  # times the most that is possible: no reading of a load, whatever the ratio


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
def _tell(s, now, ended, events, cursor):
    """Say what stands: `before` what the others say, `at` what was counted, `after` half a 95 % interval of it."""
    e = events[cursor[0]]
    e.point = s.point
    e.installation = -1
    e.kind = _RATIO
    e.scale = s.check * 32 + s.cause + (16 if s.primary != 0 else 0)
    e.n = np.int32(min(s.off_n, 2e9))
    e.started = np.int64(s.since) + s.check  # so that two checks of one point are two detections
    e.ended = np.int64(ended) if ended >= 0.0 else NEVER
    e.decided = np.int64(now)
    e.before = s.off_i
    e.at = s.off_e
    e.after = 1.96 * s.told
    e.amount = np.int64(min(max((s.off_e - s.off_i) * s.amount_scale * 1e6, -4e18), 4e18))
    cursor[0] += 1


@compiled_plain
def _log_ratio(e, i, floor):
    return math.log(max(e, floor) / max(i, floor))


@compiled_plain
def _add(sums, t, e, i, v):
    if sums[1] == 0.0:
        sums[0] = t
    sums[1] += 1.0
    sums[2] += e
    sums[3] += i
    sums[4] += e * e
    sums[5] += e * i
    sums[6] += i * i
    sums[7] += v


@compiled_plain
def _own_noise(n, e, i, ee, ei, ii):
    """Variance of the logarithm of e/i by the windows' own scatter about it."""
    if i <= 0.0:
        return np.inf
    k = max(e / i, 1e-3)
    scatter = max(ee - 2.0 * k * ei + k * k * ii, 0.0)
    return scatter * (n / max(n - 1.0, 1.0)) / (k * k * i * i)


@compiled_plain
def _history(blocks, count):
    """What the oldest `count` blocks say of a window: (mean square of the noise, variance told by the others), [kWh2].

    Where whole blocks scatter more than their windows let expect, the noise is coloured and counts for more.
    """
    n = 0.0
    e = 0.0
    i = 0.0
    ee = 0.0
    ei = 0.0
    ii = 0.0
    v = 0.0
    for b in range(count):
        n += blocks[b, 1]
        e += blocks[b, 2]
        i += blocks[b, 3]
        ee += blocks[b, 4]
        ei += blocks[b, 5]
        ii += blocks[b, 6]
        v += blocks[b, 7]
    if n == 0.0 or i <= 0.0:
        return np.inf, 0.0
    k = max(e / i, 1e-3)
    scatter = max(ee - 2.0 * k * ei + k * k * ii, 0.0)
    between = 0.0
    for b in range(count):
        d = blocks[b, 2] - k * blocks[b, 3]
        between += d * d
    if count > 1:
        between *= count / (count - 1.0)
    worst = max(scatter, between)
    return worst / (n * k * k), v / n


@compiled_plain
def _deviation(own, n, i, history, told):
    """Standard deviation of the logarithm of a ratio over a span of n windows with reference i."""
    if i <= 0.0:
        return np.inf
    return math.sqrt(max(own, n * history / (i * i), told / (i * i)))


@compiled_plain
def _share_that_agrees(windows, first, count, ratio, floor):
    """Share of windows that are nearer to `ratio` (a logarithm) than to agreement."""
    near = 0
    for w in range(first, count):
        one = _log_ratio(windows[w, 1], windows[w, 2], floor)
        if abs(one - ratio) < abs(one):
            near += 1
    return near / max(count - first, 1)


@compiled_plain
def _tolerance(s, limits, i, n):
    """What the classes and the digits of the registers explain of a ratio over a span. [log]."""
    digits = (s.digit[0] * max(s.edge_scale, 0.0)) / max(i, 1e-9)
    if s.check != HEAT and i > 0.0:
        digits += 0.25 * s.digit[1] * n / max(i, 1e-9)
    return limits + min(digits, 1.0)


@compiled_plain
def _since_block(s, blocks, ratio, floor):
    """When the blocks leave off agreeing; the first reading where they never did."""
    best = 0.0
    at = 0
    total = 0.0
    for b in range(s.blocks):
        one = min(max(_log_ratio(blocks[b, 2], blocks[b, 3], floor) - 0.5 * ratio, -3.0), 3.0)
        total += -one if ratio > 0.0 else one
        if total > best:
            best = total
            at = b + 1
    if best == 0.0 and s.agreed == 0:
        return s.first
    return min(blocks[min(at, s.blocks - 1), 0], s.since)


@compiled_plain
def _open(s, g, now, ratio, deviation, floor, cause):
    """A ratio that does not hold is found; its start is where the windows leave off agreeing."""
    s.status = FAULTY
    s.cause = cause
    half = 0.5 * ratio
    best = 0.0
    at = 0
    total = 0.0
    count = min(s.windows, WINDOWS)
    for w in range(count):  # the cumulated sum turns where the ratio changes
        one = _log_ratio(g.windows[w, 1], g.windows[w, 2], floor) - half
        one = min(max(one, -3.0), 3.0)
        total += -one if ratio > 0.0 else one
        if total > best:
            best = total
            at = w + 1
    s.since = g.windows[min(at, count - 1), 0]
    if best == 0.0:
        s.since = _since_block(s, g.blocks, ratio, floor)
    _start_again(s)
    for b in range(s.blocks - 1):
        if g.blocks[b, 0] >= s.since and g.blocks[b + 1, 0] <= g.windows[0, 0]:
            s.off_n += g.blocks[b, 1]
            s.off_e += g.blocks[b, 2]
            s.off_i += g.blocks[b, 3]
            s.off_ee += g.blocks[b, 4]
            s.off_ei += g.blocks[b, 5]
            s.off_ii += g.blocks[b, 6]
    for w in range(count):
        if g.windows[w, 0] >= s.since:
            _count_off(s, g.windows[w, 1], g.windows[w, 2])
    s.off_k = ratio
    s.told = deviation
    s.told_windows = np.int32(min(s.off_n, 2e9))
    _tell(s, now, -1.0, g.events, g.cursor)


@compiled_plain
def _start_again(s):
    s.off_n = 0.0
    s.off_e = 0.0
    s.off_i = 0.0
    s.off_ee = 0.0
    s.off_ei = 0.0
    s.off_ii = 0.0


@compiled_plain
def _count_off(s, e, i):
    s.off_n += 1.0
    s.off_e += e
    s.off_i += i
    s.off_ee += e * e
    s.off_ei += e * i
    s.off_ii += i * i


@compiled_plain
def _forget(s):
    """Learn anew."""
    s.windows = 0
    s.blocks = 0
    s.fill[:] = 0.0
    s.status = LEARNS
    s.cause = ENERGY
    s.told_windows = 0


@compiled_plain
def _sums(windows, first, count):
    n = 0.0
    e = 0.0
    i = 0.0
    ee = 0.0
    ei = 0.0
    ii = 0.0
    v = 0.0
    for w in range(first, count):
        n += 1.0
        e += windows[w, 1]
        i += windows[w, 2]
        ee += windows[w, 1] * windows[w, 1]
        ei += windows[w, 1] * windows[w, 2]
        ii += windows[w, 2] * windows[w, 2]
        v += windows[w, 3]
    return n, e, i, ee, ei, ii, v


@compiled_plain
def _judge_windows(s, g, now, floor):
    """Look at the last eight windows for large errors, and at the last day of them for smaller ones."""
    if s.blocks <= g.rules.learn:
        return
    history, told = _history(g.blocks, s.blocks - 1)
    for span in (8, WINDOWS):
        first = WINDOWS - span
        n, e, i, ee, ei, ii, v = _sums(g.windows, first, WINDOWS)
        if i <= 0.0 or max(e, i) < 20.0 * floor:
            continue
        ratio = _log_ratio(e, i, floor)
        deviation = _deviation(_own_noise(n, e, i, ee, ei, ii), n, i, history, max(v, n * told))
        limit = _tolerance(s, g.limits, i, n) + (g.rules.fast_z if span == 8 else g.rules.z) * deviation
        if span == 8:
            limit = max(limit, g.rules.fast)
        if abs(ratio) <= limit * g.factor:
            continue
        agree = max(g.rules.agree, 0.85) if span == 8 else g.rules.agree
        if _share_that_agrees(g.windows, first, WINDOWS, ratio, floor) >= agree:
            _side_or_fault(s, g, now, ratio, deviation, _tolerance(s, g.limits, i, n), floor)
            return


@compiled_plain
def _judge_blocks(s, g, now, floor):
    """A block is full: look at longer spans, and say what could be seen."""
    history, told = _history(g.blocks, s.blocks)
    span = 1
    ratio = 0.0
    deviation = np.inf
    tolerance = g.limits
    while span <= s.blocks:
        n = 0.0
        e = 0.0
        i = 0.0
        ee = 0.0
        ei = 0.0
        ii = 0.0
        v = 0.0
        near = 0
        for b in range(s.blocks - span, s.blocks):
            n += g.blocks[b, 1]
            e += g.blocks[b, 2]
            i += g.blocks[b, 3]
            ee += g.blocks[b, 4]
            ei += g.blocks[b, 5]
            ii += g.blocks[b, 6]
            v += g.blocks[b, 7]
        if i > 0.0 and max(e, i) >= 20.0 * floor:
            ratio = _log_ratio(e, i, floor)
            deviation = _deviation(_own_noise(n, e, i, ee, ei, ii), n, i, history, max(v, n * told))
            tolerance = _tolerance(s, g.limits, i, n)
            for b in range(s.blocks - span, s.blocks):
                one = _log_ratio(g.blocks[b, 2], g.blocks[b, 3], floor)
                if abs(one - ratio) < abs(one):
                    near += 1
            asked = span >= 2 and s.blocks > g.rules.learn and s.status != FAULTY and near >= g.rules.agree * span
            if asked and abs(ratio) > (tolerance + g.rules.z * deviation) * g.factor:
                _side_or_fault(s, g, now, ratio, deviation, tolerance, floor)
                if s.blocks == 0:
                    return
        span *= 2
    if s.status == LEARNS and s.blocks > g.rules.learn and abs(ratio) <= tolerance + g.rules.z * deviation:
        s.status = AGREES
        s.agreed = 1
    _see(s, g, now, ratio, history, told, tolerance)


@compiled_plain
def _side_or_fault(s, g, now, ratio, deviation, tolerance, floor):
    """A power that was primary from the beginning is taken for what it is; anything else is told."""
    primary = s.check == POWER and s.primary == 0 and s.agreed == 0 and g.multiplier > 1.0
    if primary and abs(ratio + math.log(g.multiplier)) <= tolerance + g.rules.z * deviation:
        s.primary = 1
        _forget(s)
        s.cell_ok = 0
        s.open_at = -1.0
        return
    _open(s, g, now, ratio, deviation, floor, ENERGY)


@compiled_plain
def _see(s, g, now, ratio, history, told, tolerance):
    """Say how small an error would be found in sixteen blocks."""
    n = 0.0
    i = 0.0
    for b in range(s.blocks):
        n += g.blocks[b, 1]
        i += g.blocks[b, 3]
    long_n = float(BLOCKS * _BLOCK)
    deviation = np.inf
    if n > 0.0 and i > 0.0:
        through = i / n * long_n
        deviation = math.sqrt(max(history, told) * long_n) / through
    out = g.sights[g.seen[0]]
    out.at = np.int64(now)
    out.point = s.point
    out.check = s.check
    out.status = s.status
    out.primary = s.primary
    out.refused = 1 if s.refused > n else 0
    out.n = np.int32(n)
    out.ratio = math.exp(min(max(ratio, -50.0), 50.0))
    out.deviation = deviation
    out.tolerance = tolerance
    ready = s.blocks > g.rules.learn
    out.smallest = math.exp(min((tolerance + g.rules.z * deviation) * g.factor, 50.0)) - 1.0 if ready else np.nan
    g.seen[0] += 1
    s.refused = 0


@compiled_plain
def _follow_fault(s, g, now, e, i, floor):
    """A ratio that was found: does it still hold, is it another one, is it better known."""
    _count_off(s, e, i)
    if s.windows < WINDOWS:
        return
    span = 8 if abs(s.off_k) >= g.rules.fast else WINDOWS
    first = WINDOWS - span
    n, se, si, ee, ei, ii, _ = _sums(g.windows, first, WINDOWS)
    if si > 0.0 and max(se, si) >= 20.0 * floor:
        ratio = _log_ratio(se, si, floor)
        usual = _own_noise(s.off_n, s.off_e, s.off_i, s.off_ee, s.off_ei, s.off_ii) * s.off_n / n
        deviation = math.sqrt(max(_own_noise(n, se, si, ee, ei, ii), usual))
        back = 1.0 - _share_that_agrees(g.windows, first, WINDOWS, s.off_k, floor)
        if abs(ratio) < 0.5 * abs(s.off_k) and abs(ratio - s.off_k) > 4.0 * deviation and back >= 0.85:
            for w in range(first, WINDOWS):  # what was counted since it is mended is not part of it
                s.off_n -= 1.0
                s.off_e -= g.windows[w, 1]
                s.off_i -= g.windows[w, 2]
            _tell(s, now, g.windows[first, 0], g.events, g.cursor)
            _forget(s)
            s.agreed = 1
            return
    if s.off_n >= 2.0 * s.told_windows and s.off_i > 0.0:
        s.told_windows = np.int32(min(s.off_n, 2e9))
        s.told = math.sqrt(_own_noise(s.off_n, s.off_e, s.off_i, s.off_ee, s.off_ei, s.off_ii))
        s.off_k = _log_ratio(s.off_e, s.off_i, floor)
        _tell(s, now, -1.0, g.events, g.cursor)


@compiled_plain
def _window(s, g, t, e, i, v, now, floor):
    """A window is over."""
    if s.windows >= WINDOWS:
        for w in range(WINDOWS - 1):
            for c in range(4):
                g.windows[w, c] = g.windows[w + 1, c]
    place = min(s.windows, WINDOWS - 1)
    g.windows[place, 0] = t
    g.windows[place, 1] = e
    g.windows[place, 2] = i
    g.windows[place, 3] = v
    s.windows = min(s.windows + 1, WINDOWS)
    if s.status == FAULTY:
        if s.cause == ENERGY:
            _follow_fault(s, g, now, e, i, floor)
            _add(s.fill, t, e, i, v)
            if s.fill[1] >= _BLOCK:
                s.fill[:] = 0.0
                history, told = _history(g.blocks, s.blocks)
                ratio = _log_ratio(s.off_e, s.off_i, floor)
                _see(s, g, now, ratio, history, told, g.limits)
        return
    _add(s.fill, t, e, i, v)
    full = s.fill[1] >= _BLOCK
    if full:
        if s.blocks >= BLOCKS:
            for b in range(BLOCKS - 1):
                for c in range(8):
                    g.blocks[b, c] = g.blocks[b + 1, c]
        spot = min(s.blocks, BLOCKS - 1)
        for c in range(8):
            g.blocks[spot, c] = s.fill[c]
        s.blocks = min(s.blocks + 1, BLOCKS)
        s.fill[:] = 0.0
    if s.windows == WINDOWS:
        _judge_windows(s, g, now, floor)
    if full and s.status != FAULTY and s.blocks > 0:
        _judge_blocks(s, g, now, floor)


@compiled_plain
def _close_cell(s, g, t, value, scale, most):
    """An energy reading at `t`, up to which the others have been added up."""
    rise = (value - s.edge) * scale
    possible = _BEYOND * most * (t - s.edge_at) / _HOUR + 2.0 * s.digit[0] * scale
    ok = s.cell_ok != 0 and scale == s.edge_scale and 0.0 <= rise <= possible and t - s.edge_at <= 3.0 * g.rules.gap
    stands = rise == 0.0 and s.cell >= g.rules.floor * s.digit[0] * scale
    if stands or s.stood != 0:  # a dial that stands still, and then catches up, is told as such
        ok = False
    s.stood = stands
    if ok:
        if s.open_at < 0.0:
            s.open_at = s.edge_at
            s.open_e = 0.0
            s.open_i = 0.0
            s.open_v = 0.0
            s.open_s = 0.0
        s.open_e += rise
        s.open_i += s.cell
        s.open_v += s.cell_noise
        s.open_s += t - s.edge_at
        floor = max(s.digit[0] * scale, 1e-9)
        if s.open_s >= g.rules.window * 0.999:
            if max(s.open_e, s.open_i) >= g.rules.floor * floor:
                _window(s, g, s.open_at, s.open_e, s.open_i, s.open_v, t, floor)
                s.open_at = -1.0
            elif s.open_s >= _IDLE:
                s.open_at = -1.0
    elif s.cell_ok != 0:
        s.open_at = -1.0
    s.edge_at = t
    s.edge = value
    s.edge_scale = scale
    s.cell = 0.0
    s.cell_noise = 0.0
    s.cell_ok = 1


@compiled_plain
def _reference(s, g, t0, t, low, high):
    """The others go from `t0` to `t`, at the rates `low` and `high` there [kWh/h]; a waiting energy reading between."""
    span = (t - t0) / _HOUR
    good = 0.0 < t - t0 <= g.rules.gap
    step = high - low
    if s.pending_at > t0 and s.pending_at <= t:
        part = (s.pending_at - t0) / _HOUR
        middle = low + step * (part / span) if span > 0.0 else high
        if good:
            s.cell += 0.5 * (low + middle) * part
            s.cell_noise += 0.5 * step * step * span * part
        else:
            s.cell_ok = 0
        _close_cell(s, g, s.pending_at, s.pending, s.pending_scale, s.pending_most)
        s.pending_at = -1.0
        if good:
            s.cell += 0.5 * (middle + high) * (span - part)
            s.cell_noise += 0.5 * step * step * span * (span - part)
        else:
            s.cell_ok = 0
    elif good:
        s.cell += 0.5 * (low + high) * span
        s.cell_noise += 0.5 * step * step * span * span
    else:
        s.cell_ok = 0


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
        _count_off(s, e, abs(i))
        slot = s.cause - STUCK_SENSOR
        well = s.negative == 0 if s.cause == SWAPPED else s.still[slot] == 0
        if well:
            _tell(s, now, now, g.events, g.cursor)
            _forget(s)
        elif s.off_n >= 4.0 * s.told_windows:
            s.told_windows = np.int32(min(s.off_n, 2e9))
            _tell(s, now, -1.0, g.events, g.cursor)
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
    _start_again(s)
    _count_off(s, e, abs(i))
    s.told = np.nan
    s.told_windows = 1
    _tell(s, now, -1.0, g.events, g.cursor)


@compiled_plain
def _heat_event(s, g, slot, t, v):
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
            hours = (t - t0) / _HOUR
            flow = poured / hours if hours > 0.0 else 0.0
            mean = flow * 0.5 * (heat + s.heat)
            half = flow * (heat - s.heat)
            s.cell_noise += 0.25 * half * half * hours * hours
            _reference(s, g, t0, t, mean, mean)
        else:
            s.cell_ok = 0
            if s.pending_at > t0 and s.pending_at <= t:
                _close_cell(s, g, s.pending_at, s.pending, s.pending_scale, s.pending_most)
                s.pending_at = -1.0
                s.cell_ok = 0
    s.heat = heat
    s.value[FLOW_RETURN] = v
    s.at[FLOW_RETURN] = t


@compiled_plain
def _phase_hour(s, g, now):
    """An hour of the phases is over."""
    for j in range(3):
        if s.count[j] == 0:
            return
    mean0 = s.sum[0] / s.count[0]
    mean1 = s.sum[1] / s.count[1]
    mean2 = s.sum[2] / s.count[2]
    total = mean0 + mean1 + mean2
    digits = 5.0 * max(s.digit[1], s.digit[2], s.digit[3])
    least = max(digits, _LOADED * s.load)
    loaded = False
    for j in range(3):
        mine = mean0 if j == 0 else mean1 if j == 1 else mean2
        a = mean1 if j == 0 else mean0
        b = mean1 if j == 2 else mean2
        if min(abs(a), abs(b)) <= least:
            if mine > digits:
                s.against[j] = 0
            continue
        loaded = True
        others = 0.5 * (abs(a) + abs(b))
        dead = abs(mine) < g.rules.dead * others
        against = mine < -0.1 * others and a > 0.0 and b > 0.0
        if dead:
            if s.run[j] == 0:
                s.run_at[j] = now - _HOUR
            s.dead[j] += 1
            s.run[j] += 1
            if abs(abs(a) - abs(b)) < 0.2 * others:
                s.pair[j] += 1
        elif against:
            if s.against[j] == 0:
                s.run_at[j] = now - _HOUR
            s.against[j] += 1
        else:
            s.alive[j] += 1
            if s.run[j] > 0:  # a run that was told teaches no more than what it was told after
                told = s.status == FAULTY and s.cause == DEAD + j
                most = max(g.rules.loose_hours, 2 * s.longest[j])
                s.longest[j] = max(s.longest[j], min(s.run[j], most) if told else s.run[j])
            s.run[j] = 0
            s.against[j] = 0
            s.low[j] = min(abs(mine) / others, s.low[j] + _FORGETS)
            if total > 0.0 and s.status != FAULTY:
                rate = max(1.0 / s.alive[j], 0.01)
                s.share[j] += (mine / total - s.share[j]) * rate
        _phase_verdict(s, g, now, j, mine, total)
    if loaded:
        s.hours += 1
        s.load += (abs(total) / 3.0 - s.load) * max(0.01, 1.0 / s.hours)


@compiled_plain
def _true_total(s, cause, j, mine, total):
    share = s.share[j] if s.alive[j] > 0 else 1.0 / 3.0
    if cause == DEAD + j:
        return total / max(1.0 - share, 0.1)
    return total + 2.0 * abs(mine)


@compiled_plain
def _phase_verdict(s, g, now, j, mine, total):
    if s.status == FAULTY:
        if s.cause != DEAD + j and s.cause != REVERSED + j:
            return
        if (s.run[j] if s.cause == DEAD + j else s.against[j]) > 0:
            _count_off(s, total, _true_total(s, s.cause, j, mine, total))
            if s.off_n >= 2.0 * s.told_windows:
                s.told_windows = np.int32(min(s.off_n, 2e9))
                _tell(s, now, -1.0, g.events, g.cursor)
        else:
            _tell(s, now, now - _HOUR, g.events, g.cursor)
            s.status = AGREES
        return
    cause = -1
    if s.run[j] > 0:
        hours = s.alive[j] + s.dead[j]
        if s.alive[j] >= (4 * g.rules.habit_hours // 7 if s.low[j] >= 0.5 else g.rules.habit_hours):
            least = g.rules.dead_hours if s.low[j] >= _CARRIES else g.rules.loose_hours
            if s.run[j] >= max(least, 2 * s.longest[j]) * g.factor:
                cause = DEAD + j
        elif s.alive[j] < 0.05 * hours and s.run[j] >= 2 * g.rules.habit_hours and s.pair[j] >= 0.9 * s.dead[j]:
            cause = DEAD + j
    elif s.against[j] >= g.rules.reversed_hours * g.factor:
        cause = REVERSED + j
    if cause < 0:
        return
    n = s.run[j] if cause < REVERSED else s.against[j]
    s.status = FAULTY
    s.cause = cause
    s.since = s.run_at[j] if s.alive[j] > 0 else s.first
    _start_again(s)
    for _ in range(n):  # the hours before are taken for such as this one
        _count_off(s, total, _true_total(s, cause, j, mine, total))
    s.told = np.nan
    s.told_windows = np.int32(n)
    _tell(s, now, -1.0, g.events, g.cursor)


@compiled_plain
def _phase_event(s, g, slot, t, v):
    hour = np.int64(t // _HOUR)
    if hour != s.hour:
        if s.hour >= 0:
            _phase_hour(s, g, (s.hour + 1) * _HOUR)
            if s.hours > 0 and s.hours % 24 == 0:
                out = g.sights[g.seen[0]]
                out.at = np.int64((s.hour + 1) * _HOUR)
                out.point = s.point
                out.check = s.check
                out.status = s.status if s.hours >= g.rules.habit_hours or s.status == FAULTY else LEARNS
                out.primary = 0
                out.refused = 0
                out.n = s.hours
                out.ratio = np.nan
                out.deviation = np.nan
                out.tolerance = g.rules.dead
                out.smallest = 1.0 / 3.0 if s.hours >= g.rules.habit_hours else np.nan
                g.seen[0] += 1
                if s.status == LEARNS and s.hours >= g.rules.habit_hours:
                    s.status = AGREES
        s.hour = hour
        for j in range(3):
            s.sum[j] = 0.0
            s.count[j] = 0
    s.sum[slot - 1] += v
    s.count[slot - 1] += 1


@compiled_plain
def _settle(s, g, buffer):
    """Take the oldest reading out of the buffer."""
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
        _phase_event(s, g, slot, t, v)
        return
    if slot == 0:
        s.pending_at = t
        s.pending = v
        s.pending_scale = scale
        s.pending_most = most
        last = s.at[1] if s.check != HEAT else s.at[FLOW_RETURN]
        if last == t:  # the others are there already
            _close_cell(s, g, t, v, scale, most)
            s.pending_at = -1.0
        return
    if s.check == HEAT:
        _heat_event(s, g, slot, t, v)
        return
    if abs(v) > _BEYOND * most:  # no such load is possible
        return
    if s.at[1] >= 0.0:
        _reference(s, g, s.at[1], t, s.value[1], v)
    s.value[1] = v
    s.at[1] = t


@compiled_plain
def _put(s, buffer, t, v, scale, slot, most):
    """Put a reading in its place; one that is there already stays out."""
    place = s.buffered
    order = float(slot) if slot != 0 else float(SLOTS)  # of one instant the energy last
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
    """What was open of the meter before ends here."""
    if s.status == FAULTY:
        _tell(s, t, max(t, s.since), events, cursor)
    _forget(s)
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
        if s.begun == 0 or (k == 0 and t <= s.begin + rules.lag):  # whichever of them came first
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
