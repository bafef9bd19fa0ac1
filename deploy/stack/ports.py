"""Ports on this machine: which are free, and who has the others."""

import contextlib
import random
import socket
from pathlib import Path
from typing import Final

from deploy.stack.errors import PortTaken
from deploy.stack.processes import until

__all__ = ["answers", "free_ports", "owner", "require_bindable", "require_free"]

_LISTEN: Final = "0A"
_LINGER_S: Final = 5.0


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody uses at this moment, all different.

    None of them is one that the system gives to outgoing connections: such a port may be taken while its server is
    being restarted.
    """
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    ports: list[int] = []
    for port in random.SystemRandom().sample(range(10_240, max(low, 20_000)), 2_000):
        if len(ports) == count:
            break
        if _free(port):
            ports.append(port)
    if len(ports) < count:
        raise PortTaken(f"{count} free ports are needed (found {len(ports)})")
    return ports


def require_free(port: int, *, part: str, setting: str) -> None:
    """Refuse when somebody listens on a port of 127.0.0.1.

    Raises `PortTaken`, naming the setting that moves the part and, where it can be seen, who has the port.
    """
    # the last threads of a killed server may hold its port a moment longer than its name
    if until(lambda: _free(port) or owner(port) is not None, _LINGER_S) and _free(port):
        return
    holder = owner(port)
    by = f"process {holder[0]} ({holder[1]})" if holder else "a process that is not visible to this user"
    raise PortTaken(f"port {port}, which {part} needs, is taken by {by}: free it, or set {setting} to another port")


def require_bindable(host: str, port: int, *, setting: str) -> None:
    """Refuse a name or address that is none of this machine's, and a port that somebody has there.

    Raises `PortTaken`, naming the setting.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise PortTaken(
            f"{setting} must be a name or address of this machine, with port {port} free there "
            f"(got {host}: {error.strerror or error})"
        ) from None


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Whether somebody takes connections on a port of an address of this machine."""
    try:
        socket.create_connection((host, port), timeout=2.0).close()
    except OSError:
        return False
    return True


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a closed connection's remains do not count
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def owner(port: int) -> tuple[int, str] | None:
    """Pid and name of the process that listens on a TCP port, None when nobody does or it cannot be seen."""
    wanted = {f"socket:[{inode}]" for inode in _listening(port)}
    if not wanted:
        return None
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            for handle in (entry / "fd").iterdir():
                if _target(handle) in wanted:
                    return int(entry.name), (entry / "comm").read_text().strip()
    return None


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


def _listening(port: int) -> set[str]:
    inodes = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path("/proc/net", table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(fields[9])
    return inodes
