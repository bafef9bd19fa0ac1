import socket

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter

from ingest.metrics_page import MetricsPage


def page(password: str | None) -> MetricsPage:
    registry = CollectorRegistry()
    Counter("metering_readings", "Readings stored.", registry=registry).inc(3)
    return MetricsPage.open(registry, host="127.0.0.1", port=0, password=password)


def test_a_page_without_a_password_is_open() -> None:
    opened = page(None)
    try:
        assert "metering_readings_total 3.0" in httpx.get(f"http://127.0.0.1:{opened.port}/metrics").text
    finally:
        opened.close()


@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic !!!!", "Basic cHJvbWV0aGV1cw==", "Basic cHJvbWV0aGV1czo=", "Bearer right", "Basic cHJvbTp4"],
)
def test_a_page_with_a_password_shows_nothing_without_it(header: str) -> None:
    opened = page("right")
    try:
        address = f"http://127.0.0.1:{opened.port}/metrics"
        refused = httpx.get(address, headers={"Authorization": header} if header else {})
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Basic ")
        assert "metering" not in refused.text
        assert "metering_readings_total 3.0" in httpx.get(address, auth=("prometheus", "right")).text
    finally:
        opened.close()


def test_a_client_that_says_nothing_holds_nobody_up() -> None:
    opened = page(None)
    try:
        with socket.create_connection(("127.0.0.1", opened.port)):
            assert httpx.get(f"http://127.0.0.1:{opened.port}/metrics", timeout=60).status_code == 200
    finally:
        opened.close()
