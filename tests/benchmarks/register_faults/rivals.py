"""Other rules, written anew from what is published of them, as amounts between readings; none of them flags anything.

- *today* (59b59f5): a rise is believed up to the ledger's rate, or the full scale in 1,000 h, or any where it gives
  neither; what does not fit waits, and three readings that agree are a new level.
- *MyEMS*: a difference between two readings counts where it is neither negative nor above the limit an hour that the
  user entered, else nothing is counted (the limit is the ledger's rate here).
- *Home Assistant, total_increasing*: a fall below 0.9 of the value is a new meter that began at 0; a smaller one is
  passed over.
- *TimescaleDB, counter_agg*: any fall is a reset to 0.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.register_faults.worlds import World

__all__ = ["RIVALS"]

Floats = NDArray[np.float64]
_CONFIRM = 3


def _counted(w: World, amount: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Hours of amounts between readings, spread evenly."""
    total = np.concatenate(([0.0], np.cumsum(amount)))
    hour = np.arange(w.at[0] // 3_600_000_000, -(-w.at[-1] // 3_600_000_000))
    edges = np.clip(np.concatenate((hour, [hour[-1] + 1])) * 3_600_000_000, w.at[0], w.at[-1])
    return hour, np.diff(np.interp(edges, w.at, total))


def _today(w: World, rate: float, full: float) -> Floats:
    most = rate if np.isfinite(rate) else full / 1000 if np.isfinite(full) else np.inf
    out = np.zeros(len(w.at) - 1)
    good_at, good, run = int(w.at[0]), float(w.value[0]), 0
    run_value = last = 0.0
    for i in range(1, len(w.at)):
        v, hours = float(w.value[i]), (int(w.at[i]) - good_at + 6e7) / 3.6e9
        fits = v >= good and v - good <= most * hours + w.step and v < (full if np.isfinite(full) else np.inf)
        rolled = np.isfinite(full) and v < good and v + full - good <= min(0.5 * full, most * hours)
        if fits or rolled:
            out[i - 1] = v - good + (full if rolled else 0.0)
            good_at, good, run = int(w.at[i]), v, 0
            continue
        run, run_value = (run + 1, run_value) if run and v >= last else (1, v)
        last = v
        if run >= _CONFIRM and v > run_value:
            out[i - 1] = v - run_value
            good_at, good, run = int(w.at[i]), v, 0
    return out


def _myems(w: World, rate: float, _: float) -> Floats:
    d, hours = np.diff(w.value), np.diff(w.at) / 3.6e9
    return np.where((d >= 0.0) & (d <= (rate if np.isfinite(rate) else np.inf) * hours), d, 0.0)


def _home_assistant(w: World, _rate: float, _full: float) -> Floats:
    before, now = w.value[:-1], w.value[1:]
    return np.where(now >= before, now - before, np.where(now < 0.9 * before, now, 0.0))


def _counter(w: World, _rate: float, _full: float) -> Floats:
    before, now = w.value[:-1], w.value[1:]
    return np.where(now >= before, now - before, now)


RIVALS: Mapping[
    str, tuple[Callable[[World, float, float], Floats], Callable[..., tuple[NDArray[np.int64], Floats]]]
] = {
    "today's rules": (_today, _counted),
    "MyEMS": (_myems, _counted),
    "Home Assistant": (_home_assistant, _counted),
    "TimescaleDB counter": (_counter, _counted),
}
