"""IEC 60870-5-104, controlling station: APDUs, and the ASDUs that carry counters and measured values.

An APDU is ``68 L C1 C2 C3 C4 ASDU``, L at most 253. The control field makes it one of three: I carries an ASDU and two
numbers of 15 bits, S acknowledges, U starts, stops or tests the transfer. An ASDU has a type, a count, a cause in two
bytes, a common address in two and addresses of objects in three, as IEC 60870-5-104 fixes them; low byte first.

Commands that this module builds ask for values: general interrogation and counter interrogation **without** freezing
or resetting a counter. Types of process information that are not in `ELEMENTS` are passed over, as the standard wants
of a station that does not know them.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Final, Literal

import numpy as np

from ingest.devices.faults import BadFrame, NoValue, Refused
from ingest.devices.frames import Format
from ingest.devices.values import hex_of

__all__ = [
    "COUNTERS",
    "COUNTER_INTERROGATION",
    "FORMAT",
    "GENERAL_INTERROGATION",
    "MODULUS",
    "Apdu",
    "Asdu",
    "Object",
    "confirmation",
    "decode",
    "decode_asdu",
    "encode",
    "encode_asdu",
    "interrogation",
    "value_of",
]

MODULUS: Final = 1 << 15
GENERAL_INTERROGATION: Final = 100
COUNTER_INTERROGATION: Final = 101
COUNTERS: Final = frozenset({15, 37})
STATION: Final = 20
"""Qualifier of a general interrogation: the whole station."""
ALL_COUNTERS: Final = 5
"""Qualifier of a counter interrogation: all groups, read as they run (neither frozen nor reset)."""

ACTIVATION: Final = 6
CONFIRMED: Final = 7
TERMINATED: Final = 10
_UNKNOWN: Final[Mapping[int, str]] = MappingProxyType(
    {44: "unknown type", 45: "unknown cause", 46: "unknown common address", 47: "unknown object address"}
)
_START: Final = 0x68
_SHORTEST, _LONGEST = 4, 253

UKind = Literal["STARTDT act", "STARTDT con", "STOPDT act", "STOPDT con", "TESTFR act", "TESTFR con"]
_U: Final[Mapping[int, UKind]] = MappingProxyType(
    {
        0x07: "STARTDT act", 0x0B: "STARTDT con", 0x13: "STOPDT act",
        0x23: "STOPDT con", 0x43: "TESTFR act", 0x83: "TESTFR con",
    }
)  # fmt: skip
_U_BYTE: Final = {kind: byte for byte, kind in _U.items()}

_TIME: Final = 7
ELEMENTS: Final[Mapping[int, tuple[str, int, bool]]] = MappingProxyType(
    {
        9: ("normalized", 3, False), 34: ("normalized", 3, True),
        11: ("scaled", 3, False), 35: ("scaled", 3, True),
        13: ("float", 5, False), 36: ("float", 5, True),
        15: ("counter", 5, False), 37: ("counter", 5, True),
        21: ("normalized, no quality", 2, False),
    }
)  # fmt: skip
"""Type → what its element is, bytes without the time, whether a CP56Time2a follows: M_ME_NA/TD, M_ME_NB/TE, M_ME_NC/TF,
M_IT_NA/TB, M_ME_ND."""

_QUALIFIED: Final = frozenset({GENERAL_INTERROGATION, COUNTER_INTERROGATION})
_MEASURED_BAD: Final = (
    (0x80, "invalid"),
    (0x40, "not topical"),
    (0x20, "substituted"),
    (0x10, "blocked"),
    (1, "overflow"),
)
_COUNTER_BAD: Final = ((0x80, "invalid"),)


@dataclass(frozen=True, slots=True)
class Apdu:
    """One APDU.

    Attributes
    ----------
    kind : str
        ``"I"``, ``"S"``, or the name of a U format.
    send, receive : int
        Numbers, 0 to 32767.
    asdu : bytes
        Of an I format.
    """

    kind: Literal["I", "S"] | UKind
    send: int = 0
    receive: int = 0
    asdu: bytes = b""


@dataclass(frozen=True, slots=True)
class Object:
    """An information object.

    Attributes
    ----------
    address : int
        0 to 16777215.
    element : bytes
        Its value and quality, without the time; the qualifier of a command.
    at : datetime or None
        Its time tag, local time of the station; None where the type has none, or it says that it is invalid.
    """

    address: int
    element: bytes
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asdu:
    """What an I format carries.

    Attributes
    ----------
    type : int
        Type identification.
    cause : int
        Cause of transmission, 6 bits.
    negative : bool
        P/N: the station refuses.
    common_address : int
        Of the station or sector.
    objects : tuple of Object
        Empty for a type that is passed over.
    """

    type: int
    cause: int
    common_address: int
    objects: tuple[Object, ...] = ()
    negative: bool = False
    test: bool = False
    originator: int = 0


def encode(apdu: Apdu) -> bytes:
    """Bytes of an APDU.

    Examples
    --------
    >>> encode(Apdu("STARTDT act")).hex(" "), encode(Apdu("S", receive=5)).hex(" ")
    ('68 04 07 00 00 00', '68 04 01 00 0a 00')
    """
    if apdu.kind == "I":
        control = struct.pack("<HH", apdu.send << 1, apdu.receive << 1)
    elif apdu.kind == "S":
        control = struct.pack("<HH", 1, apdu.receive << 1)
    else:
        control = bytes([_U_BYTE[apdu.kind], 0, 0, 0])
    return bytes([_START, len(control) + len(apdu.asdu)]) + control + apdu.asdu


def decode(message: bytes) -> Apdu:
    """APDU in a message, whole and nothing behind it.

    Raises
    ------
    BadFrame
        If it is none: start, length, control field.
    """
    if len(message) < 2 + _SHORTEST or message[0] != _START:
        raise BadFrame(f"IEC 104: 68, a length and a control field are required (got {hex_of(message) or 'nothing'})")
    if len(message) != 2 + message[1] or not _SHORTEST <= message[1] <= _LONGEST:
        raise BadFrame(f"IEC 104: a length of 4 to 253 and as many bytes are required (got {hex_of(message)})")
    first, second = struct.unpack_from("<HH", message, 2)
    asdu = message[6:]
    if not first & 1:
        if not asdu or second & 1:
            raise BadFrame(f"IEC 104: an I format must have an ASDU and an even number (got {hex_of(message)})")
        return Apdu("I", first >> 1, second >> 1, asdu)
    if asdu:
        raise BadFrame(f"IEC 104: S and U formats must have no ASDU (got {hex_of(message)})")
    if first == 1 and not second & 1:
        return Apdu("S", receive=second >> 1)
    if first in _U and not second:
        return Apdu(_U[first])
    raise BadFrame(f"IEC 104: a control field of an I, S or U format is required (got {hex_of(message[2:6])})")


def _length(buffer: bytes) -> int | None:
    if len(buffer) < 2:
        return 0
    return 2 + buffer[1] if _SHORTEST <= buffer[1] <= _LONGEST else None


FORMAT: Final = Format("IEC 104", b"\x68", _length, decode)


def encode_asdu(asdu: Asdu) -> bytes:
    """Bytes of an ASDU, an address before every object (SQ = 0).

    Examples
    --------
    >>> encode_asdu(interrogation(GENERAL_INTERROGATION, 1)).hex(" ")
    '64 01 06 00 01 00 00 00 00 14'
    """
    cause = asdu.cause | asdu.negative << 6 | asdu.test << 7
    head = struct.pack("<BBBBH", asdu.type, len(asdu.objects), cause, asdu.originator, asdu.common_address)
    timed = ELEMENTS.get(asdu.type, ("", 0, False))[2]
    return head + b"".join(
        one.address.to_bytes(3, "little") + one.element + (_time_bytes(one.at) if timed else b"")
        for one in asdu.objects
    )


def decode_asdu(data: bytes) -> Asdu:
    """ASDU in the bytes behind a control field.

    Raises
    ------
    BadFrame
        If it is shorter or longer than its type and count make it.
    """
    if len(data) < 6:
        raise BadFrame(f"IEC 104: an ASDU of 6 bytes or more is required (got {hex_of(data)})")
    kind, count, cause, originator, common_address = struct.unpack_from("<BBBBH", data)
    body, sequence, count = data[6:], bool(count & 0x80), count & 0x7F
    if kind in _QUALIFIED:
        size, timed = 1, False
    elif kind in ELEMENTS:
        _, size, timed = ELEMENTS[kind]
    else:
        size, timed, count, body = 0, False, 0, b""
    whole = size + (_TIME if timed else 0)
    required = 3 * (bool(count) if sequence else count) + count * whole
    if len(body) != required:
        raise BadFrame(f"IEC 104: type {kind} with {count} objects must have {required} bytes (got {len(body)})")
    objects = []
    at = 0
    for number in range(count):
        if not sequence or not number:
            address = int.from_bytes(body[at : at + 3], "little")
            at += 3
        element, tag = body[at : at + size], body[at + size : at + whole]
        objects.append(Object((address + number * sequence) & 0xFFFFFF, element, _time(tag) if timed else None))
        at += whole
    return Asdu(
        type=kind,
        cause=cause & 0x3F,
        common_address=common_address,
        objects=tuple(objects),
        negative=bool(cause & 0x40),
        test=bool(cause & 0x80),
        originator=originator,
    )


def interrogation(kind: int, common_address: int) -> Asdu:
    """The command that asks a station for all its measured values, or for all its counters."""
    qualifier = STATION if kind == GENERAL_INTERROGATION else ALL_COUNTERS
    return Asdu(type=kind, cause=ACTIVATION, common_address=common_address, objects=(Object(0, bytes([qualifier])),))


def confirmation(command: Asdu, asdu: Asdu) -> Literal["", "confirmed", "terminated"]:
    """What an ASDU says to a command; empty where it says nothing to it.

    Raises
    ------
    Refused
        If the station refuses it.
    """
    if (asdu.type, asdu.common_address) != (command.type, command.common_address):
        return ""
    if asdu.negative or asdu.cause in _UNKNOWN:
        why = _UNKNOWN.get(asdu.cause, "negative confirmation")
        raise Refused(f"station {asdu.common_address}: {why} (type {asdu.type}, cause {asdu.cause})")
    return {CONFIRMED: "confirmed", TERMINATED: "terminated"}.get(asdu.cause, "")  # type: ignore[return-value]


def value_of(kind: int, element: bytes) -> Decimal:
    """Number in an element of a type of `ELEMENTS`; normalized ones from -1 to 1.

    Raises
    ------
    NoValue
        If its quality says that it is none: invalid, not topical, substituted, blocked or overflow; of a counter
        invalid. (Carry and adjusted say something of a counter's past, and its value stands.)

    Examples
    --------
    >>> value_of(15, bytes.fromhex("4e61bc0003"))
    Decimal('12345678')
    """
    what = ELEMENTS[kind][0]
    bad = _COUNTER_BAD if what == "counter" else _MEASURED_BAD
    if what != "normalized, no quality":
        said = [text for bit, text in bad if element[-1] & bit]
        if said:
            raise NoValue(f"a value of good quality is required (got {', '.join(said)}: {hex_of(element)})")
    if what == "counter":
        return Decimal(struct.unpack_from("<i", element)[0])
    if what == "float":
        number = np.frombuffer(element[:4], "<f4")[0]
        if not np.isfinite(number):
            raise NoValue(f"a finite number is required (got {number})")
        return Decimal(str(number))
    whole = Decimal(struct.unpack_from("<h", element)[0])
    return whole if what == "scaled" else whole / MODULUS


def _time(tag: bytes) -> datetime | None:
    """Time of CP56Time2a; None where it is invalid."""
    milliseconds, minute, hour, day, month, year = struct.unpack("<HBBBBB", tag)
    if minute & 0x80:
        return None
    try:
        return datetime(  # noqa: DTZ001 - local time of the station
            2000 + (year & 0x7F), month & 0x0F, day & 0x1F, hour & 0x1F, minute & 0x3F,
            milliseconds // 1000, milliseconds % 1000 * 1000,
        )  # fmt: skip
    except ValueError:
        return None


def _time_bytes(at: datetime | None) -> bytes:
    if at is None:
        return bytes([0, 0, 0x80, 0, 0, 0, 0])
    return struct.pack(
        "<HBBBBB", at.second * 1000 + at.microsecond // 1000, at.minute, at.hour, at.day | at.isoweekday() << 5,
        at.month, at.year % 100,
    )  # fmt: skip
