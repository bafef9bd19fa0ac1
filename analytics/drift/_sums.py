"""A day's hours of g groups to whitened normal equations, and a bank that keeps their sums by age.

The model of an hour, divided by the load so that its noise is even:

    (parent - S) / s = Σ e_i C_i / s + a F / s + q S² / (F s) + c D / s + noise

with S the sum of the children C (one that feeds the balance, as own generation does, is negative), L that of the
positive ones, F the group's usual load, s = max(L, F/10), D the change of S over the hour (clocks
that are off). A linear loss is the same as all e_i together. The noise is coloured: each hour is taken less `rho` times
the one before.

References
----------
Whitening of first-order autocorrelated noise: D. Cochrane and G. H. Orcutt, "Application of least squares regression to
relationships containing auto-correlated error terms", J. Am. Stat. Assoc. 44 (1949) 32-61.
Robust weights: P. J. Huber, *Robust Statistics*, Wiley 1981, chapter 7 (iteratively reweighted least squares).
Forgetting of old sums: S. W. Roberts, "Control chart tests based on geometric moving averages", Technometrics 1 (1959)
239-250.
"""

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["EXTRA", "Bank", "DayEquations", "DaySums", "day_sums", "equations", "without_level"]

Floats = NDArray[np.float64]

EXTRA = 3
"""Number of coefficients beside the children's gains: fixed loss, quadratic loss, clock offset."""

_LEAST_LOAD = 0.05
"""Hours below this share of the usual load are not used: meters need not hold their class there."""
_FLOOR = 0.1
_FAR = 3.5
_BULK = 2.5
_NEVER = -(2**40)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DayEquations:
    """A day's hours as regression equations, normalised by load.

    Attributes
    ----------
    x : (g, 24, p) float64
    y : (g, 24) float64
    valid : (g, 24) bool
    """

    x: Floats
    y: Floats
    valid: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DaySums:
    """Whitened normal equations of a span of days, for noise of standard deviation 1.

    Blocks are kept in float32, and summed in float64; the base is float64, since what is known of an accused meter is
    taken out of it, which leaves the difference of large numbers.

    Attributes
    ----------
    a : (g, p, p)
        Symmetric to the bit, so that half of it can be kept.
    b : (g, p)
    c : (g,)
        Sum of y².
    n : (g,)
        Measured hours.
    q : (g, p)
        Sum of the squared regressors, not whitened: the bias by the children's own noise is proportional to it.
    e : (g, n + 1)
        Amounts counted by the children and the parent. [canonical unit]
    """

    a: NDArray[np.floating]
    b: NDArray[Any]
    c: NDArray[Any]
    n: NDArray[Any]
    q: NDArray[Any]
    e: NDArray[Any]

    def nothing(self) -> "DaySums":
        """Sums of no hours, of the same shape."""
        zero = [np.zeros(part.shape) for part in (self.a, self.b, self.c, self.n, self.q, self.e)]
        return DaySums(a=zero[0], b=zero[1], c=zero[2], n=zero[3], q=zero[4], e=zero[5])

    def of(self, take: slice) -> "DaySums":
        """Those of some groups."""
        return DaySums(a=self.a[take], b=self.b[take], c=self.c[take], n=self.n[take], q=self.q[take], e=self.e[take])

    def copy(self) -> "DaySums":
        """A copy that shares no arrays."""
        return DaySums(
            a=self.a.copy(), b=self.b.copy(), c=self.c.copy(), n=self.n.copy(), q=self.q.copy(), e=self.e.copy()
        )

    def __add__(self, other: "DaySums") -> "DaySums":
        return DaySums(
            a=self.a + other.a,
            b=self.b + other.b,
            c=self.c + other.c,
            n=self.n + other.n,
            q=self.q + other.q,
            e=self.e + other.e,
        )


def without_level(sums: DaySums, mask: Floats, ratio: Floats) -> DaySums:
    """Sums of a span after eliminating a nuisance parameter: a common offset of all gains in that span.

    Parameters
    ----------
    sums : DaySums
    mask : (g, p) float64
        1 for children, 0 else.
    ratio : (g,) float64
        Variance of the noise over that of the level of such a span.
    """
    v = np.matmul(sums.a, mask[:, :, None])[:, :, 0].astype(np.float64)
    part = 1.0 / ((v * mask).sum(axis=1) + ratio)
    t = (sums.b * mask).sum(axis=1)
    a = (sums.a - v[:, :, None] * v[:, None, :] * part[:, None, None]).astype(sums.a.dtype)  # symmetric to the bit
    b, c = sums.b - (part * t)[:, None] * v, sums.c - part * t * t
    return DaySums(a=a, b=b.astype(sums.b.dtype), c=c.astype(sums.c.dtype), n=sums.n, q=sums.q, e=sums.e)


def equations(parent: Floats, child: Floats, usual: Floats, ahead: Floats, *, fed: bool = False) -> DayEquations:
    """Hours of a day as equations.

    Parameters
    ----------
    parent : (g, 24) float64
    child : (g, 24, n) float64
        0 where a group has fewer children, negative for those that feed it.
    usual : (g,) float64
        Usual load, positive.
    ahead : (g,) float64
        Sum of the children in the hour before the day, NaN where unknown.
    fed : bool
        Whether there are children that feed their group.
    """
    total = child.sum(axis=2)
    used = np.maximum(child, 0.0).sum(axis=2) if fed else total
    valid = np.isfinite(total) & np.isfinite(parent) & (total > _LEAST_LOAD * usual[:, None])
    before = np.concatenate((ahead[:, None], total[:, :-1]), axis=1)
    after = np.concatenate((total[:, 1:], total[:, -1:]), axis=1)
    ramp = (after - before) / 2.0
    ramp[:, -1] = total[:, -1] - before[:, -1]
    s = np.maximum(used, _FLOOR * usual[:, None])
    f = usual[:, None]
    g, hours, n = child.shape
    x = np.empty((g, hours, n + EXTRA))
    x[:, :, :n] = child / s[:, :, None]
    x[:, :, n] = f / s
    x[:, :, n + 1] = total * total / (f * s)
    x[:, :, n + 2] = np.where(np.isfinite(ramp), ramp, 0.0) / s
    y = (parent - total) / s
    x[~valid] = 0.0
    return DayEquations(x=x, y=np.where(valid, y, 0.0), valid=valid)


def day_sums(
    day: DayEquations, last: DayEquations, rho: Floats, beta: Floats, sigma: Floats, level: Floats, counted: Floats
) -> tuple[DaySums, Floats]:
    """Whiten a day, downweight outliers, and sum.

    Parameters
    ----------
    day : DayEquations
    last : DayEquations
        The hour before it, (g, 1, …).
    rho, sigma : (g,) float64
    beta : (g, p) float64
        Current estimate of the coefficients.
    level : (g,) float64
        Recent mean residual.
    counted : (g, n + 1) float64
        Amounts of the day's valid hours.

    Returns
    -------
    sums : DaySums
    noise : (5, g) float64
        Sums for colour, level and size of the noise: u(t) u(t-1) and u(t-1)² over neighbouring hours, u, hours, and
        the whitened residual squared; u is the residual less `level`.
    """
    x = np.concatenate((last.x, day.x), axis=1)
    y = np.concatenate((last.y, day.y), axis=1)
    ok = np.concatenate((last.valid, day.valid), axis=1)
    joined = (ok[:, 1:] & ok[:, :-1])[:, :, None]
    r = rho[:, None, None]
    norm = 1.0 / np.sqrt(1.0 - r * r)
    white_x = np.where(joined, (x[:, 1:] - r * x[:, :-1]) * norm, x[:, 1:])
    white_y = np.where(joined[:, :, 0], (y[:, 1:] - r[:, :, 0] * y[:, :-1]) * norm[:, :, 0], y[:, 1:])
    rest = white_y - np.matmul(white_x, beta[:, :, None])[:, :, 0]
    limit = _FAR * sigma[:, None]
    away = np.abs(rest)
    # if most of a day is far off, that is a change rather than outliers: widen the limit
    bulk = np.maximum(limit, _BULK * _median(away, day.valid)[:, None])
    # weights fall with the square, so the influence of an hour decreases beyond the limit
    w = np.where(day.valid, np.minimum(1.0, bulk / np.maximum(away, limit * 1e-6)) ** 2, 0.0)
    turned = (white_x * w[:, :, None]).transpose(0, 2, 1)
    u = y - np.matmul(x, beta[:, :, None])[:, :, 0]
    v = np.clip(u - level[:, None], -limit, limit) * ok
    slow = np.where(joined[:, :, 0], (1.0 - r[:, :, 0]) * norm[:, :, 0], 1.0) * level[:, None]
    noise = (
        (v[:, 1:] * v[:, :-1]).sum(axis=1),
        (np.where(joined[:, :, 0], v[:, :-1], 0.0) ** 2).sum(axis=1),
        v[:, 1:].sum(axis=1),
        day.valid.sum(axis=1).astype(np.float64),
        (np.clip(rest - slow, -limit, limit) ** 2 * day.valid).sum(axis=1),
    )
    a = np.matmul(turned, white_x)
    sums = DaySums(
        a=((a + a.transpose(0, 2, 1)) / 2.0).astype(np.float32),
        b=np.matmul(turned, white_y[:, :, None])[:, :, 0].astype(np.float32),
        c=(w * white_y * white_y).sum(axis=1).astype(np.float32),
        n=day.valid.sum(axis=1).astype(np.float32),
        q=(day.x * day.x * w[:, :, None]).sum(axis=1).astype(np.float32),
        e=counted.astype(np.float32),
    )
    return sums, np.stack(noise)


def _median(values: Floats, there: NDArray[np.bool_]) -> Floats:
    """Lower median of the valid values, 0 if there is none; (g,)."""
    ordered = np.sort(np.where(there, values, np.inf), axis=1)
    middle = np.maximum(there.sum(axis=1) - 1, 0) // 2
    found = np.take_along_axis(ordered, middle[:, None], axis=1)[:, 0]
    return np.where(np.isfinite(found), found, 0.0)


@dataclass(slots=True, kw_only=True, eq=False)
class Bank:
    """Sums of days at decreasing resolution: days for a week, then weeks, then four weeks, then one base.

    Attributes
    ----------
    first, days : list of int
        First day and length of each block, ascending.
    blocks : list of DaySums
    base : DaySums
        Everything older, with exponential forgetting.
    """

    base: DaySums
    base_until: int = _NEVER
    first: list[int] = field(default_factory=list)
    days: list[int] = field(default_factory=list)
    blocks: list[DaySums] = field(default_factory=list)

    @classmethod
    def empty(cls, g: int, p: int) -> Self:
        """Nothing summed yet."""
        return cls(
            base=DaySums(
                a=np.zeros((g, p, p)),
                b=np.zeros((g, p)),
                c=np.zeros(g),
                n=np.zeros(g),
                q=np.zeros((g, p)),
                e=np.zeros((g, p - EXTRA + 1)),
            )
        )

    def add(
        self, day: int, sums: DaySums, mask: Floats, ratio: Floats, *, weeks: int, oldest: int, half_life: float
    ) -> None:
        """Add a day and merge older blocks; a complete week has its common offset eliminated (`without_level`)."""
        self.first.append(day)
        self.days.append(1)
        self.blocks.append(sums)
        for i in self._join(1, 7, day - 6):
            self.blocks[i] = without_level(self.blocks[i], mask, ratio)
        self._join(7, 28, day - weeks)
        while self.first and self.first[0] + self.days[0] <= day - oldest:
            until = self.first[0] + self.days[0]
            if self.base_until != _NEVER:
                self.fade(0.5 ** ((until - self.base_until) / half_life))
            self.base = self.base + self.blocks[0]
            self.base_until = until
            del self.first[0], self.days[0], self.blocks[0]

    def clear(self, row: int) -> None:
        """Forget everything of one group."""
        for sums in (self.base, *self.blocks):
            for part in (sums.a, sums.b, sums.c, sums.n, sums.q, sums.e):
                part[row] = 0.0

    def fade(self, factor: float) -> None:
        """Apply exponential forgetting to the base."""
        base = self.base
        self.base = DaySums(
            a=base.a * factor, b=base.b * factor, c=base.c * factor, n=base.n * factor, q=base.q * factor, e=base.e
        )

    def _join(self, short: int, long: int, until: int) -> list[int]:
        """Join blocks of `short` days into `long` ones where the long cell ends by `until`; where they are."""
        i, joined = 0, []
        while i < len(self.first):
            cell = self.first[i] // long
            if self.days[i] == short and (cell + 1) * long <= until:
                j = i + 1
                while j < len(self.first) and self.first[j] // long == cell:
                    self.blocks[i] = self.blocks[i] + self.blocks[j]
                    j += 1
                self.first[i], self.days[i] = cell * long, long
                del self.first[i + 1 : j], self.days[i + 1 : j], self.blocks[i + 1 : j]
                joined.append(i)
            i += 1
        return joined
