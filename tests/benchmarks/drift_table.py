"""The table of drift detection on real loads: ``python -m tests.benchmarks.drift_table [--split scoring] [--small]``.

The loads are 146 real building meters (`../shared/data`), split by site: the rules were chosen on Fox and Bear, the
table is of Panther, whose meters no rule has seen.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from analytics.drift.engine import advance
from analytics.drift.scoring import (
    Alarm,
    FalseAlarms,
    Found,
    alarms_of,
    always_fire,
    chance_recall,
    false_alarms,
    found,
)
from analytics.drift.simulation import Fault, FaultKind, Simulated, World, draw_loads, simulate
from analytics.drift.state import BalanceState

__all__ = ["LEARNING_DAYS", "SITES", "Plan", "by_engine", "loads_of", "prepare"]

LEARNING_DAYS = 52
"""Seven days of the usual load and 45 of learning: nothing is said before."""
SITES = {"development": ("Fox", "Bear"), "scoring": ("Panther",)}
DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "bdg2_electricity_hourly_kwh.parquet"
FAULT_DAY, FAULT_SPREAD_DAYS = 150, 28
BY_DAYS = (30, 45, 60, 90)

Floats = NDArray[np.float64]
Method = Callable[[Simulated], tuple[Alarm, ...]]


def data_file() -> Path | None:
    """The real loads, where they are on this machine."""
    for place in (DATA, Path("/work/shared/data") / DATA.name):
        if place.is_file():
            return place
    return None


def loads_of(split: str) -> Floats:
    """Real hourly loads of a split's sites, from where most meters have begun; (t, m). [kWh]."""
    file = data_file()
    if file is None:
        raise FileNotFoundError(f"the real loads are required at {DATA}")
    table = pq.read_table(file)
    columns = [name for name in table.column_names if name.split("_")[0] in SITES[split]]
    loads = np.array([table[name].to_numpy() for name in columns], np.float64).T
    begun = (np.nan_to_num(loads) > 0).mean(axis=1) > 0.6
    return loads[int(np.argmax(begun)) :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One scenario: `groups` balances of `size` children over `days`, all with the same kind of fault."""

    name: str
    groups: int
    size: int
    days: int
    kind: FaultKind
    change: float
    least_share: float
    seed: int


def prepare(plan: Plan, loads: Floats, world: World | None = None) -> Simulated:
    """The scenario's groups; the faulty child is drawn among those with the least share."""
    world = world or World()
    rng = np.random.default_rng(plan.seed)
    sizes = np.full(plan.groups, plan.size)
    drawn = draw_loads(loads, sizes, hours=plan.days * 24, spread=world.spread, rng=rng)
    mean = np.nan_to_num(drawn).mean(axis=0).reshape(plan.groups, plan.size)
    share = mean / mean.sum(axis=1, keepdims=True)
    faults = []
    for group in range(plan.groups):
        child = group * plan.size + int(rng.choice(np.flatnonzero(share[group] >= plan.least_share)))
        start = 24 * FAULT_DAY + int(rng.integers(0, 24 * FAULT_SPREAD_DAYS))
        sign = 1.0 if rng.random() < 0.5 else -1.0
        one = plan.kind in {FaultKind.STEP, FaultKind.RAMP}
        faults.append(
            Fault(group=group, child=child if one else -1, kind=plan.kind, start=start, size=sign * plan.change)
        )
    return simulate(drawn, sizes, tuple(faults), world=world, seed=plan.seed + 1)


def by_engine(simulated: Simulated) -> tuple[Alarm, ...]:
    """Alarms of the balance engine."""
    return alarms_of(advance(BalanceState.empty(simulated.groups), simulated.hours).changes, simulated)


def plans(*, small: bool) -> list[Plan]:
    """What the table has a row for."""
    n, many = (8, 2) if small else (24, 8)
    days = FAULT_DAY + FAULT_SPREAD_DAYS + 92
    ten = {"groups": n, "size": 10, "days": days, "least_share": 0.05}
    thirty = {"groups": many, "size": 30, "days": days, "least_share": 0.02}
    step, ramp = FaultKind.STEP, FaultKind.RAMP
    rows = [
        ("2 % step, N = 10", ten, step, 0.02),
        ("1 % step, N = 10", ten, step, 0.01),
        ("5 % step, N = 10", ten, step, 0.05),
        ("lost phase, -33 %, N = 10", ten, step, 0.33),
        ("2 % ramp over 30 d, N = 10", ten, ramp, 0.02),
        ("5 % step, N = 30", thirty, step, 0.05),
        ("2 % step, N = 30", thirty, step, 0.02),
        ("parent: 1 % step, N = 10", ten, FaultKind.PARENT_STEP, 0.01),
    ]
    return [
        Plan(name=name, kind=kind, change=change, seed=1000 + 10 * i, **size)  # type: ignore[arg-type]  # one dict a size
        for i, (name, size, kind, change) in enumerate(rows)
    ]


def clean_plan(*, small: bool) -> Plan:
    """At least 100,000 clean meter-days in the full table."""
    groups, days = (6, 200) if small else (26, 440)
    return Plan(
        name="clean, N = 10",
        groups=groups,
        size=10,
        days=days,
        kind=FaultKind.NONE,
        change=0.0,
        least_share=0.0,
        seed=77,
    )


def unclosed_plans(*, small: bool) -> list[Plan]:
    """Balances that do not close: no meter may be blamed."""
    n = 6 if small else 12
    return [
        Plan(
            name=f"{kind.value} of {size:.0%}",
            groups=n,
            size=10,
            days=270,
            kind=kind,
            change=size,
            least_share=0.0,
            seed=500 + 10 * i,
        )
        for i, (kind, size) in enumerate(
            ((FaultKind.HIDDEN_CHILD, 0.05), (FaultKind.HIDDEN_CHILD, 0.15), (FaultKind.NEW_LOAD, 0.05))
        )
    ]


def _percent(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.0%}"


def _row(name: str, result: Found, rate: float) -> str:
    recall = " / ".join(_percent(value) for value in result.recall)
    delay = "–" if np.isinf(result.median_days) else f"{result.median_days:.1f}"
    error = "–" if np.isnan(result.gain_error) else f"{100 * result.gain_error:.2f}"
    return (
        f"| {name} | {result.groups} | {_percent(result.seen[1])} | {recall} | {delay} | {_percent(result.naming)} | "
        f"{_percent(result.refused)} | {_percent(result.precision)} | {error} | {_percent(result.coverage)} | "
        f"{_percent(result.called_drift)} | {chance_recall(rate, BY_DAYS[1]):.1%} |"
    )


def _clean(name: str, result: FalseAlarms) -> str:
    interval = f"{result.low:.3f} – {result.high:.3f}"
    return f"| {name} | {result.alarms} | {result.meter_days:,} | {result.rate:.3f} | {interval} |"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


_HEAD = (
    "| scenario | groups | seen by 45 d | recall by 30 / 45 / 60 / 90 d | median days | names right | refuses "
    "| precision | gain error, pp | 95 % holds | called slow | chance, 45 d |\n|" + "---|" * 12
)
_CLEAN_HEAD = "| method, clean groups | alarms | meter-days | per 1,000 meter-days | 95 % |\n|---|---|---|---|---|"


def table(split: str, *, small: bool, rivals: bool) -> None:
    """Print everything."""
    loads = loads_of(split)
    began = time.perf_counter()
    _say(f"split: {split} ({', '.join(SITES[split])}; {loads.shape[1]} meters, {len(loads) // 24} days)\n")
    clean = prepare(clean_plan(small=small), loads)
    quiet = false_alarms(clean, by_engine(clean), learning_days=LEARNING_DAYS)
    _say(_CLEAN_HEAD)
    _say(_clean("balance engine", quiet))
    every = false_alarms(clean, always_fire(clean, learning_days=LEARNING_DAYS), learning_days=LEARNING_DAYS)
    _say(_clean("fires always", every) + "\n")
    _say(_HEAD)
    for plan in plans(small=small):
        simulated = prepare(plan, loads)
        _say(_row(plan.name, found(simulated, by_engine(simulated), days=BY_DAYS), quiet.rate))
    _say("\n| balance that does not close | groups | held not to close at the end | alarms per 1,000 meter-days |")
    _say("|---|---|---|---|")
    from analytics.drift._decide import closing  # noqa: PLC0415

    for plan in unclosed_plans(small=small):
        simulated = prepare(plan, loads)
        state = BalanceState.empty(simulated.groups)
        alarms = alarms_of(advance(state, simulated.hours).changes, simulated)
        share = float(np.mean(~np.concatenate([closing(batch) for batch in state.batches])))
        rate = false_alarms(simulated, alarms, learning_days=LEARNING_DAYS).rate
        _say(f"| {plan.name} | {plan.groups} | {share:.0%} | {rate:.3f} |")
    if rivals:
        _rivals(clean, prepare(plans(small=small)[0], loads), plans(small=small)[0].name, every.rate)
    took = time.perf_counter() - began
    _say(
        "\n"
        + json.dumps({"bench": "drift: the table", "value": round(took, 1), "unit": "s", "load": os.getloadavg()[0]})
    )


def _rivals(clean: Simulated, faulty: Simulated, name: str, most: float) -> None:
    """The same groups through everything else, clean and with the first fault."""
    from tests.benchmarks.drift_rivals import RIVALS  # noqa: PLC0415 - river takes a second to import

    always = always_fire(faulty, learning_days=LEARNING_DAYS)
    rows = [_row(f"{name}: fires always", found(faulty, always, days=BY_DAYS), most)]
    _say("\n" + _CLEAN_HEAD)
    for rival, method in RIVALS.items():
        noisy = false_alarms(clean, method(clean), learning_days=LEARNING_DAYS)
        _say(_clean(rival, noisy))
        rows.append(_row(f"{name}: {rival}", found(faulty, method(faulty), days=BY_DAYS), noisy.rate))
    _say("\n" + _HEAD)
    for row in rows:
        _say(row)


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--split", choices=tuple(SITES), default="scoring")
    parser.add_argument("--small", action="store_true", help="a tenth of the groups")
    parser.add_argument("--no-rivals", action="store_true")
    chosen = parser.parse_args()
    table(chosen.split, small=chosen.small, rivals=not chosen.no_rivals)


if __name__ == "__main__":
    main()
