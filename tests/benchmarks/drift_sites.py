"""Drift by site of buildings: ``python -m tests.benchmarks.drift_sites [--sites Fox,Rat] [--scale 2] [--seed 101]``.

Each of Fox, Bear, Panther and Rat for itself, two years (Panther 20 months) of groups of ten: clean ones, and ones in
which a meter has a fault after five months and a second one half a year later. What `observability` said of that meter
before each fault is kept, so recall among the observable stands beside recall of all. Rules are chosen with seeds below
100 and reported with seeds from 100 on: other groups, other faults, other parents. ``--leave-one-out`` lets three
sites choose the rules and reports the fourth, each site once.
"""

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analytics.drift.change import UNNAMED, ChangeState, Ending, GainChange
from analytics.drift.engine import advance
from analytics.drift.observability import children_seen
from analytics.drift.rules import BalanceRules
from analytics.drift.state import BalanceState
from tests.benchmarks.drift.scoring import alarm_rate, wilson
from tests.benchmarks.drift.simulation import Fault, FaultKind, Simulated, World, draw_loads, simulate
from tests.benchmarks.drift_loads import SITES, site_loads

__all__ = [
    "SCENARIOS",
    "Scenario",
    "Site",
    "Told",
    "chosen_without",
    "leave_one_out",
    "prepare",
    "run",
    "stories",
    "table",
]

Floats = NDArray[np.float64]

_DAY = 24
_LEARNING_DAYS = 52
_FIRST, _SECOND, _SPREAD = 150, 340, 28
"""Days of the two faults, and how far they are spread."""
_LONGEST = 728
_LEAST_SHARE = 0.05
_SIZE = 10
_WANTED, _LEAST_PRECISION = 0.05, 0.9
"""False alarms per 1,000 meter-days of clean groups, and share of alarms on the meter at fault."""
_BEFORE = BalanceRules(own=0.1, common=0.1, loss_wander=0.0003, late_margin=4.0, sure=1.64)
CHOICES: Mapping[str, BalanceRules] = {
    "before": _BEFORE,
    "wander halved": BalanceRules(late_margin=4.0, sure=1.64),
    "and named later by less": BalanceRules(late_margin=1.0, sure=1.64),
    "and sure by 1": BalanceRules(late_margin=1.0),
    "and by a margin of 2.5": BalanceRules(),
    "and threshold 3.2": BalanceRules(alarm=3.2),
}
"""Rules that `leave_one_out` chooses from, each with what the ones above it change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """So many groups of a site, all with the same kind of fault."""

    name: str
    kind: FaultKind
    change: float
    groups: int
    goal_day: int = 45


SCENARIOS = (
    Scenario(name="clean", kind=FaultKind.NONE, change=0.0, groups=10),
    Scenario(name="2 % step", kind=FaultKind.STEP, change=0.02, groups=10),
    Scenario(name="5 % step", kind=FaultKind.STEP, change=0.05, groups=8, goal_day=60),
    Scenario(name="1 % step", kind=FaultKind.STEP, change=0.01, groups=6, goal_day=60),
    Scenario(name="2 % ramp", kind=FaultKind.RAMP, change=0.02, groups=6, goal_day=90),
    Scenario(name="new load of 5 %", kind=FaultKind.NEW_LOAD, change=0.05, groups=4),
)
_CHOOSING = tuple(
    replace(one, groups=groups)
    for one in SCENARIOS
    for groups in [{"clean": 6, "2 % step": 6, "5 % step": 2, "2 % ramp": 3}.get(one.name, 0)]
    if groups
)
"""Groups that rules are chosen by, of each seed."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Site:
    """Groups of a site, their faults, and the second fault of each faulty meter."""

    simulated: Simulated
    scenario: tuple[Scenario, ...]
    again: Mapping[int, Fault]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One detection of the engine through its life.

    Attributes
    ----------
    watched, alarm : float
        When it was first reported, and first an alarm; infinite where it never was one. [h]
    back : float
        When the gain was found to be where it was before the fault, infinite else. [h]
    size : float
        Last size within 61 days of the fault, NaN without a name. [1]
    last : float
        Last size at all. [1]
    drift : bool
        Whether it was a drift in the end.
    """

    group: int
    child: int
    watched: float
    alarm: float
    back: float
    size: float
    last: float
    drift: bool


def prepare(site: str, *, seed: int, scale: float = 1.0, scenarios: Sequence[Scenario] = SCENARIOS) -> Site:
    """Draw a site's groups by seed."""
    loads = site_loads(site)
    rng = np.random.default_rng([seed, SITES.index(site)])
    world = World()
    of = tuple(one for one in scenarios for _ in range(max(round(one.groups * scale), 1)))
    days = _span(loads)
    sizes = np.full(len(of), _SIZE)
    drawn = draw_loads(loads, sizes, hours=days * _DAY, spread=world.spread, rng=rng)
    mean = np.nan_to_num(drawn).mean(axis=0).reshape(len(of), _SIZE)
    share = mean / mean.sum(axis=1, keepdims=True)
    faults: list[Fault] = []
    again: dict[int, Fault] = {}
    for group, one in enumerate(of):
        child = group * _SIZE + int(rng.choice(np.flatnonzero(share[group] >= _LEAST_SHARE)))
        first, second = (_DAY * day + int(rng.integers(0, _DAY * _SPREAD)) for day in (_FIRST, _SECOND))
        sign = 1.0 if one.kind is FaultKind.NEW_LOAD or rng.random() < 0.5 else -1.0
        meter = one.kind in {FaultKind.STEP, FaultKind.RAMP}
        start = 0 if one.kind is FaultKind.NONE else first
        fault = Fault(group=group, child=child if meter else -1, kind=one.kind, start=start, size=sign * one.change)
        faults.append(fault)
        if meter:
            size = (1.0 if rng.random() < 0.5 else -1.0) * max(one.change, 0.02)
            again[group] = replace(fault, kind=FaultKind.STEP, start=second, size=size)
    simulated = simulate(drawn, sizes, tuple(faults), world=world, seed=seed + 1)
    for fault in again.values():
        simulated.hours.child[fault.start :, fault.child] *= 1.0 + fault.size
    return Site(simulated=simulated, scenario=of, again=again)


def _span(loads: Floats) -> int:
    """Most days in which one and a half times a group's meters have 95 % of their hours."""
    days = min(len(loads) // _DAY, _LONGEST)
    while days > _SECOND + 2 * _SPREAD:
        begins = range(0, len(loads) - days * _DAY + 1, 7 * _DAY)
        if max(int(((loads[b : b + days * _DAY] > 0).mean(axis=0) > 0.95).sum()) for b in begins) >= 1.4 * _SIZE:
            break
        days -= _SPREAD
    return days


def run(site: Site, rules: BalanceRules | None = None) -> tuple[tuple[GainChange, ...], dict[int, NDArray[np.bool_]]]:
    """What the engine reports, and of which meters a drift could be seen on the days before faults and at the end."""
    state = BalanceState.empty(site.simulated.groups, rules)
    hours = site.simulated.hours
    changes: tuple[GainChange, ...] = ()
    seen: dict[int, NDArray[np.bool_]] = {}
    at = 0
    for end in (_FIRST * _DAY + 1, _SECOND * _DAY + 1, len(hours)):
        changes += advance(state, hours[at:end]).changes
        seen[end // _DAY] = children_seen(site.simulated.groups, state)
        at = end
    return changes, seen


def stories(changes: Iterable[GainChange], faults: Sequence[Fault]) -> list[Told]:
    """Each detection through its life; a step that became a drift stays one."""
    lives: dict[tuple[int, int, int], list[GainChange]] = {}
    for change in changes:
        lives.setdefault((change.group, change.child, change.detected_hour), []).append(change)
    out = []
    for (group, child, hour), life in lives.items():
        alarms = [one.as_of_hour for one in life if not one.watched and one.state is not ChangeState.CLOSED]
        early = [one for one in life if one.as_of_hour <= faults[group].start + 61 * _DAY] or life[:1]
        backs = [one.as_of_hour for one in life if one.ending is Ending.BACK]
        told = Told(
            group=group,
            child=child,
            watched=hour,
            alarm=min(alarms, default=np.inf),
            back=min(backs, default=np.inf),
            size=early[-1].magnitude,
            last=life[-1].magnitude,
            drift=life[-1].kind.name == "GAIN_DRIFT",
        )
        out.append(told)
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One faulty meter."""

    site: str
    name: str
    goal_day: int
    observable: bool
    again_observable: bool
    alarm: float
    watched: float
    word: float
    second: float
    second_watched: float
    error: float
    drift: bool
    wrong: int


def _cases(name: str, site: Site, told: Sequence[Told], seen: Mapping[int, NDArray[np.bool_]]) -> list[_Case]:
    out = []
    for group, again in site.again.items():
        fault = site.simulated.faults[group]
        mine = [one for one in told if one.group == group and one.watched > fault.start]
        right = [one for one in mine if one.child == fault.child]
        first = [one for one in right if one.watched < again.start]
        backs = [(one.back - again.start) / _DAY for one in right if one.back > again.start]
        later = [one for one in right if one.watched > again.start]
        out.append(
            _Case(
                site=name,
                name=site.scenario[group].name,
                goal_day=site.scenario[group].goal_day,
                observable=bool(seen[_FIRST][fault.child]),
                again_observable=bool(seen[_SECOND][fault.child]),
                alarm=min(((one.alarm - fault.start) / _DAY for one in first), default=np.inf),
                watched=min(((one.watched - fault.start) / _DAY for one in first), default=np.inf),
                word=min(((one.watched - fault.start) / _DAY for one in mine), default=np.inf),
                second=min([*((one.alarm - again.start) / _DAY for one in later), *backs], default=np.inf),
                second_watched=min([*((one.watched - again.start) / _DAY for one in later), *backs], default=np.inf),
                error=abs(first[0].size - fault.size) if first else np.nan,
                drift=bool(first and first[-1].drift),
                wrong=sum(one.alarm < np.inf and one.child not in {fault.child, UNNAMED} for one in mine),
            )
        )
    return out


def _percent(values: Sequence[bool]) -> str:
    return f"{np.mean(values):.0%}" if values else "–"


def _row(where: str, name: str, cases: Sequence[_Case]) -> str:
    """Recall by the goal's day: alarms, and with what is only watched; of the observable, of all."""
    goal = cases[0].goal_day
    known = [one for one in cases if one.observable]
    hit = [one.watched <= goal for one in known]
    low, high = wilson(float(np.mean(hit)), len(hit)) if hit else (np.nan, np.nan)
    right, named = sum(one.alarm < np.inf for one in cases), sum((one.alarm < np.inf) + one.wrong for one in cases)
    cells = (
        where,
        name,
        f"{len(known)} of {len(cases)}",
        f"{_percent([one.alarm <= goal for one in known])} / {_percent(hit)} by {goal} d",
        f"{low:.0%} – {high:.0%}",
        _percent([one.watched <= goal for one in cases]),
        _percent([one.word <= 60 for one in cases]),
        f"{np.median([one.watched for one in cases]):.1f}",
        f"{100 * np.nanmedian([one.error for one in cases]):.2f}" if any(one.error >= 0 for one in cases) else "–",
        f"{right} of {named}",
        _percent([one.drift for one in cases if one.watched < np.inf]),
        _percent([one.again_observable for one in cases]),
        f"{_percent([one.second <= 60 for one in cases])} / {_percent([one.second_watched <= 60 for one in cases])}",
    )
    return f"| {' | '.join(cells)} |"


_COLUMNS = (
    "site",
    "fault",
    "observable before",
    "found among them: alarm / with watched",
    "95 %",
    "found of all",
    "any word by 60 d",
    "median days",
    "gain error, pp",
    "alarms that name right",
    "called a drift",
    "observable before the second",
    "second by 60 d: alarm / with watched",
)
_HEAD = f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}"
_CLEAN_HEAD = (
    "| site | groups | meter-days | alarms | per 1,000 | 95 % | watched | per 1,000 "
    "| accused, not observable at the end |\n|" + "---|" * 9
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Quiet:
    groups: int
    meter_days: int
    alarms: int
    watched: int
    blind: int
    accused: int


def _quiet(name: str, site: Site, told: Sequence[Told], seen: Mapping[int, NDArray[np.bool_]]) -> _Quiet:
    clean = {group for group, one in enumerate(site.scenario) if one.name == name}
    mine = [one for one in told if one.group in clean]
    days = len(site.simulated.hours) // _DAY - _LEARNING_DAYS
    accused = sorted({one.child for one in mine if one.child >= 0})
    return _Quiet(
        groups=len(clean),
        meter_days=days * _SIZE * len(clean),
        alarms=sum(one.alarm < np.inf for one in mine),
        watched=sum(one.alarm == np.inf for one in mine),
        blind=int((~seen[max(seen)][accused]).sum()),
        accused=len(accused),
    )


def _quiet_row(where: str, parts: Sequence[_Quiet]) -> str:
    groups, days, alarms, watched, blind, accused = (
        sum(getattr(one, name) for one in parts)
        for name in ("groups", "meter_days", "alarms", "watched", "blind", "accused")
    )
    rate, low, high = alarm_rate(alarms, days)
    cells = (where, str(groups), f"{days:,}", str(alarms), f"{rate:.3f}", f"{low:.3f} – {high:.3f}", str(watched))
    return f"| {' | '.join(cells)} | {1000 * watched / days:.3f} | {blind} of {accused} |"


def table(
    sites: Sequence[str], *, seed: int, scale: float, rules: Mapping[str, BalanceRules] | None = None
) -> list[str]:
    """Lines of the tables, one site after the other; with rules of its own for a site that has any."""
    quiet: dict[str, dict[str, _Quiet]] = {"clean": {}, "new load of 5 %": {}}
    cases: list[_Case] = []
    for name in sites:
        site = prepare(name, seed=seed, scale=scale)
        changes, seen = run(site, (rules or {}).get(name))
        told = stories(changes, site.simulated.faults)
        cases += _cases(name, site, told, seen)
        for which, found in quiet.items():
            found[name] = _quiet(which, site, told, seen)
    lines = []
    for which, found in quiet.items():
        lines += [f"{which}:", "", _CLEAN_HEAD, *(_quiet_row(name, [one]) for name, one in found.items())]
        lines += [_quiet_row("all", list(found.values())), ""]
    lines.append(_HEAD)
    for name in dict.fromkeys(one.name for one in cases):
        for where in (*sites, "all"):
            lines.append(_row(where, name, [c for c in cases if c.name == name and where in {c.site, "all"}]))
    return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What rules come to at a site: alarms of clean groups, steps of 2 and 5 % in time, alarms on meters at fault."""

    alarms: int
    meter_days: int
    steps: int
    right: int = 0
    wrong: int = 0


def chosen_without(left_out: str, tried: Mapping[tuple[str, str], Tried]) -> str:
    """Rules that the other sites choose: most steps in time among those within the goals; of equal ones the first.

    Parameters
    ----------
    left_out : str
        A site.
    tried : mapping of (str, str) to Tried
        By site and name of the rules.

    Examples
    --------
    >>> quiet, loud = Tried(alarms=0, meter_days=1000, steps=8), Tried(alarms=9, meter_days=1000, steps=9)
    >>> tried = {("A", "old"): quiet, ("B", "old"): quiet, ("A", "new"): loud, ("B", "new"): replace(quiet, steps=9)}
    >>> chosen_without("A", tried), chosen_without("B", tried)
    ('new', 'old')
    """
    best, most = "", -1
    for name in dict.fromkeys(name for _, name in tried):
        rows = [row for (site, one), row in tried.items() if one == name and site != left_out]
        alarms, days, steps, right, wrong = (
            sum(getattr(row, column) for row in rows) for column in ("alarms", "meter_days", "steps", "right", "wrong")
        )
        precise = right >= _LEAST_PRECISION * (right + wrong)
        if not best or (alarms <= _WANTED * days / 1000 and precise and steps > most):
            best, most = name, steps
    return best


def leave_one_out(*, choose: Sequence[int], report: int, scale: float) -> Iterator[str]:
    """Choose rules on three sites with some seeds, and report the fourth with another; lines, as they come."""
    tried: dict[tuple[str, str], Tried] = {}
    yield "| rules | site | false alarms | meter-days | 2 and 5 % steps in time | alarms that name right |"
    yield "|---|---|---|---|---|---|"
    for name in SITES:
        sites = [prepare(name, seed=seed, scale=scale, scenarios=_CHOOSING) for seed in choose]
        for rules in CHOICES:
            one = tried[name, rules] = _tried(name, sites, CHOICES[rules])
            named = f"{one.right} of {one.right + one.wrong}"
            yield f"| {rules} | {name} | {one.alarms} | {one.meter_days:,} | {one.steps} | {named} |"
    chosen = {name: chosen_without(name, tried) for name in SITES}
    yield ""
    yield "Chosen without the site: " + ", ".join(f"{name} {rules}" for name, rules in chosen.items()) + "."
    yield ""
    if report:
        yield from table(SITES, seed=report, scale=scale, rules={n: CHOICES[one] for n, one in chosen.items()})


def _tried(name: str, sites: Sequence[Site], rules: BalanceRules) -> Tried:
    quiet, cases = [], []
    for site in sites:
        changes, seen = run(site, rules)
        told = stories(changes, site.simulated.faults)
        quiet.append(_quiet("clean", site, told, seen))
        cases += _cases(name, site, told, seen)
    return Tried(
        alarms=sum(one.alarms for one in quiet),
        meter_days=sum(one.meter_days for one in quiet),
        steps=sum(one.alarm <= one.goal_day for one in cases if one.name in {"2 % step", "5 % step"}),
        right=sum(one.alarm < np.inf for one in cases),
        wrong=sum(one.wrong for one in cases),
    )


def main() -> None:
    """Read the arguments and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", default=",".join(SITES))
    parser.add_argument("--scale", type=float, default=1.0, help="1: 44 groups of ten a site")
    parser.add_argument("--seed", type=int, default=101, help="below 100 to choose, from 100 on to report; 0: choose")
    parser.add_argument("--leave-one-out", action="store_true", help="three sites choose for the fourth, seeds 12, 13")
    chosen = parser.parse_args()
    began = time.perf_counter()
    if chosen.leave_one_out:
        lines = leave_one_out(choose=(12, 13), report=chosen.seed, scale=chosen.scale)
    else:
        lines = iter(table(chosen.sites.split(","), seed=chosen.seed, scale=chosen.scale))
    for line in lines:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    sys.stdout.write(f"\n{time.perf_counter() - began:.0f} s\n")


if __name__ == "__main__":
    main()
