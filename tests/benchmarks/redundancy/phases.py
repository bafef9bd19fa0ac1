"""Three-phase meters on real loads: what is real, what is simulated, and the faults that are put in.

Real: the loads of `redundancy.worlds`, by the hour. A meter has one of them evenly on its three phases (machines, whole
buildings) and three others of the same split on one phase each (rooms, homes), these together 5, 30 or 100 % of it by
the year's mean and each half to one and a half times its third. So at a third of the meters nothing is even, and a
phase rests whenever its one consumer does.

Simulated: the course within the hour, as there; an own error of each phase within the class; digits; the second.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.domain.registers import FurtherRegister
from analytics.health.redundancy import Cause, Check
from tests.benchmarks.redundancy.worlds import CLASS, START_US, Meter, World, minutes_of, worlds

__all__ = ["CAUSES", "PhaseWorld", "phase_meter_of", "phase_worlds"]

Floats = NDArray[np.float64]
CAUSES = (Cause.DEAD_L1, Cause.DEAD_L2, Cause.DEAD_L3, Cause.REVERSED_L1, Cause.REVERSED_L2, Cause.REVERSED_L3)
_REGISTERS = (FurtherRegister.POWER_L1, FurtherRegister.POWER_L2, FurtherRegister.POWER_L3)
_SINGLE = (0.05, 0.3, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseWorld(World):
    """A load on three phases.

    Attributes
    ----------
    hourly : (h,) float64
        Of all three. [kWh]
    even : (h,) float64
        What is on all of them alike. [kWh]
    single : (3, h) float64
        What is on one alone. [kWh]
    uneven : float
        Share of `single` in the whole. [1]
    """

    even: Floats
    single: Floats
    uneven: float


def phase_worlds(split: str) -> Iterator[PhaseWorld]:
    """Loads of a split, on three phases.

    Parameters
    ----------
    split : str
        One of `redundancy.worlds.SPLITS`.
    """
    loads = [world for world in worlds(split) if world.hourly.mean() > 0]
    for i, world in enumerate(loads):
        rng = np.random.default_rng([7, zlib.crc32(world.name.encode())])
        chosen = rng.choice(np.delete(np.arange(len(loads)), i), 3, replace=False)
        hours = min(len(loads[k].hourly) for k in (i, *chosen))
        uneven = _SINGLE[i % len(_SINGLE)]
        mean = world.hourly[:hours].mean()
        share = uneven / 3.0 * rng.uniform(0.5, 1.5, 3)
        single = np.array([_scaled(loads[k].hourly[:hours], mean * x) for k, x in zip(chosen, share, strict=True)])
        even = (1.0 - uneven) * world.hourly[:hours]
        yield PhaseWorld(
            name=f"{world.name}-{uneven:.0%}", hourly=even + single.sum(axis=0), even=even, single=single, uneven=uneven
        )


def _scaled(hourly: Floats, mean: float) -> Floats:
    """With another mean. [kWh]"""
    return hourly * (mean / max(float(hourly.mean()), 1e-9))


def phase_meter_of(
    world: PhaseWorld, seed: int, *, days: int, cause: Cause | None = None, from_day: float = 0.0
) -> Meter:
    """A meter that shows the power of its phases, one of which is dead or counts backwards from a day on.

    Parameters
    ----------
    cause : Cause or None
        One of `CAUSES`.
    """
    rng = np.random.default_rng([seed, zlib.crc32(world.name.encode())])
    hours = min(days * 24, len(world.hourly))
    even = minutes_of(rng, world.even[:hours]) / 3.0
    minute = np.array([even + minutes_of(rng, one[:hours]) for one in world.single])
    minute *= 1.0 + rng.uniform(-CLASS, CLASS, (3, 1))
    place = np.arange(0, minute.shape[1] - 1, 5 if rng.uniform() < 0.25 else 15)
    power = minute[:, place] * 60.0
    peak = max(float(power.max()), 1e-3)
    if cause is not None:
        j = (cause - Cause.DEAD_L1) % 3
        power[j] *= np.where(place >= from_day * 1440, 0.0 if cause < Cause.REVERSED_L1 else -1.0, 1.0)
    digits = int(rng.integers(3, 5)) - 1 - int(np.floor(np.log10(peak)))
    at = START_US + (place * 60 + int(rng.integers(60))) * 1_000_000
    return Meter(
        check=Check.PHASES,
        register=np.tile(np.array(_REGISTERS, np.int16), len(place)),
        at_us=np.repeat(at.astype(np.int64), 3),
        value=np.round(power, max(digits, 0)).T.ravel(),
        multiplier=1.0,
        most=2.0 * peak,
    )
