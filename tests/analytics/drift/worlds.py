"""Small simulated balances without real data: loads of made-up factories, by seed."""

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.drift.simulation import Fault, FaultKind, Simulated, World, simulate

QUIET = World(gross=0.0, missing=0.0, swell=1.0)


def factory_loads(children: int, days: int, seed: int) -> NDArray[np.float64]:
    """Shifts, weekends, machines that switch, weather; (24 days, children)."""
    rng = np.random.default_rng(seed)
    hour = np.arange(days * 24)
    out = np.empty((len(hour), children))
    for i in range(children):
        begin, end = rng.integers(5, 9), rng.integers(15, 22)
        shift = ((hour % 24 >= begin) & (hour % 24 < end)) * np.where(hour // 24 % 7 < rng.integers(5, 8), 1.0, 0.2)
        machine = np.repeat(rng.random(len(hour) // 4 + 1) < 0.5, 4)[: len(hour)]
        slow = 1.0 + 0.15 * np.sin(2 * np.pi * (hour / 24 / rng.uniform(9, 40) + rng.random()))
        out[:, i] = rng.uniform(60, 140) * (0.4 + shift * slow + 0.25 * machine + 0.05 * rng.random(len(hour)))
    return out


def world(
    sizes: list[int],
    days: int,
    *,
    seed: int = 1,
    kind: FaultKind = FaultKind.NONE,
    size: float = 0.0,
    start_day: int = 90,
) -> Simulated:
    """Groups that all have the same kind of fault in their first child."""
    first = np.concatenate(([0], np.cumsum(sizes)))[:-1]
    one = kind in {FaultKind.STEP, FaultKind.RAMP}
    faults = tuple(
        Fault(group=g, child=int(first[g]) if one else -1, kind=kind, start=24 * start_day, size=size)
        for g in range(len(sizes))
    )
    loads = factory_loads(sum(sizes), days, seed)
    return simulate(loads, np.array(sizes), faults, world=QUIET, seed=seed + 1, first_hour=24 * 20_000)
