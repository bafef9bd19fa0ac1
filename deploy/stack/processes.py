"""Processes that are surely ours: a pid alone may belong to somebody else by now.

A process is known by its pid, its start time and the boot it was started in (all from ``/proc``), and is signalled
through a pidfd opened before the check, so that no signal can reach a stranger.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from deploy.private import UMASK

__all__ = ["Account", "Process", "find", "launch", "tail", "until", "works_in"]

_PROC: Final = Path("/proc")


def _boot_id() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def _stat(pid: int) -> tuple[str, int] | None:
    """State letter and start time of a pid [clock ticks since boot], None when there is none."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except (OSError, ValueError):
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold blanks and brackets
    return fields[0], int(fields[19])


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The system user that the servers run as; None of it when we are not root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Process:
    """One process, distinguished from a later one with the same pid."""

    pid: int
    started: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """The process that has this pid now, None when there is none."""
        stat = _stat(pid)
        return None if stat is None or stat[0] in "ZX" else cls(pid, stat[1], _boot_id())

    @classmethod
    def read(cls, record: Path) -> Self | None:
        """The process a record names; None without a (readable) record."""
        try:
            values = json.loads(record.read_text(encoding="utf-8"))
            return cls(int(values["pid"]), int(values["started"]), str(values["boot"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, record: Path) -> None:
        """Keep the process in a record, all of it or nothing."""
        draft = record.with_suffix(".new")
        draft.write_text(json.dumps({"pid": self.pid, "started": self.started, "boot": self.boot}), encoding="utf-8")
        draft.replace(record)

    def alive(self) -> bool:
        """Whether this very process still runs; one that ended is reaped when it was our child."""
        if Process.of(self.pid) == self:
            return True
        with contextlib.suppress(OSError):
            os.waitpid(self.pid, os.WNOHANG)
        return False

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal to this very process; False when it is gone."""
        try:
            handle = os.pidfd_open(self.pid)
        except OSError:
            return False
        try:
            if not self.alive():
                return False
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)
        return True

    def wait(self, timeout_s: float) -> bool:
        """Whether it ended within the time."""
        return until(lambda: not self.alive(), timeout_s)

    def command(self) -> tuple[str, ...]:
        """Its command line; empty when it cannot be seen."""
        return _command(self.pid)


def until(condition: Callable[[], bool], timeout_s: float, *, pause_s: float = 0.05) -> bool:
    """Wait for a condition; False when the time is over first."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= end:
            return False
        time.sleep(pause_s)
    return True


def _command(pid: int) -> tuple[str, ...]:
    try:
        raw = (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return ()
    return tuple(part.decode(errors="replace") for part in raw.rstrip(b"\0").split(b"\0")) if raw else ()


def works_in(pid: int, folder: Path) -> bool:
    """Whether a process works in this very folder; a folder of the same name below another root is another one."""
    try:
        return (_PROC / str(pid) / "cwd").samefile(folder)
    except OSError:
        return False


def find(belongs: Callable[[int, tuple[str, ...]], bool]) -> list[Process]:
    """Every process whose pid and command line satisfy a condition; this one never."""
    found = []
    for entry in _PROC.iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        pid = int(entry.name)
        process = Process.of(pid)
        if process is not None and belongs(pid, _command(pid)) and process.alive():
            found.append(process)
    return sorted(found, key=lambda process: process.pid)


class _Detached(subprocess.Popen[bytes]):
    """A child that outlives us by design, so nobody warns that it still runs."""

    def __del__(self, *_args: Any, **_kwargs: Any) -> None:
        """Say nothing."""


def launch(
    command: Sequence[str], *, account: Account | None, environ: Mapping[str, str], log: Path, where: Path
) -> Process:
    """Start a process in its own session, as another user when one is given, with its output in a file.

    Raises `OSError` when it cannot be started.
    """
    with log.open("ab") as output:
        child = _Detached(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=where,
            env=dict(environ),
            umask=UMASK,
            **identity(account),
        )
    process = Process.of(child.pid)
    if process is None:  # ended at once: a record that matches nothing alive
        return Process(child.pid, 0, _boot_id())
    return process


def identity(account: Account | None) -> dict[str, Any]:
    """The arguments of `subprocess` that make a child run as an account."""
    return {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, for an error message; empty when there is none."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - 16384))
            text = stream.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
