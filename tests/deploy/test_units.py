"""The units for systemd: what systemd itself says of them, and that what they call is there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from deploy.cli import cli

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "deploy" / "systemd").iterdir())
PLACE = "/opt/meterwarden"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The units as they would be with the program here, templates as an instance of each."""
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8").replace(f"{PLACE}/.venv/bin/", f"{Path(sys.executable).parent}/")
        name = unit.name.replace("@.", "@plant.")
        (tmp_path / name).write_text(text.replace(PLACE, str(ROOT)).replace("User=meterwarden", "User=root"))
    return tmp_path


def verified(units: list[Path]) -> str:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not on this machine: nobody has verified the units here")
    result = subprocess.run(
        [program, "verify", "--man=no", *map(str, units)], capture_output=True, text=True, check=False
    )
    said = [line for line in result.stderr.splitlines() if "meterwarden" in line]
    return "\n".join(said) + ("" if result.returncode == 0 else f"\nexit {result.returncode}")


def test_systemd_finds_nothing_wrong_with_the_units(folder: Path) -> None:
    assert len(UNITS) == 8
    assert verified(sorted(folder.iterdir())) == ""


def test_systemd_would_find_a_slip_of_the_pen(folder: Path) -> None:
    unit = folder / "meterwarden.service"
    unit.write_text(unit.read_text().replace("RemainAfterExit=", "RemainAfterExits="))
    assert "RemainAfterExits" in verified([unit])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_calls_what_there_is(unit: Path) -> None:
    for command in re.findall(rf"^Exec\w+={PLACE}/\.venv/bin/(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE):
        program, *arguments = command.split()
        if program == "python":
            assert (ROOT / (arguments[1].replace(".", "/") + ".py")).exists()
        else:
            assert program == "meterwarden"
            assert cli.get_command(click.Context(cli), arguments[0]) is not None


def test_every_service_has_its_account_and_room_for_compiled_steps() -> None:
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8")
        if unit.suffix == ".service":
            assert {"User=meterwarden", "NoNewPrivileges=yes", "ProtectSystem=strict"} <= set(text.splitlines())
            assert "NUMBA_CACHE_DIR=/var/cache/meterwarden/numba" in text, "the checkout may not be written to"
