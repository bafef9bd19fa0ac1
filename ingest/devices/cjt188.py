"""CJ/T 188: frames and data of water, heat and gas meters.

A frame is ``68 T A0…A6 C L DI0 DI1 SER … CS 16`` with FE before it; the address comes low byte first, data is sent as
it is. Some meters send the identifier high byte first: both are taken. The unit stands behind each number and is read,
never assumed: heat meters count in kWh, MWh, MJ or GJ.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from ingest.devices.faults import BadFrame, NoValue, OtherAnswer, Refused
from ingest.devices.frames import Format, checksum
from ingest.devices.values import Value, bcd_digits, bcd_number, digits_time, hex_of

__all__ = [
    "ANY_METER",
    "FORMAT",
    "UNITS",
    "Frame",
    "Meter",
    "answer_of",
    "decode",
    "encode",
    "heat_data",
    "read_request",
    "values_of",
    "water_data",
]

ANY_METER: Final = "AAAAAAAAAAAAAA"
ANY_TYPE: Final = 0xAA
READ: Final = 0x01
ANSWER: Final = 0x80
ERROR: Final = 0x40
MEASURED: Final = "901F"

UNITS: Final[Mapping[int, tuple[str, int]]] = MappingProxyType(
    {
        0x02: ("Wh", 1), 0x05: ("kWh", 1), 0x08: ("MWh", 1), 0x0A: ("MWh", 100),
        0x01: ("J", 1), 0x0B: ("kJ", 1), 0x0E: ("MJ", 1), 0x11: ("GJ", 1), 0x13: ("GJ", 100),
        0x14: ("W", 1), 0x17: ("kW", 1), 0x1A: ("MW", 1),
        0x29: ("L", 1), 0x2C: ("m3", 1), 0x32: ("L/h", 1), 0x35: ("m3/h", 1),
    }
)  # fmt: skip
"""Unit byte → unit and factor. 05, 17, 2C and 35 by two sources, the rest by one."""

_OVERHEAD: Final = 13  # 68, type, address, control, length, checksum, 16
_LONGEST: Final = 200
_TOTAL_BYTES: Final = 0x16
_HEAT_BYTES: Final = 0x2E
_HEAT_TYPES: Final = range(0x20, 0x30)
_DECIMALS: Final = 2


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame.

    Attributes
    ----------
    type : int
        0x10 to 0x19 water, 0x20 to 0x29 heat, 0x30 to 0x39 gas; 0xAA any.
    address : str
        Fourteen digits, the highest first; ``A`` stands for any digit.
    control : int
        0x01 reads, 0x81 answers.
    data : bytes
        Identifier, sequence number and what follows.
    """

    type: int
    address: str
    control: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """Contents of an answer beside its values.

    Attributes
    ----------
    clock : datetime or None
        Its clock, local time of the site; None where it was never set.
    status : bytes
        Two bytes as they came.
    battery_low : bool
        Bit 2 of the first. What bits 0 and 1 say of the valve is in dispute, so nothing is made of them.
    """

    values: tuple[Value, ...]
    clock: datetime | None
    status: bytes

    @property
    def battery_low(self) -> bool:
        """Whether the battery is low."""
        return bool(self.status[:1] and self.status[0] & 0x04)


def encode(frame: Frame, *, wake_up: int = 0) -> bytes:
    """Bytes of a frame, with so many FE before it.

    Examples
    --------
    >>> encode(read_request(0x10, "78330011223344", sequence=0)).hex(" ")
    '68 10 44 33 22 11 00 33 78 01 03 1f 90 00 80 16'
    """
    wire = bytes.fromhex(frame.address)
    if len(wire) != 7 or not frame.address.upper().replace("A", "0").isdecimal():
        raise ValueError(f"a CJ/T 188 address must be 14 digits (got {frame.address!r})")
    body = bytes([0x68, frame.type]) + wire[::-1] + bytes([frame.control, len(frame.data)]) + frame.data
    return b"\xfe" * wake_up + body + bytes([checksum(body), 0x16])


def decode(message: bytes) -> Frame:
    """Frame in a message, whole; FE before it and nothing behind it.

    Raises
    ------
    BadFrame
        If it is none: delimiters, length or checksum.
    """
    body = message.lstrip(b"\xfe")
    if len(body) < _OVERHEAD or body[0] != 0x68:
        raise BadFrame(f"CJ/T 188: 68, type and address are required (got {hex_of(message) or 'nothing'})")
    if len(body) != _OVERHEAD + body[10]:
        raise BadFrame(f"CJ/T 188: {_OVERHEAD + body[10]} bytes are required, as L says (got {len(body)})")
    if body[-1] != 0x16:
        raise BadFrame(f"CJ/T 188: the last byte must be 16 (got {body[-1]:02X})")
    expected = checksum(body[:-2])
    if body[-2] != expected:
        raise BadFrame(f"CJ/T 188: the checksum must be {expected:02X} (got {body[-2]:02X})")
    return Frame(body[1], body[8:1:-1].hex().upper(), body[9], body[11:-2])


def _length(buffer: bytes) -> int | None:
    if len(buffer) < 11:
        return 0
    return _OVERHEAD + buffer[10] if buffer[10] <= _LONGEST else None


FORMAT: Final = Format("CJ/T 188", b"\x68", _length, decode)


def read_request(meter_type: int, address: str, *, sequence: int, identifier: str = MEASURED) -> Frame:
    """Request for an identifier, low byte first, as nearly all meters want it."""
    return Frame(meter_type, address, READ, bytes.fromhex(identifier)[::-1] + bytes([sequence]))


def answer_of(frame: Frame, request: Frame) -> bytes:
    """Data that a meter answers `request` with, behind identifier and sequence number.

    Raises
    ------
    OtherAnswer
        If it is another meter's, or holds another identifier.
    Refused
        If the meter refuses.
    """
    if request.address not in (ANY_METER, frame.address):
        raise OtherAnswer(f"an answer of meter {request.address} is required (got one of {frame.address})")
    if frame.control & ~ERROR != request.control | ANSWER:
        raise OtherAnswer(f"control {request.control | ANSWER:02X} is required (got {frame.control:02X})")
    if frame.control & ERROR:
        raise Refused(f"meter {frame.address} refused (control {frame.control:02X}, {hex_of(frame.data) or 'no data'})")
    wanted, got = request.data[:2], frame.data[:2]
    if got not in (wanted, wanted[::-1]):
        raise OtherAnswer(f"identifier {hex_of(wanted)} is required (got {hex_of(got) or 'none'})")
    return frame.data[3:]


def values_of(meter_type: int, data: bytes) -> Meter:
    """Values of the answer to identifier 901F.

    Raises
    ------
    BadFrame
        If the data is neither as long as a water meter's nor, of a heat meter, as long as a heat meter's.
    NoValue
        If digits are none, or a unit byte is not known.
    """
    length = len(data) + 3
    if meter_type in _HEAT_TYPES and length == _HEAT_BYTES:
        return _heat(data)
    if length == _TOTAL_BYTES:
        return _total(data)
    required = "2E (or 16)" if meter_type in _HEAT_TYPES else "16"
    raise BadFrame(f"CJ/T 188: length {required} is required of type {meter_type:02X} (got {length:02X})")


def _total(data: bytes) -> Meter:
    total = _number("total", "main", data[0:5])
    settled = _number("settlement_day_total", "settlement_day_total", data[5:10])
    return Meter(values=(total, settled), clock=_clock(data[10:17]), status=data[17:19])


def _heat(data: bytes) -> Meter:
    cold, heat, power, flow, volume = (
        _number(point, register, data[5 * i : 5 * i + 5])
        for i, (point, register) in enumerate(
            (("cold", "cold"), ("heat", "main"), ("power", "power"), ("flow", "flow"), ("volume", "volume"))
        )
    )
    supply = _temperature("t_supply", "supply_temperature", data[25:28])
    returned = _temperature("t_return", "return_temperature", data[28:31])
    hours = Value(point="hours", register="hours", value=bcd_number(data[31:34], 0), unit="h", raw=data[31:34])
    return Meter(
        values=(heat, cold, power, flow, volume, supply, returned, hours),
        clock=_clock(data[34:41]),
        status=data[41:43],
    )


def _number(point: str, register: str, data: bytes) -> Value:
    if data[4] not in UNITS:
        raise NoValue(f"{point}: a unit byte of CJ/T 188 is required (got {data[4]:02X})")
    unit, factor = UNITS[data[4]]
    return Value(point=point, register=register, value=bcd_number(data[:4], _DECIMALS) * factor, unit=unit, raw=data)


def _temperature(point: str, register: str, data: bytes) -> Value:
    return Value(point=point, register=register, value=bcd_number(data, _DECIMALS), unit="°C", raw=data)


def _clock(data: bytes) -> datetime | None:
    try:
        return digits_time(bcd_digits(data))
    except NoValue:
        return None  # an invalid clock does not invalidate the register beside it


def _bytes(value: Decimal, unit: int, *, size: int = 4, decimals: int = _DECIMALS) -> bytes:
    digits = f"{int(abs(value).scaleb(decimals)):0{2 * size}d}"[-2 * size :]
    return bytes.fromhex(digits)[::-1] + (bytes([unit]) if unit >= 0 else b"")


def _clock_bytes(clock: datetime | None) -> bytes:
    return bytes.fromhex(f"{clock:%Y%m%d%H%M%S}")[::-1] if clock else bytes(7)


def water_data(
    total: Decimal,
    *,
    settled: Decimal = Decimal(0),
    unit: int = 0x2C,
    clock: datetime | None = None,
    status: bytes = bytes(2),
) -> bytes:
    """Data of a water meter's answer; for the other side of tests and of `gateway simulate`."""
    return _bytes(total, unit) + _bytes(settled, unit) + _clock_bytes(clock) + status


def heat_data(
    numbers: Mapping[str, Decimal],
    *,
    units: tuple[int, int, int, int, int] = (0x05, 0x05, 0x17, 0x35, 0x2C),
    clock: datetime | None = None,
    status: bytes = bytes(2),
) -> bytes:
    """Data of a heat meter's answer; `numbers` by point, those that are missing are 0."""
    zero = Decimal(0)
    points = ("cold", "heat", "power", "flow", "volume")
    data = b"".join(_bytes(numbers.get(point, zero), unit) for point, unit in zip(points, units, strict=True))
    for point in ("t_supply", "t_return"):
        data += _bytes(numbers.get(point, zero), -1, size=3)
    data += _bytes(numbers.get("hours", zero), -1, size=3, decimals=0)
    return data + _clock_bytes(clock) + status
