"""How well the word on stuck dials is kept, on the development loads: ``python -m tests.benchmarks.stuck_table``.

Dials jam at every so-manieth move, each from the state that its meter had then, so that one jam does not disturb the
next: hours until it is told, beside the hours that were said before. Then false alarms by how long a meter whose users
may be away is waited for, jams of new meters, and the same loads made harder.
"""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.columns.register import NEVER
from analytics.domain.quality import DetectionKind
from analytics.health.arrival import HealthRules, arrive, empty_health, hours_until_told
from streams.steps.state import PartitionState, rules_of
from tests.benchmarks.hard_fault_table import PARTS, clean
from tests.benchmarks.hard_faults.loads import Load, loads
from tests.benchmarks.hard_faults.registers import Register, of_load, side_by_side
from tests.benchmarks.hard_faults.run import ZONE, ledger_of_registers

__all__ = ["Jams", "false_alarms", "jams", "main"]

_H = 3_600_000_000
_D = 24 * _H
_DAY_H = 24.0
_SLACK_H = 0.05
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Jams:
    """Jams of registers, one a row.

    Attributes
    ----------
    begun_d : (n,) float64
        When, since the register began. [d]
    told_h : (n,) float64
        Hours until told, infinite where it was not within the horizon. [h]
    said_h : (n,) float64
        At the worst, by the word before it. [h]
    at_end : (n,) bool
        Whether the habit at the end of the data says that a jam shows within a day.
    """

    begun_d: Floats
    told_h: Floats
    said_h: Floats
    at_end: NDArray[np.bool_]

    def take(self, which: NDArray[np.bool_]) -> "Jams":
        """Some of them."""
        return Jams(
            begun_d=self.begun_d[which],
            told_h=self.told_h[which],
            said_h=self.said_h[which],
            at_end=self.at_end[which],
        )

    def within(self, hours: float) -> float:
        """Share told within so many hours."""
        return float((self.told_h <= hours + _SLACK_H).mean()) if self.told_h.size else float("nan")


@dataclass(frozen=True, slots=True)
class _Walk:
    """Registers by themselves through `arrive`."""

    registers: Sequence[Register]
    rules: HealthRules
    state: PartitionState

    @classmethod
    def of(cls, registers: Sequence[Register], rules: HealthRules | None = None) -> "_Walk":
        empty = PartitionState.empty(ledger_of_registers(registers), rules=rules_of(ZONE))
        return cls(registers, rules or rules_of(ZONE).health, empty)

    def events(self, state: NDArray[Any], r: int, which: Any, value: Floats, point: NDArray[np.int32]) -> NDArray[Any]:
        """Stuck dials that are told of readings `which` of register `r`, with other values."""
        register = self.registers[r]
        found = arrive(
            state,
            self.state.table,
            self.rules.row(),
            point=point,
            installation=np.full(point.size, r, np.int32),
            at_us=register.at[which],
            received_us=register.received[which],
            value=value,
        ).events
        stuck: NDArray[Any] = found[(found["kind"] == DetectionKind.STUCK) & (found["ended"] == NEVER)]
        return stuck

    def said(self, state: NDArray[Any], r: int) -> Floats:
        """Hours at the worst, as they are published: whole ones."""
        interval = np.full(state.size, self.registers[r].interval_s * 1_000_000)
        worst: Floats = np.ceil(hours_until_told(state, self.rules.row(), interval)[:, 1])
        return worst


def false_alarms(registers: Sequence[Register], rules: HealthRules | None = None) -> Counter[str]:
    """Stuck dials told of registers as they are, outside unexplained stillness, by data set."""
    walk, count = _Walk.of(registers, rules), Counter[str]()
    for r, register in enumerate(registers):
        told = walk.events(empty_health(1), r, slice(None), register.value, np.zeros(len(register.at), np.int32))
        for started in told["started"].tolist():
            if not any(s.start_us - 2 * _H <= started <= s.end_us for s in register.still):
                count[register.source] += 1
    return count


def jams(
    registers: Sequence[Register], *, every: int, horizon_d: float, from_d: float = 60.0, until_d: float = np.inf
) -> Jams:
    """Dials that jam at every so-manieth move."""
    walk = _Walk.of(registers)
    parts = [part for r in range(len(registers)) for part in _of_register(walk, r, every, horizon_d, from_d, until_d)]
    return Jams(
        begun_d=np.concatenate([part.begun_d for part in parts]),
        told_h=np.concatenate([part.told_h for part in parts]),
        said_h=np.concatenate([part.said_h for part in parts]),
        at_end=np.concatenate([part.at_end for part in parts]),
    )


def _of_register(walk: _Walk, r: int, every: int, horizon_d: float, from_d: float, until_d: float) -> Iterator[Jams]:
    register = walk.registers[r]
    at, value = register.at, register.value
    index = np.flatnonzero((np.diff(value) > 0.0) & (np.diff(at) > 0)) + 1
    since = (at[index] - at[0]) / _D
    index = index[(since >= from_d) & (since < until_d) & (at[index] + horizon_d * _D <= at[-1])][::every]
    state, done = empty_health(1), 0
    kept = []
    for i in index.tolist():
        walk.events(state, r, slice(done, i), value[done:i], np.zeros(i - done, np.int32))
        kept.append(state.copy())
        done = i
    if not kept:
        return
    walk.events(state, r, slice(done, None), value[done:], np.zeros(len(at) - done, np.int32))
    before = np.concatenate(kept)
    sound = before["stuck"] == 0
    index, before = index[sound], before[sound]
    ends = np.searchsorted(at, at[index - 1] + int(horizon_d * _D), side="right")
    which = np.concatenate([np.arange(a, b) for a, b in zip(index.tolist(), ends.tolist(), strict=True)])
    point = np.repeat(np.arange(len(index), dtype=np.int32), ends - index)
    said = walk.said(before, r)
    told = walk.events(before, r, which, value[index - 1][point], point)
    hours = np.full(len(index), np.inf)
    np.minimum.at(hours, told["point"], (told["decided"] - at[index - 1][told["point"]]) / _H)
    yield Jams(
        begun_d=(at[index] - at[0]) / _D,
        told_h=hours,
        said_h=said,
        at_end=np.full(len(index), walk.said(state, r)[0] <= _DAY_H),
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _head(*names: str) -> None:
    _say("\n| " + " | ".join(names) + " |\n|" + "---|" * len(names))


def _percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{share:.2%}"


def _days(registers: Sequence[Register]) -> Counter[str]:
    days = Counter[str]()
    for register in registers:
        days[register.source] += round(register.days)
    return days


def _word(groups: dict[str, list[Register]]) -> None:
    _head(
        "development",
        "jams",
        "can be seen in 24 h",
        "of these told",
        "others told within 29 d",
        "within the worst said",
    )
    for source, registers in groups.items():
        found = jams(registers, every=29, horizon_d=35.0)
        seen = found.said_h <= _DAY_H
        rest = found.take(~seen)
        kept = rest.told_h[rest.said_h <= 34 * _DAY_H] <= rest.said_h[rest.said_h <= 34 * _DAY_H] + _SLACK_H
        _say(
            f"| {source} | {seen.size} | {_percent(seen.mean())} | {_percent(found.take(seen).within(_DAY_H))} | "
            f"{_percent(rest.within(29 * _DAY_H))} | {_percent(float(kept.mean()) if kept.size else np.nan)} |"
        )


def _waiting(groups: dict[str, list[Register]]) -> None:
    everything = [register for registers in groups.values() for register in registers]
    days = _days(everything)
    _head("days waited", *(f"{source} ({n:,} meter-days)" for source, n in days.items()), "all, per 1,000")
    for waited in (0, 1, 3, 7, 14, 21, 28):
        rules = rules_of(ZONE).health
        rules = replace(rules, away_h=_DAY_H * waited, closed_h=min(rules.closed_h, _DAY_H * waited))
        count = false_alarms(everything, rules)
        rate = 1000 * count.total() / days.total()
        _say(f"| {waited} | " + " | ".join(f"{count[source]}" for source in days) + f" | {rate:.3f} |")


def _young(groups: dict[str, list[Register]]) -> None:
    def part(register: Register, start_d: float) -> Register:
        first = register.at[0] + int(start_d * _D)
        mine = (register.at >= first) & (register.at < first + 28 * _D)
        return replace(register, at=register.at[mine], received=register.received[mine], value=register.value[mine])

    count, days = Counter[str](), Counter[str]()
    for start in range(0, 400, 13):
        parts = [part(r, start) for registers in groups.values() for r in registers if r.days > start + 14]
        count += false_alarms(parts)
        days += _days(parts)
    _say(
        f"\nMeters begun anew every 13 days, 28 days each: {count.total()} false alarms in {days.total():,} meter-days."
    )
    _head("jam of a new meter, bdg2, on day", "jams", "told within 24 h", "48 h", "median h")
    found = jams([part(r, 0.0) for r in groups["bdg2"]], every=3, horizon_d=10.0, from_d=0.2)
    for day in (0, 1, 2, 3, 4, 5, 7, 10, 14):
        mine = found.take((found.begun_d >= day) & (found.begun_d < day + 1))
        _say(
            f"| {day + 1} | {mine.told_h.size} | {_percent(mine.within(24))} | {_percent(mine.within(48))} | "
            f"{np.median(mine.told_h):.0f} |"
        )


def _coarser(register: Register, times: float) -> Register:
    step = register.step * times
    return replace(register, step=step, value=np.round(np.floor(register.value / step + 1e-9) * step, 6))


def _levels(amount: Floats, days: Floats, rng: np.random.Generator) -> Floats:
    scaled: Floats = amount * 10.0 ** rng.uniform(-1.3, 0.5, int(days[-1] // 45) + 1)[(days // 45).astype(int)]
    return scaled


def _season(amount: Floats, days: Floats, _: np.random.Generator) -> Floats:
    scaled: Floats = amount * np.where((days % 365 > 150) & (days % 365 < 240), 0.05, 1.0)
    return scaled


def _changed(load: Load, change: Callable[[Floats, Floats, np.random.Generator], Floats], seed: int) -> Load:
    days = np.arange(len(load.amount)) * load.step_s / 86_400
    return replace(load, amount=change(load.amount, days, np.random.default_rng(seed)))


def _harder(buildings: Sequence[Register]) -> None:
    mine = loads("development", "bdg2")

    def made(change: Callable[[Floats, Floats, np.random.Generator], Floats]) -> list[Register]:
        return [side_by_side(of_load(_changed(x, change, i), 3600, seed=(77, i))) for i, x in enumerate(mine)]

    cases = {
        "as they are": list(buildings),
        "a dial ten times as coarse": [_coarser(r, 10.0) for r in buildings],
        "a dial a hundred times as coarse": [_coarser(r, 100.0) for r in buildings],
        "level anew every 45 days, three times as coarse": [_coarser(r, 3.0) for r in made(_levels)],
        "three months at a twentieth, three times as coarse": [_coarser(r, 3.0) for r in made(_season)],
    }
    _head(
        "development buildings",
        "false alarms",
        "jams",
        "can be seen in 24 h",
        "of these told",
        "by the habit at the end",
    )
    for name, registers in cases.items():
        found = jams(registers, every=53, horizon_d=5.0)
        seen = found.said_h <= _DAY_H
        _say(
            f"| {name} | {false_alarms(registers).total()} | {seen.size} | {_percent(seen.mean())} | "
            f"{_percent(found.take(seen).within(_DAY_H))} | {_percent(found.take(found.at_end).within(_DAY_H))} |"
        )


def main() -> None:
    """Print everything."""
    began = time.perf_counter()
    groups = {part.source: clean(part, "development") for part in PARTS if part.distinct}
    groups = {source: registers for source, registers in groups.items() if registers}
    _word(groups)
    _waiting(groups)
    _young(groups)
    _harder(groups["bdg2"])
    took = time.perf_counter() - began
    _say("\n" + json.dumps({"bench": "stuck dials", "value": round(took, 1), "unit": "s", "load": os.getloadavg()[0]}))


if __name__ == "__main__":
    main()
