import threading
import time
from collections.abc import Sequence
from pathlib import Path

from analytics.domain.errors import TransientError
from ingest.gateway.forward import Forwarder
from ingest.gateway.spool import BLOCK, JSON, STATUS, Entry, Spool


class Broker:
    """Takes messages when flushed; fails as it is asked to."""

    def __init__(self) -> None:
        self.arrived: list[tuple[str, str, bytes, dict[str, bytes]]] = []
        self.fail_sends: list[int] = []
        self.down = False
        self.connections = 0
        self.sent = 0

    def connect(self) -> "Connection":
        self.connections += 1
        if self.down:
            raise TransientError("Kafka must answer (got nothing)")
        return Connection(self)


class Connection:
    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._waiting: list[tuple[str, str, bytes, dict[str, bytes]]] = []

    def send(
        self, topic: str, value: bytes, *, key: str, headers: Sequence[tuple[str, bytes]] = (), readings: int = 1
    ) -> None:
        assert readings or topic == "status"
        self._broker.sent += 1
        if self._broker.sent in self._broker.fail_sends or self._broker.down:
            raise TransientError("message failed")
        self._waiting.append((topic, key, value, dict(headers)))

    def flush(self, timeout_s: float = 60.0) -> None:
        assert timeout_s
        if self._broker.down:
            raise TransientError("no acknowledgement")
        self._broker.arrived += self._waiting
        self._waiting.clear()

    def close(self, timeout_s: float = 10.0) -> None:
        assert timeout_s >= 0
        self._broker.arrived += self._waiting[: len(self._waiting) // 2]  # some may arrive all the same


def until(condition: object, timeout_s: float = 60.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.01)


def test_all_arrive_in_order_through_failures_and_are_then_deleted(tmp_path: Path) -> None:
    spool, broker = Spool(tmp_path), Broker()
    broker.fail_sends = [3, 7, 20]
    forwarder = Forwarder(spool, broker.connect, {BLOCK: "readings", JSON: "readings"})
    for i in range(10):
        spool.append([Entry("U", BLOCK if i % 2 else JSON, b"%d" % i, 1, i + 1)])
    forwarder.start()
    until(lambda: spool.stats().records == 0)
    for i in range(10, 30):
        spool.append([Entry("U", BLOCK, b"%d" % i, 1, i + 1)])
    until(lambda: spool.stats().records == 0)
    forwarder.close()
    firsts = list(dict.fromkeys(int(value) for _, _, value, _ in broker.arrived))
    assert firsts == list(range(30))
    assert broker.arrived[0][3] == {"content-type": b"application/json", "received-at-us": b"1"}
    assert forwarder.failures >= 2
    assert forwarder.error == ""
    spool.close()


def test_broker_that_is_down_keeps_all_and_says_so(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    spool, broker = Spool(tmp_path), Broker()
    broker.down = True
    forwarder = Forwarder(spool, broker.connect, {BLOCK: "readings"})
    spool.append([Entry("U", BLOCK, b"1", 5, 1)])
    forwarder.start()
    until(lambda: forwarder.error)
    assert "must answer" in forwarder.error
    assert spool.stats().readings == 5
    broker.down = False
    until(lambda: spool.stats().records == 0)
    until(lambda: not forwarder.error)
    assert forwarder.sent_readings == 5
    forwarder.close()
    spool.close()
    assert set(threading.enumerate()) <= before, "no thread stays"


def test_it_tells_how_it_is_where_somebody_listens_and_where_nothing_else_is_to_be_sent(tmp_path: Path) -> None:
    spool, broker = Spool(tmp_path), Broker()
    broker.down = True
    asked: list[int] = []

    def tell() -> bytes:
        asked.append(spool.stats().records)
        return b"state"

    forwarder = Forwarder(spool, broker.connect, {BLOCK: "readings", STATUS: "status"}, tell=tell)
    forwarder.start()
    until(lambda: forwarder.error)
    broker.down = False
    until(lambda: not forwarder.error)
    forwarder.close()
    assert [(topic, value) for topic, _, value, _ in broker.arrived] == [("status", b"state")]
    assert asked[-1] == 0
    silent = Forwarder(spool, broker.connect, {BLOCK: "readings"}, tell=tell)
    silent.start()
    spool.append([Entry("U", BLOCK, b"1", 1, 1)])
    until(lambda: spool.stats().records == 0)
    until(lambda: silent.sent_s is not None)
    silent.close()
    spool.close()
    assert [topic for topic, *_ in broker.arrived] == ["status", "readings"]
