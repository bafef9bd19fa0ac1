"""The page for monitors: metrics, and whether a service lives and is ready."""

import urllib.error
import urllib.request
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter

from ingest.metrics_page import MetricsPage, Pulse


class Service:
    """A page, and what it is told."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self.readings = Counter("metering_readings", "Readings.", registry=registry)
        self.alive, self.ready = "", "states are brought back"
        self.page = MetricsPage.open(
            registry, host="127.0.0.1", port=0, alive=lambda: self.alive, ready=lambda: self.ready
        )

    def ask(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.page.port}{path}", timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.page.close()


def test_metrics_are_those_of_the_registry(service: Service) -> None:
    service.readings.inc(7)
    status, text = service.ask("/metrics")
    assert status == 200
    assert "metering_readings_total 7.0" in text


def test_alive_and_ready_are_two_questions_answered_with_the_reason(service: Service) -> None:
    assert service.ask("/healthz") == (200, "ok\n")
    assert service.ask("/readyz") == (503, "states are brought back\n")
    service.ready, service.alive = "", "事件循环停滞"
    assert service.ask("/readyz") == (200, "ok\n")
    assert service.ask("/healthz") == (503, "事件循环停滞\n")


def test_with_a_password_a_probe_is_told_no_and_not_why() -> None:
    registry = CollectorRegistry()
    page = MetricsPage.open(registry, host="127.0.0.1", port=0, password="right", ready=lambda: "partition 3: refused")
    try:
        address = f"http://127.0.0.1:{page.port}/readyz"
        assert (httpx.get(address).status_code, httpx.get(address).text) == (503, "no\n")
        assert httpx.get(address, auth=("p", "right")).text == "partition 3: refused\n"
        assert httpx.get(address.replace("readyz", "healthz")).text == "ok\n"
    finally:
        page.close()


def test_a_pulse_that_stops_is_noticed_and_one_that_beats_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("ingest.metrics_page.time.monotonic", lambda: now[0])
    pulse = Pulse(still_s=60.0)
    assert pulse.trouble() == ""
    now[0] += 61.0
    assert pulse.trouble().startswith("the event loop has stood for")
    pulse.beat()
    assert pulse.trouble() == ""
