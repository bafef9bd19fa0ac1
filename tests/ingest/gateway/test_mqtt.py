"""Against a real mosquitto that nobody here wrote."""

import gc
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from ingest.gateway.commit import GroupCommit
from ingest.gateway.mapping import Rules, Template, ValueRule
from ingest.gateway.mqtt import MqttConfig, MqttIntake, Subscription
from ingest.gateway.mqtt_client import Client, PlainClient, QuickClient, client_class, what_changed
from ingest.gateway.spool import JSON, Spool
from ingest.wire import decode_records
from tests.ingest.gateway.brokers import certificate, mosquitto, needs

ZONE = ZoneInfo("Asia/Shanghai")
PLAIN = Subscription(template=Template("plant/readings"), rules=Rules(unit_code=""))
FIELDS = Subscription(
    template=Template("meters/{meter_no}/state"),
    rules=Rules(unit_code="U1", measured_at="$.ts", time="s", values=[ValueRule(path="$.kwh", unit="kWh")]),
)


def reading(number: float, /, **changes: object) -> dict[str, object]:
    minute, second = divmod(int(number), 60)
    at = f"2026-11-30T08:{minute % 60:02d}:{second:02d}+08:00"
    return {"unit_code": "U1", "meter_no": "M1", "measured_at": at, "value": number, "unit": "kWh"} | changes


# paho leaves a socket to the garbage collector when the handshake fails, or when nobody turns its loop any more
LEAVES_SOCKETS = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def swept() -> Iterator[None]:
    """What paho leaves is swept here, not in the middle of whatever test comes later."""
    yield
    gc.collect()


class Intake(MqttIntake):
    """Ours, which says when the broker has its subscriptions."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.subscribed = threading.Event()

    def _on_subscribe(self, *given: Any) -> None:
        super()._on_subscribe(*given)
        self.subscribed.set()


class Place:
    def __init__(self, folder: Path, port: int, **config: Any) -> None:
        self.spool = Spool(folder)
        self.commit = GroupCommit(self.spool)
        self.counts = [0, 0]
        given = {
            "client_id": "gateway-1", "units": {"U1"}, "fallback_unit": "U1", "subscriptions": [PLAIN, FIELDS],
        } | config  # fmt: skip
        self.intake = Intake(MqttConfig(host="127.0.0.1", port=port, **given), self.commit, ZONE, counted=self._count)
        self.subscribed = self.intake.subscribed
        self.kept: list[tuple[str, float]] = []
        self.refused: list[bytes] = []

    def _count(self, accepted: int, rejected: int) -> None:
        self.counts[0] += accepted
        self.counts[1] += rejected

    def look(self) -> "Place":
        for stored in self.spool.read():
            if stored.entry.kind == JSON:
                self.refused.append(stored.entry.payload)
                continue
            blocks, faults = decode_records([stored.entry.payload], timestamps_us=[0], zone=ZONE)
            assert not faults
            for block in blocks:
                names = block.meters.names
                self.kept += [(names[m], v) for m, v in zip(block.meter, block.value.tolist(), strict=True)]
        return self

    def close(self) -> None:
        self.intake.close()
        self.commit.close()
        self.spool.close()


@contextmanager
def place(folder: Path, port: int, **config: Any) -> Iterator[Place]:
    made = Place(folder, port, **config)
    made.intake.start()
    try:
        assert made.subscribed.wait(60)
        until(lambda: not made.intake.error)
        yield made
    finally:
        made.close()


def until(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


class Publisher:
    """A client beside ours."""

    def __init__(self, port: int) -> None:
        self.client = paho.Client(CallbackAPIVersion.VERSION2)
        self.client.max_inflight_messages_set(1000)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        self._last: Any = None

    def send(self, topic: str, content: bytes | str) -> None:
        self._last = self.client.publish(topic, content, qos=1)

    def close(self) -> None:
        if self._last is not None:
            self._last.wait_for_publish(60)
        self.client.disconnect()
        self.client.loop_stop()


def test_paho_is_as_the_quick_client_knows_it() -> None:
    assert what_changed() == [], "paho changed: hold ingest/gateway/mqtt_client.py against it, and its pin"
    assert client_class() is QuickClient


@pytest.mark.parametrize(("name", "parameters"), [("_sock_recv", ("self",)), ("_is_no_more", ("self",))])
def test_another_paho_is_used_by_what_it_documents(
    name: str, parameters: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert what_changed({name: parameters}) == [name]
    monkeypatch.setattr("ingest.gateway.mqtt_client.what_changed", lambda: [name])
    assert client_class() is PlainClient
    assert f"MQTT is slower with this paho, which has another {name}" in caplog.text


@pytest.mark.parametrize("kind", [QuickClient, PlainClient])
@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_messages_are_kept_in_every_form_and_what_is_refused_too(
    tmp_path: Path, version: str, kind: type[Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.gateway.mqtt.client_class", lambda: kind)
    with mosquitto(tmp_path / "broker") as port, place(tmp_path / "spool", port, version=version) as gateway:
        publisher = Publisher(port)
        publisher.send("plant/readings", json.dumps(reading(1)))
        publisher.send("plant/readings", json.dumps([reading(2), reading(3, meter_no="M2")]))
        publisher.send("meters/M7/state", json.dumps({"ts": 1_790_000_000, "kwh": 4}))
        publisher.send("plant/readings", json.dumps([reading(5), reading(6, value="x")]))
        publisher.send("plant/readings", json.dumps(reading(7, unit_code="U9")))
        publisher.send("plant/readings", b"\x00no json")
        publisher.close()
        until(lambda: sum(gateway.counts) == 8)
        gateway.look()
        assert sorted(gateway.kept) == [("M1", 1), ("M1", 2), ("M1", 5), ("M2", 3), ("M7", 4)]
        assert gateway.counts == [5, 3]
        _, faults = decode_records(gateway.refused, timestamps_us=[0] * 3, zone=ZONE)
        assert [fault.reason.name for fault in faults] == ["NOT_A_NUMBER", "MALFORMED", "MALFORMED"]
        assert any(b"not a unit of gateway-1" in one for one in gateway.refused)


def test_message_that_is_too_large_for_kafka_is_kept_by_its_beginning(tmp_path: Path) -> None:
    with mosquitto(tmp_path / "broker") as port, place(tmp_path / "spool", port) as gateway:
        publisher = Publisher(port)
        publisher.send("plant/readings", b"\x00" * 5_000_000)
        publisher.send("plant/readings", json.dumps(reading(1)))
        publisher.close()
        until(lambda: sum(gateway.counts) == 2)
        (refused,) = gateway.look().refused
        assert len(refused) < 2**20
        assert refused.startswith(b'"the beginning of 5000000 bytes')
        assert gateway.kept == [("M1", 1.0)]


def test_nothing_is_acknowledged_before_the_disk_has_it_and_nothing_lost_by_a_full_spool(tmp_path: Path) -> None:
    with mosquitto(tmp_path / "broker") as port, place(tmp_path / "spool", port) as gateway:
        gateway.spool._max_bytes = 0
        publisher = Publisher(port)
        for i in range(200):
            publisher.send("plant/readings", json.dumps(reading(i)))
        publisher.close()
        until(lambda: gateway.intake.error.startswith("spool"))
        assert gateway.counts == [0, 0]
        gateway.spool._max_bytes = 2**30
        until(lambda: gateway.counts[0] == 200)
        assert [value for _, value in gateway.look().kept] == list(range(200))
        until(lambda: not gateway.intake.error)


def test_session_outlives_the_gateway_and_the_broker(tmp_path: Path) -> None:
    with mosquitto(tmp_path / "broker") as port:
        with place(tmp_path / "spool", port) as gateway:
            assert gateway.intake.error == ""
        publisher = Publisher(port)
        for i in range(50):
            publisher.send("plant/readings", json.dumps(reading(i)))
        publisher.close()
    again = Place(tmp_path / "spool", port)
    again.intake.start()  # the broker is not there yet
    until(lambda: "refused" in again.intake.error or "not connected" not in again.intake.error)
    with mosquitto(tmp_path / "broker", port=port):
        until(lambda: again.counts[0] == 50)
        assert sorted({value for _, value in again.look().kept}) == list(range(50))
        again.close()


@LEAVES_SOCKETS
@pytest.mark.usefixtures("swept")
def test_tls_by_a_certificate_and_not_without_one(tmp_path: Path) -> None:
    tls = certificate(tmp_path / "tls")
    with mosquitto(tmp_path / "broker", tls=tls) as port:
        with place(tmp_path / "spool", port, tls=True, ca=tls.certificate):
            pass
        stranger = Place(tmp_path / "other", port, tls=True)
        stranger.intake.start()
        until(lambda: "certificate verify failed" in stranger.intake.error.lower())
        stranger.close()


@LEAVES_SOCKETS
@pytest.mark.usefixtures("swept")
def test_a_broker_whose_certificate_is_over_is_said_to_be_so(tmp_path: Path) -> None:
    over = certificate(tmp_path / "over", holds=-timedelta(days=1))
    with mosquitto(tmp_path / "broker", tls=over) as port:
        gateway = Place(tmp_path / "spool", port, tls=True, ca=over.certificate)
        gateway.intake.start()
        until(lambda: "certificate has expired" in gateway.intake.error)
        assert gateway.intake.error.startswith(f"127.0.0.1:{port}: ")
        gateway.close()


def test_recipe_with_mosquitto_pub(tmp_path: Path) -> None:
    needs("mosquitto_pub")
    with mosquitto(tmp_path / "broker") as port, place(tmp_path / "spool", port) as gateway:
        subprocess.run(
            ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-q", "1", "-t", "plant/readings",
             "-m", json.dumps(reading(9))],
            check=True, timeout=60,
        )  # fmt: skip
        until(lambda: gateway.counts[0] == 1)
        assert gateway.look().kept == [("M1", 9.0)]


class Bytes:
    """A socket that gives what it has in pieces of a size."""

    def __init__(self, data: bytes, piece: int) -> None:
        self.data, self.piece, self.sent = data, piece, b""

    def recv(self, size: int) -> bytes:
        if not self.data:
            raise BlockingIOError
        size = min(size, self.piece)
        part, self.data = self.data[:size], self.data[size:]
        return part

    def send(self, data: bytes) -> int:
        self.sent += data
        return len(data)

    def close(self) -> None:
        pass


def listening(
    data: bytes, piece: int, *, five: bool, kind: type[Client] = QuickClient
) -> tuple[Client, Bytes, list[Any]]:
    protocol = paho.MQTTv5 if five else paho.MQTTv311
    client = kind(
        CallbackAPIVersion.VERSION2, client_id="x", clean_session=None if five else False, protocol=protocol,
        manual_ack=True,
    )  # fmt: skip
    came: list[Any] = []
    client.arrived = came.append
    client._sock = line = Bytes(data, piece)  # type: ignore[assignment]  # a socket as far as it is one
    return client, line, came


def publish(topic: bytes, mid: int, payload: bytes, *, first: int = 0x32, properties: bytes = b"") -> bytes:
    body = len(topic).to_bytes(2, "big") + topic + (mid.to_bytes(2, "big") if first & 6 else b"") + properties + payload
    length = bytes([len(body) & 127 | 128, len(body) >> 7]) if len(body) > 127 else bytes([len(body)])
    return bytes([first]) + length + body


@pytest.mark.parametrize("piece", [1, 3, 50, 10**6])
@pytest.mark.parametrize("five", [True, False])
@pytest.mark.parametrize("kind", [QuickClient, PlainClient])
def test_messages_are_read_whatever_the_pieces_they_come_in(kind: type[Client], piece: int, *, five: bool) -> None:
    # a content type ("json"), a user property
    some = b"\x0e\x03\x00\x04json\x26\x00\x01a\x00\x01b" if five else b""
    none = b"\x00" if five else b""
    data = (
        publish(b"a/b", 7, b"x" * 300, properties=some) + publish(b"c", 0, b"", first=0x30, properties=none)
        + publish("表/1".encode(), 65535, b"y", first=0x3B, properties=none)
    )  # fmt: skip
    client, line, came = listening(data, piece, five=five, kind=kind)
    for _ in range(3 * len(data)):
        client.loop_read()
    assert [(one.topic, one.payload, one.mid, one.qos, one.retained) for one in came] == [
        ("a/b", b"x" * 300, 7, 1, False), ("c", b"", 0, 0, False), ("表/1", b"y", 65535, 1, True),
    ]  # fmt: skip
    client.acknowledge([7, 65535])
    assert line.sent == bytes.fromhex("400200074002ffff")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00",
        b"\x00\x09a",
        b"\x00\x01a\x00",
        b"\x00\x01a\x00\x07",
        b"\x00\x01a\x00\x07\x09",
        b"\x00\x01\xff\x00\x07\x00",
    ],
)
def test_what_is_no_message_ends_the_connection(body: bytes) -> None:
    client, _, came = listening(bytes([0x32, len(body)]) + body, 100, five=True)
    assert client.loop_read() != paho.MQTT_ERR_SUCCESS
    assert came == []


def test_retained_message_without_a_time_is_no_reading_of_now(tmp_path: Path) -> None:
    needs("mosquitto")
    arrival = Subscription(
        template=Template("now/{meter_no}"),
        rules=Rules(unit_code="U1", measured_at="", values=[ValueRule(path="$.kwh", unit="kWh")]),
    )
    with mosquitto(tmp_path / "broker") as port:
        other = Publisher(port)
        # what was true yesterday, and what says itself when
        other.client.publish("now/M1", json.dumps({"kwh": 5.0}), qos=1, retain=True).wait_for_publish(60)
        other.client.publish("meters/M2/state", json.dumps({"kwh": 6.0, "ts": 1}), qos=1, retain=True).wait_for_publish(
            20
        )
        with place(tmp_path / "spool", port, subscriptions=[arrival, FIELDS]) as made:
            other.send("now/M1", json.dumps({"kwh": 7.0}))
            until(lambda: made.counts[0] >= 2)
            time.sleep(0.3)
            assert sorted(made.look().kept) == [("M1", 7.0), ("M2", 6.0)]
        other.close()


@LEAVES_SOCKETS
@pytest.mark.usefixtures("swept")
def test_another_client_of_the_same_name_is_said_and_fought_ever_more_rarely(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    needs("mosquitto")
    with mosquitto(tmp_path / "broker") as port, place(tmp_path / "spool", port) as made:
        for _ in range(3):
            other = paho.Client(CallbackAPIVersion.VERSION2, client_id="gateway-1", protocol=paho.MQTTv5)
            other.connect("127.0.0.1", port)
            other.loop(0.1)
            until(lambda: "does another client use the name gateway-1?" in made.intake.error)
            until(lambda: not made.intake.error)
            other.disconnect()
    tries = [record.getMessage().rpartition("try in ")[2] for record in caplog.records if "try in" in record.msg]
    assert tries == ["1 s", "2 s", "4 s"]
