"""OPC UA against asyncua's server in a process of its own, and our simulated one; skipped where asyncua is missing."""

import importlib.util
import subprocess
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from analytics.domain.errors import ConfigurationError
from deploy.stack.ports import free_ports
from ingest.devices.faults import NoAnswer, NoValue, Refused
from ingest.gateway.config import parse_config
from ingest.gateway.drivers import DeviceConfig, driver_of
from ingest.gateway.links import Link, LinkConfig
from ingest.gateway.simulate import SimulatedLink, register_at
from tests.ingest.gateway.brokers import wait_for
from tests.ingest.gateway.extras.counterparts import HOME, counterpart, python_of

ZONE = ZoneInfo("Asia/Shanghai")
RECIPE = Path(__file__).parents[4] / "deploy" / "guides" / "recipes" / "opcua-points.toml"
LIST = """source = "the server's own"
[[point]]
name = "energy"
register = "main"
node = "ns=2;s=Energy"
scale = "0.001"
unit = "kWh"
[[point]]
name = "power"
node = "ns=2;s=Power"
unit = "kW"
"""
MORE = "".join(
    f'[[point]]\nname = "{name.lower()}"\nnode = "ns=2;s={name}"\nunit = "kW"\n'
    for name in ("Broken", "Nan", "Text", "Missing")
)
HEAD = '[gateway]\nid = "g"\nunit_code = "U1"\nprofiles = "."\n[[link]]\nname = "a"\nkind = "opcua"\n'
ROW = '[[device]]\nlink = "a"\nprotocol = "opcua"\naddress = "press"\nmeter_no = "M1"\nprofile = "press"\n'


MODULE = "ingest.gateway.extras.opcua"


@pytest.fixture
def asyncua(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `pip install meterwarden[opcua]` brings, from the counterpart's environment, behind our own packages."""
    python_of("opcua")
    (place,) = (HOME / "opcua" / "lib").glob("python*/site-packages")
    monkeypatch.setattr(sys, "path", [*sys.path, str(place)])
    monkeypatch.delitem(sys.modules, MODULE, raising=False)


@pytest.fixture
def profiles(tmp_path: Path) -> Path:
    (tmp_path / "press.toml").write_text(LIST + MORE, encoding="utf-8")
    return tmp_path


def device(**facts: Any) -> DeviceConfig:
    plain = {"link": "a", "protocol": "opcua", "address": "press", "meter_no": "M1", "unit_code": "U1"}
    return DeviceConfig(**(plain | {"profile": "press", "points": ("energy", "power")} | facts))


def link_to(port: int) -> Link:
    return Link(LinkConfig(name="a", kind="opcua", url=f"opc.tcp://127.0.0.1:{port}/meters/", timeout_s=30.0))


@pytest.mark.usefixtures("asyncua")
def test_a_server_that_nobody_here_wrote_is_read(profiles: Path) -> None:
    (port,) = free_ports(1)
    with counterpart("opcua", "opcua_server.txt", port) as process:
        link = link_to(port)
        driver = driver_of(device(), profiles)
        energy, power = driver.read(link).values
        assert (energy.register, energy.value, energy.unit) == ("main", Decimal("123456.780"), "kWh")
        assert (power.value, power.unit) == (Decimal("0.1"), "kW")
        assert energy.at == datetime(2026, 11, 30, 0, 15, 30, tzinfo=UTC)
        again = driver.read(link).values[0]
        assert again.at is not None  # it stood still, and the server says when it was last known to hold
        assert again.at.timestamp() > time.time() - 120
        points = ("energy", "broken", "nan", "text", "missing")
        faults = driver_of(device(points=points), profiles).read(link).faults
        assert [type(one) for one in faults] == [NoValue, NoValue, NoValue, Refused]
        assert [word for word, one in zip(
            ("BadSensorFailure", "finite", "String", "BadNodeIdUnknown"), faults, strict=True
        ) if word not in one.detail] == []  # fmt: skip
        process.kill()
        process.wait()
        with pytest.raises(NoAnswer):
            driver.read(link)
        link.close()


@pytest.mark.usefixtures("asyncua")
def test_our_simulated_server_answers(profiles: Path) -> None:
    (port,) = free_ports(1)
    (profiles / "press.toml").write_text(RECIPE.read_text(encoding="utf-8"), encoding="utf-8")
    link = link_to(port)
    far = SimulatedLink(link.config, [device(points=None)], ZONE, profiles=profiles).start()
    try:
        wait_for(port)
        values = {one.register: one for one in driver_of(device(points=None), profiles).read(link).values}
        assert abs(values["main"].value - register_at("M1", time.time())) < 1
        assert "power" in values
    finally:
        link.close()
        far.close()


@pytest.mark.usefixtures("asyncua")
@pytest.mark.parametrize(
    ("link", "said"),
    [
        ('url = "http://x"', "url must be opc.tcp://host:port"),
        ('url = "opc.tcp://127.0.0.1:4840"\ncertificate = "press.toml"', "must all be files, or none"),
        ('url = "opc.tcp://127.0.0.1:4840"\nbaud = 9600', "baud is no setting here"),
    ],
)
def test_the_file_names_what_is_wrong(profiles: Path, link: str, said: str) -> None:
    good = 'url = "opc.tcp://127.0.0.1:4840"'
    assert parse_config(f"{HEAD}{good}\n{ROW}", profiles / "gateway.toml").links[0].url.endswith(":4840")
    with pytest.raises(ConfigurationError, match=said):
        parse_config(f"{HEAD}{link}\n{ROW}", profiles / "gateway.toml")


def test_without_asyncua_the_file_says_what_to_install(profiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncua", None)
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    with pytest.raises(ConfigurationError, match=r"pip install 'meterwarden\[opcua\]'"):
        driver_of(device(), profiles)


def test_only_who_asks_imports_an_extra() -> None:
    code = (
        "import sys\n"
        "import ingest.gateway.run, ingest.gateway.simulate\n"
        "print([name for name in sys.modules if name.startswith(('asyncua', 'ingest.gateway.extras'))])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "[]"
    assert importlib.util.find_spec(MODULE) is not None
