"""What counts as a complete set of programs, and what does not."""

import socket
import threading
from pathlib import Path

import pytest

from deploy.stack import jars, prefix
from deploy.stack.errors import StackError
from deploy.stack.kafka_probe import brokers
from deploy.stack.ports import free_ports, owner
from ingest.kafka_access import KafkaAccess


def test_a_prefix_without_its_stamp_or_moved_elsewhere_does_not_count(tmp_path: Path) -> None:
    built = prefix.Prefix.of(tmp_path)
    built.root.mkdir()
    assert not built.complete
    (built.root / ".complete").write_text(f"{built.root}\n")
    assert prefix.Prefix.of(tmp_path).complete
    (tmp_path / "elsewhere").mkdir()
    moved = built.root.rename(tmp_path / "elsewhere" / built.root.name)
    assert not prefix.Prefix(moved).complete


def test_jars_count_when_they_are_those_of_the_sums(tmp_path: Path) -> None:
    folder = jars._folder(tmp_path)
    folder.mkdir()
    (folder / ".complete").write_text("of another version")
    assert not jars.complete(tmp_path)


def test_a_jar_that_differs_is_named(tmp_path: Path) -> None:
    (tmp_path / "kafka-server-0.jar").write_bytes(b"not a jar")
    with pytest.raises(StackError, match=r"not those of jars.sha256.*kafka-server-0\.jar"):
        jars.check(tmp_path)


@pytest.mark.parametrize(
    "answer", [b"", b"\0\0\0", b"\xff" * 64, b"\0\0\0\x0c" + bytes(12), b"HTTP/1.1 400 Bad Request\r\n\r\n"]
)
def test_a_port_where_something_else_answers_is_no_kafka(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with listener.accept()[0] as connection:
                connection.recv(1024)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        assert brokers(KafkaAccess(f"127.0.0.1:{listener.getsockname()[1]}"), timeout_s=2.0) == 0
        thread.join()


def test_a_silent_port_is_no_kafka() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert brokers(KafkaAccess(f"127.0.0.1:{listener.getsockname()[1]}"), timeout_s=0.2) == 0


def test_free_ports_are_different_and_not_among_those_of_outgoing_connections() -> None:
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = free_ports(50)
    assert len(set(ports)) == 50
    assert max(ports) < max(low, 20_000)
    assert [owner(port) for port in ports] == [None] * 50
