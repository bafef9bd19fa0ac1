"""Balances whose truth is known: real loads below, a made-up parent above, and faults put in by seed.

No obtainable data has complete sub-metering with an independently metered parent. So the children's loads are real and
given; what is made up is what stands between them and the dials: losses, each meter's own error by its class, its
curve at light load, its slow wander, coloured noise that scales with the load and swells in some weeks, clocks that
are off by seconds, hours that are grossly wrong or missing. The parent is never worked out from the children's dials.
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from analytics.drift.groups import BalanceGroups
from analytics.drift.hours import GroupHours

__all__ = ["Fault", "FaultKind", "Simulated", "World", "draw_loads", "fault_gain", "made_up_meter", "simulate"]

Floats = NDArray[np.float64]

_HOURS_A_DAY = 24
_SECONDS_AN_HOUR = 3600.0
_PRESENT = 0.95
"""A balance with a child that is not read for weeks shows nothing, so such loads are not drawn; short gaps stay."""


class FaultKind(Enum):
    """What is done to a group."""

    NONE = "none"
    STEP = "step"
    RAMP = "ramp"
    """Grows evenly over 30 days, then stays."""
    PARENT_STEP = "parent step"
    HIDDEN_CHILD = "hidden child"
    """From the first hour on a load that no meter counts hangs below the parent."""
    NEW_LOAD = "new load"
    """The same from some day on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault of one group.

    Attributes
    ----------
    group : int
    child : int
        Index among all children, -1 where none is at fault.
    kind : FaultKind
    start : int
        First hour of it, counted from the first hour of the simulation. [h]
    size : float
        Change of gain, or share of the flow for a load. [1]
    """

    group: int
    child: int
    kind: FaultKind
    start: int
    size: float


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """How good meters and data are. Engineering assumptions, stated here and varied by group.

    Parameters
    ----------
    child_limit, parent_limit : float
        Limits of error by class; steady errors are drawn evenly within 0.7 of it. [1]
    noise : float
        Median standard deviation of a meter's coloured noise over its limit of error; by meter a factor of exp(0.35 z).
    colour : tuple of float
        Range of the hourly autocorrelation of the noise.
    wander : float
        Standard deviation of the slow change of a meter's gain over its limit of error; a memory of 45 days.
    season : float
        Most of the yearly change of gain over the limit of error; by meter, the phase is the same for all.
    curve : float
        How much less a meter counts towards no load, at most. [1]
    clock_s : float
        Standard deviation of clock offsets. [s]
    losses : tuple of float
        Most of the fixed, linear and quadratic losses, as shares of the mean flow. [1]
    gross, missing : float
        Share of hours in which a group has a grossly wrong reading, or none. [1]
    swell : float
        Factor of the noise in one week of eight.
    spread : float
        Standard deviation of the logarithm of children's sizes.
    """

    child_limit: float = 0.01
    parent_limit: float = 0.005
    noise: float = 0.1
    colour: tuple[float, float] = (0.4, 0.8)
    wander: float = 0.05
    season: float = 0.1
    curve: float = 0.002
    clock_s: float = 8.0
    losses: tuple[float, float, float] = (0.015, 0.01, 0.015)
    gross: float = 0.001
    missing: float = 0.005
    swell: float = 1.8
    spread: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Simulated:
    """Groups, what their meters said, and what is true of them.

    Attributes
    ----------
    groups : BalanceGroups
    hours : GroupHours
    faults : tuple of Fault
        One for each group; `FaultKind.NONE` for a clean one.
    share : (c,) float64
        Each child's true share of its parent's flow. [1]
    """

    groups: BalanceGroups
    hours: GroupHours
    faults: tuple[Fault, ...]
    share: Floats


def draw_loads(
    loads: Floats, sizes: NDArray[np.int64], *, hours: int, spread: float, rng: np.random.Generator
) -> Floats:
    """Children drawn from real loads: no meter twice in a group, sizes levelled and spread anew.

    Parameters
    ----------
    loads : (t, m) float64
        Real hourly loads, a column a meter; NaN where missing.
    sizes : (g,) int64
        Children of each group, at most m.
    hours : int
        Length wanted, at most t; each group starts at some week of the loads.
    spread : float
        Standard deviation of the logarithm of the children's mean.

    Returns
    -------
    (hours, c) float64
    """
    seen = np.zeros((len(loads) + 1, loads.shape[1]), np.int64)
    np.cumsum(loads > 0, axis=0, out=seen[1:])
    begins = np.arange(0, len(loads) - hours + 1, 168)
    there = seen[begins + hours] - seen[begins] >= _PRESENT * hours  # (weeks, m)
    out = np.empty((hours, int(sizes.sum())))
    at = 0
    for size in sizes.tolist():
        able = np.flatnonzero(there.sum(axis=1) >= size)
        if not len(able):
            most = int(there.sum(axis=1).max(initial=0))
            raise ValueError(f"{size} children with {_PRESENT:.0%} of the hours are required, {most} have them at most")
        week = int(rng.choice(able))
        first = int(begins[week])
        window = loads[first : first + hours]
        which = rng.choice(np.flatnonzero(there[week]), size, replace=False)
        scale = np.exp(spread * rng.standard_normal(size)) / np.nanmean(window[:, which], axis=0)
        out[:, at : at + size] = 100.0 * loads[first : first + hours, which] * scale
        at += size
    return out


def fault_gain(fault: Fault, hours: int) -> Floats:
    """Gain of the faulty meter by hour; (hours,) float64. [1]."""
    age = np.arange(hours, dtype=np.float64) - fault.start
    over = 30.0 * _HOURS_A_DAY if fault.kind is FaultKind.RAMP else 1.0
    return 1.0 + fault.size * np.clip(age / over, 0.0, 1.0)


def simulate(
    loads: Floats,
    sizes: NDArray[np.int64],
    faults: tuple[Fault, ...],
    *,
    world: World,
    seed: int,
    first_hour: int = 0,
    above: int = 0,
    losses: Floats | None = None,
) -> Simulated:
    """What parents and children would have said.

    Parameters
    ----------
    loads : (t, c) float64
        True flows of the children; NaN is a missing hour.
    sizes : (g,) int64
    faults : tuple of Fault
        One for each group.
    world : World
    seed : int
    first_hour : int
        Hour of the first row. [h since 1970-01-01 UTC]
    above : int
        So many of the groups hang below a meter of their own: their parents are its children. 0 for one level only,
        else the number of groups is a multiple of it; the upper groups come last, and have no faults of their own.
    losses : (t, g) float64, optional
        Losses between the parents and their children where they are known; drawn by the world without.
    """
    rng = np.random.default_rng(seed)
    t, c = loads.shape
    g = len(sizes)
    start = np.concatenate(([0], np.cumsum(sizes)))
    flow = np.nan_to_num(loads)
    total = np.add.reduceat(flow, start[:-1], axis=1)
    mean = total.mean(axis=0)
    through = _with_losses(total, world, rng) if losses is None else total + losses
    for fault in faults:
        if fault.kind in {FaultKind.HIDDEN_CHILD, FaultKind.NEW_LOAD}:
            begin = 0 if fault.kind is FaultKind.HIDDEN_CHILD else fault.start
            donor = flow[:, int(rng.integers(0, c))]
            shape = np.roll(donor, 168 * int(rng.integers(3, 9))) / max(float(donor.mean()), 1e-9)
            through[begin:, fault.group] += fault.size * mean[fault.group] * shape[begin:]
    child = _Meters.draw(c, world.child_limit, world, rng).read(flow, world, rng)
    parent = _Meters.draw(g, world.parent_limit, world, rng).read(through, world, rng)
    for fault in faults:
        if fault.kind in {FaultKind.STEP, FaultKind.RAMP}:
            child[:, fault.child] *= fault_gain(fault, t)
        elif fault.kind is FaultKind.PARENT_STEP:
            parent[:, fault.group] *= fault_gain(fault, t)
    _spoil(parent, child, start, world, rng)
    child[np.isnan(loads)] = np.nan
    groups = BalanceGroups.of_sizes(sizes.tolist(), parent_limit=world.parent_limit, child_limit=world.child_limit)
    share = flow.mean(axis=0) / np.repeat(through.mean(axis=0), sizes)
    if above:
        top = _with_losses(through.reshape(t, g // above, above).sum(axis=2), world, rng)
        groups = _two_levels(groups, above, world.parent_limit)
        share = np.concatenate((share, through.mean(axis=0) / np.repeat(top.mean(axis=0), above)))
        child = np.hstack((child, parent))
        parent = np.hstack((parent, _Meters.draw(g // above, world.parent_limit, world, rng).read(top, world, rng)))
        none = Fault(group=-1, child=-1, kind=FaultKind.NONE, start=0, size=0.0)
        faults += tuple(replace(none, group=g + i) for i in range(g // above))
    hours = GroupHours(hour=first_hour + np.arange(t, dtype=np.int64), parent=parent, child=child)
    return Simulated(groups=groups, hours=hours, faults=faults, share=share)


def _with_losses(total: Floats, world: World, rng: np.random.Generator) -> Floats:
    """Flow through the meters above flows of (t, g)."""
    mean = total.mean(axis=0)
    fixed, linear, quadratic = (most * rng.random(total.shape[1]) for most in world.losses)
    return np.asarray(total * (1.0 + linear) + fixed * mean + quadratic * total**2 / mean)


def _two_levels(lower: BalanceGroups, above: int, limit: float) -> BalanceGroups:
    """The groups, and behind them those whose children are their parents, so many each."""
    g, upper = len(lower), len(lower) // above
    points = g + len(lower.child)
    start = np.concatenate((lower.start, lower.start[-1] + above * np.arange(1, upper + 1)))
    return BalanceGroups(
        parent=np.concatenate((lower.parent, points + np.arange(upper, dtype=np.int32))),
        start=start,
        child=np.concatenate((lower.child, lower.parent)),
        complete=np.ones(g + upper, np.bool_),
        parent_limit=np.full(g + upper, limit),
        child_limit=np.concatenate((lower.child_limit, lower.parent_limit)),
        parent_band=np.full(g + upper, limit),
        child_band=np.concatenate((lower.child_limit, lower.parent_limit)),
        keys=(*lower.keys, *(f"above {i}:{above}" for i in range(upper))),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Meters:
    """n meters as they were made: steady error, noise, colour, clock, season."""

    error: Floats
    noise: Floats
    colour: Floats
    clock_h: Floats
    season: Floats
    curve: Floats
    wander: float

    @classmethod
    def draw(cls, n: int, limit: float, world: World, rng: np.random.Generator) -> Self:
        return cls(
            error=limit * 0.7 * rng.uniform(-1.0, 1.0, n),
            noise=world.noise * limit * np.exp(0.35 * rng.standard_normal(n)),
            colour=rng.uniform(*world.colour, n),
            clock_h=world.clock_s / _SECONDS_AN_HOUR * rng.standard_normal(n),
            season=world.season * limit * rng.random(n),
            wander=world.wander * limit,
            curve=world.curve * rng.random(n),
        )

    def read(self, flow: Floats, world: World, rng: np.random.Generator) -> Floats:
        """What they count of a flow; (t, n) as the flow."""
        t, n = flow.shape
        ahead = np.vstack((flow[1:], flow[-1:]))
        behind = np.vstack((flow[:1], flow[:-1]))
        shifted = flow + self.clock_h * (ahead - behind) / 2.0  # an hour begins and ends that much later
        hour = np.arange(t)[:, None]
        season = self.season * np.sin(2.0 * np.pi * hour / (365.25 * _HOURS_A_DAY))
        light = self.curve * np.exp(-flow / (0.15 * np.maximum(flow.mean(axis=0), 1e-9)))
        gain = 1.0 + self.error + season - light + self.wander * _wander(t, n, rng) + self._hiss(t, world, rng)
        return np.asarray(shifted * gain, np.float64)

    def _hiss(self, t: int, world: World, rng: np.random.Generator) -> Floats:
        """Coloured noise with heavy tails; (t, n). [1]."""
        n = len(self.noise)
        raw = rng.standard_t(5.0, (t, n)) * np.sqrt(0.6)
        coloured = np.empty((t, n))
        for i in range(n):
            a = self.colour[i]
            coloured[:, i] = lfilter([np.sqrt(1.0 - a * a)], [1.0, -a], raw[:, i])
        weeks = rng.random((t // 168 + 1, n)) < 1.0 / 8.0
        swell = np.repeat(np.where(weeks, world.swell, 1.0), 168, axis=0)[:t]
        return np.asarray(self.noise * coloured * swell, np.float64)


def made_up_meter(flow: Floats, limit: float, seed: int) -> Floats:
    """What made-up meters of a class count of a flow; (t, n) as the flow."""
    rng, world = np.random.default_rng(seed), World()
    return _Meters.draw(flow.shape[1], limit, world, rng).read(flow, world, rng)


def _wander(t: int, n: int, rng: np.random.Generator) -> Floats:
    """Slow change of gains, a value a day laid over the hours, of variance 1; (t, n)."""
    days = t // _HOURS_A_DAY + 2
    keep = np.exp(-1.0 / 45.0)
    steps = rng.standard_normal((days, n)) * np.sqrt(1.0 - keep * keep)
    steps[0] = rng.standard_normal(n)
    slow = lfilter([1.0], [1.0, -keep], steps, axis=0)
    at = np.arange(t) / _HOURS_A_DAY
    low = at.astype(np.int64)
    part = (at - low)[:, None]
    return np.asarray((slow[low] * (1.0 - part) + slow[low + 1] * part), np.float64)


def _spoil(parent: Floats, child: Floats, start: NDArray[np.int64], world: World, rng: np.random.Generator) -> None:
    """Gross errors, amounts that slipped into the next hour, and missing hours, in place."""
    t, g = parent.shape
    for group in range(g):
        for hour in np.flatnonzero(rng.random(t - 1) < world.gross).tolist():
            member = int(rng.integers(start[group] - 1, start[group + 1]))
            column = parent[:, group] if member < start[group] else child[:, member]
            if rng.random() < 0.5:
                column[hour] *= 1.0 + rng.normal(0.0, 0.3)
            else:  # late by some minutes: that part is counted an hour later
                slipped = rng.uniform(0.02, 0.5) * column[hour]
                column[hour] -= slipped
                column[hour + 1] += slipped
        lost = np.flatnonzero(rng.random(t) < world.missing)
        parent[lost, group] = np.nan
