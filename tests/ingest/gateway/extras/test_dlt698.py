"""DL/T 698.45 against a meter and a master of the package dlt698, and our own simulated meter."""

import json
import subprocess
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from analytics.domain.errors import ConfigurationError
from deploy.stack.ports import free_ports
from ingest.devices import dlt698
from ingest.devices.faults import NoAnswer, Refused
from ingest.gateway.drivers import DeviceConfig, driver_of
from ingest.gateway.links import Link, LinkConfig
from ingest.gateway.scan import scan_link
from ingest.gateway.simulate import SimulatedLink, register_at
from tests.ingest.gateway.extras.counterparts import counterpart, python_of

ZONE = ZoneInfo("Asia/Shanghai")
METER = "201709320072"


def device(**facts: Any) -> DeviceConfig:
    plain = {"link": "a", "protocol": "dlt698", "address": METER, "meter_no": "M1", "unit_code": "U1"}
    return DeviceConfig(**(plain | facts))


def link_to(port: int, timeout_s: float = 1.0) -> Link:
    return Link(LinkConfig(name="a", kind="tcp", host="127.0.0.1", tcp_port=port, timeout_s=timeout_s))


def midnight() -> datetime:
    return datetime.now(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)


def test_a_meter_that_nobody_here_wrote_is_read() -> None:
    (port,) = free_ports(1)
    with counterpart("dlt698", "dlt698_server.txt", port):
        link = link_to(port)
        points = ("energy_forward", "energy_forward_tariffs", "power", "frequency")
        outcome = driver_of(device(points=points)).read(link)
        assert [(one.point, one.value, one.unit) for one in outcome.values] == [
            ("energy_forward", Decimal("123456.78"), "kWh"),
            ("energy_forward_tariffs", Decimal("123456.78"), "kWh"),
            *((f"energy_forward_tariffs_t{i}", Decimal(i).scaleb(-2), "kWh") for i in range(1, 5)),
            ("power", Decimal("-1.2505"), "kW"),
        ]
        assert [fault.detail for fault in outcome.faults] == ["200F0200: object is not defined (DAR 4)"]
        assert outcome.clock is None
        with pytest.raises(Refused, match=r"50040200: object is not defined"):
            driver_of(device(points=("day_freeze_forward",))).read(link)
        with pytest.raises(NoAnswer):
            driver_of(device(address="000000000001")).read(link)
        assert list(scan_link(link, "dlt698", range(0), timeout_s=1.0)) == []  # it answers to its own address alone
        link.close()


def test_a_master_that_nobody_here_wrote_reads_our_simulated_meter() -> None:
    python = python_of("dlt698")
    far = SimulatedLink(
        LinkConfig(name="a", kind="tcp", host="127.0.0.1", tcp_port=free_ports(1)[0]), [device()], ZONE
    ).start()
    try:
        script, before = Path(__file__).parent / "dlt698_client.txt", midnight()
        told = subprocess.run([python, script, str(far.port)], capture_output=True, text=True, timeout=60, check=True)
        said = json.loads(told.stdout)
        assert abs(said["total"] / 100 - float(register_at("M1", time.time()))) < 1
        days = [[at.year >> 8, at.year & 255, at.month, at.day, 0, 0, 0] for at in (before, midnight())]
        assert said["frozen_at"] in days, "a midnight may pass"
        assert said["energy"] == 5
    finally:
        far.close()


def test_our_simulated_meter_gives_what_runs_and_what_is_frozen() -> None:
    config = LinkConfig(name="a", kind="tcp", host="127.0.0.1", tcp_port=free_ports(1)[0], timeout_s=1.0)
    far = SimulatedLink(config, [device(), device(address="000000000002", meter_no="M2")], ZONE).start()
    link = Link(config)
    try:
        points = ("energy_forward", "energy_forward_fine", "day_freeze_forward", "month_freeze_forward")
        before = midnight()
        outcome = driver_of(device(points=points)).read(link)
        values = {one.point: one for one in outcome.values}
        assert abs(values["energy_forward"].value - register_at("M1", time.time())) < 1
        assert abs(values["energy_forward_fine"].value - values["energy_forward"].value) < 1
        frozen_at = next(
            at for at in (before, midnight()) if at.replace(tzinfo=None) == values["day_freeze_forward"].at
        )
        assert values["day_freeze_forward"].value == register_at("M1", frozen_at.timestamp())
        assert outcome.clock is not None
        assert abs((outcome.clock.replace(tzinfo=ZONE) - datetime.now(UTC)).total_seconds()) < 60
        assert not outcome.faults
        assert driver_of(device(address="000000000002", meter_no="M2")).read(link).values
        assert list(scan_link(link, "dlt698", range(0), timeout_s=1.0)) == [f"dlt698 address {METER}"]
    finally:
        link.close()
        far.close()


def test_the_log_in_of_a_meter_is_passed_over() -> None:
    login = bytes.fromhex("681900810000009 9A1010000000507EA0B1E0114213303D943EC16".replace(" ", ""))
    answer = dlt698.encode(
        dlt698.Frame(
            METER, dlt698.ANSWER, bytes.fromhex("85020002001002010106 00BC614E40000200000600 00".replace(" ", ""))
        )
    )

    class Line:
        def __init__(self) -> None:
            self.parts = [login, b"\xfe\xfe" + answer[:9], answer[9:]]

        def write(self, data: bytes) -> None:
            self.asked = data

        def read(self, timeout_s: float) -> bytes:
            assert timeout_s >= 0
            return self.parts.pop(0) if self.parts else b""

        def discard(self) -> bytes:
            return b""

        def close(self) -> None:
            pass

    link = Link(LinkConfig(name="a", kind="tcp", timeout_s=0.2), opened=lambda _: Line())
    (value,) = driver_of(device(points=("energy_forward",))).read(link).values
    assert value.value == Decimal("123456.78")


@pytest.mark.parametrize(
    ("facts", "said"),
    [({"address": "12"}, "12 digits"), ({"points": ("nothing",)}, "points must be of energy_forward")],
)
def test_what_cannot_be_read_is_said_before(facts: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        driver_of(device(**facts))
