"""Two machines, as far as one machine can be two: network namespaces with addresses of their own and a link between.

Nothing in them is reached from outside, nor reaches out.
"""

import ctypes
import os
import re
import shutil
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

__all__ = ["Machine", "two_machines"]

_NEWNET = 0x40000000
T = TypeVar("T")


@dataclass(frozen=True)
class Machine:
    """One of them."""

    name: str
    """Of its namespace, and what it is called there."""
    address: str

    def shell(self, script: str, environ: Mapping[str, str], *, timeout_s: float = 400) -> str:
        """Run shell commands on it, each of which has to succeed; what they print."""
        named = ["unshare", "--uts", "bash", "-euo", "pipefail", "-c", f"hostname {self.name}\n{script}"]
        command = ["ip", "netns", "exec", self.name, *named]
        result = subprocess.run(
            command, env=dict(environ), capture_output=True, text=True, timeout=timeout_s, check=False
        )
        assert result.returncode == 0, f"{script}\n{result.stdout}{result.stderr}"
        return result.stdout

    def inside(self, work: Callable[[], T]) -> T:
        """Do work in a thread on it; threads and processes that it starts are on it too."""
        with ThreadPoolExecutor(1, initializer=self._enter) as pool:
            return pool.submit(work).result()

    def link(self, state: str) -> None:
        """Cut the link (``down``), or mend it (``up``)."""
        _ip("-n", self.name, "link", "set", "eth0", state)

    def listens(self) -> set[str]:
        """Addresses on which somebody takes connections."""
        shown = subprocess.run(
            ["ip", "netns", "exec", self.name, "cat", "/proc/net/tcp", "/proc/net/tcp6"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        rows = [line.split() for line in shown.stdout.splitlines()]
        return {_address(row[1]) for row in rows if len(row) > 3 and row[3] == "0A"}

    def _enter(self) -> None:
        with Path("/run/netns", self.name).open() as there:
            if ctypes.CDLL(None, use_errno=True).setns(there.fileno(), _NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

    def end(self) -> None:
        """End whatever runs on it, and the machine."""
        command = ["ip", "netns", "pids", self.name]
        pids = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
        for pid in {int(pid) for pid in pids} - {os.getpid()}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        subprocess.run(["ip", "netns", "del", self.name], check=False)


@contextmanager
def two_machines() -> Iterator[tuple[Machine, Machine]]:
    """Two with a link between; skipped, loudly, where this machine cannot be two."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("NOT CHECKED: two machines are network namespaces, for which root and `ip` (iproute2) are needed")
    tag = uuid.uuid4().hex[:8]
    pair = [Machine(f"mw-{tag}-{number}", f"10.213.77.{number}") for number in (1, 2)]
    made = subprocess.run(["ip", "netns", "add", pair[0].name], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"NOT CHECKED: this machine makes no network namespaces ({made.stderr.strip()})")
    try:
        _ip("netns", "add", pair[1].name)
        _ip("-n", pair[0].name, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", pair[1].name)
        for one in pair:
            _ip("-n", one.name, "address", "add", f"{one.address}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                _ip("-n", one.name, "link", "set", device, "up")
        yield pair[0], pair[1]
    finally:
        for one in pair:
            one.end()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _address(shown: str) -> str:
    """An address of /proc/net/tcp, readable.

    >>> _address("0100007F:4A94")
    '127.0.0.1'
    """
    host = re.sub(r"^0{16}FFFF0000", "", shown.partition(":")[0])
    if len(host) > 8:
        return host
    return ".".join(str(int(host[i : i + 2], 16)) for i in (6, 4, 2, 0))
