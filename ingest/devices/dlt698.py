"""DL/T 698.45: frames, and the GET services that read attributes and frozen records of a meter; no security.

A frame is ``68 L L C SA CA HCS HCS APDU FCS FCS 16``: L counts from itself to FCS, the server's address comes low byte
first behind a byte that states its kind and length, HCS is the check of the head and FCS of all of it (CRC-16/X-25, low
byte first). Numbers inside an APDU come high byte first, each with its type. What an attribute holds is in
`dlt698.toml`.

Requests that are built here read: GetRequestNormal, GetRequestNormalList and GetRequestRecord. Nothing is set, no
method is called, and a connection is neither asked for nor secured: a meter that demands one refuses, with its reason.
"""

import struct
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from ingest.devices.faults import BadFrame, NoValue, OtherAnswer, Refused
from ingest.devices.frames import Format
from ingest.devices.values import Value, hex_of

__all__ = [
    "ADDRESS",
    "ANSWER",
    "ANY_METER",
    "CLOCK",
    "FORMAT",
    "FREEZE_TIME",
    "REQUEST",
    "Frame",
    "Item",
    "Typed",
    "answers",
    "check",
    "decode",
    "encode",
    "get_list",
    "get_newest",
    "is_answer",
    "items",
    "record_in",
    "results_in",
    "time_of",
    "values_of",
]

ANY_METER: Final = "AAAAAAAAAAAA"
REQUEST: Final = 0x43
ANSWER: Final = 0xC3
ADDRESS: Final = "40010200"
CLOCK: Final = "40000200"
FREEZE_TIME: Final = "20210200"

_FUNCTION, _USER_DATA, _SEGMENT, _SCRAMBLED = 0x07, 3, 0x20, 0x08
_FROM_METER: Final = 0x80
_ERROR: Final = 0xEE  # the service of an answer that there is none
_SECURED: Final = 0x90
_SECURED_ERROR: Final = 2
_IN_PARTS: Final = 5  # of the kinds of an answer to GET
_SHORTEST, _LONGEST = 15, 2000
_MOST_DEPTH: Final = 8
_REFUSALS: Final[Mapping[int, str]] = MappingProxyType(
    {
        1: "hardware fault", 2: "temporarily not available", 3: "reading is denied", 4: "object is not defined",
        5: "class of the object does not fit", 6: "object does not exist", 7: "type does not fit", 8: "out of range",
        9: "block of data not available",
    }
)  # fmt: skip
_NUMBERS: Final[Mapping[int, str]] = MappingProxyType(
    {5: ">i", 6: ">I", 15: ">b", 16: ">h", 17: ">B", 18: ">H", 20: ">q", 21: ">Q", 22: ">B", 23: ">f", 24: ">d"}
)
"""Types of numbers: double-long, double-long-unsigned, integer, long, unsigned, long-unsigned, long64, long64-unsigned,
enum, float32, float64."""
_SIZES: Final[Mapping[int, int]] = MappingProxyType(
    {0: 0, 3: 1, 25: 10, 26: 5, 27: 3, 28: 7, 80: 2, 81: 4, 83: 4, 84: 3, 89: 2}
)
"""Other types of fixed size: null, bool, times, OI, OAD, OMD, TI, scaler and unit."""
_ARRAYS: Final = frozenset({1, 2})
_TEXTS: Final = frozenset({9, 10, 12})
_DATE_TIME_S: Final = 28


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame.

    Attributes
    ----------
    address : str
        Digits of the server's address, the highest first; ``A`` stands for any digit.
    control : int
        0x43 asks, 0xC3 answers.
    apdu : bytes
    client : int
        Address of who asks.
    """

    address: str
    control: int
    apdu: bytes
    client: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What an attribute holds.

    Attributes
    ----------
    oad : str
        Eight hexadecimal digits: object, attribute, element.
    decimals : int
        Digits behind the point.
    tariffs : bool
        Whether it is an array of the total and the tariffs.
    frozen_in : str
        OAD of the table of frozen records that it is read from, empty for the value of now.
    """

    name: str
    oad: str
    register: str = ""
    unit: str
    decimals: int
    tariffs: bool = False
    frozen_in: str = ""


@dataclass(frozen=True, slots=True)
class Typed:
    """A value with its type: a number, bytes, or a tuple of others."""

    type: int
    value: Any


@cache
def items() -> Mapping[str, Item]:
    """Known attributes, by name."""
    table = tomllib.loads(files("ingest.devices").joinpath("dlt698.toml").read_text(encoding="utf-8"))
    return {row["name"]: Item(**row) for row in table["item"]}


def check(data: bytes) -> bytes:
    """CRC-16/X-25, low byte first.

    Examples
    --------
    >>> check(b"123456789").hex()
    '6e90'
    """
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    return (crc ^ 0xFFFF).to_bytes(2, "little")


def _crc_of(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ 0x8408 if byte & 1 else byte >> 1
    return byte


_CRC: Final = tuple(_crc_of(byte) for byte in range(256))


def encode(frame: Frame) -> bytes:
    """Bytes of a frame.

    Examples
    --------
    >>> encode(Frame("AAAAAAAAAAAA", 0x43, bytes.fromhex("0501004001020000"))).hex(" ")
    '68 17 00 43 45 aa aa aa aa aa aa 00 5b 4f 05 01 00 40 01 02 00 00 ed 03 16'
    """
    wire = bytes.fromhex(frame.address)[::-1]
    if not 1 <= len(wire) <= 16 or not frame.address.upper().replace("A", "0").isdecimal():
        raise ValueError(f"a DL/T 698.45 address must be digits, two a byte (got {frame.address!r})")
    kind = 0x40 if "A" in frame.address.upper() else 0
    head = bytes([frame.control, kind | (len(wire) - 1)]) + wire + bytes([frame.client])
    body = (len(head) + len(frame.apdu) + 6).to_bytes(2, "little") + head
    body += check(body) + frame.apdu
    return b"\x68" + body + check(body) + b"\x16"


def decode(message: bytes) -> Frame:
    """Frame in a message, whole and nothing behind it.

    Raises
    ------
    BadFrame
        If it is none: delimiters, length, address, a check; or a part of a longer one.
    """
    if len(message) < _SHORTEST or message[0] != 0x68:
        raise BadFrame(f"DL/T 698.45: 68, a length and an address are required (got {hex_of(message) or 'nothing'})")
    length = int.from_bytes(message[1:3], "little") & 0x3FFF
    if len(message) != length + 2:
        raise BadFrame(f"DL/T 698.45: {length + 2} bytes are required, as L says (got {len(message)})")
    if message[-1] != 0x16:
        raise BadFrame(f"DL/T 698.45: the last byte must be 16 (got {message[-1]:02X})")
    control, size = message[3], (message[4] & 0x0F) + 1
    head = 6 + size  # behind it comes HCS
    if len(message) < head + 5:
        raise BadFrame(f"DL/T 698.45: an address of {size} bytes is required (got {hex_of(message)})")
    for name, expected, got in (
        ("HCS", check(message[1:head]), message[head : head + 2]),
        ("FCS", check(message[1:-3]), message[-3:-1]),
    ):
        if got != expected:
            raise BadFrame(f"DL/T 698.45: {name} must be {hex_of(expected)} (got {hex_of(got)})")
    if control & _SEGMENT:
        raise BadFrame("DL/T 698.45: a whole answer in one frame is required (got a part of one)")
    apdu = message[head + 2 : -3]
    if control & _SCRAMBLED:
        apdu = bytes((byte - 0x33) & 0xFF for byte in apdu)
    return Frame(message[5 : 5 + size][::-1].hex().upper(), control, apdu, message[head - 1])


def _length(buffer: bytes) -> int | None:
    if len(buffer) < 3:
        return 0
    length = int.from_bytes(buffer[1:3], "little") & 0x3FFF
    return length + 2 if _SHORTEST <= length + 2 <= _LONGEST else None


FORMAT: Final = Format("DL/T 698.45", b"\x68", _length, decode)


def get_list(oads: Sequence[str], number: int) -> bytes:
    """APDU that asks for attributes: GetRequestNormal for one, GetRequestNormalList for more.

    Parameters
    ----------
    number : int
        0 to 63; the answer repeats it.
    """
    kind = b"\x05\x01" if len(oads) == 1 else b"\x05\x02"
    count = b"" if len(oads) == 1 else bytes([len(oads)])
    return kind + bytes([number]) + count + bytes.fromhex("".join(oads)) + b"\0"


def get_newest(table: str, oads: Sequence[str], number: int) -> bytes:
    """APDU that asks for columns of the newest record of a table of frozen records: GetRequestRecord, selector 9."""
    columns = bytes([len(oads)]) + b"".join(b"\0" + bytes.fromhex(oad) for oad in oads)
    return b"\x05\x03" + bytes([number]) + bytes.fromhex(table) + b"\x09\x01" + columns + b"\0"


class _Reader:
    """Reads an APDU from its beginning."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, size: int) -> bytes:
        """So many bytes."""
        part = self._data[self._at : self._at + size]
        if len(part) < size:
            raise BadFrame(f"DL/T 698.45: {size} bytes more are required (got {hex_of(part) or 'none'})")
        self._at += size
        return part

    def byte(self) -> int:
        """One byte."""
        return self.take(1)[0]

    def length(self) -> int:
        """A length: one byte, or 81 and one, or 82 and two."""
        first = self.byte()
        if first < 0x80:
            return first
        if first not in (0x81, 0x82):
            raise BadFrame(f"DL/T 698.45: a length is required (got {first:02X})")
        return int.from_bytes(self.take(first & 0x0F), "big")

    def data(self, depth: int = 0) -> Typed:
        """A value with its type."""
        kind = self.byte()
        if kind in _NUMBERS:
            return Typed(kind, struct.unpack(_NUMBERS[kind], self.take(struct.calcsize(_NUMBERS[kind])))[0])
        if kind in _SIZES:
            return Typed(kind, self.take(_SIZES[kind]))
        if kind in _ARRAYS and depth < _MOST_DEPTH:
            return Typed(kind, tuple(self.data(depth + 1) for _ in range(self.length())))
        if kind in _TEXTS:
            return Typed(kind, self.take(self.length()))
        if kind == 4:
            return Typed(kind, self.take((self.length() + 7) // 8))
        raise BadFrame(f"DL/T 698.45: a type of data that is known is required (got {kind})")


def _answer(frame: Frame, request: Frame) -> _Reader:
    """What stands behind the head of an answer to `request`.

    Raises `OtherAnswer` where it answers something else, `Refused` where the meter has none.
    """
    if "A" not in request.address.upper() and frame.address != request.address:
        raise OtherAnswer(f"an answer of meter {request.address} is required (got one of {frame.address})")
    reader = _Reader(frame.apdu)
    service, kind = reader.byte(), reader.byte()
    if service == _ERROR:
        raise Refused(
            f"meter {frame.address} answers with error {reader.byte()}: some ask for a connection or for security first"
        )
    if service == _SECURED:
        why = _refusal("security", reader.byte()).detail if kind == _SECURED_ERROR else f"kind {kind}"
        raise Refused(
            f"meter {frame.address} answers with security (service 90, {why}): it wants secured requests, which are not"
            " made here"
        )
    number = reader.byte() & 0x3F
    wanted, asked = request.apdu[1], request.apdu[2] & 0x3F
    if (service, kind, number) == (0x85, _IN_PARTS, asked):
        raise Refused(
            f"meter {frame.address} answers in parts (service 85 05), which are not put together here: ask for less"
        )
    if (service, kind, number) != (0x85, wanted, asked):
        raise OtherAnswer(
            f"DL/T 698.45: service 85 {wanted:02X} number {asked} is required (got {service:02X} {kind:02X} {number})"
        )
    return reader


def answers(frame: Frame, request: Frame) -> bool:
    """Whether a frame answers `request`, if only by refusing; raises `OtherAnswer` for an answer to something else."""
    try:
        _answer(frame, request)
    except Refused:
        return True
    return True


def results_in(frame: Frame, request: Frame) -> dict[str, Typed | Refused]:
    """Attributes in an answer to `get_list`, by OAD; a refusal for one that the meter does not give.

    Raises
    ------
    OtherAnswer
        If it is another meter's, or to another request.
    Refused
        If the meter refuses the whole.
    BadFrame
        If it breaks off, or holds data of an unknown type.
    """
    reader = _answer(frame, request)
    count = 1 if request.apdu[1] == 1 else reader.byte()
    found: dict[str, Typed | Refused] = {}
    for _ in range(count):
        oad = reader.take(4).hex().upper()
        found[oad] = reader.data() if reader.byte() else _refusal(oad, reader.byte())
    return found


def record_in(frame: Frame, request: Frame) -> dict[str, Typed]:
    """Columns of the newest record in an answer to `get_newest`, by OAD; empty where the table is.

    Raises as `results_in`, and `Refused` where the meter does not give the table.
    """
    reader = _answer(frame, request)
    table = reader.take(4).hex().upper()
    columns = []
    for _ in range(reader.byte()):
        if reader.byte():
            raise BadFrame("DL/T 698.45: columns of one attribute each are required (got a column of another kind)")
        columns.append(reader.take(4).hex().upper())
    if not reader.byte():
        raise _refusal(table, reader.byte())
    rows = [{column: reader.data() for column in columns} for _ in range(reader.byte())]
    return rows[-1] if rows else {}


def _refusal(oad: str, code: int) -> Refused:
    return Refused(f"{oad}: {_REFUSALS.get(code, 'refused')} (DAR {code})")


def values_of(item: Item, data: Typed, *, frozen_at: datetime | None = None) -> list[Value]:
    """Values of an attribute: the total, and the tariffs where it is an array of them.

    Raises
    ------
    NoValue
        If it is no number.
    """
    numbers = data.value if data.type in _ARRAYS else (data,)
    if not item.tariffs and len(numbers) > 1:
        numbers = numbers[:1]  # a column of a frozen record may be the whole array
    values = []
    for i, one in enumerate(numbers):
        if one.type not in _NUMBERS or isinstance(one.value, float):
            raise NoValue(f"{item.name} ({item.oad}): a whole number is required (got data of type {one.type})")
        tariff = f"_t{i}" if i else ""
        values.append(
            Value(
                point=item.name + tariff,
                register=(item.register or item.name) if not i else item.name + tariff,
                value=Decimal(one.value).scaleb(-item.decimals),
                unit=item.unit,
                at=frozen_at,
                raw=struct.pack(_NUMBERS[one.type], one.value),
            )
        )
    if not values:
        raise NoValue(f"{item.name} ({item.oad}): a number is required (got an empty array)")
    return values


def time_of(data: Typed) -> datetime | None:
    """Time in a date_time_s, local time of the site; None where it is none."""
    if data.type != _DATE_TIME_S:
        return None
    try:
        return datetime(*struct.unpack(">HBBBBB", data.value))  # noqa: DTZ001 - local time of the site
    except ValueError:
        return None


def is_answer(frame: Frame) -> bool:
    """Whether a frame is a meter's answer with data; not our own request, nor its log-in or heartbeat."""
    return bool(frame.control & _FROM_METER) and frame.control & _FUNCTION == _USER_DATA
