"""Protocol drivers: requests to a device and interpretation of its answers. Each only reads."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Final, Protocol, TypeVar

from analytics.domain.errors import ConfigurationError
from ingest.devices import cjt188, dlt645, mbus, modbus
from ingest.devices.faults import BadFrame, DeviceFault, NoAnswer, NoValue, OtherAnswer
from ingest.devices.modbus_frames import Framing, Request, registers_in
from ingest.devices.values import Value
from ingest.gateway.links import Link

__all__ = ["DRIVERS", "EXTRAS", "LINKS", "DeviceConfig", "Driver", "Outcome", "chosen_items", "driver_of"]

Item = TypeVar("Item")

MAIN: Final = "main"
_MOST_PARTS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceConfig:
    """A device: where it is, what it speaks, which meter of the ledger it is.

    Attributes
    ----------
    address : str
        As its protocol has it.
    points : tuple of str or None
        What is read; None for what its profile or protocol reads by default.
    interval_s : int
        Seconds between two readings; they are taken at multiples of it since local midnight. [s]
    registers : mapping of str to str
        Point → name of the register in readings, where it shall differ from the profile's.
    """

    link: str
    protocol: str
    address: str
    meter_no: str
    unit_code: str
    profile: str = ""
    points: tuple[str, ...] | None = None
    interval_s: int = 900
    registers: Mapping[str, str] = field(default_factory=dict)
    place: str = ""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes it the same device after a reload."""
        return (self.link, self.protocol, self.address, self.meter_no)


@dataclass(slots=True, kw_only=True)
class Outcome:
    """Result of reading a device.

    Attributes
    ----------
    values : list of Value
        Its answer.
    clock : datetime or None
        Its clock, local time of the site, where it has one and was asked.
    faults : list of DeviceFault
        Points without a value.
    source : str
        Where the facts of its table come from.
    """

    values: list[Value] = field(default_factory=list)
    clock: datetime | None = None
    faults: list[DeviceFault] = field(default_factory=list)
    source: str = ""


class Driver(Protocol):
    """Reads one device."""

    def read(self, link: Link) -> Outcome:
        """Ask for everything that is wanted.

        A point that is refused or has no value is a fault in the outcome; raises `DeviceFault` when the device gave
        nothing at all.
        """


def chosen_items(device: DeviceConfig, known: Mapping[str, Item]) -> tuple[str, list[Item]]:
    """Address of a meter of the DL/T protocols, and which of the known items are read of it.

    Raises `ConfigurationError` for an unknown item, and where the address is not the 12 digits of the plate.
    """
    names = ("energy_forward", "power") if device.points is None else device.points
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigurationError(f"points must be of {', '.join(known)} (got {', '.join(unknown)})")
    if len(device.address) != 12 or not device.address.isdecimal():
        raise ConfigurationError(f"address must be 12 digits, as on the plate (got {device.address!r})")
    return device.address, [known[name] for name in names]


class Dlt645:
    """DL/T 645-2007. The clock is asked for once in `clock_every` readings."""

    clock_every = 24

    def __init__(self, device: DeviceConfig, _folder: Path | None = None) -> None:
        self._address, self._items = chosen_items(device, dlt645.items())
        self._turn = 0
        self._has_clock = True

    def read(self, link: Link) -> Outcome:
        """Ask for every identifier."""
        outcome = Outcome(source="DL/T 645-2007; dlt645.toml")
        frozen: dict[str, datetime | None] = {}
        for item in self._items:
            try:
                outcome.values += self._item(link, item, frozen)
            except (NoAnswer, BadFrame, OtherAnswer) as fault:
                if not outcome.values:
                    raise
                outcome.faults.append(fault)
                break  # on a bad line give up after one time-out, not one per point
            except DeviceFault as fault:
                outcome.faults.append(fault)
        if self._has_clock and self._turn % self.clock_every == 0 and outcome.values:
            self._read_clock(link, outcome)
        self._turn += 1
        return _with_something(outcome)

    def _item(self, link: Link, item: dlt645.Item, frozen: dict[str, datetime | None]) -> list[Value]:
        at = None
        if item.frozen_by:
            if item.frozen_by not in frozen:
                frozen[item.frozen_by] = dlt645.frozen_time(self._ask(link, item.frozen_by))
            at = frozen[item.frozen_by]
            if at is None:
                raise NoValue(f"{item.name}: a time of freezing is required (the meter has none)")
        return dlt645.values_of(item, self._ask(link, item.di), frozen_at=at)

    def _read_clock(self, link: Link, outcome: Outcome) -> None:
        try:
            date = self._ask(link, dlt645.CLOCK_DATE)
            outcome.clock = dlt645.clock_of(date, self._ask(link, dlt645.CLOCK_TIME))
        except NoAnswer:
            pass
        except DeviceFault:
            self._has_clock = False

    def _ask(self, link: Link, di: str) -> bytes:
        request = dlt645.read_request(self._address, di)
        data, more = self._exchange(link, request)
        for sequence in range(1, _MOST_PARTS):
            if not more:
                return data
            part, more = self._exchange(link, dlt645.read_more(self._address, di, sequence))
            data += part
        raise BadFrame(f"{di}: at most {_MOST_PARTS} parts are taken (got more)")

    def _exchange(self, link: Link, request: dlt645.Frame) -> tuple[bytes, bool]:
        def answers(frame: dlt645.Frame) -> bool:
            if not frame.control & dlt645.ANSWER:
                return False  # the echo of our own request
            if frame.control & dlt645.ERROR and frame.address == request.address:
                return True
            dlt645.data_of(frame, request)
            return True

        frame = link.exchange(dlt645.encode(request, wake_up=4), dlt645.FORMAT, answers)
        return dlt645.data_of(frame, request)


class Cjt188:
    """CJ/T 188: one request has it all, the clock too."""

    types: Final = {"water": 0x10, "hot-water": 0x11, "heat": 0x20, "cold": 0x21, "gas": 0x30}

    def __init__(self, device: DeviceConfig, _folder: Path | None = None) -> None:
        kind = device.profile or "water"
        if kind not in self.types and not _is_type(kind):
            raise ConfigurationError(
                f"profile must be {', '.join(self.types)} or the type byte in hexadecimal (got {kind!r})"
            )
        if len(device.address) != 14 or not device.address.isdecimal():
            raise ConfigurationError(f"address must be 14 digits, as on the plate (got {device.address!r})")
        self._type = self.types.get(kind) or int(kind, 16)
        self._address, self._points = device.address, device.points
        self._sequence = count()
        self._identifier = cjt188.MEASURED

    def read(self, link: Link) -> Outcome:
        """Ask for identifier 901F."""
        meter = cjt188.values_of(self._type, self._ask(link))
        values = [value for value in meter.values if self._points is None or value.point in self._points]
        if self._points is None:
            values = [value for value in values if value.point not in ("settlement_day_total", "hours")]
        return Outcome(values=values, clock=meter.clock, source="CJ/T 188, identifier 901F")

    def _ask(self, link: Link) -> bytes:
        sequence = next(self._sequence) & 0xFF
        request = cjt188.read_request(self._type, self._address, sequence=sequence, identifier=self._identifier)

        def answers(frame: cjt188.Frame) -> bool:
            if not frame.control & cjt188.ANSWER:
                return False
            if not frame.control & cjt188.ERROR:
                cjt188.answer_of(frame, request)
            elif frame.address != request.address:
                raise OtherAnswer(f"an answer of meter {request.address} is required (got one of {frame.address})")
            return True

        frame = link.exchange(cjt188.encode(request, wake_up=2), cjt188.FORMAT, answers)
        return cjt188.answer_of(frame, request)


def _with_something(outcome: Outcome) -> Outcome:
    """The outcome; raises its first fault if it has no values."""
    if not outcome.values and outcome.faults:
        raise outcome.faults[0]
    return outcome


def _is_type(text: str) -> bool:
    return len(text) == 2 and all(one in "0123456789abcdefABCDEF" for one in text)


class MBus:
    """M-Bus by primary (0 to 250) or secondary address (8 or 16 digits)."""

    def __init__(self, device: DeviceConfig, _folder: Path | None = None) -> None:
        primary = device.address.isdecimal() and len(device.address) <= 3
        if primary and int(device.address) > 250:
            raise ConfigurationError(f"address must be 0 to 250, or a secondary one (got {device.address!r})")
        if not primary:
            try:
                mbus.select(device.address)
            except ValueError as error:
                raise ConfigurationError(f"address: {error}") from None
        self._primary = int(device.address) if primary else 0xFD
        self._secondary = "" if primary else device.address
        self._points, self._toggle = device.points, False

    def read(self, link: Link) -> Outcome:
        """Select where it is by its secondary address, then ask until no more records follow."""
        if self._secondary:
            self._exchange(link, mbus.reset(0xFD), single=True, needed=False)
            self._exchange(link, mbus.select(self._secondary), single=True)
        else:
            self._exchange(link, mbus.reset(self._primary), single=True, needed=False)
        answer = mbus.decode(self._exchange(link, mbus.status_request(self._primary)))
        if self._secondary and not mbus.is_selected(answer.id, self._secondary):
            raise OtherAnswer(f"an answer of meter {self._secondary[:8]} is required (got one of {answer.id})")
        if not self._secondary and answer.address != self._primary:
            raise OtherAnswer(f"an answer of meter {self._primary} is required (got one of {answer.address})")
        values = answer.values()
        wanted = self._points
        values = [value for value in values if wanted is None or value.point in wanted or value.register in wanted]
        if not values:
            raise NoValue(f"a record of {', '.join(wanted or ())} is required (meter {answer.id} has none)")
        faults: list[DeviceFault] = [NoValue(record.fault) for record in answer.records if record.fault]
        return Outcome(
            values=values,
            clock=answer.clock,
            faults=faults if wanted is not None else [],
            source=f"M-Bus, {answer.manufacturer} {answer.id} {mbus.MEDIA.get(answer.medium, 'other medium')}",
        )

    def _exchange(self, link: Link, request: bytes, *, single: bool = False, needed: bool = True) -> bytes:
        try:
            return link.exchange(request, mbus.FORMAT, lambda frame: (frame == b"\xe5") == single and frame != request)
        except DeviceFault:
            if needed:
                raise
            return b""  # some meters do not answer a reset


class Modbus:
    """Modbus by a profile; `framing` is rtu or tcp."""

    def __init__(self, device: DeviceConfig, folder: Path | None = None, *, framing: Framing = "rtu") -> None:
        if not device.address.isdecimal() or not 0 <= int(device.address) <= 255:
            raise ConfigurationError(f"address must be a slave's number, 1 to 247 (got {device.address!r})")
        if not device.profile:
            raise ConfigurationError(f"profile must be one of {', '.join(modbus.profiles())}, or a file of your own")
        self._profile = modbus.profile_of(device.profile, folder)
        self._spans = modbus.spans(self._profile.wanted(device.points))
        self._unit, self._framing = int(device.address), framing
        self._transaction = count(1)

    def read(self, link: Link) -> Outcome:
        """Ask for every run of registers."""
        outcome = Outcome(source=f"profile {self._profile.id} v{self._profile.version}: {self._profile.source}")
        for span in self._spans:
            request = Request(
                unit=self._unit,
                function=span.function,
                address=span.address,
                count=span.count,
                framing=self._framing,
                transaction=next(self._transaction) & 0xFFFF,
            )
            try:
                registers = registers_in(link.exchange(request.encode(), request.form, request.accept))
            except NoAnswer as fault:
                if not outcome.values and not outcome.faults:
                    raise
                outcome.faults.append(fault)
                break
            except DeviceFault as fault:
                outcome.faults.append(fault)
                continue
            for value in modbus.values_of(self._profile, span, registers):
                if isinstance(value, Value):
                    outcome.values.append(value)
                else:
                    outcome.faults.append(value)
        return _with_something(outcome)


def _modbus_tcp(device: DeviceConfig, folder: Path | None) -> Driver:
    return Modbus(device, folder, framing="tcp")


DRIVERS: Final[Mapping[str, Callable[[DeviceConfig, Path | None], Driver]]] = {
    "dlt645-2007": Dlt645,
    "cjt188": Cjt188,
    "mbus": MBus,
    "modbus-rtu": Modbus,
    "modbus-tcp": _modbus_tcp,
}
"""Protocols of the base package; `driver_of` knows the extras too."""

EXTRAS: Final[Mapping[str, str]] = {"dlt698": "dlt698", "iec104": "iec104", "opcua": "opcua"}
"""Protocols whose modules of `ingest.gateway.extras` are imported when a device asks for them."""

LINKS: Final[Mapping[str, str]] = {"iec104": "tcp", "opcua": "opcua"}
"""Kinds of link of protocols that have a link to themselves."""


def driver_of(device: DeviceConfig, folder: Path | None = None) -> Driver:
    """Driver of a device; ConfigurationError where its protocol, address, profile or points are none.

    Parameters
    ----------
    folder : Path, optional
        Where a user's own profiles are.
    """
    if device.protocol in EXTRAS:
        module = import_module(f"ingest.gateway.extras.{EXTRAS[device.protocol]}")
        return module.DRIVER(device, folder)  # type: ignore[no-any-return]  # each module's DRIVER makes one
    made = DRIVERS.get(device.protocol)
    if made is None:
        known = ", ".join([*DRIVERS, *EXTRAS])
        raise ConfigurationError(f"protocol must be one of {known} (got {device.protocol!r})")
    return made(device, folder)


def wanted_main(values: Sequence[Value]) -> bool:
    """Whether the register whose differences are consumption is among them."""
    return any(value.register == MAIN for value in values)
