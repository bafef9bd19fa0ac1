"""The linear algebra of `evidence`, compiled: small symmetric systems of many groups, one after the other."""

import numpy as np
from numpy.typing import NDArray

from analytics.compiled import compiled

__all__ = ["scores"]

Floats = NDArray[np.float64]

_NOTHING = 1e-13
"""A pivot below this share of its diagonal is rounding error: the direction carries no information."""


@compiled
def _factor(a: Floats, low: Floats) -> None:
    """Cholesky's lower factor of `a`; a direction that is rounding only gets the pivot 0."""
    p = len(a)
    for i in range(p):
        for j in range(i):
            rest = a[i, j]
            for k in range(j):
                rest -= low[i, k] * low[j, k]
            low[i, j] = rest / low[j, j] if low[j, j] > 0.0 else 0.0
        rest = a[i, i]
        for k in range(i):
            rest -= low[i, k] * low[i, k]
        low[i, i] = np.sqrt(rest) if rest > _NOTHING * a[i, i] else 0.0


@compiled
def _forward(low: Floats, b: Floats) -> None:
    """Solve low x = b in place for the columns of `b`; a row without pivot becomes 0."""
    p = len(low)
    for i in range(p):
        for k in range(i):
            part = low[i, k]
            for j in range(b.shape[1]):
                b[i, j] -= part * b[k, j]
        turn = 1.0 / low[i, i] if low[i, i] > 0.0 else 0.0
        for j in range(b.shape[1]):
            b[i, j] *= turn


@compiled
def scores(  # noqa: C901, PLR0912 - one system after the other, written out so that nothing is allocated between
    pre_a: Floats,
    pre_b: Floats,
    post_a: Floats,
    post_b: Floats,
    post_c: Floats,
    information: Floats,
    wander: Floats,
    pull: Floats,
    share: float,
    distrust: float,
    info: Floats,
    score: Floats,
    rest: Floats,
) -> None:
    """Information and score of a change of each coefficient, of all children's together, and of the fixed loss.

    Parameters
    ----------
    pre_a, post_a : (g, p, p) float64
        Normal equations before and after the change, noise taken as 1.
    pre_b, post_b : (g, p) float64
    post_c : (g,) float64
    information, wander : (g, p, p) float64
        Of the prior.
    pull : (g, p) float64
        Bias from the children's own noise after the change.
    share : float
        Share of `wander` accumulated since the change. [1]
    distrust : float
        Relative uncertainty of the correction for `pull`. [1]
    info, score : (g, n + 2) float64
        Written: children, the parent, the fixed loss, which is coefficient n.
    rest : (g, 2) float64
        Written: squares after the change about what is expected without one, and by how much the wander of sound meters
        adds to as many as there are hours.
    """
    g, p = pre_b.shape
    n = info.shape[1] - 2
    k, low, inverse = np.empty((p, p)), np.zeros((p, p)), np.empty((p, p))
    r, t, v = np.empty((p, p)), np.empty((p, p)), np.empty((p, p))
    x, y = np.empty((p, p + 1)), np.empty(p)
    for row in range(g):
        a = post_a[row]
        for i in range(p):
            for j in range(p):
                k[i, j] = pre_a[row, i, j] + information[row, i, j]
                inverse[i, j] = 0.0
                r[i, j] = wander[row, i, j] * share
            inverse[i, i] = 1.0
        _factor(k, low)
        _forward(low, inverse)
        for i in range(p):
            for m in range(i + 1):
                part = inverse[i, m]
                for j in range(i + 1):
                    r[m, j] += part * inverse[i, j]
        for i in range(p):  # the mean, in column p of x, is covariance times b; the covariance is r less the wander
            mean = 0.0
            for j in range(p):
                mean += (r[i, j] - wander[row, i, j] * share) * pre_b[row, j]
            x[i, p] = mean
        for i in range(p):
            for j in range(p):
                t[i, j] = 0.0
                v[i, j] = a[i, j]
            for m in range(p):
                part = a[i, m]
                for j in range(p):
                    t[i, j] += part * r[m, j]
        for i in range(p):
            for m in range(p):
                part = t[i, m]
                for j in range(i + 1):
                    v[i, j] += part * a[m, j]
            v[i, i] += (distrust * pull[row, i]) ** 2 + 1e-9
        squares, wandered = post_c[row], 0.0
        for i in range(p):
            left = post_b[row, i] + pull[row, i]
            for j in range(p):
                left -= a[i, j] * x[j, p]
                x[i, j] = a[i, j]
            squares -= x[i, p] * (post_b[row, i] + pull[row, i] + left)
            wandered += t[i, i]
            y[i] = left
        for i in range(p):
            x[i, p] = y[i]
        rest[row, 0] = squares
        rest[row, 1] = wandered
        _factor(v, low)
        _forward(low, x)
        for j in range(n + 2):
            info[row, j] = 0.0
            score[row, j] = 0.0
        for i in range(p):
            together = 0.0
            for j in range(n):
                info[row, j] += x[i, j] * x[i, j]
                score[row, j] += x[i, j] * x[i, p]
                together += x[i, j]
            info[row, n] += together * together
            score[row, n] += together * x[i, p]
            info[row, n + 1] += x[i, n] * x[i, n]
            score[row, n + 1] += x[i, n] * x[i, p]
