"""Programs that nobody here wrote, each in the environment that `make tools` makes for it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ingest.gateway.brokers import wait_for

HOME = Path(__file__).parents[4] / ".venv" / "counterparts"


def python_of(name: str) -> Path:
    """The interpreter of an environment; skips, and says so, where it is missing."""
    python = HOME / name / "bin" / "python"
    if not python.exists():
        pytest.skip(f"NOT CHECKED against {name}: not installed (make tools)")
    return python


@contextmanager
def counterpart(name: str, script: str, port: int, *more: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A script of this folder in the environment of a counterpart, listening on a port."""
    command = [str(python_of(name)), str(Path(__file__).parent / script), str(port), *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        wait_for(port, 30.0)
        yield process
    finally:
        process.kill()
        process.wait(10)
        assert process.stdout is not None, "a pipe"
        process.stdout.close()
