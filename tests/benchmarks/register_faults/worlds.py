"""Dials of real loads, with the truth kept beside them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.hard_faults.loads import loads, real_registers

__all__ = ["INTERVALS", "LEDGERS", "World", "worlds"]

_S = 1_000_000
_H = 3600 * _S
INTERVALS = {"30 min, interpolated": 1800, "1 h": 3600, "1 d": 86_400, "1 month": 30 * 86_400}
"""Spacing of readings [s]; hourly loads are interpolated to half hours, which the name says."""
LEDGERS = ("nothing", "full_scale", "max_rate", "both", "rate / 10", "rate x 10")
_DAYS = {1800: 60, 3600: 150, 86_400: 500, 30 * 86_400: 731}


@dataclass(slots=True, kw_only=True)
class World:
    """One dial.

    Attributes
    ----------
    name : str
    interval_s : int
        [s]
    at : (n,) int64
        [us since 1970-01-01 UTC]
    true : (n,) float64
        What had been used by then. [unit]
    value : (n,) float64
        What the dial says. [unit]
    step, peak, full_scale : float
        Least step, highest use between two readings an hour, smallest value it cannot show. [unit], [unit/h], [unit]
    surprise : int
        Index of the first reading of an honest surprise, -1 for none.
    """

    name: str
    interval_s: int
    at: NDArray[np.int64]
    true: NDArray[np.float64]
    value: NDArray[np.float64]
    step: float
    peak: float
    full_scale: float
    surprise: int = -1

    def copy(self) -> "World":
        """The same, to be spoilt."""
        return World(
            name=self.name, interval_s=self.interval_s, at=self.at.copy(), true=self.true.copy(),
            value=self.value.copy(), step=self.step, peak=self.peak, full_scale=self.full_scale, surprise=self.surprise,
        )  # fmt: skip

    def show(self, start: float) -> None:
        """Let the dial show what was used, from `start` on."""
        digits = max(0, -round(np.log10(self.step)))
        dial = np.floor((start + self.true) / self.step + 1e-9) * self.step % self.full_scale
        self.value = np.round(dial, digits)


def _world(
    name: str, at: NDArray[np.int64], used: NDArray[np.float64], interval_s: int, seed: tuple[int, ...]
) -> World:
    rng = np.random.default_rng(seed)
    hours = np.diff(at) / _H
    peak = float((np.diff(used) / hours).max())
    step = 10.0 ** np.round(np.log10(max(peak, 1e-6) / rng.choice([100.0, 1000.0])))
    digits = int(rng.choice([6, 7, 8]))
    full_scale = 10.0**digits * step
    while full_scale < 3.0 * peak * interval_s / 3600:
        full_scale *= 10.0
    world = World(
        name=name, interval_s=interval_s, at=at, true=used, value=used, step=step, peak=peak, full_scale=full_scale
    )
    age_h = rng.uniform(200, 40_000)  # an old meter seldom, a new one sometimes
    world.show(min(age_h * float(used[-1]) / ((at[-1] - at[0]) / _H), 0.95 * full_scale))
    return world


def _of_load(name: str, start_us: int, step_s: int, amount: NDArray[np.float64], interval_s: int, seed: int) -> World:
    take = int(_DAYS[interval_s] * 86_400 / step_s)
    amount = np.nan_to_num(amount[:take])
    used = np.concatenate(([0.0], np.cumsum(amount)))
    at = start_us + np.arange(0, int(len(amount) * step_s / interval_s) + 1) * interval_s * _S
    moved = np.interp(at, start_us + np.arange(len(used)) * step_s * _S, used)
    return _world(name, at, moved, interval_s, (seed, interval_s))


def worlds(split: str, interval_s: int, *, every: int = 1) -> list[World]:
    """Dials of one part of the split: electricity, gas and water; every `every`-th load."""
    out = []
    for number, source in enumerate(("bdg2", "citylearn", "simbench", "uci", "opendsm")):
        for i, load in enumerate(loads(split, source)[::every]):
            if np.nan_to_num(load.amount[: int(_DAYS[interval_s] * 86_400 / load.step_s)]).sum() > 0.0:
                seed = 1000 * number + i
                out.append(_of_load(load.name, load.start_us, load.step_s, load.amount, interval_s, seed))
    for i, real in enumerate(real_registers(split)[::every]):
        order = np.argsort(real.at, kind="stable")
        at, value = real.at[order], np.maximum.accumulate(real.value[order]) / 1000.0
        grid = np.arange(at[0], min(at[-1], at[0] + _DAYS[interval_s] * 24 * _H), interval_s * _S)
        if len(grid) > 3:
            used = np.interp(grid, at, value)
            if used[-1] > used[0]:
                out.append(_world(real.name, grid, used - used[0], interval_s, (9000 + i, interval_s)))
    return out
