"""Against devices and masters that nobody here wrote."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pymodbus.client import ModbusTcpClient
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from deploy.stack.ports import free_ports
from ingest.devices import modbus
from ingest.devices.faults import Refused
from ingest.gateway.drivers import DeviceConfig, Dlt645, Modbus
from ingest.gateway.links import Link, LinkConfig
from ingest.gateway.scan import scan_link
from ingest.gateway.simulate import SimulatedLink, register_at
from tests.ingest.gateway.brokers import needs, wait_for

ZONE = ZoneInfo("Asia/Shanghai")


def device(**facts: Any) -> DeviceConfig:
    return DeviceConfig(**({"link": "a", "meter_no": "M1", "unit_code": "U1"} | facts))


def simulated(profile: modbus.Profile, function: int, values: dict[str, Decimal]) -> list[SimData]:
    registers: dict[int, int] = {}
    for point in profile.wanted(list(values)):
        registers |= {point.address + i: one for i, one in enumerate(modbus.registers_of(point, values[point.name]))}
    assert function in (3, 4)
    return [SimData(at, values=one, datatype=DataType.REGISTERS) for at, one in sorted(registers.items())]


@contextmanager
def running(make: Any) -> Iterator[None]:
    """An asyncio server of pymodbus in a thread."""
    loop = asyncio.new_event_loop()
    started = threading.Event()
    held: list[Any] = []

    async def serve() -> None:
        server = make()
        held.append(server)
        asyncio.get_running_loop().call_later(0.2, started.set)
        await server.serve_forever()

    def run() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(serve())
        except asyncio.CancelledError:
            pass
        finally:
            loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(60)
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(held[0].shutdown(), loop).result(10)
        thread.join(10)


VALUES = {"energy_forward": Decimal("123456.78"), "power": Decimal("12.5")}


@pytest.mark.parametrize("profile", sorted(modbus.profiles()))
def test_every_profile_is_read_from_pymodbus_simulator_by_tcp(profile: str) -> None:
    known = modbus.profile_of(profile)
    data = simulated(known, known.wanted(None)[0].function, VALUES)
    (port,) = free_ports(1)
    with running(lambda: ModbusTcpServer(SimDevice(7, data), address=("127.0.0.1", port))):
        link = Link(LinkConfig(name="a", kind="tcp", host="127.0.0.1", tcp_port=port, timeout_s=20.0))
        outcome = Modbus(device(protocol="modbus-tcp", address="7", profile=profile), framing="tcp").read(link)
        assert not outcome.faults
        assert {value.point: float(value.value) for value in outcome.values} == {
            name: pytest.approx(float(value), rel=1e-6) for name, value in VALUES.items()
        }
        wanting = Modbus(
            device(protocol="modbus-tcp", address="7", profile=profile, points=("energy_reverse",)), framing="tcp"
        )
        with pytest.raises(Refused, match="illegal data address"):
            wanting.read(link)
        link.close()


def test_rtu_is_read_from_pymodbus_on_a_serial_line(tmp_path: Path) -> None:
    needs("socat")
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    pair = subprocess.Popen(["socat", f"pty,raw,echo=0,link={ours}", f"pty,raw,echo=0,link={theirs}"])
    try:
        while not (ours.exists() and theirs.exists()):
            time.sleep(0.02)
        known = modbus.profile_of("acrel-dtsd1352-adl400")
        data = simulated(known, 3, VALUES)
        with running(lambda: ModbusSerialServer(SimDevice(3, data), port=str(theirs), baudrate=9600)):
            link = Link(LinkConfig(name="a", kind="serial", port=str(ours), baud=9600, timeout_s=20.0))
            outcome = Modbus(device(protocol="modbus-rtu", address="3", profile=known.id)).read(link)
            assert {value.point: value.value for value in outcome.values} == VALUES
            with pytest.raises(Refused, match="the device failed"):  # so this server says that there is no slave 4
                Modbus(device(protocol="modbus-rtu", address="4", profile=known.id)).read(link)
            link.close()
    finally:
        pair.terminate()
        pair.wait(10)


def test_mbpoll_reads_our_simulated_meter_as_we_do() -> None:
    needs("mbpoll")
    meter = device(protocol="modbus-tcp", address="5", profile="schneider-iem3000", meter_no="M5")
    config = LinkConfig(name="a", kind="tcp", host="127.0.0.1", tcp_port=free_ports(1)[0])
    far = SimulatedLink(config, [meter], ZONE).start()
    try:
        # -0: addresses as in the request; -t 4: holding registers; :float big endian
        told = subprocess.run(
            ["mbpoll", "-m", "tcp", "-p", str(far.port), "-a", "5", "-0", "-r", "3059", "-c", "1", "-t", "4:float",
             "-B", "-1", "-q", "127.0.0.1"],
            capture_output=True, text=True, timeout=60, check=True,
        ).stdout  # fmt: skip
        link = Link(config)
        outcome = Modbus(meter, framing="tcp").read(link)
        link.close()
        power = {value.point: value.value for value in outcome.values}["power"]
        assert f"[3059]: \t{float(power):g}" in told
    finally:
        far.close()


def test_pymodbus_client_reads_our_simulated_meter() -> None:
    meter = device(protocol="modbus-tcp", address="5", profile="abb-b23", meter_no="M5")
    far = SimulatedLink(
        LinkConfig(name="a", kind="tcp", host="127.0.0.1", tcp_port=free_ports(1)[0]), [meter], ZONE
    ).start()
    client: Any = ModbusTcpClient("127.0.0.1", port=far.port, retries=0)
    try:
        assert client.connect()
        registers = client.read_holding_registers(0x5000, count=4, device_id=5).registers
        value: Any = client.convert_from_registers(registers, client.DATATYPE.UINT64)
        assert abs(value / 100 - float(register_at("M5", time.time()))) < 1.0
        assert client.read_holding_registers(0, count=1, device_id=5).exception_code == 2
    finally:
        client.close()
        far.close()


@contextmanager
def dlt645_server() -> Iterator[int]:
    """The server of the package dlt645, in a process of its own."""
    (port,) = free_ports(1)
    code = (
        "import sys, time\n"
        "from dlt645 import MeterServerService\n"
        f"server = MeterServerService.new_tcp_server('127.0.0.1', {port}, 30)\n"
        "server.set_00(0x00010000, 123456.78)\n"
        "server.set_00(0x00000000, -12.34)\n"
        "server.set_02(0x02030000, 12.5)\n"
        "server.set_address('720032091720')\n"  # it takes the order of the wire
        "server.start()\n"
        "time.sleep(120)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port)
        yield port
    finally:
        process.kill()
        process.wait(10)


def test_dlt645_is_read_from_a_server_that_nobody_here_wrote() -> None:
    with dlt645_server() as port:
        link = Link(LinkConfig(name="a", kind="tcp", host="127.0.0.1", tcp_port=port, timeout_s=20.0))
        meter = device(
            protocol="dlt645-2007", address="201709320072", points=("energy_forward", "energy_combined", "power")
        )
        outcome = Dlt645(meter).read(link)
        assert [(value.register, value.value) for value in outcome.values] == [
            ("main", Decimal("123456.78")),
            ("energy_combined", Decimal("-12.34")),
            ("power", Decimal("12.5000")),
        ]
        assert list(scan_link(link, "dlt645-2007", range(0), timeout_s=1.0)) == ["dlt645-2007 address 201709320072"]
        link.close()
