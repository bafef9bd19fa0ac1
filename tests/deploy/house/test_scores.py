"""The page of scores is written by commands: what it holds between marks, and that nothing else of it is touched."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.scores import PAGE, ROOT, SUITES, bench_table, blocks, main, with_block

COMMANDS = ROOT / "tests" / "benchmarks"


def test_a_command_replaces_what_it_wrote_and_nothing_else() -> None:
    page = with_block(with_block("# Scores\n\nprose\n", "one", "| 1 |"), "two", "| 2 |")
    again = with_block(page, "one", "| 3 |")
    assert blocks(again) == {"one": "| 3 |\n", "two": "| 2 |\n"}
    assert again.replace("| 3 |", "| 1 |") == page


def test_lines_of_benchmarks_become_rows_and_others_are_left_out() -> None:
    table = bench_table(
        [
            '{"bench": "a", "value": 1234567, "unit": "B"}',
            "....",
            '..{"bench": "after two tests", "value": 0.5, "unit": "s"}',
            '{"soak": "kills", "lost": 0}',
            "3 passed",
            "{broken",
            '{"value": 1}',
        ]
    )
    assert table.split("\n")[2:] == [
        "| a | 1,234,567 | B |  |",
        "| after two tests | 0.5 | s |  |",
        "| kills |  |  | lost 0 |",
    ]


def test_a_command_that_fails_leaves_the_page_as_it_was(tmp_path: Path) -> None:
    page = tmp_path / "scores.md"
    page.write_text("# Scores\n", encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["--page", str(page), "no_such_table"])
    assert page.read_text(encoding="utf-8") == "# Scores\n"


def test_the_speed_of_a_benchmark_comes_onto_the_page(tmp_path: Path) -> None:
    page, bench = tmp_path / "scores.md", tmp_path / "test_speed.py"
    page.write_text("# Scores\n", encoding="utf-8")
    line = '{"bench": "b", "value": 7}'
    bench.write_text(
        f"import pytest\n\n@pytest.mark.benchmark\ndef test_speed():\n    print('\\n{line}')\n",
        encoding="utf-8",
    )
    call = [sys.executable, "-m", "tests.benchmarks.scores", "--page", str(page), "bench", str(bench)]
    subprocess.run(call, cwd=ROOT, check=True, capture_output=True)
    (found,) = blocks(page.read_text(encoding="utf-8")).values()
    assert "| b | 7 |  |  |" in found
    assert "commit" in found


@pytest.mark.parametrize("name", sorted(blocks(PAGE.read_text(encoding="utf-8"))))
def test_what_stands_on_the_page_is_of_a_command_that_is_there_and_takes_its_options(name: str) -> None:
    command, *words = shlex.split(name)
    if command not in SUITES:
        source = (COMMANDS / f"{command}.py").read_text(encoding="utf-8")
        known = set(re.findall(r'add_argument\("(--[a-z-]+)"', source))
        assert {word for word in words if word.startswith("--")} <= known


def test_no_table_of_the_page_stands_outside_of_what_commands_write() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for body in blocks(text).values():
        text = text.replace(body, "")
    assert [line for line in text.split("\n") if line.startswith("|")] == []


def test_the_page_has_been_written_by_commands() -> None:
    assert blocks(PAGE.read_text(encoding="utf-8"))
