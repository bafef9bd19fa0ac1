"""Energy against its reference from other registers: cells between two readings, hourly windows, blocks of windows.

A ratio that does not hold is looked for in the last windows and in ever longer spans of blocks, and followed once it is
found.
"""

import math

import numpy as np

from analytics.compiled import compiled_plain
from analytics.health.redundancy._state_kernel import (
    AGREES,
    BEYOND,
    BLOCKS,
    ENERGY,
    FAULTY,
    HEAT,
    HOUR,
    LEARNS,
    POWER,
    WINDOWS,
    count_off,
    forget,
    start_again,
    tell,
)

__all__ = ["close_cell", "reference"]

_BLOCK = 24  # windows
_IDLE = 24.0 * HOUR


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
    """Variance of ln(e/i), from the scatter of the windows (ratio estimator)."""
    if i <= 0.0:
        return np.inf
    k = max(e / i, 1e-3)
    scatter = max(ee - 2.0 * k * ei + k * k * ii, 0.0)
    return scatter * (n / max(n - 1.0, 1.0)) / (k * k * i * i)


@compiled_plain
def _of_blocks(blocks, first, last):
    """Sums of blocks: windows, E, I, EE, EI, II, variance."""
    n = 0.0
    e = 0.0
    i = 0.0
    ee = 0.0
    ei = 0.0
    ii = 0.0
    v = 0.0
    for b in range(first, last):
        n += blocks[b, 1]
        e += blocks[b, 2]
        i += blocks[b, 3]
        ee += blocks[b, 4]
        ei += blocks[b, 5]
        ii += blocks[b, 6]
        v += blocks[b, 7]
    return n, e, i, ee, ei, ii, v


@compiled_plain
def _history(blocks, count):
    """Noise of a window by the oldest `count` blocks: (mean square of the residual, variance of the reference). [kWh2]

    Where whole blocks scatter more than their windows let expect, the noise is coloured and counts for more.
    """
    n, e, i, ee, ei, ii, v = _of_blocks(blocks, 0, count)
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
    """Standard deviation of the log-ratio over n windows with reference i."""
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
    """Log-ratio that accuracy classes and digits of the registers explain over a span."""
    digits = (s.digit[0] * max(s.edge_scale, 0.0)) / max(i, 1e-9)
    if s.check != HEAT and i > 0.0:
        digits += 0.25 * s.digit[1] * n / max(i, 1e-9)
    return limits + min(digits, 1.0)


@compiled_plain
def _since_block(s, blocks, ratio, floor):
    """Time at which the blocks cease to agree; the first reading if they never did."""
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
    """Open a contradiction; its start is where the windows cease to agree."""
    s.status = FAULTY
    s.cause = cause
    half = 0.5 * ratio
    best = 0.0
    at = 0
    total = 0.0
    count = min(s.windows, WINDOWS)
    for w in range(count):  # the cumulative sum turns where the ratio changed (CUSUM)
        one = _log_ratio(g.windows[w, 1], g.windows[w, 2], floor) - half
        one = min(max(one, -3.0), 3.0)
        total += -one if ratio > 0.0 else one
        if total > best:
            best = total
            at = w + 1
    s.since = g.windows[min(at, count - 1), 0]
    if best == 0.0:
        s.since = _since_block(s, g.blocks, ratio, floor)
    start_again(s)
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
            count_off(s, g.windows[w, 1], g.windows[w, 2])
    s.off_k = ratio
    s.told = deviation
    s.told_windows = np.int32(min(s.off_n, 2e9))
    tell(s, now, -1.0, g.events, g.cursor)


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
    """Test the last eight windows for large errors, and the last 24 for smaller ones."""
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
    """Test longer spans after a block is complete, and output what could be detected."""
    history, told = _history(g.blocks, s.blocks)
    span = 1
    ratio = 0.0
    deviation = np.inf
    tolerance = g.limits
    while span <= s.blocks:
        n, e, i, ee, ei, ii, v = _of_blocks(g.blocks, s.blocks - span, s.blocks)
        near = 0
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
    """Classify a ratio found at the start: primary power is accepted as such, anything else is reported."""
    primary = s.check == POWER and s.primary == 0 and s.agreed == 0 and g.multiplier > 1.0
    if primary and abs(ratio + math.log(g.multiplier)) <= tolerance + g.rules.z * deviation:
        s.primary = 1
        forget(s)
        s.cell_ok = 0
        s.open_at = -1.0
        return
    _open(s, g, now, ratio, deviation, floor, ENERGY)


@compiled_plain
def _see(s, g, now, ratio, history, told, tolerance):
    """Output the smallest error that would be detected within sixteen blocks."""
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
    """Update an open contradiction: over, changed, or better known."""
    count_off(s, e, i)
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
            for w in range(first, WINDOWS):  # energy counted after the repair is not part of it
                s.off_n -= 1.0
                s.off_e -= g.windows[w, 1]
                s.off_i -= g.windows[w, 2]
            tell(s, now, g.windows[first, 0], g.events, g.cursor)
            forget(s)
            s.agreed = 1
            return
    if s.off_n >= 2.0 * s.told_windows and s.off_i > 0.0:
        s.told_windows = np.int32(min(s.off_n, 2e9))
        s.told = math.sqrt(_own_noise(s.off_n, s.off_e, s.off_i, s.off_ee, s.off_ei, s.off_ii))
        s.off_k = _log_ratio(s.off_e, s.off_i, floor)
        tell(s, now, -1.0, g.events, g.cursor)


@compiled_plain
def _window(s, g, t, e, i, v, now, floor):
    """Evaluate a completed window."""
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
def close_cell(s, g, t, value, scale, most):
    """Close the cell at an energy reading at `t`, up to which the reference has been integrated."""
    rise = (value - s.edge) * scale
    possible = BEYOND * most * (t - s.edge_at) / HOUR + 2.0 * s.digit[0] * scale
    ok = s.cell_ok != 0 and scale == s.edge_scale and 0.0 <= rise <= possible and t - s.edge_at <= 3.0 * g.rules.gap
    stands = rise == 0.0 and s.cell >= g.rules.floor * s.digit[0] * scale
    if stands or s.stood != 0:  # a dial that stands still and catches up is reported as such elsewhere
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
def reference(s, g, t0, t, low, high):
    """The others go from `t0` to `t`, at the rates `low` and `high` there [kWh/h]; a waiting energy reading between."""
    span = (t - t0) / HOUR
    good = 0.0 < t - t0 <= g.rules.gap
    step = high - low
    if s.pending_at > t0 and s.pending_at <= t:
        part = (s.pending_at - t0) / HOUR
        middle = low + step * (part / span) if span > 0.0 else high
        if good:
            s.cell += 0.5 * (low + middle) * part
            s.cell_noise += 0.5 * step * step * span * part
        else:
            s.cell_ok = 0
        close_cell(s, g, s.pending_at, s.pending, s.pending_scale, s.pending_most)
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
