"""The table of hard faults on real loads: ``python -m tests.benchmarks.hard_fault_table [--split development]``."""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.domain.quality import DetectionKind
from streams.rows.detections import magnitude
from tests.benchmarks.hard_faults.faults import Fault, silences, spoil
from tests.benchmarks.hard_faults.loads import SOURCES, SPLITS, loads, real_registers
from tests.benchmarks.hard_faults.registers import Register, of_load, of_real, side_by_side
from tests.benchmarks.hard_faults.rivals import RIVALS
from tests.benchmarks.hard_faults.run import Told, take
from tests.benchmarks.hard_faults.scoring import Noise, Saying, found, noise_of, rate_interval

__all__ = ["PARTS", "SMALL", "Part", "Pool", "Scored", "clean", "observable", "sayings_of", "score", "spoilt"]

YEAR = 365.0
RARE_PER_DAY = 1 / YEAR
"""Faults of a kind a meter and day that `rare` precision stands for."""
SEEN_WITHIN_H = 24.0
_LEARNT_US = 30 * 86_400_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Registers of one data set at one interval.

    Attributes
    ----------
    source : str
    interval_s : int
        [s]
    days : float
        At most so many of each register. [d]
    distinct : bool
        Whether these are meter-days that no other part has at another interval.
    every : int
        Every so-manieth meter.
    """

    source: str
    interval_s: int
    days: float = np.inf
    distinct: bool = True
    every: int = 1

    @property
    def name(self) -> str:
        """The set and its interval."""
        return f"{self.source}, {self.interval_s // 60} min"


PARTS = (
    Part(source="bdg2", interval_s=3600),
    Part(source="citylearn", interval_s=3600),
    # of one home four years of the same habit tell no more than two
    Part(source="uci", interval_s=3600, days=2 * YEAR),
    Part(source="opendsm", interval_s=3600, days=2 * YEAR),
    Part(source="daiad", interval_s=3600),
    Part(source="simbench", interval_s=3600),
    Part(source="bdg2", interval_s=900, days=YEAR, distinct=False, every=4),
    Part(source="citylearn", interval_s=900, distinct=False),
    Part(source="simbench", interval_s=900, distinct=False, every=4),
    Part(source="bdg2", interval_s=60, days=125, distinct=False, every=12),
)
SMALL = (
    Part(source="bdg2", interval_s=3600, days=300, every=2),
    Part(source="citylearn", interval_s=3600, days=300),
    Part(source="daiad", interval_s=3600, days=300, every=4),
)
"""For continuous integration."""


def clean(part: Part, split: str) -> list[Register]:
    """The part's registers as they are."""
    seed = 100 * SOURCES.index(part.source) + part.interval_s
    if part.source == "daiad":
        real = real_registers(split)[:: part.every]
        made = [of_real(r, interval_s=part.interval_s, seed=(seed, i), days=part.days) for i, r in enumerate(real)]
        return [side_by_side(r) for r in made]
    return [
        side_by_side(of_load(load, part.interval_s, seed=(seed, i), days=part.days))
        for i, load in enumerate(loads(split, part.source)[:: part.every])
    ]


def spoilt(part: Part, registers: Sequence[Register]) -> tuple[list[Register], list[Fault]]:
    """The same with faults, and the faults."""
    return spoil(registers, seed=100 * SOURCES.index(part.source) + part.interval_s + 7)


def sayings_of(told: Told) -> list[Saying]:
    """What the product told, and how big it said it was."""
    size = {(e["point"], e["kind"], e["started"]): magnitude(e) for e in told.last}
    out = []
    for e in told.first:
        known = size[e["point"], e["kind"], e["started"]]
        out.append(
            Saying(
                register=int(e["point"]),
                kind=DetectionKind(int(e["kind"])),
                started_us=int(e["started"]),
                decided_us=int(e["decided"]),
                size=np.nan if known is None else known,
            )
        )
    return out


@dataclass(slots=True)
class Pool:
    """Registers of several parts side by side, as they are or spoilt, with what was told of them."""

    registers: list[Register] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    sayings: list[Saying] = field(default_factory=list)
    habits: list[NDArray[Any]] = field(default_factory=list)

    def add(
        self,
        registers: Sequence[Register],
        sayings: Sequence[Saying],
        habits: Sequence[NDArray[Any]],
        faults: Sequence[Fault] = (),
    ) -> None:
        """Add a part; of `habits` one for each register."""
        start = len(self.registers)
        self.registers += registers
        self.habits += habits
        self.faults += [replace(fault, register=start + fault.register) for fault in faults]
        self.sayings += [replace(saying, register=start + saying.register) for saying in sayings]


def _percent(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.1%}" if value < 0.9995 else "100 %"


def _hours(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.1f}"


def _words(counts: Counter[str], most: int = 3) -> str:
    return ", ".join(f"{name} {n}" for name, n in counts.most_common(most)) or "–"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


_NOISE_HEAD = (
    "| clean | meters | meter-days | false alarms | of which | per 1,000 meter-days | 95 % | real events told "
    "| unexplained stillness |\n|" + "---|" * 9
)


def _noise_row(name: str, meters: int, noise: Noise) -> str:
    low, high = rate_interval(noise.false.total(), noise.days)
    return (
        f"| {name} | {meters} | {noise.days:,.0f} | {noise.false.total()} | {_words(noise.false, 9)} | "
        f"{noise.rate:.3f} | {low:.3f} – {high:.3f} | {noise.real} | {noise.unexplained} |"
    )


_FOUND_HEAD = (
    "| fault | n | in time | ever | precision | rare | median h | p90 h | size off by | also told | missed, told as "
    "| chance |\n|" + "---|" * 12
)


def _chance(rate: float, hours: float) -> float:
    """What saying something at random at that rate a 1,000 meter-days finds within so many hours."""
    return float(-np.expm1(-rate / 1000.0 * hours / 24.0))


def _rare(recall: float, rate: float) -> float:
    """Precision where a meter has one fault of the kind a year."""
    right = recall * RARE_PER_DAY
    return right / (right + rate / 1000.0) if right else float("nan")


def _found_row(name: str, pool: Pool, of: Sequence[Fault], rate: float) -> str:
    r = found(pool.registers, pool.faults, pool.sayings, of=of)
    limit = 24.0 if of[0].kind is DetectionKind.STUCK else pool.registers[of[0].register].interval_s / 3600
    return (
        f"| {name} | {r.faults} | {_percent(r.in_time)} | {_percent(r.ever)} | {_percent(r.precision)} | "
        f"{_percent(_rare(r.ever, rate))} | {_hours(r.median_h)} | {_hours(r.p90_h)} | {_percent(r.size_error)} | "
        f"{_words(r.named)} | {_words(r.missed_as)} | {_chance(rate, limit):.2%} |"
    )


def _taken(parts: Sequence[Sequence[Register]]) -> tuple[list[list[Saying]], list[list[NDArray[Any]]]]:
    """What is told of each part's registers, all taken through the steps at once; what jams could be seen, by day."""
    told = take([register for registers in parts for register in registers])
    sayings = sayings_of(told)
    order = np.argsort(told.habits["point"], kind="stable")
    ends = np.searchsorted(told.habits["point"][order], np.arange(sum(map(len, parts)) + 1))
    habits = [told.habits[order[a:b]] for a, b in pairwise(ends.tolist())]
    out, start = [], 0
    for registers in parts:
        end = start + len(registers)
        out.append([replace(s, register=s.register - start) for s in sayings if start <= s.register < end])
        start = end
    starts = np.cumsum([0, *map(len, parts)])
    return out, [habits[a:b] for a, b in pairwise(starts.tolist())]


@dataclass(slots=True)
class Scored:
    """Parts taken through the steps.

    Attributes
    ----------
    quiet, noisy : Pool
        As they are, and spoilt.
    noise : dict of Part to (int, Noise)
        Registers and false alarms of each part as it is.
    """

    quiet: Pool = field(default_factory=Pool)
    noisy: Pool = field(default_factory=Pool)
    noise: dict[Part, tuple[int, Noise]] = field(default_factory=dict)

    def total(self, *, distinct: bool) -> Noise:
        """False alarms of all parts, or of those that count each meter-day once."""
        none = Noise(days=0.0, false=Counter(), unexplained=0, real=0)
        return sum((n for part, (_, n) in self.noise.items() if part.distinct or not distinct), none)

    def rate(self, kind: DetectionKind) -> float:
        """False alarms of a kind. [per 1,000 meter-days]"""
        total = self.total(distinct=False)
        return 1000.0 * total.false[kind.name.lower()] / total.days

    def faults(self, kind: DetectionKind, note: str = "") -> list[Fault]:
        """Faults of a kind, of stuck dials those where one can be seen within a day by the product's own word."""
        seen = [f for f in self.noisy.faults if f.kind is kind and note in f.note]
        return [f for f in seen if kind is not DetectionKind.STUCK or observable(self.noisy, f)]


def score(parts: Sequence[Part], split: str, *, processes: int = 1) -> Scored:
    """Take parts through the steps, as they are and spoilt; the figures do not depend on how many processes do it."""
    mine = [
        [part for part in parts if part.interval_s == interval_s]
        for interval_s in dict.fromkeys(part.interval_s for part in parts)
    ]
    sound = [[clean(part, split) for part in group] for group in mine]
    put = [
        [spoilt(part, registers) for part, registers in zip(group, clean_ones, strict=True)]
        for group, clean_ones in zip(mine, sound, strict=True)
    ]
    spoilt_ones = [[registers for registers, _ in group] for group in put]
    runs = [group for pair in zip(sound, spoilt_ones, strict=True) for group in pair]
    if processes > 1:
        with ProcessPoolExecutor(processes) as pool:
            said = list(pool.map(_taken, runs))
    else:
        said = [_taken(run) for run in runs]
    out = Scored()
    for i, group in enumerate(mine):
        (quiet, honest), (noisy, disturbed) = said[2 * i : 2 * i + 2]
        for part, registers, sayings, habits in zip(group, sound[i], quiet, honest, strict=True):
            if registers:
                out.noise[part] = (len(registers), noise_of(registers, sayings))
                out.quiet.add(registers, sayings, habits)
        for (registers, faults), sayings, habits in zip(put[i], noisy, disturbed, strict=True):
            out.noisy.add(registers, sayings, habits, faults + silences(registers, faults))
    return out


def table(split: str, *, small: bool) -> None:
    """Print everything."""
    began = time.perf_counter()
    scored = score(SMALL if small else PARTS, split, processes=1 if small else 3)
    _say(f"split: {split}\n\n{_NOISE_HEAD}")
    for part, (meters, noise) in scored.noise.items():
        _say(_noise_row(part.name, meters, noise))
    once, everywhere = scored.total(distinct=True), scored.total(distinct=False)
    meters = sum(n for part, (n, _) in scored.noise.items() if part.distinct)
    _say(_noise_row("**all, each meter-day once**", meters, once))
    _say(_noise_row("all, also at other intervals", len(scored.quiet.registers), everywhere))
    _say(_noise_row("fires always, once a day", len(scored.quiet.registers), _always(everywhere.days)) + "\n")
    _faults(scored)
    _stuck(scored)
    _rivals(scored.quiet, scored.noisy)
    took = time.perf_counter() - began
    line = {"bench": "hard faults: the table", "value": round(took, 1), "unit": "s", "load": os.getloadavg()[0]}
    _say("\n" + json.dumps(line))


def _always(days: float) -> Noise:
    return Noise(days=days, false=Counter({"each kind": round(days)}), unexplained=0, real=0)


def _faults(scored: Scored) -> None:
    """A row for each kind, one for each way it shows."""
    _say(_FOUND_HEAD)
    pool = scored.noisy
    for kind in sorted({f.kind for f in pool.faults}):
        of = scored.faults(kind)
        name = kind.name.lower()
        if kind is DetectionKind.STUCK:
            name += f", where it can be seen: {len(of)} of {sum(f.kind is kind for f in pool.faults)}"
        _say(_found_row(f"**{name}**", pool, of, scored.rate(kind)))
        notes = sorted({f.note for f in of})
        for note in notes if len(notes) > 1 else ():
            _say(_found_row(note, pool, [f for f in of if f.note == note], scored.rate(kind)))
    days = sum(r.days for r in pool.registers)
    always = {kind: sum(f.kind is kind for f in pool.faults) / days for kind in {f.kind for f in pool.faults}}
    worst, best = min(always.values()), max(always.values())
    _say(f"\nFires always, each kind once a day: recall 100 %, precision {worst:.2%} – {best:.2%}.\n")


def observable(pool: Pool, fault: Fault) -> bool:
    """Whether the product itself had said, by the day before the fault, that it could see a jam within a day."""
    habits = pool.habits[fault.register]
    before = int(np.searchsorted(habits["at"], fault.start_us))  # a row speaks of the readings up to its own
    return before > 0 and bool(np.ceil(habits["worst_h"][before - 1]) <= SEEN_WITHIN_H)


def _stuck(scored: Scored) -> None:
    """Stuck dials by data set, and by whether the product says that it can see one within a day."""
    pool = scored.noisy
    stuck = [f for f in pool.faults if f.kind is DetectionKind.STUCK]
    _say(
        "| stuck dials, by its own word told within 24 h | clean meters, on most days | clean meter-days | after "
        "the first 30 | worst h, median | faults, on the day before |\n|" + "---|" * 6
    )
    sources = list(dict.fromkeys(r.source for r in pool.registers))
    for source in sources:
        mine = [h for h, r in zip(scored.quiet.habits, scored.quiet.registers, strict=True) if r.source == source]
        _say(
            _seen_row(source, mine, [observable(pool, f) for f in stuck if pool.registers[f.register].source == source])
        )
    _say(_seen_row("**all**", scored.quiet.habits, [observable(pool, f) for f in stuck]))
    _say("\n" + _FOUND_HEAD)
    for source in sources:
        for can in (True, False):
            of = [f for f in stuck if pool.registers[f.register].source == source and observable(pool, f) is can]
            if of:
                name = f"{source}, {'can' if can else 'cannot'} be seen in 24 h"
                _say(_found_row(name, pool, of, scored.rate(DetectionKind.STUCK)))


def _seen_row(name: str, habits: Sequence[NDArray[Any]], faults: Sequence[bool]) -> str:
    """How much of a fleet shows a jam within a day by the product's own word."""
    seen = [np.ceil(rows["worst_h"]) <= SEEN_WITHIN_H for rows in habits]
    learnt = [mine[rows["at"] >= rows["at"][:1] + _LEARNT_US] for mine, rows in zip(seen, habits, strict=True)]
    meters = sum(mine.mean() > 0.5 for mine in learnt if len(mine))
    days, later, worst = (np.concatenate(part) for part in (seen, learnt, [rows["worst_h"] for rows in habits]))
    return (
        f"| {name} | {meters} of {len(habits)} | {_percent(float(days.mean()))} | {_percent(float(later.mean()))} | "
        f"{np.median(worst):.0f} | {sum(faults)} of {len(faults)} |"
    )


def _rivals(quiet: Pool, noisy: Pool) -> None:
    """The same registers through fixed rules."""
    _say("\n| rule | false alarms per 1,000 meter-days | 95 % |\n|---|---|---|")
    rows = []
    for name, (kind, tell) in RIVALS.items():
        noise = noise_of(quiet.registers, tell(quiet.registers))
        low, high = rate_interval(noise.false.total(), noise.days)
        _say(f"| {name} | {noise.rate:.3f} | {low:.3f} – {high:.3f} |")
        pool = Pool(noisy.registers, noisy.faults, tell(noisy.registers), noisy.habits)
        of = [f for f in noisy.faults if f.kind is kind]
        rows.append(_found_row(f"{kind.name.lower()} by {name}", pool, of, noise.rate))
        if kind is DetectionKind.STUCK:
            of = [f for f in of if observable(noisy, f)]
            rows.append(_found_row(f"stuck by {name}, where it can be seen", pool, of, noise.rate))
    _say("\n" + _FOUND_HEAD)
    for row in rows:
        _say(row)


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--split", choices=SPLITS, default="held_out")
    parser.add_argument("--small", action="store_true", help="few meters, as in continuous integration")
    chosen = parser.parse_args()
    table(chosen.split, small=chosen.small)


if __name__ == "__main__":
    main()
