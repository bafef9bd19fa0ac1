"""Test statistic of the hypothesis "this meter's gain changed on that day", against the drift of sound meters.

For a change on day τ, everything before it gives the coefficients' mean β and covariance P; sound meters wander, so
after τ they are N(β, R) with R = P + Q. With A, b the sums since τ and D what the children's own noise may pull,

    s = A V⁻¹ (b - A β),   W = A V⁻¹ A,   V = A + A R A + D

and Cov s = W where no meter changed. z_j = s_j / √W_jj is then standard normal, and s_j / W_jj the size of a change of
child j alone. It is the whitened generalised likelihood ratio, with the null hypothesis "wanders as sound meters do"
instead of "stands still": that keeps the rate of false alarms.

References
----------
A. S. Willsky and H. L. Jones, "A generalized likelihood ratio approach to the detection and estimation of jumps in
linear systems", IEEE Transactions on Automatic Control 21 (1976) 108-112.
M. Basseville and I. V. Nikiforov, *Detection of Abrupt Changes*, Prentice Hall 1993.
W. A. Fuller, *Measurement Error Models*, Wiley 1987 (noise in the regressors, `hourly_noise`).

Notes
-----
The Cholesky factor L of V whitens: with u = L⁻¹ A and v = L⁻¹ (b - A β), W = uᵀ u and s = uᵀ v, so one factor of each
group and day serves all its children (`_solve.scores`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.drift._solve import scores
from analytics.drift._sums import EXTRA, Bank, DaySums, without_level

__all__ = [
    "ANEW",
    "LEARNT",
    "LOOSE_WANDER",
    "Evidence",
    "Prior",
    "evidence",
    "prior_of",
    "shift",
    "sides",
    "without_open_week",
]

Floats = NDArray[np.float64]

_PULL = 5.0
"""Relative uncertainty of the bias correction for noise in the children."""
_LEAST_AFTER = 12.0
"""Least number of measured hours after a change."""
_USUAL_HOURS = 48.0
"""Pseudo-observations: the noise after a change is shrunk to the usual one as if by this many hours."""
_LOOSE = 0.5
"""Prior standard deviation of an unknown gain. [1]"""
ANEW, LEARNT = 1.0, 0.5
"""States of a gain after a detection: being re-estimated without any prior; or re-estimated, and constrained again."""
LOOSE_WANDER = _LOOSE / 10.0
"""Standard deviation of the further drift of such a gain. [1]"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prior:
    """Prior of the coefficients, and random walk of sound meters.

    Attributes
    ----------
    information : (g, p, p) float64
        Inverse covariance of the coefficients about 0.
    wander : (g, p, p) float64
        Stationary covariance of the slow drift of sound meters.
    level : (g,) float64
        Variance of a common offset of all gains in one week.
    together : (g, p) float64
        1 for children, 0 else.
    hourly_noise : (g, p) float64
        Variance of the children's own noise: being in the regressors too, it biases the gain of a flat load.
    mask : (g, n) bool
        Which children there are.
    """

    information: Floats
    wander: Floats
    level: Floats
    together: Floats
    hourly_noise: Floats
    mask: NDArray[np.bool_]


def prior_of(
    mask: NDArray[np.bool_],
    child_limit: Floats,
    parent_limit: Floats,
    *,
    loose: Floats,
    own: float,
    common: float,
    hourly_noise: float,
    level: float,
    common_loss: float,
    extra: Floats,
    unmetered: Floats,
) -> Prior:
    """Prior of groups: meters are within their class, losses within some percent.

    Parameters
    ----------
    mask : (g, n) bool
    child_limit : (g, n) float64
        Limit of error by class. [1]
    parent_limit : (g,) float64
        The same of the parent. [1]
    loose : (g, n + 1) bool
        Children, then the parent: 1 if the gain is unknown, so that it gets a flat prior.
    own, common : float
        Standard deviation of the wander of a child's gain, and of all together (the parent's), over their limits. [1]
    hourly_noise : float
        Standard deviation of a child's noise over its limit. [1]
    level : float
        Standard deviation of the common offset of all gains in one week, over the parent's limit. [1]
    common_loss : float
        Standard deviation of linear losses and the parent's error. [1]
    extra : (3, 2) float64
        Standard deviations of the level and the wander of fixed loss, quadratic loss and clock.
    unmetered : (g,) float64
        Further standard deviation of the wander of the fixed loss, where a load that no meter counts is part of it.
    """
    g, n = mask.shape
    p = n + EXTRA
    known, wander = np.zeros((g, p, p)), np.zeros((g, p, p))
    at = np.arange(p)
    spread = np.where(mask, np.maximum(child_limit, 1e-4), 1e-6)
    known[:, at[:n], at[:n]] = spread**2
    wander[:, at[:n], at[:n]] = np.where(mask, (own * child_limit) ** 2, 1e-14)
    known[:, at[:n], at[:n]] += np.where((loose[:, :n] > 0.0) & mask, _LOOSE**2, 0.0)
    wander[:, at[:n], at[:n]] += np.where((loose[:, :n] > LEARNT) & mask, LOOSE_WANDER**2, 0.0)
    both = (mask[:, :, None] & mask[:, None, :]).astype(np.float64)
    parent_free = np.where(loose[:, n] > 0.0, _LOOSE, 0.0)[:, None, None]
    parent_moves = np.where(loose[:, n] > LEARNT, LOOSE_WANDER, 0.0)[:, None, None]
    known[:, :n, :n] += (common_loss**2 + parent_free**2) * both
    wander[:, :n, :n] += (((common * parent_limit) ** 2)[:, None, None] + parent_moves**2) * both
    known[:, at[n:], at[n:]] = extra[:, 0] ** 2
    wander[:, at[n:], at[n:]] = extra[:, 1] ** 2
    wander[:, n, n] += unmetered**2
    noise, together = np.zeros((g, p)), np.zeros((g, p))
    together[:, :n] = mask
    noise[:, :n] = np.where(mask, (hourly_noise * child_limit) ** 2, 0.0)
    return Prior(
        information=np.linalg.inv(known),
        wander=wander,
        hourly_noise=noise,
        level=(level * parent_limit) ** 2,
        together=together,
        mask=mask,
    )


def shift(
    pre: DaySums, prior: Prior, sigma2: Floats, take: slice | NDArray[np.int64] = slice(None)
) -> tuple[Floats, Floats]:
    """Posterior mean and covariance of the coefficients; (g, p) and (g, p, p)."""
    scale = 1.0 / sigma2
    covariance = np.asarray(np.linalg.inv(pre.a * scale[:, None, None] + prior.information[take]), np.float64)
    b = (pre.b + pre.q * prior.hourly_noise[take]) * scale[:, None]
    return np.matmul(covariance, b[:, :, None])[:, :, 0], covariance


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """Test statistics of k days and g groups, for each child, the parent, and a constant load.

    Attributes
    ----------
    day : (k,) int64
        First day after the change. [d]
    z : (k, g, n + 2) float64
        Test statistic, standard normal without a change; 0 for padding.
    size : (k, g, n + 2) float64
        Change of the coefficient.
    deviation : (k, g, n + 2) float64
        Its standard deviation.
    noise : (k, g) float64
        Residual variance after the change, with the best explanation removed, relative to the expected one.
    """

    day: NDArray[np.int64]
    z: Floats
    size: Floats
    deviation: Floats
    noise: Floats


def evidence(
    bank: Bank,
    halves: tuple[list[DaySums], list[DaySums]],
    prior: Prior,
    sigma2: Floats,
    *,
    today: int,
    memory: float,
    least_before: float,
) -> Evidence:
    """Evidence for a step on each block's first day.

    Parameters
    ----------
    bank : Bank
    halves : tuple
        As `sides` gives them.
    prior : Prior
    sigma2 : (g,) float64
        Variance of the noise.
    today : int
        The day that closed last. [d]
    memory : float
        Correlation time of the drift of sound meters. [d]
    least_before : float
        Measured hours that must lie before a change. [h]
    """
    days = list(range(1, len(bank.first)))
    g, n = prior.mask.shape
    z = np.zeros((len(days), g, n + 2))
    size, deviation = np.zeros_like(z), np.ones_like(z)
    before, after = halves
    scale = (1.0 / sigma2)[:, None]
    info, score, rest = np.empty((g, n + 2)), np.empty((g, n + 2)), np.empty((g, 2))
    noise = np.ones((len(days), g))
    for row, i in enumerate(days):
        pre, post = before[i], after[i]
        age = today - bank.first[i] + 1
        scores(
            pre.a * scale[:, :, None],
            (pre.b + pre.q * prior.hourly_noise) * scale,
            np.asarray(post.a * scale[:, :, None], np.float64),
            post.b * scale,
            post.c * scale[:, 0],
            prior.information,
            prior.wander,
            post.q * prior.hourly_noise * scale,
            min(1.0, age / memory),
            _PULL,
            info,
            score,
            rest,
        )
        good = (info > 1e-9) & ((pre.n >= least_before) & (post.n >= _LEAST_AFTER))[:, None]
        good[:, :n] &= prior.mask
        root = np.sqrt(np.where(good, info, 1.0))
        z[row] = np.where(good, score / root, 0.0)
        size[row] = np.where(good, score / root**2, 0.0)
        deviation[row] = np.where(good, 1.0 / root, np.inf)
        left = rest[:, 0] - (z[row] ** 2).max(axis=1)
        noise[row] = (left + _USUAL_HOURS) / (post.n + rest[:, 1] + _USUAL_HOURS)
    return Evidence(
        day=np.array([bank.first[i] for i in days], np.int64), z=z, size=size, deviation=deviation, noise=noise
    )


def sides(bank: Bank, mask: Floats, ratio: Floats) -> tuple[list[DaySums], list[DaySums]]:
    """Sums before each block, and from it on; single days of one side are a week that is not over."""
    weeks = [block for block, days in zip(bank.blocks, bank.days, strict=True) if days > 1]
    singles = bank.blocks[len(weeks) :]
    before, total = [], bank.base
    for block in weeks:
        before.append(total)
        total = total + block
    nothing = bank.base.nothing()
    early = _running(singles, nothing)
    before += [total + without_level(part, mask, ratio) for part in early[:-1]]
    late = _running(singles[::-1], nothing)[:0:-1]
    after = [without_level(part, mask, ratio) for part in late]
    total = after[0] if after else nothing
    for block in weeks[::-1]:
        total = total + block
        after.insert(0, total)
    return before, after


def without_open_week(bank: Bank, mask: Floats, ratio: Floats, take: slice = slice(None)) -> DaySums:
    """Everything summed, of some groups; single days are a week that is not over."""
    total = bank.base.of(take)
    week = total.nothing()
    for block, days in zip(bank.blocks, bank.days, strict=True):
        if days > 1:
            total = total + block.of(take)
        else:
            week = week + block.of(take)
    return total + without_level(week, mask, ratio)


def _running(blocks: list[DaySums], total: DaySums) -> list[DaySums]:
    """Nothing, the first block, the first two, …"""
    out = [total]
    for block in blocks:
        total = total + block
        out.append(total)
    return out
