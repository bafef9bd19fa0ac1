"""Registers beside the main one: powers of meters behind transformers, volume and temperatures of heat meters."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from analytics.domain.instants import US_PER_HOUR
from analytics.domain.registers import FurtherRegister, register_name, register_unit
from analytics.domain.water import heat_of_a_cubic_metre
from deploy.region.faults import Planned
from deploy.region.model import US_PER_QUARTER, Meter, Point

__all__ = ["Series", "further_series"]

Floats = NDArray[np.float64]
_R = FurtherRegister
_WITHIN_QUARTER = 0.05  # standard deviation of a power within its quarter hour
_WITH_PHASES, _WITH_PRIMARY = 0.04, 0.08


@dataclass(frozen=True, slots=True)
class Series:
    """Readings of one register.

    Attributes
    ----------
    register : FurtherRegister
    value : (n,) float64
        [its canonical unit]
    """

    register: FurtherRegister
    value: Floats

    @property
    def name(self) -> str:
        """As readings name it."""
        return register_name(self.register)

    @property
    def unit(self) -> str:
        """Symbol of its unit."""
        return register_unit(self.register).symbol


def further_series(
    seed: int,
    point: Point,
    meter: Meter,
    ratios: Sequence[Planned],
    flow: Floats,
    counted: Floats,
    quarter: NDArray[np.int64],
    *,
    horizon_days: float,
) -> Iterator[Series]:
    """What the further registers of a point's meter say, at the instants of its readings.

    Which registers a meter has is decided by the faults of the first stretch alone, also of one that the region is too
    short for: a longer region begins with the shorter one.

    A meter's own power is what its counter sees, faults included, before the multiplier. A primary power is measured
    by a transmitter with transformers of its own. Volume and temperatures are what really flowed.

    Parameters
    ----------
    seed : int
        Of the region.
    point : Point
    meter : Meter
    ratios : sequence of Planned
        Wrong ratios at the point, their instants since the region's start, also such as lie past its end.
    flow, counted : (q,) float64
        What flowed in each quarter hour, and what of it the meter counts. [the point's amount_unit]
    quarter : (n,) int64
        In which quarter hour each reading is taken.
    horizon_days : float
        Length of a stretch that has its own faults. [d]
    """
    if meter.interval_s != US_PER_QUARTER // 1_000_000:
        return
    place = quarter.clip(0, len(flow) - 1)
    if meter.instrument == "heat" and point.amount_unit == "GJ":
        yield from _heat(_generators(seed, point), flow, place)
        return
    if meter.instrument != "electricity" or meter.multiplier <= 1.0:
        return
    first = [p for p in ratios if p.start_us < horizon_days * 24 * US_PER_HOUR]
    generators = _generators(seed, point)
    draw = next(generators).uniform()
    if any(p.phase for p in first) or (not first and draw < _WITH_PHASES):
        lost = [p for p in ratios if p.phase]
        yield from _phases(generators, counted[place] * 4.0 * (1.0 + meter.error) / meter.multiplier, lost, quarter)
    elif first or draw < _WITH_PRIMARY:
        yield Series(_R.POWER_PRIMARY, _sampled(next(generators), flow[place] * 4.0, 1))


def _generators(seed: int, point: Point) -> Iterator[np.random.Generator]:
    """One for each series: a longer region begins with the shorter one."""
    return (np.random.default_rng([seed, *point.stream, 11, k]) for k in count())


def _sampled(rng: np.random.Generator, power: Floats, decimals: int) -> Floats:
    """Instantaneous powers out of means of quarter hours."""
    sampled: Floats = np.round(power * (1.0 + rng.normal(0.0, _WITHIN_QUARTER, len(power)).clip(-0.2, 0.2)), decimals)
    return sampled


def _phases(
    generators: Iterator[np.random.Generator], power: Floats, lost: Sequence[Planned], quarter: NDArray[np.int64]
) -> Iterator[Series]:
    """Total and phases; the second one is dead once it is lost."""
    dead = np.zeros(len(power), np.bool_)
    for fault in lost:
        dead |= quarter * US_PER_QUARTER >= fault.start_us
    total = _sampled(next(generators), power, 5)
    share: Floats = np.full(3, 1.0 / 3.0) + next(generators).uniform(-0.02, 0.02, 3)
    share /= share.sum()
    yield Series(_R.POWER, total)
    left = np.where(dead, 1.0 - share[1], 1.0)
    alive = np.where(dead, 0.0, 1.0)
    for register, part in zip((_R.POWER_L1, _R.POWER_L2, _R.POWER_L3), share.tolist(), strict=True):
        mine = total * part / left
        yield Series(register, np.round(mine * alive if register is _R.POWER_L2 else mine, 5))


def _heat(generators: Iterator[np.random.Generator], flow: Floats, place: NDArray[np.int64]) -> Iterator[Series]:
    """Volume and temperatures of water that carried the heat."""
    slow = np.cumsum(next(generators).normal(0.0, 0.15, len(flow)))
    supply = 78.0 + 4.0 * np.sin(np.arange(len(flow)) / 96.0 * 2.0 * np.pi) + slow.clip(-6.0, 6.0)
    back = 46.0 + next(generators).normal(0.0, 0.4, len(flow)).clip(-1.0, 1.0)
    poured = flow / 0.0036 / heat_of_a_cubic_metre(supply, back)
    volume = next(generators).uniform(1e3, 1e5) + np.concatenate(([0.0], np.cumsum(poured)))
    yield Series(_R.SUPPLY_TEMPERATURE, np.round(supply[place], 2))
    yield Series(_R.RETURN_TEMPERATURE, np.round(back[place], 2))
    yield Series(_R.VOLUME, np.floor(volume[place] * 100.0) / 100.0)
