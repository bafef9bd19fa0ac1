"""The table of drift detection on real loads: ``python -m tests.benchmarks.drift_table [--split untouched] [--small]``.

Which loads are scored, and which the rules were chosen on, is said in `drift_loads`. Seeds are fixed: a split, a number
of groups and a revision give one table. Two processes halve the time; the order of the rows stays.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from analytics.drift._decide import closing, thresholds
from analytics.drift._evidence import shift
from analytics.drift.engine import advance
from analytics.drift.observability import smallest_change
from analytics.drift.rules import BalanceRules
from analytics.drift.state import BalanceState
from tests.benchmarks.drift.scoring import (
    Alarm,
    FalseAlarms,
    Found,
    alarms_of,
    always_fire,
    chance_recall,
    false_alarms,
    found,
    one_meter,
    wilson,
)
from tests.benchmarks.drift.simulation import Fault, FaultKind, Simulated, World, draw_loads, simulate
from tests.benchmarks.drift_loads import SEEDS, SPLITS, loads_of

__all__ = ["LEARNING_DAYS", "Plan", "by_engine", "prepare"]

LEARNING_DAYS = 52
"""Seven days of the usual load and 45 of learning: nothing is said before."""
FAULT_DAY, FAULT_SPREAD_DAYS = 150, 28
BY_DAYS = (30, 45, 60, 90)

Floats = NDArray[np.float64]
Method = Callable[[Simulated], tuple[Alarm, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One scenario: `groups` balances of `size` children over `days`, all with the same kind of fault.

    `goal_day` is the day by which recall is asked for; with `above`, so many groups each hang below another meter.
    """

    name: str
    groups: int
    size: int
    days: int
    kind: FaultKind
    change: float
    least_share: float
    seed: int
    goal_day: int = 45
    above: int = 0
    rules: BalanceRules = field(default_factory=BalanceRules)


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
        sign = 1.0 if plan.kind is FaultKind.NEW_LOAD or rng.random() < 0.5 else -1.0
        one = plan.kind in {FaultKind.STEP, FaultKind.RAMP}
        faults.append(
            Fault(group=group, child=child if one else -1, kind=plan.kind, start=start, size=sign * plan.change)
        )
    return simulate(drawn, sizes, tuple(faults), world=world, seed=plan.seed + 1, above=plan.above)


def by_engine(simulated: Simulated, rules: BalanceRules | None = None) -> tuple[Alarm, ...]:
    """Alarms of the balance engine."""
    return alarms_of(advance(BalanceState.empty(simulated.groups, rules), simulated.hours).changes, simulated)


def plans(*, groups: int) -> list[Plan]:
    """What the table has a row for."""
    days = FAULT_DAY + FAULT_SPREAD_DAYS + 92
    ten = Plan(
        name="", groups=groups, size=10, days=days, kind=FaultKind.STEP, change=0.02, least_share=0.05, seed=1000
    )
    thirty = replace(ten, groups=max(groups // 3, 2), size=30, least_share=0.02)
    rows = [
        replace(ten, name="2 % step, N = 10"),
        replace(ten, name="1 % step, N = 10", change=0.01, goal_day=60),
        replace(ten, name="2 % ramp over 30 d, N = 10", kind=FaultKind.RAMP),
        replace(ten, name="5 % step, N = 10", change=0.05),
        replace(ten, name="lost phase, -33 %, N = 10", change=0.33, groups=max(groups // 2, 2)),
        replace(ten, name="parent: 1 % step, N = 10", kind=FaultKind.PARENT_STEP, change=0.01),
        replace(thirty, name="5 % step, N = 30", change=0.05, goal_day=60),
        replace(thirty, name="2 % step, N = 30", goal_day=90),
    ]
    return [replace(row, seed=row.seed + 10 * i) for i, row in enumerate(rows)]


def clean_plan(*, groups: int) -> Plan:
    """Sound meters for a year."""
    return Plan(
        name="clean, N = 10",
        groups=groups,
        size=10,
        days=364,
        kind=FaultKind.NONE,
        change=0.0,
        least_share=0.0,
        seed=77,
    )


def unclosed_plans(*, groups: int) -> list[Plan]:
    """Balances that do not close: no meter may be blamed."""
    sizes = ((FaultKind.HIDDEN_CHILD, 0.05), (FaultKind.HIDDEN_CHILD, 0.15), (FaultKind.NEW_LOAD, 0.05))
    return [
        replace(
            clean_plan(groups=groups),
            name=f"{kind.value} of {size:.0%}",
            days=270,
            kind=kind,
            change=size,
            seed=500 + 10 * i,
        )
        for i, (kind, size) in enumerate(sizes)
    ]


def tree_plans(*, groups: int) -> list[Plan]:
    """Two levels, five balances of ten below each upper meter; heard together, and each level for itself."""
    ten = replace(plans(groups=max(groups // 5, 1) * 5)[0], above=5, seed=3000)
    rows = [
        replace(ten, name="middle meter: 1 % step", kind=FaultKind.PARENT_STEP, change=0.01),
        replace(ten, name="leaf: 2 % step", seed=3010),
        replace(ten, name="new load of 5 % below a middle meter", kind=FaultKind.NEW_LOAD, change=0.05, seed=3020),
    ]
    alone = BalanceRules(levels=False)
    return [
        plan
        for row in rows
        for plan in (
            replace(row, name=f"{row.name}, levels together"),
            replace(row, name=f"{row.name}, each alone", rules=alone),
        )
    ]


def within_sight(state: BalanceState, plan: Plan, simulated: Simulated) -> float:
    """Share of the faults that the engine's own deviation lets find with an even chance by the goal's day."""
    seen = []
    for batch in state.batches:
        total, limits = batch.total(), thresholds(batch)
        _, covariance = shift(total, batch.prior, batch.sigma2)
        for row, group in enumerate(batch.group.tolist()):
            fault = simulated.faults[group]
            if fault.kind is FaultKind.NONE:
                continue
            which = fault.child - int(simulated.groups.start[group]) if fault.child >= 0 else batch.mask.shape[1]
            hours, limit, days = float(total.n[row]), float(limits[row]), float(plan.goal_day)
            least, _, _ = smallest_change(batch, row, total.a[row], hours, covariance[row], days, limit)
            seen.append(bool(least[which] <= abs(fault.size)))
    return float(np.mean(seen))


def _percent(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.0%}"


def _number(value: float, digits: int, scale: float = 1.0) -> str:
    return "–" if not np.isfinite(value) else f"{scale * value:.{digits}f}"


def _row(name: str, result: Found, rate: float, *, goal_day: int = 45, bound: float = float("nan")) -> str:
    recall = " / ".join(_percent(value) for value in result.recall)
    low, high = wilson(result.recall[BY_DAYS.index(goal_day)], result.groups)
    cells = [
        name,
        str(result.groups),
        _percent(result.seen[1]),
        recall,
        f"{low:.0%} – {high:.0%} at {goal_day} d",
        _percent(bound),
        _number(result.median_days, 1),
        _percent(result.naming),
        _percent(result.refused),
        _percent(result.precision),
        _number(result.gain_error, 2, 100.0),
        _percent(result.coverage),
        _percent(result.called_drift),
        f"{_number(result.start_error, 1)} d, {_percent(result.start_coverage)}",
        _number(result.told, 2),
        f"{chance_recall(rate, BY_DAYS[1]):.1%}",
    ]
    return f"| {' | '.join(cells)} |"


def _clean(name: str, result: FalseAlarms) -> str:
    interval = f"{result.low:.3f} – {result.high:.3f}"
    return f"| {name} | {result.alarms} | {result.meter_days:,} | {result.rate:.3f} | {interval} |"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


_HEAD = (
    "| scenario | groups | seen by 45 d | recall by 30 / 45 / 60 / 90 d | 95 % of it | within sight | median days "
    "| names right | refuses | precision | gain error, pp | 95 % holds | called slow | start off, 95 % holds | reports "
    "| chance, 45 d |\n|" + "---|" * 16
)
_CLEAN_HEAD = "| method, clean groups | alarms | meter-days | per 1,000 meter-days | 95 % |\n|---|---|---|---|---|"
_UNCLOSED_HEAD = (
    "| balance that does not close | alarms | meter-days | per 1,000 meter-days | 95 % | held not to close at the end |"
    "\n|---|---|---|---|---|---|"
)


def _faulty(split: str, plan: Plan) -> tuple[Found, float]:
    simulated = prepare(plan, loads_of(split))
    state = BalanceState.empty(simulated.groups, plan.rules)
    before = 24 * FAULT_DAY + 1
    changes = advance(state, simulated.hours[:before]).changes
    bound = within_sight(state, plan, simulated)
    changes += advance(state, simulated.hours[before:]).changes
    alarms = one_meter(alarms_of(changes, simulated), simulated.groups)
    faulty = tuple(fault for fault in simulated.faults if fault.kind is not FaultKind.NONE)
    result = found(replace(simulated, faults=faulty), alarms, days=BY_DAYS)
    return result, bound


def _sound(split: str, plan: Plan) -> FalseAlarms:
    simulated = prepare(plan, loads_of(split))
    return false_alarms(simulated, by_engine(simulated), learning_days=LEARNING_DAYS)


def _unclosed(split: str, plan: Plan) -> str:
    simulated = prepare(plan, loads_of(split))
    state = BalanceState.empty(simulated.groups, plan.rules)
    alarms = alarms_of(advance(state, simulated.hours).changes, simulated)
    share = float(np.mean(~np.concatenate([closing(batch) for batch in state.batches])))
    return f"{_clean(plan.name, false_alarms(simulated, alarms, learning_days=LEARNING_DAYS))} {share:.0%} |"


def table(split: str, *, groups: int, rivals: bool, processes: int) -> None:
    """Print everything."""
    loads = loads_of(split)
    began = time.perf_counter()
    _say(f"split: {split} ({loads.shape[1]} meters, {len(loads) // 24} days; seeds from {SEEDS[split]})\n")

    def seeded(plan: Plan) -> Plan:
        return replace(plan, seed=plan.seed + SEEDS[split])

    clean = seeded(clean_plan(groups=groups))
    most = max(groups // 3, 5)
    trees = [seeded(plan) for plan in tree_plans(groups=most)]
    faulty = [seeded(plan) for plan in plans(groups=groups)]
    levels = [plan for plan in trees if plan.kind is not FaultKind.NEW_LOAD]
    unclosed = [seeded(plan) for plan in unclosed_plans(groups=most)]
    unclosed += [plan for plan in trees if plan.kind is FaultKind.NEW_LOAD]
    with ProcessPoolExecutor(processes) as pool:
        sound = pool.submit(_sound, split, clean)
        rows = [(plan, pool.submit(_faulty, split, plan)) for plan in [*faulty, *levels]]
        open_rows = [pool.submit(_unclosed, split, plan) for plan in unclosed]
        quiet = sound.result()
        _say(f"{_CLEAN_HEAD}\n{_clean('balance engine', quiet)}")
        always = FalseAlarms(alarms=quiet.meter_days, meter_days=quiet.meter_days, rate=1000.0, low=1000.0, high=1000.0)
        _say(f"{_clean('fires always', always)}\n\n{_HEAD}")
        for plan, row in rows:
            result, bound = row.result()
            _say(_row(plan.name, result, quiet.rate, goal_day=plan.goal_day, bound=bound))
        _say(f"\n{_UNCLOSED_HEAD}")
        for text in open_rows:
            _say(text.result())
    if rivals:
        _rivals(prepare(replace(clean, groups=26), loads), prepare(replace(seeded(plans(groups=24)[0])), loads))
    took = time.perf_counter() - began
    line = {"bench": "drift: the table", "value": round(took, 1), "unit": "s", "load": os.getloadavg()[0]}
    _say("\n" + json.dumps(line))


def _rivals(clean: Simulated, faulty: Simulated) -> None:
    """The same kinds of groups through everything else, clean and with the first fault."""
    from tests.benchmarks.drift_rivals import RIVALS  # noqa: PLC0415 - river takes a second to import

    methods = {"balance engine": by_engine, **RIVALS}
    name = plans(groups=24)[0].name
    always = always_fire(faulty, learning_days=LEARNING_DAYS)
    rows = [_row(f"{name}: fires always", found(faulty, always, days=BY_DAYS), 1000.0)]
    _say("\n" + _CLEAN_HEAD)
    for rival, method in methods.items():
        noisy = false_alarms(clean, method(clean), learning_days=LEARNING_DAYS)
        _say(_clean(rival, noisy))
        rows.append(_row(f"{name}: {rival}", found(faulty, method(faulty), days=BY_DAYS), noisy.rate))
    _say("\n" + _HEAD)
    for row in rows:
        _say(row)


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--split", choices=SPLITS, default="untouched")
    parser.add_argument("--groups", type=int, default=120, help="groups of ten in a scenario; of thirty, a third")
    parser.add_argument("--small", action="store_true", help="8 groups in a scenario: a look")
    parser.add_argument("--no-rivals", action="store_true")
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args()
    groups = 8 if chosen.small else chosen.groups
    table(chosen.split, groups=groups, rivals=not chosen.no_rivals, processes=chosen.processes)


if __name__ == "__main__":
    main()
