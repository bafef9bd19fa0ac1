"""OpenTelemetry: what a collector is sent where there is one, and that nothing is where there is none."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from gzip import decompress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.operations.telemetry import telemetry_wanted
from deploy.settings import environment
from deploy.stack import Stack
from deploy.stack.ports import free_ports
from deploy.stack.processes import until
from tests.conftest import private_settings
from tests.faults.harness import arena
from tests.faults.model import Traffic
from tests.streams.site import Site, load

pytest.importorskip("opentelemetry.sdk", reason="NOT CHECKED: OpenTelemetry's SDK is not installed (make setup)")

SITE = Site(units=2, meters=5, interval_us=15 * 60_000_000)
SECRET = "aRightToActThatNobodyElseMayHave"


class Collected:
    """What came to a collector: spans as they were sent, and all bytes."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.services: set[str] = set()
        self.bodies = b""

    def take(self, path: str, body: bytes) -> None:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (  # noqa: PLC0415 - an extra
            ExportTraceServiceRequest,
        )

        self.bodies += body
        if path != "/v1/traces":
            return
        for one in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.services |= {a.value.string_value for a in one.resource.attributes if a.key == "service.name"}
            self.spans += [span for scope in one.scope_spans for span in scope.spans]

    def total(self, attribute: str) -> int:
        return sum(a.value.int_value for span in self.spans for a in span.attributes if a.key == attribute)


@contextmanager
def collector() -> Iterator[tuple[str, Collected]]:
    """A receiver of OTLP by HTTP and protobuf; its address, and what came."""
    collected = Collected()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collected.take(self.path, decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", collected
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def variables(address: str) -> dict[str, str]:
    soon = {"OTEL_BSP_SCHEDULE_DELAY": "200", "OTEL_METRIC_EXPORT_INTERVAL": "500"}
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": address, **soon}


@pytest.mark.integration
def test_a_worker_tells_of_each_transaction(
    stack: Stack, database: str, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(load(database, SITE.ledger()))
    traffic = Traffic(SITE, late=0.0)
    with collector() as (address, collected):
        for name, value in (variables(address) | {"OTEL_SERVICE_NAME": "w"}).items():
            monkeypatch.setenv(name, value)
        with arena(stack.access, database, topic_prefix + "spans", tmp_path) as place:
            worker = place.worker("w", telemetry=True)
            place.send(traffic.next(12))
            place.settle()
            place.check(traffic)
            assert until(lambda: collected.total("metering.readings") == traffic.accepted, 60.0)
            assert worker.stop() == 0
    assert collected.services == {"w"}
    assert {span.name for span in collected.spans} == {"store readings"}
    assert all(span.end_time_unix_nano > span.start_time_unix_nano for span in collected.spans)
    assert collected.total("metering.rejected") == sum(traffic.refused.values())


@pytest.mark.integration
@pytest.mark.parametrize("module", ["deploy.serve", "deploy.pages"])
def test_requests_are_told_and_paths_that_are_a_right_to_act_are_not(database: str, home: Path, module: str) -> None:
    port, settings = free_ports(1)[0], private_settings(home)
    own = {"METERWARDEN_DATABASE": database, "METERWARDEN_API_PORT": str(port), "METERWARDEN_PAGES_PORT": str(port)}
    with collector() as (address, collected):
        environ = os.environ | environment(settings) | own | variables(address)
        with subprocess.Popen([sys.executable, "-m", module], env=environ) as process:
            url = f"http://127.0.0.1:{port}"
            try:
                assert until(lambda: answers(url), 120.0)
                for path in (f"/act/{SECRET}", f"/invitation/{SECRET}", f"/sign-in/openid/back?code={SECRET}"):
                    httpx.get(url + path)
                told = httpx.get(url + "/openapi.json?seen=yes")
                assert until(lambda: b"seen" in collected.bodies, 60.0), told
            finally:
                process.terminate()
                process.wait(60)
    assert collected.services == {"meterwarden-api" if module == "deploy.serve" else "meterwarden-pages"}
    assert SECRET.encode() not in collected.bodies


def answers(url: str) -> bool:
    try:
        return bool(httpx.get(url + "/openapi.json").status_code)
    except httpx.HTTPError:
        return False


def test_without_a_collector_no_sdk_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    assert not telemetry_wanted("worker")
    script = "import sys, deploy.worker, deploy.serve, deploy.pages; print('opentelemetry.sdk' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_opentelemetry_s_own_variables_decide(
    variables: dict[str, str], wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "")  # put back afterwards
    monkeypatch.delenv("OTEL_SERVICE_NAME")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert telemetry_wanted("worker") is wanted
