"""Whether a Kafka answers, asked in its own protocol: one metadata request, one answer, no client left behind.

A client of kafka-python that cannot connect leaves threads and sockets behind, and waiting for a broker to come up
means not connecting many times.
"""

import socket
import struct
from typing import Final

__all__ = ["brokers"]

_METADATA: Final = 3
_VERSION: Final = 4  # old enough for every broker since 1.0, and asks not to create topics
_CORRELATION: Final = 0x4D57
_CLIENT: Final = b"metering.health"


def brokers(bootstrap: str, *, timeout_s: float = 3.0) -> int:
    """How many brokers the first answering server of a list knows to be alive; 0 when none answers."""
    for server in bootstrap.split(","):
        host, _, port = server.rpartition(":")
        try:
            count = _ask(host.strip("[]"), int(port), timeout_s)
        except (OSError, struct.error, ValueError):
            continue
        if count > 0:
            return count
    return 0


def _ask(host: str, port: int, timeout_s: float) -> int:
    header = struct.pack(">hhih", _METADATA, _VERSION, _CORRELATION, len(_CLIENT)) + _CLIENT
    body = struct.pack(">i?", 0, False)  # no topics, create none
    with socket.create_connection((host, port), timeout=timeout_s) as connection:
        connection.sendall(struct.pack(">i", len(header + body)) + header + body)
        (size,) = struct.unpack(">i", _exactly(connection, 4))
        if not 12 <= size <= 1 << 20:
            raise ValueError(f"a metadata answer must be 12 bytes to 1 MiB (got {size} bytes)")
        correlation, _throttle_ms, count = struct.unpack(">iii", _exactly(connection, size)[:12])
    if correlation != _CORRELATION:
        raise ValueError(f"the answer must carry the correlation id {_CORRELATION} (got {correlation})")
    return int(count)


def _exactly(connection: socket.socket, size: int) -> bytes:
    parts = []
    while size > 0:
        part = connection.recv(size)
        if not part:
            raise ConnectionError("the server closed the connection")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
