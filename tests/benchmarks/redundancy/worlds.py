"""Meters with a power register on real loads: what is real, what is simulated, and the faults that are put in.

Real: hourly energies of buildings (BDG2) and homes (CityLearn), quarter-hourly profiles (SimBench). Split by site, home
and profile: no threshold was chosen on the scoring part.

Simulated, each meter by its seed: the course within the hour by the minute (a third steady with noise, a third
switching on and off with its own period of 7 to 50 minutes and a duty of 15 to 85 %, a third bursts of some minutes),
scaled so that every hour keeps its energy; an own error of energy and of power within the class (uniform); the second
within the minute at which the power is read (constant) and when the energy is (up to 20 s later); a dial of 2 or 3
decimals behind a multiplier of 1 to 200, or of one decimal; powers of 3 or 4 significant digits. Both are read every 15
minutes, one in four meters every 5.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.domain.registers import FurtherRegister
from analytics.health.redundancy import Check, Checks, Facts, Followed, RedundancyRules
from tests.benchmarks.drift_loads import columns_of, loads_of

__all__ = [
    "CLASS",
    "SPLITS",
    "START_US",
    "Meter",
    "World",
    "follow",
    "meter_of",
    "minutes_of",
    "worlds",
]

Floats = NDArray[np.float64]
SPLITS = ("development", "scoring")
START_US = 1_700_006_400_000_000
CLASS = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A real load with a meter on it.

    Attributes
    ----------
    hourly : (h,) float64
        [kWh]
    """

    name: str
    hourly: Floats


def _mine(name: str, split: str) -> bool:
    return (zlib.crc32(name.encode()) % 2 == 0) == (split == "scoring")


def worlds(split: str) -> Iterator[World]:
    """Real loads of a split, each a year or two of hours without gaps that are long.

    Parameters
    ----------
    split : str
        One of `SPLITS`.
    """
    loads = loads_of("panther" if split == "scoring" else split)
    for j in range(loads.shape[1]):
        yield World(name=f"bdg2-{split}-{j}", hourly=_whole(loads[:, j]))
    homes = columns_of("citylearn2022_hourly.parquet")
    building, load = homes["building"], homes["non_shiftable_load"]
    order = np.lexsort((homes["t"], building))
    for one in np.unique(building).tolist():
        if _mine(str(one), split):
            rows = order[building[order] == one]
            yield World(name=f"home-{one}", hourly=_whole(load[rows]))
    for column, values in columns_of("simbench_profiles_15min_pu.parquet").items():
        if values.dtype.kind == "f" and _mine(column, split) and np.nanmean(values) > 0:
            quarters = values[: len(values) // 4 * 4].reshape(-1, 4)
            yield World(name=f"simbench-{column}", hourly=_whole(quarters.sum(axis=1) * 5.0))


def _whole(hourly: Floats) -> Floats:
    known = np.isfinite(hourly)
    filled = np.interp(np.arange(len(hourly)), np.flatnonzero(known), hourly[known])
    positive: Floats = np.maximum(filled, 0.0)
    return positive


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """Readings of one meter, its registers in the order in which they arrive."""

    check: Check
    register: NDArray[np.int16]
    at_us: NDArray[np.int64]
    value: Floats
    multiplier: float
    most: float
    limit: float = CLASS


def meter_of(world: World, seed: int, *, days: int, ratio: float = 1.0, from_day: float = 0.0) -> Meter:
    """A meter on a load, whose energy counts `ratio` times what it should from a day on."""
    rng = np.random.default_rng([seed, zlib.crc32(world.name.encode())])
    hours = min(days * 24, len(world.hourly))
    minute = minutes_of(rng, world.hourly[:hours])
    multiplier = float(rng.choice([1.0, 20.0, 40.0, 80.0, 200.0]))
    peak = max(float(world.hourly[:hours].max()), 1e-3)
    multiplier = 1.0 if peak / multiplier < 0.05 else multiplier
    error = rng.uniform(-CLASS, CLASS, 2)
    gain = np.where(np.arange(len(minute)) >= from_day * 1440, ratio, 1.0) * (1.0 + error[0])
    every = 5 if rng.uniform() < 0.25 else 15
    second, later = int(rng.integers(60)), int(rng.integers(21))
    counted = np.concatenate(([0.0], np.cumsum(minute * gain))) / multiplier
    place = np.arange(0, len(minute) - 1, every)
    power_at = place * 60 + second
    power = minute[place] * 60.0 * (1.0 + error[1]) / multiplier
    digits = int(rng.integers(3, 5)) - 1 - int(np.floor(np.log10(max(peak / multiplier, 1e-9))))
    power = np.round(power, max(digits, 0))
    energy_at = power_at + later
    decimals = int(rng.choice([1, 2, 3])) if multiplier == 1.0 else int(rng.choice([2, 3]))
    dial = 1000.0 + np.interp(energy_at / 60.0, np.arange(len(counted)), counted)
    dial = np.floor(dial * 10.0**decimals) / 10.0**decimals
    at = np.concatenate((power_at, energy_at)).astype(np.int64)
    order = np.argsort(at, kind="stable")
    register = np.repeat(np.array([int(FurtherRegister.POWER), 0], np.int16), len(place))
    return Meter(
        check=Check.POWER,
        register=register[order],
        at_us=START_US + at[order] * 1_000_000,
        value=np.concatenate((power, dial))[order],
        multiplier=multiplier,
        most=2.0 * peak / multiplier,
    )


def minutes_of(rng: np.random.Generator, hourly: Floats) -> Floats:
    """Energy of every minute. [kWh]"""
    n = len(hourly) * 60
    kind = rng.integers(3)
    if kind == 0:
        shape = 1.0 + rng.uniform(0.02, 0.3) * rng.standard_normal(n)
    elif kind == 1:
        period, duty = rng.uniform(7.0, 50.0), rng.uniform(0.15, 0.85)
        wander = np.cumsum(rng.normal(0.0, 0.02, n))
        on = (np.arange(n) / period + rng.uniform() + wander / period) % 1.0 < duty
        shape = rng.uniform(0.1, 0.6) + on + 0.05 * rng.standard_normal(n)
    else:
        bursts = rng.uniform(size=n) < rng.uniform(0.002, 0.03)
        length = int(rng.integers(2, 12))
        on = np.convolve(bursts, np.ones(length))[:n] > 0
        shape = 0.3 + rng.uniform(1.0, 6.0) * on + 0.05 * rng.standard_normal(n)
    shape = np.maximum(shape, 0.01).reshape(-1, 60)
    minutes: Floats = (shape / shape.sum(axis=1, keepdims=True) * hourly[:, None]).ravel()
    return minutes


def follow(meter: Meter, rules: RedundancyRules | None = None) -> Followed:
    """What the check of a meter's registers says."""
    n = len(meter.value)
    checks = Checks()
    checks.begin([(0, meter.check)])
    ones = np.ones(n)
    return checks.follow(
        (rules or RedundancyRules()).row(),
        point=np.zeros(n, np.int32),
        meter=np.zeros(n, np.int32),
        register=meter.register,
        at_us=meter.at_us,
        value=meter.value,
        facts=Facts(
            scale=ones,
            multiplier=meter.multiplier * ones,
            amount=meter.multiplier * ones,
            most=meter.most * ones,
            limit=meter.limit * ones,
        ),
        factor=np.ones(n, np.float32),
    )
