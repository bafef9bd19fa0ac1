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

import openpyxl
import pytest

from analytics.domain.ledger import COLUMNS
from deploy.settings import PagesSettings, Settings, environment
from deploy.stack.ports import free_ports
from tests.deploy.house.test_front_door import README
from tests.ledger_rows import metered

UNIT, HOURS = "91320583735312345X", 48
_PATIENCE_S = 300.0


def commands(heading: str) -> Iterator[list[str]]:
    """Words of the commands of a part of the page, without what is written beside them."""
    _, _, part = README.read_text(encoding="utf-8").partition(f"## {heading}\n")
    for block in re.findall(r"```sh\n(.*?)```", part.partition("\n## ")[0], re.DOTALL):
        for line in block.strip().split("\n"):
            yield shlex.split(line, comments=True)


def write_files(folder: Path) -> None:
    """The two files that the page speaks of."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(list(COLUMNS))
    row = metered("P1", "M1", unit_code=UNIT, unit_name="示例化工有限公司", installed_from="2026-11-01")
    sheet.append([row.get(name) for name in COLUMNS])
    book.save(folder / "ledger.xlsx")
    lines = [f"{UNIT},M1,2026-11-{20 + h // 24}T{h % 24:02d}:00:00+08:00,{1000 + 3 * h},kWh" for h in range(HOURS)]
    (folder / "readings.csv").write_text("\n".join(["unit_code,meter_no,measured_at,value,unit", *lines, ""]))


@pytest.mark.integration
@pytest.mark.timeout(900)
def test_the_commands_of_the_first_page_run(instance: Settings, tmp_path: Path) -> None:
    settings = dataclasses.replace(
        instance,
        workers=dataclasses.replace(instance.workers, count=1),
        pages=PagesSettings(port=free_ports(1)[0]),
    )
    environ = os.environ | environment(settings)
    write_files(tmp_path)

    def run(words: list[str]) -> subprocess.CompletedProcess[str]:
        assert words[0] == ".venv/bin/meterwarden"
        program = [sys.executable, "-c", "from deploy.cli import main; main()", *words[1:]]
        return subprocess.run(program, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)

    called = list(commands("With your own meters"))
    assert called[0][1] == "up"
    for words in called:
        done, end = run(words), time.monotonic() + _PATIENCE_S
        while words[1] == "status" and done.returncode and time.monotonic() < end:  # readings are still being stored
            time.sleep(1.0)
            done = run(words)
        assert done.returncode == 0, f"{shlex.join(words)}: {done.stdout}{done.stderr}"
    made = {path.name for path in (tmp_path / "reports").iterdir()} | {
        path.name for path in (tmp_path / "results").iterdir()
    }
    assert {Path(name).suffix for name in made} >= {".xlsx", ".html"}
