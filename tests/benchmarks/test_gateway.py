"""The gateway: intake by HTTP and MQTT, spool, forwarding, rounds; each beside its ceiling in the same run."""

import json
import multiprocessing
import os
import resource
import socket
import sqlite3
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from deploy.stack import Stack
from deploy.stack.ports import free_ports
from ingest import http
from ingest.gateway.access import Gateway, Gateways, digest_of, new_token
from ingest.gateway.commit import GroupCommit
from ingest.gateway.drivers import DeviceConfig
from ingest.gateway.forward import Forwarder
from ingest.gateway.http import HttpIntake, create_app
from ingest.gateway.links import Link, LinkConfig
from ingest.gateway.mapping import Rules, Template
from ingest.gateway.mqtt import MqttConfig, MqttIntake, Subscription
from ingest.gateway.rounds import LinkWorker, Recorder
from ingest.gateway.simulate import SimulatedLink
from ingest.gateway.spool import BLOCK, Entry, Spool
from ingest.kafka.publisher import Publisher, create_topics
from tests.ingest.gateway.brokers import Certificate, certificate, mosquitto, wait_for

pytestmark = pytest.mark.benchmark
ZONE = ZoneInfo("Asia/Shanghai")
TOKEN = new_token()


def told(text: str) -> None:
    print(f"\n  {text}", end="", flush=True)  # noqa: T201 - a benchmark tells


def body(count: int) -> bytes:
    at = {"unit_code": "U1", "measured_at": "2026-11-30T08:15:00+08:00", "unit": "kWh"}
    return json.dumps([at | {"meter_no": f"M{i}", "value": 123456.75 + i} for i in range(count)]).encode()


def processor_s(pid: int | None) -> float:
    """Processor time that a process has used. [s]"""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


class Known:
    def __init__(self, token: str) -> None:
        self._token = token

    async def current(self) -> Gateways:
        return Gateways.of(
            [Gateway(id=1, name="g", unit_codes=frozenset({"U1"}))], {digest_of(self._token): ("g", None)}
        )


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    """The same server without our work: it reads the body and answers."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


def serve(folder: Path, port: int, tls: Certificate, token: str, *, ours: bool) -> None:
    app: Any = nothing
    if ours:
        app = create_app(HttpIntake(GroupCommit(Spool(folder)), Known(token), ZONE))
    http.serve(app, host="127.0.0.1", port=port, certificate=tls.certificate, key=tls.key)  # as the gateway has it


def post(port: int, tls: Certificate, seconds: float, clients: int) -> int:
    """Requests answered in so many seconds by clients that wait for each answer."""
    content = body(100)
    request = (
        f"POST /readings HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    ).encode() + content
    context = ssl.create_default_context(cafile=tls.certificate)
    done = [0] * clients
    end = time.monotonic() + seconds

    def one(number: int) -> None:
        with context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost") as line:
            while time.monotonic() < end:
                line.sendall(request)
                answer = line.recv(65536)
                assert b" 202 " in answer
                while not answer.endswith(b"}"):
                    answer += line.recv(65536)
                done[number] += 1

    threads = [threading.Thread(target=one, args=(i,)) for i in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done)


@pytest.mark.timeout(300)
def test_http(tmp_path: Path) -> None:
    tls = certificate(tmp_path / "tls")
    rates: dict[bool, tuple[float, float]] = {}
    for ours in (False, True):
        (port,) = free_ports(1)
        process = multiprocessing.get_context("spawn").Process(
            target=serve, args=(tmp_path / "spool", port, tls, TOKEN), kwargs={"ours": ours}, daemon=True
        )
        process.start()
        wait_for(port, 60.0)
        post(port, tls, 2.0, 16)
        before = processor_s(process.pid)
        answered = post(port, tls, 8.0, 16)
        used = processor_s(process.pid) - before
        process.kill()
        process.join()
        rates[ours] = (answered * 100 / 8.0, answered * 100 / used)
        what = "acknowledged after fsync" if ours else "ceiling: the same server without our work"
        told(f"HTTP, TLS, 100 a request, {what}: {rates[ours][0]:,.0f} readings/s, {rates[ours][1]:,.0f} a core second")
    told(f"HTTP: {rates[True][1] / rates[False][1]:.2f} of the ceiling by processor time")


def flood(port: int, count: int) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(2000)
    client.max_queued_messages_set(0)
    client.connect("127.0.0.1", port)
    client.loop_start()
    info: Any = None
    for i in range(count):
        minute, second = divmod(i % 3600, 60)
        info = client.publish(
            "plant/readings",
            f'{{"unit_code":"U1","meter_no":"M{i % 500}","measured_at":"2026-11-30T08:{minute:02d}:{second:02d}+08:00",'
            f'"value":{i},"unit":"kWh"}}',
            qos=1,
        )
    info.wait_for_publish(120)
    client.disconnect()
    client.loop_stop()


def drained_by(start: Callable[[], Callable[[], int]], count: int) -> tuple[float, float]:
    """Wall and processor time until so many messages were taken."""
    got = start()
    begin, used = time.monotonic(), time.process_time()
    while got() < count:
        assert time.monotonic() - begin < 120
        time.sleep(0.01)
    return time.monotonic() - begin, time.process_time() - used


@pytest.mark.timeout(600)
def test_mqtt(tmp_path: Path) -> None:
    count = 40_000
    with mosquitto(tmp_path / "broker", inflight=2000) as port:
        spool = Spool(tmp_path / "spool")
        commit = GroupCommit(spool)
        subscription = Subscription(template=Template("plant/readings"), rules=Rules(unit_code=""))
        config = MqttConfig(
            host="127.0.0.1", port=port, client_id="ours", units={"U1"}, fallback_unit="U1",
            subscriptions=[subscription],
        )  # fmt: skip
        plain = paho.Client(CallbackAPIVersion.VERSION2, client_id="plain", clean_session=False, manual_ack=True)
        seen = [0]

        def on_message(client: Any, _data: object, message: Any) -> None:
            seen[0] += 1
            client.ack(message.mid, message.qos)

        for client_id in ("ours", "plain"):  # a session each, so that the broker keeps what comes
            if client_id == "ours":
                first = MqttIntake(config, commit, ZONE)
                first.start()
                time.sleep(1.0)
                first.close()
            else:
                plain.on_message = on_message
                plain.connect("127.0.0.1", port)
                plain.subscribe("plant/readings", 1)
                for _ in range(20):
                    plain.loop(0.05)
                plain.disconnect()
        process = multiprocessing.get_context("spawn").Process(target=flood, args=(port, count))
        process.start()
        process.join()

        def ceiling() -> Callable[[], int]:
            plain.reconnect()
            plain._reset_sockets(sockpair_only=True)  # loop_start makes a pair of its own and forgets this one
            plain.loop_start()
            return lambda: seen[0]

        wall, used = drained_by(ceiling, count)
        plain.loop_stop()
        plain.disconnect()
        plain._reset_sockets()  # it leaves a pair of them open
        told(f"MQTT, ceiling: paho that acknowledges at once: {count / wall:,.0f}/s, {count / used:,.0f} a core second")
        kept = [0]

        def ours() -> Callable[[], int]:
            intake.start()
            return lambda: kept[0]

        def counted(accepted: int, _rejected: int) -> None:
            kept[0] += accepted

        intake = MqttIntake(config, commit, ZONE, counted=counted)
        wall, used = drained_by(ours, count)
        told(f"MQTT into the spool: {count / wall:,.0f} messages/s, {count / used:,.0f} a core second")
        intake.close()
        commit.close()
        spool.close()


def peak_mib() -> float:
    """Most memory that this process ever had. [MiB]"""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def entries(count: int, size: int = 2000, readings: int = 100) -> list[Entry]:
    return [Entry("U1", BLOCK, os.urandom(size), readings, 1 + i) for i in range(count)]


@pytest.mark.timeout(300)
def test_spool_beside_sqlite(tmp_path: Path) -> None:
    some = entries(64)

    def rate(append: Callable[[Sequence[Entry]], None]) -> float:
        begin, done = time.monotonic(), 0
        while time.monotonic() - begin < 3.0:
            append(some)
            done += len(some)
        return done / (time.monotonic() - begin)

    spool = Spool(tmp_path / "spool")
    database = sqlite3.connect(tmp_path / "spool.sqlite", isolation_level=None)
    database.execute("pragma journal_mode = wal")
    database.execute("pragma synchronous = full")
    database.execute("create table message (seq integer primary key, key text, kind int, payload blob, n int, at int)")

    def into_database(batch: Sequence[Entry]) -> None:
        database.execute("begin")
        database.executemany(
            "insert into message (key, kind, payload, n, at) values (?, ?, ?, ?, ?)",
            [(one.key, one.kind, one.payload, one.readings, one.received_us) for one in batch],
        )
        database.execute("commit")

    def only_disk() -> Callable[[Sequence[Entry]], None]:
        file = os.open(tmp_path / "raw", os.O_WRONLY | os.O_CREAT)

        def append(batch: Sequence[Entry]) -> None:
            os.write(file, b"".join(one.payload for one in batch))
            os.fdatasync(file)

        return append

    told(f"64 messages of 2 kB a flush: write and fdatasync alone {rate(only_disk()):,.0f}/s")
    told(f"segment files {rate(spool.append):,.0f} messages/s, SQLite in WAL mode {rate(into_database):,.0f}")
    database.close()
    spool.close()


@pytest.mark.integration
@pytest.mark.timeout(300)
def test_from_the_spool_to_kafka_and_memory(stack: Stack, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", segment_bytes=2**23)
    before = peak_mib()
    for _ in range(100):
        spool.append(entries(100))
    told(f"1,000,000 readings in the spool: {peak_mib() - before:.0f} MiB more memory")
    topic = {BLOCK: stack.kafka_config.topic("metering.readings")}
    create_topics(stack.kafka_config)
    forwarder = Forwarder(spool, lambda: Publisher(stack.kafka_config), topic)
    begin, used = time.monotonic(), time.process_time()
    forwarder.start()
    while spool.stats().records:
        time.sleep(0.02)
    wall = time.monotonic() - begin
    forwarder.close()
    core_s = time.process_time() - used
    told(f"spool to Kafka, acks=all: {1_000_000 / wall:,.0f} readings/s, {1_000_000 / core_s:,.0f} a core second")
    told(f"memory after it: {peak_mib() - before:.0f} MiB more than before")
    spool.close()


def far(ports: Sequence[int]) -> None:
    lines = [SimulatedLink(link_of(i, port), devices_of(i), ZONE).start() for i, port in enumerate(ports)]
    while lines:
        time.sleep(1)


def link_of(number: int, port: int) -> LinkConfig:
    return LinkConfig(name=f"l{number}", kind="tcp", host="127.0.0.1", tcp_port=port, timeout_s=1.0, gap_s=0.001)


def devices_of(number: int) -> list[DeviceConfig]:
    return [
        DeviceConfig(
            link=f"l{number}", protocol="dlt645-2007" if number % 2 else "modbus-rtu", interval_s=15, unit_code="U1",
            address=f"{i + 1:012d}" if number % 2 else str(i + 1), meter_no=f"M{number}-{i}",
            profile="" if number % 2 else "acrel-dtsd1352-adl400",
        )
        for i in range(32)
    ]  # fmt: skip


@pytest.mark.timeout(300)
def test_rounds_of_32_links_with_32_devices(tmp_path: Path) -> None:
    ports = free_ports(32)
    process = multiprocessing.get_context("spawn").Process(target=far, args=(ports,), daemon=True)
    process.start()
    for port in ports:
        wait_for(port, 60.0)
    spool = Spool(tmp_path / "spool")
    commit = GroupCommit(spool)
    workers = [
        LinkWorker(Link(link_of(i, port)), devices_of(i), Recorder(commit, threading.Event()), ZONE)
        for i, port in enumerate(ports)
    ]
    for worker in workers:
        worker.start()
    time.sleep(16)
    used, reads = time.process_time(), sum(worker.counts.reads for worker in workers)
    time.sleep(45)
    share = (time.process_time() - used) / 45
    done = sum(worker.counts.reads for worker in workers) - reads
    failed = sum(worker.counts.failures for worker in workers)
    told(f"32 links with 32 devices each, 15 s rounds: {share:.1%} of a core, {done} reads in 45 s, {failed} failed")
    for worker in workers:
        worker.close()
    process.kill()
    commit.close()
    spool.close()
