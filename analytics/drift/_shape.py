"""A change of one gain looked at closely: step or ramp, since when, how big."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.drift._evidence import Prior
from analytics.drift._sums import Bank, DaySums, without_level

__all__ = ["Shape", "direction", "look_closely"]

Floats = NDArray[np.float64]

_RAMPS = (0.0, 30.0, 60.0)
"""Days over which a gain moves to its new value; 0 is a step."""
_NEAR = 3.84
"""Twice the log likelihood that a start may lose and still lie in its 95 % interval."""
_STEP_BONUS = 6.0
"""A ramp has to explain so much more than a step: it has one number more to fit."""
_LEAST_HOURS = 24.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How a coefficient changed.

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
        What the child counted since, each day by its share of the size. [canonical unit]
    hours : float
        Measured hours since.
    misfit : float
        Variance of the residual after the change, over the usual one.
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
    """Coefficients that move when a meter's gain does: a child's own, for the parent (`n`) all, for n + 1 the loss."""
    out = np.zeros(p)
    if which == n:
        out[:n] = children
    else:
        out[min(n, which)] = 1.0
    return out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Row:
    """One group's blocks, noise taken as 1."""

    a: list[Floats]
    b: list[Floats]
    c: list[float]
    n: list[float]
    e: list[Floats]
    middle: Floats
    starts: list[int]


def _row_of(bank: Bank, row: int, prior: Prior, sigma2: float) -> _Row:
    """Weeks, and the days of the week that is not over as one block."""
    weeks = sum(1 for days in bank.days if days > 1)
    blocks = [_one(block, row) for block in bank.blocks]
    together, ratio = prior.together[row : row + 1], np.array([sigma2]) / prior.level[row]
    first = list(bank.first[:weeks])
    length = list(bank.days[:weeks])
    parts = blocks[:weeks]
    singles = blocks[weeks:]
    cut = max(len(singles) - 3, 1)  # the newest three days apart: a change may be that young
    for some, start in ((singles[:cut], 0), (singles[cut:], cut)):
        if some:
            total = some[0]
            for block in some[1:]:
                total = total + block
            parts.append(without_level(total, together, ratio))
            first.append(bank.first[weeks + start])
            length.append(len(some))
    hiss = prior.hiss[row]
    return _Row(
        a=[np.asarray(part.a[0], np.float64) / sigma2 for part in parts],
        b=[(part.b[0] + part.q[0] * hiss) / sigma2 for part in parts],
        c=[float(part.c[0]) / sigma2 for part in parts],
        n=[float(part.n[0]) for part in parts],
        e=[part.e[0] for part in parts],
        middle=np.array(first, np.float64) + np.array(length) / 2.0,
        starts=first,
    )


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
    bank: Bank, prior: Prior, row: int, which: int, sigma2: float, *, today: int, memory: float, least_before: float
) -> Shape | None:
    """Best step or ramp of one meter of one group; None where nothing can be fitted.

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
    """
    blocks = _row_of(bank, row, prior, sigma2)
    n = prior.mask.shape[1]
    d = direction(which, n, n + 3, prior.mask[row])
    one = Prior(
        information=prior.information[row : row + 1],
        wander=prior.wander[row : row + 1],
        level=prior.level[row : row + 1],
        together=prior.together[row : row + 1],
        hiss=prior.hiss[row : row + 1],
        mask=prior.mask[row : row + 1],
    )
    pre = _one(bank.base, row)
    found: list[tuple[float, float, int, float, float, float]] = []
    running_a, running_b, running_n = pre.a[0] / sigma2, (pre.b[0] + pre.q[0] * one.hiss[0]) / sigma2, float(pre.n[0])
    for i, start in enumerate(blocks.starts):
        if blocks.n[i] > 0 and running_n >= least_before and sum(blocks.n[i:]) >= _LEAST_HOURS:
            covariance = np.linalg.inv(running_a + one.information[0])
            mean = covariance @ running_b
            r = covariance + one.wander[0] * min(1.0, (today - start + 1) / memory)
            for ramp in _RAMPS:
                if ramp == 0.0 or today - start >= 10:
                    fit = _fit(blocks, i, mean, r, d, ramp, start)
                    if fit is not None:
                        found.append((fit[0], ramp, i, *fit[1:]))
        running_a, running_b, running_n = running_a + blocks.a[i], running_b + blocks.b[i], running_n + blocks.n[i]
    if not found:
        return None
    best = max(found, key=lambda f: f[0] + (_STEP_BONUS if f[1] == 0.0 else 0.0))
    near = [blocks.starts[f[2]] for f in found if f[1] == best[1] and f[0] >= best[0] - _NEAR]
    _, ramp, i, size, deviation, misfit = best
    reach = _grown(blocks.middle[i:], blocks.starts[i], ramp)
    counted = np.array([_counted(e, which, n) for e in blocks.e[i:]])
    later = [start for start in blocks.starts if start > max(near)]
    return Shape(
        ramp_days=ramp,
        block=bank.first.index(blocks.starts[i]),
        start=blocks.starts[i],
        low=max([start for start in blocks.starts if start < min(near)], default=min(near)),
        high=min(later, default=today),
        size=size * float(_grown(np.array([today + 1.0]), blocks.starts[i], ramp)[0]),
        deviation=deviation,
        exposure=float(
            (reach * counted).sum() / max(float(_grown(np.array([today + 1.0]), blocks.starts[i], ramp)[0]), 0.05)
        ),
        hours=sum(blocks.n[i:]),
        misfit=misfit,
    )


def _counted(e: Floats, which: int, n: int) -> float:
    return float(e[n]) if which == n else float(e[which])


def _grown(at: Floats, start: int, ramp: float) -> Floats:
    """Share of its size that a change has reached; (k,) float64."""
    return np.ones_like(at) if ramp == 0.0 else np.clip((at - start) / ramp, 0.0, 1.0)


def _fit(
    blocks: _Row, i: int, mean: Floats, r: Floats, d: Floats, ramp: float, start: int
) -> tuple[float, float, float, float] | None:
    """Twice the log likelihood ratio, size, its deviation and the misfit of one shape."""
    w = _grown(blocks.middle[i:], start, ramp)
    a = blocks.a[i:]
    post = sum(a[1:], start=a[0].copy())
    rests = [b - x @ mean for b, x in zip(blocks.b[i:], a, strict=True)]
    rest = sum(rests[1:], start=rests[0].copy())
    p = len(d)
    k = r @ np.linalg.inv(np.eye(p) + post @ r)
    first = sum((wi * x for wi, x in zip(w[1:], a[1:], strict=True)), start=w[0] * a[0])
    second = sum((wi * wi * x for wi, x in zip(w[1:], a[1:], strict=True)), start=w[0] ** 2 * a[0])
    s = sum((wi * x for wi, x in zip(w[1:], rests[1:], strict=True)), start=w[0] * rests[0]) - first @ k @ rest
    info = float(d @ (second - first @ k @ first) @ d)
    if info <= 1e-9:
        return None
    score = float(d @ s)
    size = score / info
    moved = mean + k @ (rest - first @ d * size)  # the other coefficients, wandering as far as they may
    left = 0.0
    for wi, x, b, c in zip(w, a, blocks.b[i:], blocks.c[i:], strict=True):
        beta = moved + wi * size * d
        left += c - 2.0 * float(b @ beta) + float(beta @ x @ beta)
    return score * score / info, size, info**-0.5, left / max(sum(blocks.n[i:]), 1.0)
