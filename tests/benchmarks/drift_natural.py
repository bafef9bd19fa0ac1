"""Drift below parents that nobody made up: ``python -m tests.benchmarks.drift_natural [--seed 101] [--small]``.

`house`
    UCI's house: a real main meter over three real sub-meters with their real rounding, four years of hours. The fourth
    branch was never metered; in the file it is what is left of the main, so it closes to the last watt. As a child it
    therefore gets a made-up meter of class 1; left out, the balance lacks half of its flow and nobody may be accused.
`networks`
    Low-voltage networks of SimBench with 13 consumers: tree, lines and transformer are the published ones, and the
    parent counts their computed losses instead of ones drawn at random. Meters' errors are made up as in
    `drift.simulation`. Several consumers share a profile, and `observability` has to say so.

A meter's gain steps after five months; no rule was chosen on either.
"""

import argparse
import re
import sys
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analytics.drift.change import PARENT, UNNAMED
from analytics.drift.engine import advance
from analytics.drift.groups import BalanceGroups
from analytics.drift.hours import GroupHours
from analytics.drift.observability import children_seen
from analytics.drift.state import BalanceState
from tests.benchmarks.drift.scoring import alarm_rate, wilson
from tests.benchmarks.drift.simulation import Fault, FaultKind, World, made_up_meter, simulate
from tests.benchmarks.drift_loads import columns_of
from tests.benchmarks.drift_sites import stories

__all__ = ["Balances", "house", "line_losses", "networks", "table"]

Floats = NDArray[np.float64]

_DAY = 24
_FAULT, _SPREAD, _SPAN = 150, 28, 300
_LEARNING = 52
_CLASS = 0.01
_CONSUMERS = 13
_VOLTS = 400.0
_CLEAN = Fault(group=0, child=-1, kind=FaultKind.NONE, start=0, size=0.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Balances:
    """Groups side by side, with the fault of each.

    Attributes
    ----------
    what : str
    groups : BalanceGroups
    hours : GroupHours
    faults : tuple of Fault
        One a group; `child` is `PARENT` for the main meter.
    """

    what: str
    groups: BalanceGroups
    hours: GroupHours
    faults: tuple[Fault, ...]


def house(*, size: float, seed: int, windows: int = 4, whole: bool = True) -> Balances:
    """The house of UCI: for each window of 300 days one group, or five with a fault of `size` in each meter in turn.

    Parameters
    ----------
    size : float
        0 for clean groups. [1]
    seed : int
        Of the signs and days of faults, and of the made-up meter of the fourth branch.
    windows : int
        At most 4.
    whole : bool
        Whether the fourth branch is metered.
    """
    columns = columns_of("uci_household_hourly.parquet")
    hour = columns["datetime"].astype("datetime64[h]").astype(np.int64)
    main = columns["Global_active_power"].astype(np.float64) / 60.0
    branches = np.array([columns[name] for name in columns if name.lower().startswith("sub_metering")], np.float64).T
    branches = branches / 1000.0
    branches[:, 3] = made_up_meter(np.maximum(branches[:, 3:], 0.0), _CLASS, seed)[:, 0]
    children = branches if whole else branches[:, :3]
    wide = np.full((int(hour[-1] - hour[0]) + 1, children.shape[1] + 1), np.nan)
    wide[hour - hour[0]] = np.column_stack((children, main))
    rng = np.random.default_rng(seed)
    parts: list[NDArray[np.float64]] = []
    faults: list[Fault] = []
    n = children.shape[1]
    for window in range(windows):
        part = wide[window * _SPAN * _DAY : (window + 1) * _SPAN * _DAY]
        for which in range(n + 1) if size else [0]:
            one, group = part.copy(), len(parts)
            start = _DAY * _FAULT + int(rng.integers(0, _DAY * _SPREAD))
            signed = size * (1.0 if rng.random() < 0.5 else -1.0)
            one[start:, which] *= 1.0 + signed
            child = PARENT if which == n else group * n + which
            faults.append(
                Fault(group=group, child=child, kind=FaultKind.STEP, start=start, size=signed)
                if size
                else replace(_CLEAN, group=group)
            )
            parts.append(one)
    return Balances(
        what="house, fourth branch metered" if whole else "house, fourth branch not metered",
        groups=BalanceGroups.of_sizes([n] * len(parts), parent_limit=_CLASS, child_limit=_CLASS),
        hours=GroupHours(
            hour=np.arange(_SPAN * _DAY, dtype=np.int64),
            parent=np.column_stack([one[:, n] for one in parts]),
            child=np.column_stack([one[:, :n] for one in parts]),
        ),
        faults=tuple(faults),
    )


def networks(*, size: float, seed: int, most: int = 22) -> Balances:
    """Networks of SimBench with 13 consumers: one group each, with a step of `size` in one meter, or clean."""
    loads = columns_of("simbench_lv_loads.parquet")
    profiles = columns_of("simbench_profiles_15min_pu.parquet")
    rng = np.random.default_rng(seed)
    flows, losses, faults = [], [], []
    names, counts = np.unique(loads["subnet"].astype(str), return_counts=True)
    for group, subnet in enumerate(names[counts == _CONSUMERS][:most].tolist()):
        here = np.flatnonzero(loads["subnet"] == subnet)
        p = (
            1000.0
            * np.array([loads["pLoad"][i] * profiles[loads["profile"][i]].reshape(-1, 4).mean(axis=1) for i in here]).T[
                : _SPAN * _DAY
            ]
        )
        q = p * (loads["qLoad"][here] / np.maximum(loads["pLoad"][here], 1e-9)).astype(np.float64)
        flows.append(p)
        losses.append(line_losses(subnet, [str(loads["node"][i]) for i in here], p, q))
        start = _DAY * _FAULT + int(rng.integers(0, _DAY * _SPREAD))
        child = group * _CONSUMERS + int(rng.choice(np.flatnonzero(p.mean(axis=0) >= 0.05 * p.mean(axis=0).sum())))
        signed = size * (1.0 if rng.random() < 0.5 else -1.0)
        faults.append(
            Fault(group=group, child=child, kind=FaultKind.STEP, start=start, size=signed)
            if size
            else replace(_CLEAN, group=group)
        )
    made = simulate(
        np.hstack(flows),
        np.full(len(flows), _CONSUMERS),
        tuple(faults),
        world=World(),
        seed=seed + 1,
        losses=np.column_stack(losses),
    )
    return Balances(what="networks of 13", groups=made.groups, hours=made.hours, faults=tuple(faults))


def line_losses(subnet: str, nodes: Sequence[str], p: Floats, q: Floats) -> Floats:
    """Losses of a network's lines and transformer at nominal voltage, by the current that each carries; (t,). [kW].

    Parameters
    ----------
    subnet : str
    nodes : sequence of str
        Where each load hangs.
    p, q : (t, n) float64
        Active and reactive power of the loads. [kW], [kvar]
    """
    lines, kinds = columns_of("simbench_lv_lines.parquet"), columns_of("simbench_line_types.parquet")
    trafos, trafo_kinds = (columns_of(f"simbench_{name}.parquet") for name in ("lv_transformers", "transformer_types"))
    ohms = dict(zip(kinds["id"].tolist(), kinds["r"].astype(np.float64).tolist(), strict=True))
    which = int(np.flatnonzero(trafos["subnet"] == subnet)[0])
    edges: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for i in np.flatnonzero(lines["subnet"] == subnet).tolist():
        a, b = _bus(lines["nodeA"][i]), _bus(lines["nodeB"][i])
        r = ohms[lines["type"][i]] * float(lines["length"][i])
        edges[a].append((b, r))
        edges[b].append((a, r))
    order = list(_outwards(_bus(trafos["nodeLV"][which]), edges))
    apparent: dict[str, tuple[Floats, Floats]] = {}
    for j, node in enumerate(nodes):
        before = apparent.get(_bus(node), (np.zeros(len(p)), np.zeros(len(p))))
        apparent[_bus(node)] = (before[0] + p[:, j], before[1] + q[:, j])
    lost = np.zeros(len(p))
    for node, above, r in reversed(order):
        below = apparent.get(node, (np.zeros(len(p)), np.zeros(len(p))))
        lost += r * (below[0] ** 2 + below[1] ** 2) * 1e6 / _VOLTS**2 / 1e3
        up = apparent.get(above, (np.zeros(len(p)), np.zeros(len(p))))
        apparent[above] = (up[0] + below[0], up[1] + below[1])
    kind = int(np.flatnonzero(trafo_kinds["id"] == trafos["type"][which])[0])
    load = np.hypot(p.sum(axis=1), q.sum(axis=1)) / (1000.0 * float(trafo_kinds["sR"][kind]))
    return np.asarray(lost + float(trafo_kinds["pFe"][kind]) + float(trafo_kinds["pCu"][kind]) * load**2)


def _bus(node: str) -> str:
    """The bus behind a switch's node."""
    return re.sub(r"_\d+$", "", str(node))


def _outwards(root: str, edges: Mapping[str, Sequence[tuple[str, float]]]) -> Iterator[tuple[str, str, float]]:
    """Each node, what it hangs on, and the resistance between them, the nearest first. [ohm]."""
    seen, waiting = {root}, deque([root])
    while waiting:
        above = waiting.popleft()
        for node, r in edges[above]:
            if node not in seen:
                seen.add(node)
                waiting.append(node)
                yield node, above, r


def _scored(of: Balances, goal_day: int) -> str:
    """One row of the table."""
    state = BalanceState.empty(of.groups)
    at = _FAULT * _DAY + 1
    changes = advance(state, of.hours[:at]).changes
    seen = children_seen(of.groups, state)
    changes += advance(state, of.hours[at:]).changes
    told = stories(changes, of.faults)
    n = int(of.groups.sizes[0])
    name = "none" if of.faults[0].kind is FaultKind.NONE else f"{abs(of.faults[0].size):.0%} step"
    first = (of.what, name, str(len(of.groups)))
    if name == "none":
        days = (_SPAN - _LEARNING) * n * len(of.groups)
        alarms = sum(one.alarm < np.inf for one in told)
        rate, low, high = alarm_rate(alarms, days)
        said = f"{alarms} alarms in {days:,} meter-days: {rate:.3f} per 1,000 ({low:.3f} – {high:.3f})"
        return _line(*first, f"{int(seen.sum())} of {len(seen)}", said, "", "", str(len(told) - alarms))
    found, known, spoken, wrong, watched = [], [], [], 0, 0
    for fault in of.faults:
        mine = [one for one in told if one.group == fault.group and one.watched > fault.start]
        hit = min((one.watched for one in mine if one.child == fault.child), default=np.inf)
        group = slice(fault.group * n, (fault.group + 1) * n)
        known.append(bool(seen[group].any() if fault.child == PARENT else seen[fault.child]))
        found.append((hit - fault.start) / _DAY <= goal_day)
        spoken.append(any(one.watched <= fault.start + 60 * _DAY for one in mine))
        others = [one for one in mine if one.child not in {fault.child, UNNAMED}]
        wrong += sum(one.alarm < np.inf for one in others)
        watched += sum(one.alarm == np.inf for one in others)
    able = [hit for hit, can in zip(found, known, strict=True) if can]
    low, high = wilson(float(np.mean(able)), len(able)) if able else (np.nan, np.nan)
    hits = f"{sum(able)} of {len(able)} by {goal_day} d" + (f" ({low:.0%} – {high:.0%})" if able else "")
    word = f"{sum(found)} of {len(found)}; {sum(spoken)}"
    return _line(*first, f"{len(able)} of {len(found)}", hits, word, str(wrong), str(watched))


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def table(*, seed: int, small: bool = False) -> Iterator[str]:
    """Lines of the table."""
    yield _line(
        "balance",
        "fault",
        "groups",
        "observable before",
        "named right among them",
        "named right of all; any word by 60 d",
        "alarms on others",
        "only watched",
    )
    yield "|" + "---|" * 8
    windows, most = (1, 3) if small else (4, 22)
    for whole in (True, False):
        yield _scored(house(size=0.0, seed=seed, windows=windows, whole=whole), 45)
    for size, goal in ((0.02, 45), (0.05, 60)):
        yield _scored(house(size=size, seed=seed, windows=windows), goal)
    for size, goal in ((0.0, 45), (0.02, 45), (0.05, 60)):
        yield _scored(networks(size=size, seed=seed, most=most), goal)


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=101, help="of faults and made-up meters")
    parser.add_argument("--small", action="store_true", help="a window and three networks")
    chosen = parser.parse_args()
    began = time.perf_counter()
    for line in table(seed=chosen.seed, small=chosen.small):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    sys.stdout.write(f"\n{time.perf_counter() - began:.0f} s\n")


if __name__ == "__main__":
    main()
