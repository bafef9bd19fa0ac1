"""Energy that is wrong, and whether it is said: real loads under device faults, honest surprises and six ledgers.

``python -m tests.benchmarks.register_table --split development|held_out [--every n]``; needs `../shared/data`.
Thresholds are chosen on development alone.
"""

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from tests.benchmarks.hard_faults.loads import SPLITS
from tests.benchmarks.register_faults.faults import FAULTS, SURPRISES, Spoil
from tests.benchmarks.register_faults.rivals import RIVALS
from tests.benchmarks.register_faults.scoring import Score, ledger_for, score, score_amounts
from tests.benchmarks.register_faults.worlds import INTERVALS, LEDGERS, World, worlds

__all__ = ["main", "spoilt", "table"]

_HEAD = (
    "| {} | dials | silent wrong | flagged wrong | without value | unexplained | of quality 0 | events | per 1,000 d "
    "| not in time |\n|" + "---|" * 10
)


def spoilt(clean: Sequence[World], how: Mapping[str, Spoil], draws: int, seed: int) -> dict[str, list[World]]:
    """Each dial spoilt in `draws` of the ways, in turn; a way that does not fit a dial is passed over."""
    out: dict[str, list[World]] = defaultdict(list)
    names = list(how)
    for n, world in enumerate(clean):
        rng = np.random.default_rng((seed, n))
        for j in range(draws):
            name = names[(n * draws + j) % len(names)]
            one = world.copy()
            i = int(rng.integers(len(one.at) // 4, max(len(one.at) // 4 + 1, len(one.at) * 2 // 3)))
            if len(one.at) > 12 and how[name](one, max(i, 4), rng):
                out[name].append(one)
    return out


def _row(name: str, s: Score) -> str:
    n = max(s.dials, 1)
    return (
        f"| {name} | {s.dials} | {s.silent / n:.1e} | {s.flagged / n:.1e} | {s.missing / n:.1e} | "
        f"{s.unexplained / n:.1e} | {s.sound / n:.4%} | {s.events} | {1000 * s.events / max(s.days, 1e-9):.3f} | "
        f"{len(s.stopped)} {' '.join(sorted(set(s.stopped))[:3])} |"
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def table(
    split: str, *, every: int, draws: int, intervals: Sequence[str] = tuple(INTERVALS), rivals: bool = True
) -> dict[str, Score]:
    """Print everything; the scores by row."""
    began = time.perf_counter()
    each = [f"{part}, {name}" for name in intervals for part in ("fault", "surprise")]
    parts = (*each, "ledger", *(("rival",) if rivals else ()), "interval")
    sums: dict[str, dict[str, Score]] = {part: defaultdict(Score) for part in parts}
    for name in intervals:
        clean = worlds(split, INTERVALS[name], every=every)
        faulty = spoilt(clean, FAULTS, draws, 1)
        honest = spoilt(clean, SURPRISES, max(2, draws // 2), 2)
        for knows in LEDGERS:
            for part, made in (("fault", faulty), ("surprise", honest)):
                for kind, dials in made.items():
                    found = score(dials, knows)
                    sums[f"{part}, {name}"][kind] += found
                    sums["ledger"][f"{knows}, {part}s"] += found
                    sums["interval"][f"{name}, {part}s"] += found
        if rivals:
            _rivals([w for dials in faulty.values() for w in dials], sums["rival"])
    for part, rows in sums.items():
        _say(_HEAD.format(f"{part}, {split}"))
        for row, found in rows.items():
            _say(_row(row, found))
        _say("")
    line = {"bench": "registers: the table", "value": round(time.perf_counter() - began, 1), "unit": "s"}
    _say(json.dumps(line | {"load": os.getloadavg()[0]}))
    return {f"{part}: {row}": found for part, rows in sums.items() for row, found in rows.items()}


def _rivals(dials: Sequence[World], sums: dict[str, Score]) -> None:
    """The faults alone, through other rules, with the richest ledger and with an empty one."""
    for knows in ("nothing", "both"):
        ledger = ledger_for(dials, knows)
        sums[f"ours, {knows}"] += score(dials, knows)
        for name, (rule, counted) in RIVALS.items():
            for i, w in enumerate(dials):
                hour, amount = counted(w, rule(w, float(ledger.max_rate[i]), float(ledger.full_scale[i])))
                sums[f"{name}, {knows}"] += score_amounts(w, hour, amount, np.zeros(len(hour), np.int64))


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--split", choices=SPLITS, default="development")
    parser.add_argument("--every", type=int, default=1, help="every n-th load")
    parser.add_argument("--draws", type=int, default=6, help="faults a dial is tried with")
    parser.add_argument("--interval", action="append", choices=tuple(INTERVALS))
    parser.add_argument("--no-rivals", action="store_true", help="ours alone, which is much quicker")
    chosen = parser.parse_args()
    intervals = chosen.interval or tuple(INTERVALS)
    table(chosen.split, every=chosen.every, draws=chosen.draws, intervals=intervals, rivals=not chosen.no_rivals)


if __name__ == "__main__":
    main()
