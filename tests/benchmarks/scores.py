"""The page of scores, ``deploy/scores.md``, written by the commands that measure: nobody types a figure.

::

    python -m tests.benchmarks.scores bench                       # the speeds: `make bench`
    python -m tests.benchmarks.scores soak                        # long runs and kills: `make soak`
    python -m tests.benchmarks.scores drift_sites --seed 101      # a table command of this folder, with its arguments

What a command prints goes to the terminal and, when it has ended well, between two marks of its own on the page, with
the command, the day, the commit, the processor and the load at its beginning. What stands around the marks stays as it
is; a command that is new to the page comes to its end. Held-out data is scored once a rule is final, never to fill the
page.
"""

import argparse
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["SUITES", "bench_table", "blocks", "main", "with_block"]

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "deploy" / "scores.md"
SUITES = {"bench": ("tests/benchmarks", "benchmark"), "soak": ("tests", "soak")}
"""Commands that run tests: which ones, by default, and their mark."""
_MARK = re.compile(r"<!-- measured: (?P<name>[^\n]+?) -->\n(?P<body>.*?)<!-- end -->\n", re.DOTALL)


def blocks(text: str) -> dict[str, str]:
    """What commands have written on a page, by the name of each."""
    return {found["name"]: found["body"] for found in _MARK.finditer(text)}


def with_block(text: str, name: str, body: str) -> str:
    """The page with what a command has written in the place of what it wrote before.

    Examples
    --------
    >>> page = with_block("# Scores\\n", "a", "| 1 |\\n")
    >>> print(with_block(page, "a", "| 2 |\\n"))
    # Scores
    <BLANKLINE>
    <!-- measured: a -->
    | 2 |
    <!-- end -->
    <BLANKLINE>
    """
    block = f"<!-- measured: {name} -->\n{body.rstrip()}\n<!-- end -->\n"
    if name in blocks(text):
        return _MARK.sub(lambda found: block if found["name"] == name else found[0], text)
    return f"{text.rstrip()}\n\n{block}"


def bench_table(lines: Sequence[str]) -> str:
    """The JSON lines of benchmarks as a table: what was measured, beside its ceiling where there is one.

    Examples
    --------
    >>> print(bench_table(['{"bench": "decode", "value": 12000000, "unit": "readings/s", "of_ceiling": 0.5}', "."]))
    | what | value | unit | more |
    |---|---|---|---|
    | decode | 12,000,000 | readings/s | of_ceiling 0.5 |
    """
    rows = ["| what | value | unit | more |", "|---|---|---|---|"]
    for line in lines:
        found = _read(line)
        if found is None:
            continue
        value = found.pop("value", "")
        shown = (
            f"{value:,}" if isinstance(value, int) or (isinstance(value, float) and abs(value) >= 1000) else str(value)
        )
        name, unit = found.pop("bench", found.pop("soak", "")), found.pop("unit", "")
        more = ", ".join(f"{key} {one}" for key, one in found.items())
        rows.append(f"| {name} | {shown} | {unit} | {more} |")
    return "\n".join(rows)


def _read(line: str) -> dict[str, Any] | None:
    """A line of a benchmark or a long run; None for whatever else is printed."""
    line = line.lstrip(".s")  # how far pytest is stands before the first line of the next test
    if not line.startswith("{"):
        return None
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and SUITES.keys() & found else None


def _circumstances(command: str) -> str:
    """By what, when, of which commit and on what it was measured."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=no"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    cpu = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"`{command}` on {datetime.now(UTC):%Y-%m-%d}, commit {commit}{' and changes' if changed else ''}, "
        f"{os.cpu_count()} cores ({cpu[1] if cpu else platform.machine()}), {memory:.0f} GiB, "
        f"load {os.getloadavg()[0]:.1f} at its beginning:"
    )


def _printed(arguments: Sequence[str]) -> Iterator[str]:
    """Lines that a command prints, as they come, on the terminal too; raises where it fails."""
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None, "a pipe was asked for"
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            yield line.rstrip("\n")
    if process.returncode:
        raise SystemExit(process.returncode)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command, and write what it measured on the page."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("command", help="bench, soak, or a module of tests.benchmarks that prints tables")
    chosen, rest = parser.parse_known_args(arguments)
    if chosen.command in SUITES:
        tests, mark = SUITES[chosen.command]
        called = [sys.executable, "-m", "pytest", *(rest or [tests]), "-m", mark, "-p", "no:randomly", "-s", "-q"]
    else:
        called = [sys.executable, "-m", f"tests.benchmarks.{chosen.command}", *rest]
    name = shlex.join([chosen.command, *rest])
    head = _circumstances(f"python -m tests.benchmarks.scores {name}")
    began = time.perf_counter()
    lines = list(_printed(called))
    text = "\n".join(line for line in lines if _read(line) is None).strip()
    body = bench_table(lines) if chosen.command in SUITES else text
    took = f"It took {time.perf_counter() - began:.0f} s."
    chosen.page.write_text(
        with_block(chosen.page.read_text(encoding="utf-8"), name, f"{head}\n\n{body}\n\n{took}\n"), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
