"""A whole gateway, as whoever is on its network meets it."""

import socket
from pathlib import Path

from deploy.stack.ports import free_ports
from ingest.gateway.access import digest_of, new_token
from ingest.gateway.config import parse_config
from ingest.gateway.run import RunningGateway


def test_heads_that_never_end_are_cut_and_one_address_has_no_more_than_its_share(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    token = digest_of(new_token()).hex()
    config = parse_config(
        f'[gateway]\nid = "g"\n[http]\nport = {port}\n'
        f'[[http.sender]]\nname = "s"\nunits = ["U1"]\ntoken_sha256 = ["{token}"]\n',
        tmp_path / "gateway.toml",
    )
    gateway = RunningGateway(config, connect=None, topics={})
    gateway.start()
    lines: list[socket.socket] = []
    try:
        for _ in range(300):
            line = socket.create_connection(("127.0.0.1", port), 30)
            line.sendall(b"POST /readings HTTP/1.1\r\nHost: x\r\n")
            lines.append(line)
        cut = sum(is_cut(line, 5.0) for line in lines[256:])
        assert cut == 44, "no address has more than 256 connections"
        assert is_cut(lines[0], 60.0), "a head must be there after ten seconds"
    finally:
        for line in lines:
            line.close()
        gateway.close()


def is_cut(line: socket.socket, timeout_s: float) -> bool:
    line.settimeout(timeout_s)
    try:
        return line.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True
