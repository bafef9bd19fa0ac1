"""Balances of similar size batched in arrays, and the update of their statistics when a day closes."""

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from analytics.drift._evidence import ANEW, Prior, prior_of, shift, without_open_week
from analytics.drift._sums import EXTRA, Bank, DayEquations, DaySums, day_sums, equations
from analytics.drift.change import BalanceDays
from analytics.drift.groups import BalanceGroups
from analytics.drift.rules import BalanceRules

__all__ = ["WEEKS", "Batch", "Standing", "batch_sizes"]

Floats = NDArray[np.float64]

HOURS = 24
_SCALE_DAYS = 7
"""The usual load is taken from this many days, before anything else is estimated."""
_LEAST_HOURS = 6
"""A day with fewer measured hours is not used."""
_LEAST_TAKEN = 0.25
"""Hours in which less than this share of what is used comes through the parent are left out: some of what generators
make may have been fed back, which the parent need not count."""
_FIRST_SIGMA = 0.01
_MAX_COLOUR = 0.95
WEEKS = 30
"""Weeks of its own past that a group is held against."""


def batch_sizes(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Padded number of children for groups of these sizes; (g,) int64.

    Examples
    --------
    >>> batch_sizes(np.array([1, 4, 5, 10, 30, 70])).tolist()
    [4, 4, 8, 12, 32, 96]
    """
    fine = -(-sizes // 4) * 4
    return np.where(sizes <= 24, fine, -(-sizes // 32) * 32)


@dataclass(slots=True, kw_only=True)
class Standing:
    """An open detection, and what is needed to track its size.

    Attributes
    ----------
    row : int
        Group inside the batch.
    which : int
        Child inside the group, n for the parent, -1 where none is named.
    weights : list of float
        The change of the coefficient is weights · coefficients - anchor. Empty where the detection is held: its group
        is another one now, which has learnt the meter as it is.
    spare : float
        Variance of the anchor.
    drifts : float
        Standard deviation of the random walk of a sound meter's gain over that time.
    exposure : float
        Amount counted since the start, at the present size. [canonical unit]
    since_day : int
        First day of the separate estimate of the new gain, -1 if there is none.
    settled : bool
        No meter could be named for good: the gains of all candidates are re-estimated.
    lacks : float
        Change of the parent's hourly amount. [canonical unit]
    alarm : bool
        The meter's error, with its uncertainty, lies outside the band of its class; else the change is watched.
    offset : float
        Shift of the coefficient by an earlier change.
    first : float
        Size when it was opened.
    """

    row: int
    which: int
    kind: int
    start_day: int
    low_day: int
    high_day: int
    detected_day: int
    told_day: int
    weights: list[float]
    anchor: float
    spare: float
    drifts: float
    size: float
    deviation: float
    exposure: float
    score: float
    share: float
    candidates: list[tuple[int, float, float]]
    since_day: int = -1
    settled: bool = False
    lacks: float = 0.0
    alarm: bool = False
    offset: float = 0.0
    first: float = 0.0


@dataclass(slots=True, kw_only=True, eq=False)
class Batch:
    """g groups of at most n children.

    Attributes
    ----------
    group : (g,) int64
        Which of the state's groups.
    column : (g, n) int64
        Each child's place among all children, 0 where there is none.
    mask : (g, n) bool
    limits : (g, n) float64
    parent_limit : (g,) float64
    sign : (g, n) float64
        -1 for children that feed the balance, else 1.
    bands : (g, n) float64
        Error that each child may have in service. [1]
    parent_band : (g,) float64
    numbers : mapping of str to arrays
        Everything that changes and is one number or row a group.
    bank : Bank
    standing : list of Standing
    """

    rules: BalanceRules
    group: NDArray[np.int64]
    column: NDArray[np.int64]
    mask: NDArray[np.bool_]
    sign: Floats
    limits: Floats
    parent_limit: Floats
    bands: Floats
    parent_band: Floats
    numbers: dict[str, Floats]
    bank: Bank
    standing: list[Standing] = field(default_factory=list)
    _prior: Prior | None = None

    @classmethod
    def empty(cls, groups: BalanceGroups, which: NDArray[np.int64], n: int, rules: BalanceRules) -> Self:
        """Groups without any data."""
        g, p = len(which), n + EXTRA
        sizes = groups.sizes[which]
        mask = np.arange(n) < sizes[:, None]
        column = np.where(mask, groups.start[which][:, None] + np.arange(n), 0)
        numbers = {name: np.zeros(g) for name in _PER_GROUP}
        numbers["ahead"] += np.nan
        numbers["sigma"] += _FIRST_SIGMA
        numbers["rho"] += 0.5
        numbers["pending"] -= 1.0
        numbers |= {
            "beta": np.zeros((g, p)),
            "last_x": np.zeros((g, p)),
            "loose": np.zeros((g, n + 1)),
            "anew_since": np.zeros((g, n + 1)),
            "anew_until": np.zeros((g, n + 1)),
        }
        half: dict[str, Any] = {
            "loud": np.zeros((g, WEEKS), np.float32),
            "restless_then": np.zeros((g, WEEKS), np.float32),
            "buffer_parent": np.full((g, HOURS), np.nan, np.float32),
            "buffer_child": np.full((g, HOURS, n), np.nan, np.float32),
        }
        numbers |= half
        return cls(
            rules=rules,
            group=which,
            column=column,
            mask=mask,
            sign=np.where(mask, groups.child_sign[column] if len(groups.child) else 1.0, 1.0),
            limits=np.where(mask, groups.child_limit[column] if len(groups.child) else 0.0, 0.0),
            parent_limit=groups.parent_limit[which],
            bands=np.where(mask, groups.child_band[column] if len(groups.child) else 0.0, 0.0),
            parent_band=groups.parent_band[which],
            numbers=numbers,
            bank=Bank.empty(g, p),
        )

    @property
    def prior(self) -> Prior:
        """Prior of these groups; cached until a meter's gain is marked as unknown."""
        if self._prior is None:
            rules = self.rules
            self._prior = prior_of(
                self.mask,
                self.limits,
                self.parent_limit,
                loose=self.numbers["loose"],
                own=rules.own,
                common=rules.common,
                hourly_noise=rules.hourly_noise,
                level=rules.level,
                common_loss=rules.common_loss,
                extra=np.array([[rules.loss, rules.loss_wander], [rules.loss, rules.loss_wander], [0.02, 0.001]]),
                unmetered=rules.unmetered_wander * self.numbers["unmetered_loss"],
            )
        return self._prior

    def loosen(self, row: int, which: int, *, loose: bool = True, since: int = 0, until: int = 0) -> None:
        """Mark a meter's gain as unknown, to be re-estimated until a day; or as that of a sound meter again."""
        self.numbers["loose"][row, which] = ANEW if loose else 0.0
        self.numbers["anew_since"][row, which] = since
        self.numbers["anew_until"][row, which] = until
        self._prior = None

    def forget_all(self, row: int) -> None:
        """Learn a group that does not close from the beginning; its usual load is kept."""
        fresh = {"sigma": _FIRST_SIGMA, "rho": 0.5, "pending": -1.0, "was_open": 1.0}
        for name in _LEARNT:
            self.numbers[name][row] = fresh.get(name, 0.0)
        self.bank.clear(row)
        self._prior = None

    def renew(self) -> None:
        """Drop the cached prior after what is known of a gain has changed."""
        self._prior = None

    @property
    def fed(self) -> bool:
        """Whether a child feeds its balance."""
        return bool((self.sign < 0.0).any())

    @property
    def sigma2(self) -> Floats:
        """Variance of the noise of each group."""
        return self.numbers["sigma"] ** 2

    def put(self, slot: slice, hour_of_day: NDArray[np.int64], parent: Floats, child: Floats) -> None:
        """Write hours of one day into the buffer.

        Parameters
        ----------
        slot : slice
            Rows of `parent` and `child`.
        hour_of_day : (h,) int64
            Of those rows.
        parent : (t, G) float64
            Of all groups of the state.
        child : (t, C) float64
        """
        self.numbers["buffer_parent"][:, hour_of_day] = parent[slot][:, self.group].T
        taken = child[slot][:, self.column]
        taken[:, ~self.mask] = 0.0
        if self.fed:
            taken *= self.sign
        self.numbers["buffer_child"][:, hour_of_day] = taken.transpose(1, 0, 2)

    def close_day(self, day: int, yesterday: int) -> BalanceDays:
        """Close the buffered day: update sums, noise and coefficients; returns the day's balance.

        Parameters
        ----------
        day : int
            [d since 1970-01-01 UTC]
        yesterday : int
            The day that closed before.
        """
        now, rules = self.numbers, self.rules
        parent, child = now["buffer_parent"].astype(np.float64), now["buffer_child"].astype(np.float64)
        forward = ((child * self.sign[:, None, :] if self.fed else child) >= 0).all(axis=2)
        whole = np.isfinite(parent) & np.isfinite(child).all(axis=2) & (parent >= 0) & forward
        total = child.sum(axis=2)
        used = np.maximum(child, 0.0).sum(axis=2) if self.fed else total
        whole &= total >= _LEAST_TAKEN * used
        total, used = np.where(whole, total, np.nan), np.where(whole, used, np.nan)
        hours = whole.sum(axis=1)
        scaling = (now["scale_days"] < _SCALE_DAYS) & (hours >= _LEAST_HOURS)
        load = np.where(whole, used, 0.0).sum(axis=1) / np.maximum(hours, 1)
        now["usual"] += np.where(scaling, (load - now["usual"]) / (now["scale_days"] + 1.0), 0.0)
        ready = (now["scale_days"] >= _SCALE_DAYS) & (now["usual"] > 0.0) & (hours >= _LEAST_HOURS)
        now["scale_days"] += scaling
        if day != yesterday + 1:
            now["last_valid"][:] = 0.0
            now["ahead"][:] = np.nan
        usual = np.maximum(now["usual"], 1e-12)
        taken = np.where((whole & ready[:, None])[:, :, None], child, np.nan)
        today = equations(parent, taken, usual, now["ahead"], fed=self.fed)
        last = DayEquations(x=now["last_x"][:, None, :], y=now["last_y"][:, None], valid=now["last_valid"][:, None] > 0)
        counted = np.concatenate(
            (np.where(whole[:, :, None], child, 0.0).sum(axis=1), np.where(whole, parent, 0.0).sum(axis=1)[:, None]),
            axis=1,
        )
        sums, noise = day_sums(today, last, now["rho"], now["beta"], now["sigma"], now["level"], counted)
        now["last_x"], now["last_y"] = today.x[:, -1].copy(), today.y[:, -1].copy()
        now["last_valid"] = today.valid[:, -1].astype(np.float64)
        now["ahead"] = total[:, -1].copy()
        ratio = self.sigma2 / self.prior.level
        self.bank.add(day, sums, self.prior.together, ratio, weeks=56, oldest=140, half_life=rules.half_life_days)
        self._learn(noise)
        explained = np.matmul(today.x, now["beta"][:, :, None])[:, :, 0] * np.maximum(used, 0.1 * usual[:, None])
        losses = np.where(today.valid, explained, 0.0).sum(axis=1)
        now["buffer_parent"][:] = np.nan
        now["buffer_child"][:] = np.nan
        inside = np.where(whole, total, 0.0).sum(axis=1)
        return BalanceDays(
            group=self.group.astype(np.int32),
            day=np.full(len(self.group), day, np.int32),
            hours=hours.astype(np.int16),
            parent=counted[:, -1].copy(),
            children=inside,
            losses=np.where(ready, losses, np.nan),
            residual=np.where(ready, counted[:, -1] - inside - losses, np.nan),
            noise=np.where(ready, now["sigma"], np.nan),
        )

    def _learn(self, noise: Floats) -> None:
        """Update the estimates of noise variance and autocorrelation (EWMA), then the coefficients."""
        now = self.numbers
        there = noise[3] > 0
        now["days"] += there
        keep = np.where(there, 1.0 - 1.0 / np.clip(now["days"] / 2.0, 1.0, self.rules.noise_days), 1.0)
        for name, new in (("lagged", noise[0]), ("square", noise[1]), ("hours", noise[3]), ("size", noise[4])):
            now[name] = now[name] * keep + new
        now["level"] += np.where(there, 0.2 * noise[2] / np.maximum(noise[3], 1.0), 0.0)
        sigma2 = (now["size"] + HOURS * 1e-6) / (now["hours"] + HOURS)
        now["sigma"] = np.sqrt(sigma2)
        colour = (now["lagged"] + HOURS * 0.5 * sigma2) / (now["square"] + HOURS * sigma2)
        now["rho"] = np.clip(colour, 0.0, _MAX_COLOUR)
        now["beta"], _ = shift(self.total(), self.prior, sigma2)

    def total(self, take: slice = slice(None)) -> DaySums:
        """Everything summed so far, of some groups."""
        ratio = self.sigma2[take] / self.prior.level[take]
        return without_open_week(self.bank, self.prior.together[take], ratio, take)


_PER_GROUP = (
    "usual",
    "scale_days",
    "days",
    "lagged",
    "square",
    "hours",
    "size",
    "level",
    "sigma",
    "rho",
    "ahead",
    "last_y",
    "last_valid",
    "pending",
    "restless",
    "restless_days",
    "unclosed_until",
    "wrong",
    "loud_week",
    "unmetered",
    "unmetered_loss",
    "open_days",
    "was_open",
)
_LEARNT = (
    "days",
    "lagged",
    "square",
    "hours",
    "size",
    "level",
    "sigma",
    "rho",
    "beta",
    "restless",
    "restless_days",
    "restless_then",
    "loud",
    "loose",
    "pending",
    "unclosed_until",
    "open_days",
    "was_open",
)
"""What is learnt of a group by its balance."""
