"""Fit of the time course of one gain change: step or ramp, start, size."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.drift._evidence import LOOSE_WANDER, Prior
from analytics.drift._sums import EXTRA, Bank, DaySums, without_level

__all__ = ["Revised", "Shape", "direction", "look_back", "look_closely"]

Floats = NDArray[np.float64]

_RAMPS = (0.0, 30.0, 60.0)
"""Candidate durations of a change; 0 is a step. [d]"""
_NEAR = 3.84
"""Starts within this deviance of the best belong to its 95 % interval (chi-squared, one parameter)."""
_STEP_BONUS = 4.0
"""Deviance by which a ramp must fit better than a step, for its additional parameter."""
_RAMP_LEAD = 3.0
"""Deviance by which a ramp must fit better than a step in hindsight."""
_BACK_DAYS = (0, 1, 2, 4, 7, 10, 14, 21, 28, 35)
"""A ramp may begin this many days before the day first taken for a step."""
_LATE_DAYS = (0, 1, 2, 3, 4)
"""A step may come this many days after that day."""
_BACK_RAMPS = (21.0, 30.0, 45.0, 60.0, 90.0)
"""Candidate durations of a ramp in hindsight; what is over within two weeks is a step that began on some day. [d]"""
_LEAST_HOURS = 24.0
_LEAST_ENDED = 3
"""A change must have been over for this many days, and have lasted as many, to count as one that ended. [d]"""
_LEAST_RAMP = 10
_ABOUT = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Fitted time course of a coefficient's change.

    Attributes
    ----------
    ramp_days : float
        0 for a step. [d]
    block : int
        Index of the bank's block that begins with the change.
    start, low, high : int
        First day of it, and the span of likely first days. [d]
    size, deviation : float
        Change of the coefficient up to its end, or up to today where it goes on, and its standard deviation.
    exposure : float
        Amount counted by the child since then, weighted by the share of the change reached. [canonical unit]
    hours : float
        Measured hours since.
    misfit : float
        Variance of the residual, over the usual one, in the week after the change in which it is largest.
    """

    ramp_days: float
    block: int
    start: int
    low: int
    high: int
    size: float
    deviation: float
    exposure: float
    hours: float
    misfit: float


def direction(which: int, n: int, p: int, children: NDArray[np.bool_]) -> Floats:
    """Coefficients that a gain change shifts: a child's own; all children's for the parent (n); the loss for n + 1."""
    out = np.zeros(p)
    if which == n:
        out[:n] = children
    else:
        out[min(n, which)] = 1.0
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Revised:
    """A reported change re-estimated with the data since.

    Attributes
    ----------
    ramp_days : float
        0 for a step. [d]
    lead : float
        Deviance by which the best ramp beats a step, less `_STEP_BONUS`.
    start, low, high : int
        First day of the best ramp, and the span of likely ones. [d]
    size, deviation : float
        Change of the coefficient up to today by the best shape, and its standard deviation.
    spread : float
        Spread of the size among shapes that fit about as well.
    exposure : float
        Amount counted by the meter since then, weighted by the share of the change reached. [canonical unit]
    misfit : float
        As of `Shape`, for the best shape.
    ended : Ended or None
        Where it fits better that the gain has been as before for some days.
    """

    ramp_days: float
    lead: float
    start: int
    low: int
    high: int
    size: float
    deviation: float
    spread: float
    exposure: float
    misfit: float
    ended: "Ended | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A change that is over: the gain is as it was before.

    Attributes
    ----------
    day : int
        First day after it. [d]
    size, deviation : float
        Change of the coefficient while it lasted, and its standard deviation.
    exposure : float
        Amount counted by the meter meanwhile. [canonical unit]
    """

    day: int
    size: float
    deviation: float
    exposure: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Row:
    """One group's blocks, noise taken as 1."""

    a: list[Floats]
    b: list[Floats]
    c: list[float]
    n: list[float]
    e: list[Floats]
    days: list[int]
    starts: list[int]


def _parts(parts: list[DaySums], first: list[int], length: list[int], prior: Prior, row: int, sigma2: float) -> _Row:
    """Spans of one group, divided by the variance of the noise."""
    hourly_noise = prior.hourly_noise[row]
    return _Row(
        a=[np.asarray(part.a[0], np.float64) / sigma2 for part in parts],
        b=[(part.b[0] + part.q[0] * hourly_noise) / sigma2 for part in parts],
        c=[float(part.c[0]) / sigma2 for part in parts],
        n=[float(part.n[0]) for part in parts],
        e=[part.e[0] for part in parts],
        days=length,
        starts=first,
    )


def _views(bank: Bank, row: int, prior: Prior, sigma2: float) -> Iterator[tuple[DaySums, _Row]]:
    """For each day on which a block begins: the sums before it, and the spans from it on.

    The days of the week that is not over are one span on either side: each loses its level.
    """
    together, ratio = prior.together[row : row + 1], np.array([sigma2]) / prior.level[row]
    weeks = sum(1 for days in bank.days if days > 1)
    blocks = [_one(block, row) for block in bank.blocks]
    nothing = blocks[0].nothing()

    def joined(some: list[DaySums]) -> DaySums:
        return without_level(sum(some, start=nothing), together, ratio)

    before, newest = _one(bank.base, row), joined(blocks[weeks:])
    for i in range(weeks):
        first, length = [*bank.first[i:weeks], bank.first[weeks]], [*bank.days[i:weeks], len(blocks) - weeks]
        yield before, _parts([*blocks[i:weeks], newest], first, length, prior, row, sigma2)
        before = before + blocks[i]
    for i in range(weeks, len(blocks)):
        after = _parts([joined(blocks[i:])], [bank.first[i]], [len(blocks) - i], prior, row, sigma2)
        if float(blocks[i].n[0]) > 0:
            yield before + joined(blocks[weeks:i]), after


def _one(sums: DaySums, row: int) -> DaySums:
    take = slice(row, row + 1)
    return DaySums(
        a=np.asarray(sums.a[take], np.float64),
        b=sums.b[take],
        c=sums.c[take],
        n=sums.n[take],
        q=sums.q[take],
        e=sums.e[take],
    )


def look_closely(
    bank: Bank,
    prior: Prior,
    row: int,
    which: int,
    sigma2: float,
    *,
    today: int,
    memory: float,
    least_before: float,
    fits: float,
) -> Shape | None:
    """Best-fitting step or ramp of one meter; None if nothing can be fitted.

    Parameters
    ----------
    bank : Bank
    prior : Prior
    row : int
        Group inside the batch.
    which : int
        Child, or n for the parent.
    sigma2 : float
        Variance of the noise.
    today : int
        [d]
    memory, least_before : float
        As for `evidence`.
    fits : float
        Most misfit of a gain change.
    """
    n = prior.mask.shape[1]
    d = direction(which, n, n + EXTRA, prior.mask[row])
    found: list[tuple[float, float, _Row, float, float, float]] = []
    for pre, after in _views(bank, row, prior, sigma2):
        start = after.starts[0]
        if float(pre.n[0]) < least_before or sum(after.n) < _LEAST_HOURS or after.n[0] == 0.0:
            continue
        covariance = np.linalg.inv(pre.a[0] / sigma2 + prior.information[row])
        mean = covariance @ ((pre.b[0] + pre.q[0] * prior.hourly_noise[row]) / sigma2)
        r = covariance + prior.wander[row] * min(1.0, (today - start + 1) / memory)
        span = _span(after, mean, r)
        for ramp in _RAMPS:
            if ramp == 0.0 or today - start >= _LEAST_RAMP:
                fit = _fit(span, d, _shares(after, start, ramp))
                if fit is not None:
                    found.append((fit[0], ramp, after, *fit[1:]))
    if not found:
        return None
    # a change at noon leaves a mixed day: among starts of similar likelihood prefer those whose days fit
    loudest = max(f[0] for f in found)
    fitting = [f for f in found if f[0] >= _ABOUT * loudest and f[5] <= fits]
    best = max(fitting or found, key=lambda f: f[0] + (_STEP_BONUS if f[1] == 0.0 else 0.0))
    near = [f[2].starts[0] for f in found if f[0] >= best[0] - _NEAR]
    _, ramp, after, size, deviation, misfit = best
    start = after.starts[0]
    reach = _shares(after, start, ramp)
    grown = _reached(today, start, ramp)
    counted = np.array([e[min(which, n)] for e in after.e])
    return Shape(
        ramp_days=ramp,
        block=bank.first.index(start),
        start=start,
        low=max((first for first in bank.first if first < min(near)), default=min(near)),
        high=min((first for first in bank.first if first > max(near)), default=today),
        size=size * grown,
        deviation=deviation * grown,
        exposure=float((reach * counted).sum()) / max(grown, 0.05),
        hours=sum(after.n),
        misfit=misfit,
    )


def look_back(
    bank: Bank,
    prior: Prior,
    row: int,
    which: int,
    sigma2: float,
    *,
    since: int,
    today: int,
    memory: float,
    before: tuple[Floats, float, float],
    ramp: bool,
    loose: bool = True,
) -> Revised | None:
    """Best-fitting step or ramp of a reported change, with all data since; None if nothing can be fitted.

    Parameters
    ----------
    bank : Bank
        Its information on the meter from before the change has been removed.
    prior : Prior
        With a flat prior on the meter's gain.
    row, which, sigma2, today, memory
        As for `look_closely`.
    since : int
        Day from which on the meter's gain was learnt anew. [d]
    before : (p,) float64, float, float
        The removed information: a combination of coefficients, its value and variance.
    ramp : bool
        Whether it was taken for a ramp already.
    loose : bool
        Whether the meter's gain still has a flat prior.
    """
    n = prior.mask.shape[1]
    d = direction(which, n, n + EXTRA, prior.mask[row])
    pre, after = _since(bank, row, prior, sigma2, since)
    if after is None or sum(after.n) < _LEAST_HOURS:
        return None
    weights, anchor, spare = before
    information = pre.a[0] / sigma2 + prior.information[row] + np.outer(weights, weights) / spare
    covariance = np.linalg.inv(information)
    mean = covariance @ ((pre.b[0] + pre.q[0] * prior.hourly_noise[row]) / sigma2 + weights * (anchor / spare))
    sound = prior.wander[row] - (np.outer(d, d) * LOOSE_WANDER**2 if loose else 0.0)
    span = _span(after, mean, covariance + sound * min(1.0, (today - since + 1) / memory))
    steps_at = [(0.0, since + late) for late in _LATE_DAYS]
    shapes = [*steps_at, *((days, since - back) for days in _BACK_RAMPS for back in _BACK_DAYS)]
    fits = [(days, start, _fit(span, d, _shares(after, start, days))) for days, start in shapes]
    known = [(days, start, fit) for days, start, fit in fits if fit is not None]
    steps = [f for f in known if f[0] == 0.0]
    ramps = [f for f in known if f[0] > 0.0]
    if not steps or not ramps:
        return None
    top, step = max(ramps, key=lambda f: f[2][0]), max(steps, key=lambda f: f[2][0])
    lead = top[2][0] - step[2][0] - _RAMP_LEAD
    best = top if ramp or lead > 0.0 else step
    now = np.array([_reached(today, start, days) * fit[1] for days, start, fit in known])
    likely = np.array([fit[0] + (_STEP_BONUS if days == 0.0 else -2.0 * np.log(len(ramps))) for days, _, fit in known])
    weight = np.exp((likely - likely.max()) / 2.0) * (np.array([f[0] for f in known]) > 0.0 if best is top else 1.0)
    grown = _reached(today, best[1], best[0])
    near = [start for _, start, fit in ramps if fit[0] >= top[2][0] - _NEAR]
    counted = np.array([e[which] for e in after.e])
    ended = _ended(after, span, d, counted, since=since, today=today)
    if ended is not None:  # that another meter changed just then is one parameter more, and must not fit better
        least = max(top[2][0], step[2][0] + _STEP_BONUS)
        begun, over = _shares(after, step[1], 0.0), _shares(after, ended[1].day, 0.0)
        others = [direction(j, n, n + EXTRA, prior.mask[row]) for j in range(n + 2) if j != which]
        least = max(least, *(_both(span, d, begun, other, over) - _STEP_BONUS for other in others))
        ended = ended if ended[0] > least else None
    return Revised(
        ramp_days=best[0],
        lead=lead,
        start=top[1],
        low=min(near) - 2,
        high=max(near) + 2,
        size=best[2][1] * grown,
        deviation=best[2][2] * grown,
        spread=float(np.sqrt((weight * (now - best[2][1] * grown) ** 2).sum() / weight.sum())),
        exposure=float((_shares(after, best[1], best[0]) * counted).sum()) / max(grown, 0.05),
        misfit=best[2][3],
        ended=None if ended is None else ended[1],
    )


def _ended(
    after: _Row, span: "_Span", d: Floats, counted: Floats, *, since: int, today: int
) -> tuple[float, Ended] | None:
    """Deviance of the best change that is over, less what so many ends are worth by chance; and that change."""
    ends = [day for day in after.starts if since + _LEAST_ENDED <= day <= today + 1 - _LEAST_ENDED]
    best: tuple[float, Ended] | None = None
    for late in _LATE_DAYS[:2]:
        begun = _shares(after, since + late, 0.0)
        for end in ends:
            w = begun - _shares(after, end, 0.0)
            fit = _fit(span, d, w)
            if fit is not None and (best is None or fit[0] > best[0]):
                exposure = float((w * counted).sum())
                best = (fit[0], Ended(day=end, size=fit[1], deviation=fit[2], exposure=exposure))
    return None if best is None else (best[0] - 2.0 * np.log(len(ends)), best[1])


def _since(bank: Bank, row: int, prior: Prior, sigma2: float, since: int) -> tuple[DaySums, _Row | None]:
    """What was summed before a day, and the spans from it on; the days of the week that is not over are one."""
    together, ratio = prior.together[row : row + 1], np.array([sigma2]) / prior.level[row]
    pre = _one(bank.base, row)
    parts, first, length = [], [], []
    week, open_first = pre.nothing(), None
    for block, begin, days in zip(bank.blocks, bank.first, bank.days, strict=True):
        if begin + days <= since:
            pre = pre + _one(block, row)
        elif days > 1:
            parts.append(_one(block, row))
            first.append(max(begin, since))
            length.append(begin + days - first[-1])
        else:
            week = week + _one(block, row)
            open_first = begin if open_first is None else open_first
    if open_first is not None:
        parts.append(without_level(week, together, ratio))
        first.append(open_first)
        length.append(bank.first[-1] + 1 - open_first)
    measured = [i for i, part in enumerate(parts) if float(part.n[0]) > 0.0]
    if not measured:
        return pre, None
    kept = [[values[i] for i in measured] for values in (first, length)]
    return pre, _parts([parts[i] for i in measured], kept[0], kept[1], prior, row, sigma2)


def _reached(today: int, start: int, ramp: float) -> float:
    """Share of its final size that a change has reached at the end of a day."""
    return float(_grown(np.array([today + 1.0]), start, ramp)[0])


def _grown(at: Floats, start: int, ramp: float) -> Floats:
    """Share of its size that a change has reached; (k,) float64."""
    return (at > start).astype(np.float64) if ramp == 0.0 else np.clip((at - start) / ramp, 0.0, 1.0)


def _shares(after: _Row, start: int, ramp: float) -> Floats:
    """The same for spans: the mean of their days, at noon."""
    spans = zip(after.starts, after.days, strict=True)
    return np.array(
        [_grown(first + 0.5 + np.arange(days, dtype=np.float64), start, ramp).mean() for first, days in spans]
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Span:
    """Data common to all shapes with one start."""

    mean: Floats
    k: Floats
    a: Floats
    rest: Floats
    rests: Floats
    squares: Floats
    hours: Floats


def _span(after: _Row, mean: Floats, r: Floats) -> _Span:
    """Sums of the spans after a start, less what is expected."""
    a, b = np.array(after.a), np.array(after.b)
    rests = b - np.matmul(a, mean)
    post = a.sum(axis=0)
    return _Span(
        mean=mean,
        k=r @ np.linalg.inv(np.eye(len(mean)) + post @ r),
        a=a,
        rest=rests.sum(axis=0),
        rests=rests,
        squares=np.array(after.c) - (b + rests) @ mean,
        hours=np.array(after.n),
    )


def _fit(span: _Span, d: Floats, w: Floats) -> tuple[float, float, float, float] | None:
    """Deviance, size, standard deviation and misfit of one shape, given the share of it that each span has reached."""
    first = np.tensordot(w, span.a, axes=1) @ d
    second = float(d @ np.tensordot(w * w, span.a, axes=1) @ d)
    info = second - float(first @ span.k @ first)
    if info <= 1e-9:
        return None
    along = float((w @ span.rests) @ d)
    size = (along - float(first @ span.k @ span.rest)) / info
    free = span.rest - first * size
    moved = span.k @ free  # the other coefficients, with their random walk
    change = moved + np.outer(w * size, d)
    left = span.squares - 2.0 * (change * span.rests).sum(axis=1)
    left += (change * np.matmul(span.a, change[:, :, None])[:, :, 0]).sum(axis=1)
    whole = span.hours >= min(_LEAST_HOURS, float(span.hours.max()))
    return size * size * info, size, info**-0.5, float((left[whole] / span.hours[whole]).max())


def _both(span: _Span, d: Floats, w: Floats, other: Floats, v: Floats) -> float:
    """Deviance of two changes together: along `d`, with the shares `w`, and along `other`, with `v`."""
    a, b = np.tensordot(w, span.a, axes=1) @ d, np.tensordot(v, span.a, axes=1) @ other
    x = float(d @ np.tensordot(w * w, span.a, axes=1) @ d) - float(a @ span.k @ a)
    y = float(other @ np.tensordot(v * v, span.a, axes=1) @ other) - float(b @ span.k @ b)
    xy = float(d @ np.tensordot(w * v, span.a, axes=1) @ other) - float(a @ span.k @ b)
    p = float((w @ span.rests) @ d) - float(a @ span.k @ span.rest)
    q = float((v @ span.rests) @ other) - float(b @ span.k @ span.rest)
    determinant = x * y - xy * xy
    if x <= 1e-9 or determinant <= 1e-9 * x * y:
        return 0.0
    return (y * p * p - 2.0 * xy * p * q + x * q * q) / determinant
