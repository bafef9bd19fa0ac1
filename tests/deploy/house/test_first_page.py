"""The commands of the first page run as they stand there, one after the other, on an instance of their own."""

import dataclasses
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.settings import PagesSettings, Settings, environment
from deploy.stack.ports import free_ports
from tests.deploy.house.test_front_door import README

_PATIENCE_S = 300.0


def commands(heading: str) -> Iterator[list[str]]:
    """Words of the commands of a part of the page, without what is written beside them."""
    _, _, part = README.read_text(encoding="utf-8").partition(f"## {heading}\n")
    for block in re.findall(r"```sh\n(.*?)```", part.partition("\n## ")[0], re.DOTALL):
        for line in block.strip().split("\n"):
            yield shlex.split(line, comments=True)


def first_ledger() -> list[str]:
    """Words of the command that the page names for a first ledger."""
    (found,) = re.findall(r"`(meterwarden ledger template [^`]+)`", README.read_text(encoding="utf-8"))
    return shlex.split(f".venv/bin/{found}")


def first_readings() -> str:
    """Rows that the page shows as readings of that ledger."""
    (found,) = re.findall(r"```csv\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    return str(found)


@pytest.mark.integration
@pytest.mark.timeout(900)
def test_the_commands_of_the_first_page_run(instance: Settings, tmp_path: Path) -> None:
    settings = dataclasses.replace(
        instance,
        workers=dataclasses.replace(instance.workers, count=1),
        pages=PagesSettings(port=free_ports(1)[0]),
    )
    environ = os.environ | environment(settings)
    (tmp_path / "readings.csv").write_text(first_readings(), encoding="utf-8")

    def run(words: list[str]) -> subprocess.CompletedProcess[str]:
        assert words[0] == ".venv/bin/meterwarden"
        program = [sys.executable, "-c", "from deploy.cli import main; main()", *words[1:]]
        return subprocess.run(program, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)

    called = list(commands("With your own meters"))
    assert called[0][1] == "up"
    for words in (first_ledger(), *called):
        done, end = run(words), time.monotonic() + _PATIENCE_S
        while words[1] == "status" and done.returncode and time.monotonic() < end:  # readings are still being stored
            time.sleep(1.0)
            done = run(words)
        assert done.returncode == 0, f"{shlex.join(words)}: {done.stdout}{done.stderr}"
    made = {path.name for path in (tmp_path / "reports").iterdir()} | {
        path.name for path in (tmp_path / "results").iterdir()
    }
    assert {Path(name).suffix for name in made} >= {".xlsx", ".html"}
