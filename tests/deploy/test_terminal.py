"""Whatever comes from outside, the terminal shows it and does not obey it."""

import ast
import io
import json
import os
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table

import deploy
from deploy.commands.common.tables import table
from deploy.commands.region.simulate import command as simulate
from deploy.simulate import Progress
from deploy.terminal import console, printable

PACKAGE = Path(deploy.__file__).parent
OURS = [*sorted((PACKAGE / "commands").rglob("*.py")), PACKAGE / "cli.py"]
NASTY = [
    "\x1b[2J\x1b]0;owned\x07",
    "a\rb",
    "\u202e99",
    "\u200b",
    "[/b]",
    "[red]x[/red]",
    "\x9b31m",
    "\ud800",
    "\U000e0041",
]
HOSTILE = st.one_of(st.text(), st.sampled_from(NASTY), st.lists(st.sampled_from(NASTY)).map("".join))


def acts(text: str) -> list[str]:
    """Characters that a terminal may obey."""
    return [one for one in text if one != "\n" and unicodedata.category(one) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]


@given(HOSTILE)
def test_nothing_that_is_printed_acts(text: str) -> None:
    shown = printable(text)
    assert acts(shown) == []
    assert "\n" not in shown
    assert printable(shown) == shown
    if '"' not in text and "\\" not in text:
        assert json.loads(f'"{shown}"') == text, "and all of it is there to be read"


@given(st.lists(st.fixed_dictionaries({"unit": HOSTILE, "n": st.integers()}), min_size=1, max_size=4))
def test_a_row_stays_one_line_of_a_table(rows: list[dict[str, object]]) -> None:
    lines = table(rows).split("\n")
    assert len(lines) == len(rows) + 1
    assert acts("".join(lines)) == []


@given(HOSTILE)
def test_a_name_with_brackets_ends_no_table_with_a_traceback(text: str) -> None:
    out = io.StringIO()
    screen = console(file=out, width=200, color_system=None)
    drawn = Table("a")
    drawn.add_row(text)
    screen.print(drawn)
    screen.print(text, style="bold")
    assert acts(out.getvalue()) == []
    if text == "[/b]":
        assert "[/b]" in out.getvalue()


def test_progress_of_a_simulation_does_not_flood_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    def simulated(*_: object, say: Callable[[str], None], report: Callable[[Progress], None], **__: object) -> Progress:
        say("unit \x1b[2J")
        progress = Progress(readings=7, messages=1, simulated_us=0, due_us=0)
        for _time in range(9):
            report(progress)
        return progress

    monkeypatch.setattr("deploy.commands.region.simulate.simulate", simulated)
    result = CliRunner().invoke(simulate, [])
    assert result.exit_code == 0, result.exception
    assert "unit \\u001b[2J\n1970-01-01 00:00:00 UTC  7 readings sent" in result.stderr
    assert result.stderr.count("7 readings sent") == 2, "the first line and the last where it is no terminal"
    assert "\r" not in result.stderr


def test_progress_stays_on_one_line_of_a_terminal() -> None:
    code = "from deploy.terminal import *; say_over('1 %'); say_over('2 %'); end_over()"
    ours, theirs = os.openpty()
    try:
        subprocess.run([sys.executable, "-c", code], stderr=theirs, check=True, timeout=120)
        assert os.read(ours, 1000) == b"\r1 %\r2 %\r\n"
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_commands_print_by_one_door(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    doors = {
        "click.echo",
        "click.secho",
        "print",
        "Console",
        "sys.stdout.write",
        "sys.stderr.write",
        "click.echo_via_pager",
    }
    allowed = {"Console"} if path.stem == "demo" else set()  # it prints what it made up itself
    assert calls & doors <= allowed
