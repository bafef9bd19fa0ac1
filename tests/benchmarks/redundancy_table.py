"""How well wrong ratios are found: ``python -m tests.benchmarks.redundancy_table [--split scoring] [--small]``.

Clean meters say how often it is wrong, meters with a fault how many are found by when. What is real and what is
simulated stands in `redundancy_worlds`.
"""

import argparse
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from analytics.columns.register import NEVER
from tests.benchmarks.redundancy_worlds import SPLITS, Meter, World, follow, meter_of, worlds

__all__ = ["FAULTS", "Clean", "Score", "clean", "score"]

FAULTS = (0.1, 1 / 3, 0.5, 2 / 3, 0.8, 0.9, 0.95, 1.05, 1.1, 1.25, 1.5, 2.0)
FAULT_DAY, FAULT_SPREAD_DAYS, AFTER_DAYS = 45, 28, 40
"""The scoring site's meters stand at zero for nineteen days: faults come once there was load to learn from."""
BY_DAYS = (1, 7, 30)


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
    """Found faults of one size; delays from the fault to the first detection that begins with it. [d]"""

    ratio: float
    delays: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    before: int = 0

    def recall(self, days: float) -> float:
        """Share found within so many days."""
        return float(np.mean([delay <= days for delay in self.delays]))


def _days(meter: Meter) -> float:
    return float(meter.at_us[-1] - meter.at_us[0]) / 86_400e6


def clean(loads: Sequence[World], *, days: int, draws: int, seed: int = 1) -> Clean:
    """Clean meters: alarms, and the smallest error that each could see."""
    out = Clean()
    for draw in range(draws):
        for world in loads:
            meter = meter_of(world, seed + 1000 * draw, days=days)
            said = follow(meter)
            first = said.events[said.events["ended"] == NEVER]
            alarms = len(np.unique(first["started"]))
            out.meters, out.days, out.alarms = out.meters + 1, out.days + _days(meter), out.alarms + alarms
            out.names += [world.name] * alarms
            seen = said.sights["smallest"][np.isfinite(said.sights["smallest"])]
            out.smallest.append(float(seen[-1]) if len(seen) else np.inf)
    return out


def score(loads: Sequence[World], ratio: float, *, seed: int = 5) -> Score:
    """Meters whose ratio is wrong from a day on."""
    out = Score(ratio=ratio)
    for world in loads:
        from_day = FAULT_DAY + zlib.crc32(world.name.encode()) % FAULT_SPREAD_DAYS
        meter = meter_of(world, seed, days=from_day + AFTER_DAYS, ratio=ratio, from_day=from_day)
        said = follow(meter).events
        at = meter.at_us[0] + from_day * 86_400e6
        early = said[said["decided"] < at]
        out.before += len(np.unique(early["started"]))
        hits = said[said["decided"] >= at]
        out.delays.append(float(hits["decided"][0] - at) / 86_400e6 if len(hits) else np.inf)
        if len(hits):
            last = hits[-1]
            out.errors.append(abs(float(last["at"] / last["before"]) / ratio - 1.0))
    return out


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--split", choices=SPLITS, default="scoring")
    parser.add_argument("--small", action="store_true")
    chosen = parser.parse_args(arguments)
    loads = list(worlds(chosen.split))
    say = sys.stdout.write
    quiet = clean(
        loads[:12] if chosen.small else loads, days=90 if chosen.small else 366, draws=1 if chosen.small else 2
    )
    rate = 1000.0 * quiet.alarms / quiet.days
    say(f"{chosen.split}: {quiet.meters} clean meters, {quiet.days:,.0f} meter-days, {quiet.alarms} alarms, ")
    say(f"{rate:.3f} per 1,000 meter-days {sorted(set(quiet.names))}\n")
    visible = np.array(quiet.smallest)
    say("smallest visible error, median and by share of meters: ")
    say(
        f"{np.median(visible):.1%}; "
        + ", ".join(f"{np.mean(visible <= e):.0%} ≤ {e:.0%}" for e in (0.05, 0.1, 0.2, 0.33))
    )
    say("\n| ratio | meters | found by 1 / 7 / 30 d | median delay | median error of the ratio | alarms before |\n")
    for ratio in (0.5, 0.9) if chosen.small else FAULTS:
        one = score(loads[::6] if chosen.small else loads, ratio)
        found = " / ".join(f"{one.recall(days):.0%}" for days in BY_DAYS)
        say(f"| {ratio:.3f} | {len(one.delays)} | {found} | {np.median(one.delays):.1f} d | ")
        say(f"{np.median(one.errors) if one.errors else np.nan:.2%} | {one.before} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
