"""Simulated meters that answer on the links of a configuration, made of the same codecs.

For trying a gateway's file before the meters are wired, and for tests. Real counterparts that others wrote stand in the
tests too, for whoever answers by the same tables that he asks by proves nothing about the tables.
"""

import contextlib
import logging
import os
import select
import socket
import threading
import time
import tty
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Final, Protocol, Self
from zoneinfo import ZoneInfo

import serial

from analytics.domain.errors import ConfigurationError
from ingest.devices import cjt188, dlt645, mbus, modbus
from ingest.devices.faults import BadFrame
from ingest.devices.frames import first_frame
from ingest.devices.modbus_frames import encode_pdu, parse_rtu, parse_tcp
from ingest.devices.point_lists import ListedPoint
from ingest.gateway.drivers import Cjt188, DeviceConfig
from ingest.gateway.links import LinkConfig

__all__ = ["SimulatedLink", "register_at"]

log = logging.getLogger("metering.gateway.simulate")

Clock = Callable[[], float]
_START: Final = 1_600_000_000
_MBUS_BCD: Final = bytes.fromhex("0C06")  # 8 digits BCD, kWh
_MBUS_VOLUME: Final = bytes.fromhex("0C13")  # 8 digits BCD, 0.001 m3
_MBUS_CLOCK: Final = bytes.fromhex("046D")


def register_at(meter: str, now_s: float) -> Decimal:
    """Register of a simulated meter: a constant load, different for each meter."""
    load = 1 + sum(meter.encode()) % 50
    return Decimal(round((now_s - _START) * load / 3600 * 100) % 10**8).scaleb(-2)


def power_of(meter: str) -> Decimal:
    """Its load. [kW]"""
    return Decimal(1 + sum(meter.encode()) % 50)


class _Meter(Protocol):
    def answer(self, buffer: bytes) -> bytes | None:
        """What this meter answers to what is on the line; None where nothing is for it (yet)."""


class _Dlt645Meter:
    def __init__(self, device: DeviceConfig, zone: ZoneInfo, clock: Clock, _profiles: Path | None) -> None:
        self._device, self._zone, self._clock = device, zone, clock

    def answer(self, buffer: bytes) -> bytes | None:
        found = first_frame(buffer, dlt645.FORMAT, lambda frame: not frame.control & dlt645.ANSWER)
        if found is None or found[0].address not in (self._device.address, dlt645.ANY_METER):
            return None
        request = found[0]
        if request.control == dlt645.READ_ADDRESS:
            data = bytes.fromhex(self._device.address)[::-1]
            return dlt645.encode(dlt645.Frame(self._device.address, 0x93, data), wake_up=4)
        di = request.data[:4][::-1].hex().upper()
        said = self._data(di)
        if said is None:
            return dlt645.encode(dlt645.refusal_frame(self._device.address, request.control), wake_up=4)
        return dlt645.encode(dlt645.answer_frame(self._device.address, di, said), wake_up=4)

    def _data(self, di: str) -> bytes | None:
        now = datetime.fromtimestamp(self._clock(), self._zone)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        times = {
            dlt645.CLOCK_DATE: bytes([now.isoweekday() % 7]) + bytes.fromhex(f"{now:%y%m%d}")[::-1],
            dlt645.CLOCK_TIME: bytes.fromhex(f"{now:%H%M%S}")[::-1],
            "05060001": bytes.fromhex(f"{midnight:%y%m%d%H%M}")[::-1],
        }
        item = next((item for item in dlt645.items().values() if item.di == di), None)
        if di in times or item is None:
            return times.get(di)
        if item.unit != "kWh":
            return dlt645.bcd_bytes(power_of(self._device.meter_no) if item.unit == "kW" else Decimal("0.5"), item)
        total = register_at(self._device.meter_no, (midnight if item.frozen_by else now).timestamp())
        if not item.tariffs:
            return dlt645.bcd_bytes(total, item)
        half = (total / 2).quantize(Decimal("0.01"))
        return b"".join(dlt645.bcd_bytes(part, item) for part in (total, half, total - half, Decimal(0), Decimal(0)))


class _Cjt188Meter:
    def __init__(self, device: DeviceConfig, zone: ZoneInfo, clock: Clock, _profiles: Path | None) -> None:
        self._device, self._zone, self._clock = device, zone, clock
        kind = device.profile or "water"
        self._type = Cjt188.types.get(kind) or int(kind, 16)

    def answer(self, buffer: bytes) -> bytes | None:
        found = first_frame(buffer, cjt188.FORMAT, lambda frame: not frame.control & cjt188.ANSWER)
        if found is None or found[0].address not in (self._device.address, cjt188.ANY_METER):
            return None
        now = datetime.fromtimestamp(self._clock(), self._zone).replace(tzinfo=None, microsecond=0)
        total = register_at(self._device.meter_no, self._clock())
        if self._type in range(0x20, 0x30):
            numbers = {"heat": total, "volume": total, "t_supply": Decimal("75.50"), "t_return": Decimal("45.25")}
            data = cjt188.heat_data(numbers | {"power": power_of(self._device.meter_no)}, clock=now)
        else:
            data = cjt188.water_data(total, clock=now)
        answer = cjt188.Frame(self._type, self._device.address, 0x81, found[0].data[:3] + data)
        return cjt188.encode(answer, wake_up=2)


class _MBusMeter:
    def __init__(self, device: DeviceConfig, zone: ZoneInfo, clock: Clock, _profiles: Path | None) -> None:
        self._device, self._zone, self._selected, self._clock = device, zone, False, clock
        self._primary = device.address.isdecimal() and len(device.address) <= 3
        self._id = f"{int(device.address):08d}" if self._primary else device.address[:8]

    def answer(self, buffer: bytes) -> bytes | None:
        address = int(self._device.address) if self._primary else 0xFD
        if not self._primary and buffer.endswith(mbus.select(self._device.address)):
            self._selected = True
            return b"\xe5"
        if buffer.endswith(b"\x16") and len(buffer) > 5 and buffer[-1 - 5 :][0:1] == b"\x68":
            return None
        if buffer.endswith(mbus.reset(address)):
            self._selected = self._primary
            return b"\xe5" if self._primary else None
        for toggle in (False, True):
            if buffer.endswith(mbus.status_request(address, toggle=toggle)) and (self._primary or self._selected):
                return self._registers(address)
        return None

    def _registers(self, address: int) -> bytes:
        heat = self._device.profile == "heat"
        now = datetime.fromtimestamp(self._clock(), self._zone)
        total = register_at(self._device.meter_no, self._clock())
        digits = f"{int(total if heat else total * 1000) % 10**8:08d}"
        clock = bytes([
            now.minute, now.hour, now.day | (now.year % 100 & 7) << 5, now.month | (now.year % 100 >> 3) << 4,
        ])  # fmt: skip
        header = bytes.fromhex(self._id)[::-1] + bytes.fromhex("A52D01") + bytes([0x04 if heat else 0x07, 1, 0, 0, 0])
        body = bytes([0x08, address, 0x72]) + header
        body += (_MBUS_BCD if heat else _MBUS_VOLUME) + bytes.fromhex(digits)[::-1] + _MBUS_CLOCK + clock
        return mbus.answer_frame(body)


class _ModbusMeter:
    def __init__(self, device: DeviceConfig, _zone: ZoneInfo, clock: Clock, profiles: Path | None) -> None:
        self._device, self._unit, self._clock = device, int(device.address), clock
        self._profile = modbus.profile_of(device.profile, profiles)
        self._tcp = device.protocol == "modbus-tcp"

    def answer(self, buffer: bytes) -> bytes | None:
        for size in (12,) if self._tcp else (8,):
            for at in range(len(buffer) - size, -1, -1):
                request = buffer[at : at + size]
                try:
                    parsed = parse_tcp(request) if self._tcp else parse_rtu(request)
                except BadFrame:
                    continue
                if parsed.unit == self._unit and len(parsed.pdu) == 5:
                    transaction = int.from_bytes(request[:2], "big")
                    framing = "tcp" if self._tcp else "rtu"
                    return encode_pdu(self._unit, self._pdu(parsed.pdu), framing, transaction)  # type: ignore[arg-type]
        return None

    def _pdu(self, pdu: bytes) -> bytes:
        function = pdu[0]
        address, count = int.from_bytes(pdu[1:3], "big"), int.from_bytes(pdu[3:5], "big")
        registers: dict[int, int] = {}
        for point in self._profile.points:
            if point.function != function:
                continue
            value = self._value(point)
            registers |= {point.address + i: one for i, one in enumerate(modbus.registers_of(point, value))}
        wanted = range(address, address + count)
        if function not in (3, 4):
            return bytes([function | 0x80, 1])
        if not 1 <= count <= 125 or any(one not in registers for one in wanted):
            return bytes([function | 0x80, 2])
        data = b"".join(registers[one].to_bytes(2, "big") for one in wanted)
        return bytes([function, len(data)]) + data

    def _value(self, point: modbus.Point) -> Decimal:
        if point.unit == "kWh":
            return register_at(self._device.meter_no, self._clock())
        if point.unit == "kW":
            return power_of(self._device.meter_no)
        return {"V": Decimal(230), "Hz": Decimal(50)}.get(point.unit, Decimal(1))


def _dlt698_meter(device: DeviceConfig, zone: ZoneInfo, clock: Clock, _profiles: Path | None) -> _Meter:
    meter = import_module("ingest.gateway.extras.dlt698").SimulatedMeter
    return meter(device, zone, clock, register=register_at, power=power_of)  # type: ignore[no-any-return]  # by its name


_METERS: Final[dict[str, Callable[[DeviceConfig, ZoneInfo, Clock, Path | None], _Meter]]] = {
    "dlt645-2007": _Dlt645Meter,
    "dlt698": _dlt698_meter,
    "cjt188": _Cjt188Meter,
    "mbus": _MBusMeter,
    "modbus-rtu": _ModbusMeter,
    "modbus-tcp": _ModbusMeter,
}


class _Pty:
    """A serial line of this machine's own: we hold one end, `name` is the other."""

    def __init__(self) -> None:
        self._ours, self._theirs = os.openpty()  # theirs stays open, or reading fails while nobody is there
        tty.setraw(self._theirs)
        self.name = os.ttyname(self._theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._ours)
        os.close(self._theirs)

    def fileno(self) -> int:
        """To wait for."""
        return self._ours

    def read(self, size: int) -> bytes:
        """What came."""
        return os.read(self._ours, size)

    def write(self, data: bytes) -> int:
        """Answer."""
        return os.write(self._ours, data)


def _listening(config: LinkConfig) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", config.tcp_port))
    except OSError as error:
        raise ConfigurationError(
            f"link {config.name}: port {config.tcp_port} must be free here, and above 1023 but for root ({error})"
        ) from None


def _far_line(config: LinkConfig) -> "serial.Serial | _Pty":
    """The line itself where it is there: the far end is wired to it; else one of our own."""
    if not Path(config.port).exists():
        return _Pty()
    try:
        return serial.Serial(config.port, config.baud, timeout=0)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"link {config.name}: line {config.port} must be free ({error})") from None


def _far_end(
    devices: Sequence[DeviceConfig], zone: ZoneInfo, profiles: Path | None, clock: Clock
) -> Callable[[], Callable[[bytes], bytes]] | None:
    """Makes the far end of a connection where the devices of a link hold conversations; else None."""
    found = [device for device in devices if device.protocol == "iec104"]
    if not found:
        return None
    station = import_module("ingest.gateway.extras.iec104_station").Station
    driver = import_module("ingest.gateway.extras.iec104").Iec104
    points = {int(device.address): driver(device, profiles).points for device in found}
    meters = {int(device.address): device.meter_no for device in found}

    def value(address: int, point: ListedPoint) -> Decimal:
        meter = meters[address]
        return register_at(meter, clock()) if point.unit in ("kWh", "m3", "GJ") else power_of(meter)

    return lambda: station(points, value, zone, clock).feed


def _nodes(devices: Sequence[DeviceConfig], profiles: Path | None, clock: Clock) -> dict[str, Callable[[], Decimal]]:
    """What the nodes of an OPC UA server show."""

    def shows(meter: str, point: ListedPoint) -> Callable[[], Decimal]:
        if point.unit in ("kWh", "m3", "GJ"):
            return lambda: register_at(meter, clock()) / point.scale
        return lambda: power_of(meter) / point.scale

    driver = import_module("ingest.gateway.extras.opcua").OpcUa
    return {
        str(point.place): shows(device.meter_no, point)
        for device in devices
        for point in driver(device, profiles).points
    }


class SimulatedLink:
    """Meters on one link, in a thread of its own: a TCP server on 127.0.0.1, or the far end of a serial line.

    Parameters
    ----------
    config : LinkConfig
        Of a TCP link its port, of a serial one its line.
    mute : set of str
        Meters by number that do not answer; may be changed while it runs.
    """

    def __init__(
        self,
        config: LinkConfig,
        devices: Sequence[DeviceConfig],
        zone: ZoneInfo,
        *,
        profiles: Path | None = None,
        clock: Clock = time.time,
    ) -> None:
        self._config = config
        self._meters = [
            (device.meter_no, _METERS[device.protocol](device, zone, clock, profiles))
            for device in devices
            if device.protocol in _METERS
        ]
        self.mute: set[str] = set()
        self.answers = 0
        self._far_end = _far_end(devices, zone, profiles, clock)
        self._closing = threading.Event()
        self._server: socket.socket | None = None
        self._line: serial.Serial | _Pty | None = None
        self._nodes = _nodes(devices, profiles, clock) if config.kind == "opcua" else {}
        if config.kind == "opcua":
            pass  # its server listens by itself
        elif config.kind == "tcp":
            self._server = _listening(config)
        else:
            self._line = _far_line(config)
        self._thread = threading.Thread(target=self._run, name=f"simulated {config.name}", daemon=True)

    @property
    def where(self) -> str:
        """Where it answers, for people."""
        if self._server is not None:
            return f"127.0.0.1:{self.port}"
        return self._line.name if isinstance(self._line, _Pty) else self._config.where

    @property
    def port(self) -> int:
        """Port that it listens on."""
        assert self._server is not None, "a TCP link"
        return int(self._server.getsockname()[1])

    def start(self) -> "SimulatedLink":
        """Begin."""
        self._thread.start()
        return self

    def close(self) -> None:
        """End."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        with contextlib.ExitStack() as stack:
            if self._config.kind == "opcua":
                module = import_module("ingest.gateway.extras.opcua")
                port = int(self._config.url.split("://")[1].partition("/")[0].rpartition(":")[2])
                stack.callback(module.SimulatedServer(port, self._nodes).close)
                self._closing.wait()
                return
            if self._line is not None:
                line = stack.enter_context(self._line)
                self._serve(line.fileno, lambda: bytes(line.read(4096)), line.write)
                return
            assert self._server is not None, "one of the two"
            server = stack.enter_context(self._server)
            while not self._closing.is_set():
                if not select.select([server], [], [], 0.1)[0]:
                    continue
                connection, _ = server.accept()
                threading.Thread(target=self._client, args=(connection,), daemon=True).start()

    def _client(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_TCP, socket.TCP_NODELAY, 1)
            if self._far_end is not None:
                self._hold(connection, self._far_end())
                return
            self._serve(connection.fileno, lambda: connection.recv(4096), connection.sendall)

    def _hold(self, connection: socket.socket, feed: Callable[[bytes], bytes]) -> None:
        """A conversation: what came goes in, what is to be sent comes out."""
        while not self._closing.is_set():
            if not select.select([connection], [], [], 0.1)[0]:
                continue
            data = connection.recv(4096)
            if not data:
                return
            try:
                answer = feed(data)
            except BadFrame as fault:
                log.warning("simulated %s: %s", self._config.name, fault)
                return
            self.answers += bool(answer)
            connection.sendall(answer)

    def _serve(self, fileno: Callable[[], int], read: Callable[[], bytes], write: Callable[[bytes], object]) -> None:
        buffer = b""
        while not self._closing.is_set():
            if not select.select([fileno()], [], [], 0.1)[0]:
                continue
            data = read()
            if not data:
                return
            buffer = (buffer + data)[-600:]
            for name, meter in self._meters:
                answer = meter.answer(buffer)
                if answer is None:
                    continue
                buffer = b""
                if name not in self.mute:
                    self.answers += 1
                    write(answer)
                break
