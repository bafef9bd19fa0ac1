"""DL/T 645-2007: frames and data identifiers of electricity meters.

A frame is ``68 A0…A5 68 C L DATA CS 16`` with up to four FE before it. Address and data come low byte first, each data
byte is sent plus 33h, the checksum is the sum from the first 68 on. What an identifier holds stands in `dlt645.toml`.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Final

from ingest.devices.faults import BadFrame, NoValue, OtherAnswer, Refused
from ingest.devices.frames import Format, checksum
from ingest.devices.values import Value, bcd_digits, bcd_number, digits_time, hex_of

__all__ = [
    "ANY_METER",
    "FORMAT",
    "Frame",
    "Item",
    "answer_frame",
    "clock_of",
    "data_of",
    "decode",
    "encode",
    "items",
    "read_address",
    "read_more",
    "read_request",
    "refusal_frame",
    "values_of",
]

ANY_METER: Final = "AAAAAAAAAAAA"
READ: Final = 0x11
READ_MORE: Final = 0x12
READ_ADDRESS: Final = 0x13
ANSWER: Final = 0x80
ERROR: Final = 0x40
MORE: Final = 0x20
CLOCK_DATE: Final = "04000101"
CLOCK_TIME: Final = "04000102"

_OFFSET: Final = 0x33
_OVERHEAD: Final = 12  # 68, address, 68, control, length, checksum, 16
_LONGEST: Final = 200  # data of one frame
_DI: Final = 4
_ERRORS: Final = (
    "another error",
    "no such data",
    "wrong password or not authorized",
    "baud rate cannot be changed",
    "too many yearly time zones",
    "too many daily time slots",
    "too many tariffs",
)


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame, its data without the 33h.

    Attributes
    ----------
    address : str
        Twelve digits, the highest first; ``A`` stands for any digit.
    control : int
        0x11 reads, 0x91 answers, 0xD1 refuses.
    data : bytes
        Decoded (33h removed), low byte first.
    """

    address: str
    control: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Contents of a data identifier.

    Attributes
    ----------
    di : str
        Eight hexadecimal digits DI3…DI0.
    name, register, unit : str
        As in `Value`.
    size : int
        Bytes of one number. [byte]
    decimals : int
        Digits behind the point.
    signed : bool
        Whether the top bit is a sign.
    tariffs : bool
        Whether numbers of the tariffs may follow the total.
    frozen_by : str
        Identifier of the time that the value was frozen at, empty for one of now.
    """

    di: str
    name: str
    register: str = ""
    unit: str
    size: int
    decimals: int
    signed: bool = False
    tariffs: bool = False
    frozen_by: str = ""


@cache
def items() -> Mapping[str, Item]:
    """Known data identifiers, by name."""
    table = tomllib.loads(files("ingest.devices").joinpath("dlt645.toml").read_text(encoding="utf-8"))
    return {row["name"]: Item(**row) for row in table["item"]}


def encode(frame: Frame, *, wake_up: int = 0) -> bytes:
    """Bytes of a frame, with so many FE before it.

    Examples
    --------
    >>> encode(Frame("000000000001", 0x11, bytes.fromhex("00000100"))).hex(" ")
    '68 01 00 00 00 00 00 68 11 04 33 33 34 33 b3 16'
    """
    data = bytes((byte + _OFFSET) & 0xFF for byte in frame.data)
    body = b"\x68" + _wire_address(frame.address) + b"\x68" + bytes([frame.control, len(data)]) + data
    return b"\xfe" * wake_up + body + bytes([checksum(body), 0x16])


def _wire_address(address: str) -> bytes:
    wire = bytes.fromhex(address)
    if len(wire) != 6 or not address.upper().replace("A", "0").isdecimal():
        raise ValueError(f"a DL/T 645 address must be 12 digits (got {address!r})")
    return wire[::-1]


def decode(message: bytes) -> Frame:
    """Frame in a message, whole; FE before it and nothing behind it.

    Raises
    ------
    BadFrame
        If it is none: delimiters, length or checksum.
    """
    body = message.lstrip(b"\xfe")
    if len(body) < _OVERHEAD or body[0] != 0x68 or body[7] != 0x68:
        raise BadFrame(f"DL/T 645: 68, 6 bytes, 68 are required (got {hex_of(message) or 'nothing'})")
    if len(body) != _OVERHEAD + body[9]:
        raise BadFrame(f"DL/T 645: {_OVERHEAD + body[9]} bytes are required, as L says (got {len(body)})")
    if body[-1] != 0x16:
        raise BadFrame(f"DL/T 645: the last byte must be 16 (got {body[-1]:02X})")
    expected = checksum(body[:-2])
    if body[-2] != expected:
        raise BadFrame(f"DL/T 645: the checksum must be {expected:02X} (got {body[-2]:02X})")
    data = bytes((byte - _OFFSET) & 0xFF for byte in body[10:-2])
    return Frame(body[6:0:-1].hex().upper(), body[8], data)


def _length(buffer: bytes) -> int | None:
    if len(buffer) < 10:
        return 0 if len(buffer) < 8 or buffer[7] == 0x68 else None
    return _OVERHEAD + buffer[9] if buffer[7] == 0x68 and buffer[9] <= _LONGEST else None


FORMAT: Final = Format("DL/T 645", b"\x68", _length, decode)


def read_request(address: str, di: str) -> Frame:
    """Request for a data identifier."""
    return Frame(address, READ, bytes.fromhex(di)[::-1])


def read_more(address: str, di: str, sequence: int) -> Frame:
    """Request for what follows an answer that announced more; `sequence` counts from 1."""
    return Frame(address, READ_MORE, bytes.fromhex(di)[::-1] + bytes([sequence]))


def read_address() -> Frame:
    """Request that the only meter on a line answers with its address."""
    return Frame(ANY_METER, READ_ADDRESS, b"")


def answer_frame(address: str, di: str, data: bytes) -> Frame:
    """Encode an answer; for simulated meters in tests and `gateway simulate`."""
    return Frame(address, READ | ANSWER, bytes.fromhex(di)[::-1] + data)


def refusal_frame(address: str, control: int, error: int = 0x02) -> Frame:
    """Encode an error answer; for simulated meters."""
    return Frame(address, control | ANSWER | ERROR, bytes([error]))


def data_of(frame: Frame, request: Frame) -> tuple[bytes, bool]:
    """Data that a meter answers `request` with, behind the identifier, and whether more is to come.

    Raises
    ------
    OtherAnswer
        If it is another meter's, or holds another identifier.
    Refused
        If the meter refuses.
    """
    if request.address not in (ANY_METER, frame.address):
        raise OtherAnswer(f"an answer of meter {request.address} is required (got one of {frame.address})")
    if frame.control & ~(ERROR | MORE) != request.control | ANSWER:
        raise OtherAnswer(f"control {request.control | ANSWER:02X} is required (got {frame.control:02X})")
    if frame.control & ERROR:
        raise Refused(f"meter {frame.address}: {error_text(frame.data[:1])}")
    if request.control == READ_ADDRESS:
        return frame.data, False
    if frame.data[:_DI] != request.data[:_DI]:
        wanted, got = request.data[:_DI][::-1].hex().upper(), frame.data[:_DI][::-1].hex().upper()
        raise OtherAnswer(f"identifier {wanted} of meter {frame.address} is required (got {got or 'none'})")
    data = frame.data[_DI:]
    if request.control == READ_MORE:
        sequence = request.data[_DI]
        if data[-1:] != bytes([sequence]):
            raise OtherAnswer(f"part {sequence} is required (got {data[-1:].hex() or 'nothing'})")
        data = data[:-1]
    return data, bool(frame.control & MORE)


def error_text(error: bytes) -> str:
    r"""What an ERR byte says.

    Examples
    --------
    >>> error_text(b"\x02")
    'no such data (ERR 02)'
    """
    if not error:
        return "refused without a reason"
    bits = [text for bit, text in enumerate(_ERRORS) if error[0] >> bit & 1]
    return f"{', '.join(bits) or 'refused'} (ERR {error[0]:02X})"


def values_of(item: Item, data: bytes, *, frozen_at: datetime | None = None) -> list[Value]:
    """Values in the data of an answer: the total, and the tariffs where the identifier has them.

    Parameters
    ----------
    frozen_at : datetime, optional
        When the meter froze them, local time of the site.

    Raises
    ------
    BadFrame
        If the data is not as long as the identifier's numbers.
    NoValue
        If digits are none.

    Examples
    --------
    >>> [value.value for value in values_of(items()["energy_forward"], bytes.fromhex("78563412"))]
    [Decimal('123456.78')]
    """
    numbers = len(data) // item.size
    if not data or len(data) % item.size or (numbers > 1 and not item.tariffs):
        raise BadFrame(f"{item.name} ({item.di}): numbers of {item.size} bytes are required (got {hex_of(data)})")
    values: list[Value] = []
    for i in range(numbers):
        raw = data[i * item.size : (i + 1) * item.size]
        tariff = f"_t{i}" if i else ""
        register = item.register if not i else f"{item.name}{tariff}"
        values.append(
            Value(
                point=item.name + tariff,
                register=register or item.name,
                value=bcd_number(raw, item.decimals, signed=item.signed),
                unit=item.unit,
                at=frozen_at,
                raw=raw,
            )
        )
    return values


def frozen_time(data: bytes) -> datetime | None:
    """When a meter froze its registers: YYMMDDhhmm, low byte first; None where it never did.

    Raises `BadFrame` for data of another length, `NoValue` where digits are none.
    """
    if len(data) != 5:
        raise BadFrame(f"a time of freezing of 5 bytes is required (got {hex_of(data)})")
    return digits_time("20" + bcd_digits(data) + "00")


def clock_of(date: bytes, time: bytes) -> datetime:
    """The meter's clock out of its date (YYMMDDWW) and time (hhmmss), local time of the site.

    Raises `NoValue` where it is no time.
    """
    if len(date) != 4 or len(time) != 3:
        raise BadFrame(f"a date of 4 and a time of 3 bytes are required (got {hex_of(date)} and {hex_of(time)})")
    # the day of the week comes first on the wire
    found = digits_time("20" + bcd_digits(date[1:]) + bcd_digits(time))
    if found is None:
        raise NoValue(f"a date and a time are required (got {hex_of(date)} and {hex_of(time)})")
    return found


def bcd_bytes(value: Decimal, item: Item) -> bytes:
    """Bytes in which a meter would send a number; for the other side of tests and of `gateway simulate`.

    Examples
    --------
    >>> bcd_bytes(Decimal("-12.34"), items()["energy_combined"]).hex()
    '34120080'
    """
    digits = f"{int(abs(value).scaleb(item.decimals)):0{2 * item.size}d}"[-2 * item.size :]
    data = bytearray.fromhex(digits)[::-1]
    if value < 0 and item.signed:
        data[-1] |= 0x80
    return bytes(data)
