"""How well contradictions within a meter are found.

``python -m tests.benchmarks.redundancy_table [--check power|phases|heat] [--split scoring] [--small]``: clean meters
say how often it is wrong, meters with a fault how many are found by when. What is real and what is simulated stands
in `redundancy.worlds`, `redundancy.phases` and `redundancy.heat`.
"""

import argparse
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from analytics.columns.register import NEVER
from analytics.health.redundancy import Cause, unpack
from tests.benchmarks.redundancy.heat import HeatFault, heat_meter_of
from tests.benchmarks.redundancy.phases import PhaseWorld, phase_meter_of, phase_worlds
from tests.benchmarks.redundancy.worlds import SPLITS, Meter, World, follow, meter_of, worlds

__all__ = ["KINDS", "Clean", "Kind", "Score", "Trial", "clean", "score"]

_RATIOS = (0.1, 1 / 3, 0.5, 2 / 3, 0.8, 0.9, 0.95, 1.05, 1.1, 1.25, 1.5, 2.0)
FAULT_DAY, FAULT_SPREAD_DAYS, AFTER_DAYS = 45, 28, 40
"""The scoring site's meters stand at zero for nineteen days: faults come once there was load to learn from."""
BY_DAYS = (1, 7, 30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A fault that every meter of a kind gets once, from a day on; `cause` is what should be said of it."""

    name: str
    cause: Cause
    ratio: float = np.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Meters of a kind: loads by split, one meter by load, seed, days, fault and its day; faults; rows of the table."""

    loads: Callable[[str], Sequence[World]]
    meter: Callable[[World, int, int, Trial | None, float], Meter]
    trials: Sequence[Trial]
    groups: Callable[[Sequence[World]], Mapping[str, Sequence[World]]] = lambda loads: {"": loads}


@dataclass(slots=True, kw_only=True)
class Clean:
    """Alarms on clean meters."""

    meters: int = 0
    days: float = 0.0
    alarms: int = 0
    names: list[str] = field(default_factory=list)
    smallest: list[float] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Score:
    """Meters with one fault.

    Attributes
    ----------
    delays : list of float
        From the fault to the first detection that says what it is; infinite where none does. [d]
    errors : list of float
        Of the ratio by the last detection that says what it is. [1]
    before, other : int
        Detections before the fault, and meters where something else was said since it first.
    """

    trial: Trial
    delays: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    before: int = 0
    other: int = 0

    def recall(self, days: float) -> float:
        """Share found within so many days."""
        return float(np.mean([delay <= days for delay in self.delays]))


def _power(world: World, seed: int, days: int, trial: Trial | None, from_day: float) -> Meter:
    return meter_of(world, seed, days=days, ratio=trial.ratio if trial else 1.0, from_day=from_day)


def _phases(world: World, seed: int, days: int, trial: Trial | None, from_day: float) -> Meter:
    assert isinstance(world, PhaseWorld)
    return phase_meter_of(world, seed, days=days, cause=trial.cause if trial else None, from_day=from_day)


def _heat(world: World, seed: int, days: int, trial: Trial | None, from_day: float) -> Meter:
    ratio = 1.0 if trial is None or np.isnan(trial.ratio) else trial.ratio
    fault = HeatFault(cause=trial.cause, from_day=from_day, ratio=ratio) if trial else None
    return heat_meter_of(world, seed, days=days, fault=fault)


def _by_unevenness(loads: Sequence[World]) -> dict[str, list[World]]:
    found: dict[str, list[World]] = {}
    for load in loads:
        if isinstance(load, PhaseWorld):
            found.setdefault(f", {load.uneven:.0%} on single phases", []).append(load)
    return found


_ENERGY = tuple(Trial(name=f"energy × {ratio:.3g}", cause=Cause.ENERGY, ratio=ratio) for ratio in _RATIOS)
KINDS: Mapping[str, Kind] = {
    "power": Kind(loads=lambda split: list(worlds(split)), meter=_power, trials=_ENERGY),
    "phases": Kind(
        loads=lambda split: list(phase_worlds(split)),
        meter=_phases,
        trials=(Trial(name="L2 dead", cause=Cause.DEAD_L2), Trial(name="L2 backwards", cause=Cause.REVERSED_L2)),
        groups=_by_unevenness,
    ),
    "heat": Kind(
        loads=lambda split: list(worlds(split)),
        meter=_heat,
        trials=(
            *_ENERGY,
            Trial(name="sensors exchanged", cause=Cause.EXCHANGED),
            Trial(name="supply sensor stands still", cause=Cause.SUPPLY_STUCK),
            Trial(name="return sensor stands still", cause=Cause.RETURN_STUCK),
        ),
    ),
}


def _days(meter: Meter) -> float:
    return float(meter.at_us[-1] - meter.at_us[0]) / 86_400e6


def clean(kind: Kind, loads: Sequence[World], *, days: int, draws: int, seed: int = 1) -> Clean:
    """Clean meters: alarms, and the smallest error that each could see."""
    out = Clean()
    for draw in range(draws):
        for world in loads:
            meter = kind.meter(world, seed + 1000 * draw, days, None, 0.0)
            said = follow(meter)
            first = said.events[said.events["ended"] == NEVER]
            alarms = len(np.unique(first["started"]))
            out.meters, out.days, out.alarms = out.meters + 1, out.days + _days(meter), out.alarms + alarms
            out.names += [world.name] * alarms
            seen = said.sights["smallest"][np.isfinite(said.sights["smallest"])]
            out.smallest.append(float(seen[-1]) if len(seen) else np.inf)
    return out


def score(kind: Kind, loads: Sequence[World], trial: Trial, *, seed: int = 5) -> Score:
    """Meters with a fault from a day on."""
    out = Score(trial=trial)
    for world in loads:
        from_day = FAULT_DAY + zlib.crc32(world.name.encode()) % FAULT_SPREAD_DAYS
        meter = kind.meter(world, seed, from_day + AFTER_DAYS, trial, from_day)
        said = follow(meter).events
        at = meter.at_us[0] + from_day * 86_400e6
        out.before += len(np.unique(said[said["decided"] < at]["started"]))
        since = said[(said["decided"] >= at) & (said["ended"] == NEVER)]
        right = np.array([unpack(int(scale))[1] is trial.cause for scale in since["scale"]], np.bool_)
        hits = since[right]
        out.other += bool(len(since)) and not right[0]
        out.delays.append(float(hits["decided"][0] - at) / 86_400e6 if len(hits) else np.inf)
        if len(hits):
            out.errors.append(abs(float(hits["at"][-1] / hits["before"][-1]) / trial.ratio - 1.0))
    return out


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", choices=KINDS, default="power")
    parser.add_argument("--split", choices=SPLITS, default="scoring")
    parser.add_argument("--small", action="store_true")
    chosen = parser.parse_args(arguments)
    kind = KINDS[chosen.check]
    loads = kind.loads(chosen.split)[:: 6 if chosen.small else 1]
    say = sys.stdout.write
    quiet = clean(kind, loads, days=90 if chosen.small else 366, draws=1 if chosen.small else 2)
    rate = 1000.0 * quiet.alarms / quiet.days
    say(f"{chosen.split}: {quiet.meters} clean meters, {quiet.days:,.0f} meter-days, {quiet.alarms} alarms, ")
    say(f"{rate:.3f} per 1,000 meter-days {sorted(set(quiet.names))}\n")
    visible = np.array(quiet.smallest)
    say("smallest visible error, median and by share of meters: ")
    say(
        f"{np.median(visible):.1%}; "
        + ", ".join(f"{np.mean(visible <= e):.0%} ≤ {e:.0%}" for e in (0.05, 0.1, 0.2, 0.34))
    )
    say("\n| fault | meters | found by 1 / 7 / 30 d | median delay | median error of the ratio | before | another |\n")
    for trial, (group, some) in product(kind.trials, kind.groups(loads).items()):
        one = score(kind, some, trial)
        found = " / ".join(f"{one.recall(days):.0%}" for days in BY_DAYS)
        error = f"{np.median(one.errors):.2%}" if np.isfinite(one.errors).any() else "–"
        say(f"| {trial.name}{group} | {len(one.delays)} | {found} | {np.median(one.delays):.1f} d | {error} ")
        say(f"| {one.before} | {one.other} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
