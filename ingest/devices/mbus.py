"""M-Bus (EN 13757): requests, frames, and the records of a meter's answer as pyMeterBus reads them.

pyMeterBus decodes the data information and value information blocks; it computes in floats and raises what it likes on
what it does not know. So numbers are made again from the raw integer and the power of ten, times are read here (it has
the one with seconds wrong), and a record that it cannot read is a fault beside the others, not the end of them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final

import meterbus
import numpy as np

from ingest.devices.faults import BadFrame, NoValue
from ingest.devices.frames import Format, checksum
from ingest.devices.values import Value, hex_of

__all__ = [
    "FORMAT",
    "MEDIA",
    "Answer",
    "Record",
    "answer_frame",
    "decode",
    "is_selected",
    "reset",
    "select",
    "status_request",
]

MEDIA: Final = {
    0x00: "Other", 0x01: "Oil", 0x02: "Electricity", 0x03: "Gas", 0x04: "Heat: Outlet", 0x05: "Steam",
    0x06: "Hot water", 0x07: "Water", 0x08: "Heat cost allocator", 0x09: "Compressed air", 0x0A: "Cooling: Outlet",
    0x0B: "Cooling: Inlet", 0x0C: "Heat: Inlet", 0x0D: "Heat / cooling", 0x15: "Hot water", 0x16: "Cold water",
}  # fmt: skip
_VOLUME_METERS: Final = frozenset({0x01, 0x03, 0x06, 0x07, 0x15, 0x16})
_UNITS: Final = {"m^3": "m3", "m^3/h": "m3/h", "C": "°C", "none": "", "seconds": "s", "None": "", "date time": ""}
_REGISTERS: Final = {
    "VOLUME_FLOW": "flow",
    "FLOW_TEMPERATURE": "supply_temperature",
    "RETURN_TEMPERATURE": "return_temperature",
    "POWER_W": "power",
    "POWER_J_H": "power",
}
_FUNCTIONS: Final = {
    "INSTANTANEOUS_VALUE": "instantaneous",
    "MAXIMUM_VALUE": "maximum",
    "MINIMUM_VALUE": "minimum",
    "ERROR_STATE_VALUE": "error",
}
_PLACE: Final = ("storage", "tariff", "device")
_FORWARD: Final = 0x3B  # only what flows forward is counted
_REAL: Final = 0x05
_ANSWER_CONTROL: Final = 0x08
_VARIABLE_DATA: Final = 0x72


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record of an answer.

    Attributes
    ----------
    function : str
        instantaneous, maximum, minimum, error, or other.
    quantity : str
        In pyMeterBus' words, in lower case: energy_wh, volume, flow_temperature …
    storage, tariff, device : int
        0, 0, 0 is the running register itself.
    value : Decimal, str, datetime or None
        None where it could not be read; then `fault` says why.
    enhanced : bool
        Whether a further byte makes it another thing than its quantity: backward flow, one phase, a maker's own.
    """

    function: str
    quantity: str
    storage: int
    tariff: int
    device: int
    unit: str
    value: Decimal | str | datetime | None
    raw: bytes
    fault: str = ""
    enhanced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A meter's answer."""

    address: int
    id: str
    manufacturer: str
    medium: int
    version: int
    access: int
    status: int
    records: Sequence[Record]
    more: bool = False

    def values(self) -> list[Value]:
        """The running registers, under the names that readings use; the meter's own clock is their time.

        Raises
        ------
        NoValue
            If the meter says that it is out of order, or no record is a number.
        """
        if self.status & 0x03 == 0x02:
            raise NoValue(f"meter {self.id}: a meter that works is required (its status is {self.status:02X})")
        values: list[Value] = []
        taken: set[str] = set()
        for number, record in enumerate(self.records):
            if record.function != "instantaneous" or record.device or not isinstance(record.value, Decimal):
                continue
            if not record.unit or record.storage != self._storage(record) or record.tariff != self._tariff(record):
                continue
            register = self._register(record)
            if register in taken or record.enhanced:
                register = f"{record.quantity}_{number}"
            taken.add(register)
            values.append(
                Value(
                    point=f"{number}_{record.quantity}",
                    register=register,
                    value=record.value,
                    unit=record.unit,
                    at=self.time_point(record.storage),
                    raw=record.raw,
                )
            )
        if not values:
            raise NoValue(f"meter {self.id}: a record with a number is required (got none of {len(self.records)})")
        return values

    def _storage(self, record: Record) -> int:
        """Storage number to read a quantity from: the running one, else the first with a time point."""
        storages = [
            other.storage
            for other in self.records
            if (other.quantity, other.function, other.device) == (record.quantity, record.function, record.device)
            and (not other.storage or self.time_point(other.storage) is not None)
        ]
        return min(storages, default=0)

    def _tariff(self, record: Record) -> int:
        """Tariff to read: 0, or the only tariff of a meter that reports its total under that one."""
        tariffs = {
            other.tariff
            for other in self.records
            if (other.quantity, other.function, other.storage, other.device)
            == (record.quantity, record.function, record.storage, record.device)
        }
        return next(iter(tariffs)) if len(tariffs) == 1 else 0

    @property
    def clock(self) -> datetime | None:
        """The meter's clock, local time of the site, where it gives one."""
        return self.time_point(0)

    def time_point(self, storage: int) -> datetime | None:
        """When the registers of a storage were taken, local time of the site, where the meter gives it with minutes."""
        for record in self.records:
            if (
                isinstance(record.value, datetime)
                and record.quantity == "date_time_general"
                and record.storage == storage
            ):
                return record.value
        return None

    def _register(self, record: Record) -> str:
        if record.quantity.startswith("energy"):
            return "main" if self.medium not in _VOLUME_METERS else record.quantity
        if record.quantity == "volume":
            return "main" if self.medium in _VOLUME_METERS else "volume"
        return _REGISTERS.get(record.quantity.upper(), record.quantity)


def reset(address: int) -> bytes:
    """SND_NKE: the meter forgets where its answers stood."""
    return _short(0x40, address)


def status_request(address: int, *, toggle: bool = False) -> bytes:
    """REQ_UD2: the meter answers with its registers; `toggle` asks for the next part of an answer.

    Examples
    --------
    >>> status_request(5).hex(" ")
    '10 5b 05 60 16'
    """
    return _short(0x7B if toggle else 0x5B, address)


def select(secondary: str) -> bytes:
    """Selection of a meter by its identification (8 digits) or its whole secondary address (16 hexadecimal digits).

    The selected meter then answers at the primary address 253.
    """
    if not re.fullmatch(r"[0-9Ff]{8}([0-9A-Fa-f]{8})?", secondary):
        raise ValueError(f"a secondary address must be 8 digits, or 16 hexadecimal digits (got {secondary!r})")
    identification = bytes.fromhex(secondary[:8])[::-1]
    rest = bytes.fromhex(secondary[8:]) if len(secondary) > 8 else b"\xff" * 4
    return _long(bytes([0x53, 0xFD, 0x52]) + identification + rest)


def is_selected(identification: str, secondary: str) -> bool:
    """Whether a meter's identification is one that was selected; an F there stands for any digit.

    Examples
    --------
    >>> is_selected("12345678", "12345678"), is_selected("12345678", "12F45FFF"), is_selected("12345678", "F2945678")
    (True, True, False)
    """
    return all(one in ("F", other) for one, other in zip(secondary[:8].upper(), identification, strict=True))


def answer_frame(body: bytes) -> bytes:
    """Long frame of a body (control, address, control information, data); for the other side of tests."""
    return _long(body)


def _short(control: int, address: int) -> bytes:
    body = bytes([control, address])
    return b"\x10" + body + bytes([checksum(body), 0x16])


def _long(body: bytes) -> bytes:
    return bytes([0x68, len(body), len(body), 0x68]) + body + bytes([checksum(body), 0x16])


def _check(message: bytes) -> bytes:
    """A frame as it is, checked: a long one, or the single E5."""
    if message == b"\xe5":
        return message
    if len(message) < 9 or message[0] != 0x68 or message[3] != 0x68 or message[1] != message[2]:
        raise BadFrame(f"M-Bus: 68 L L 68 is required (got {hex_of(message) or 'nothing'})")
    if len(message) != message[1] + 6:
        raise BadFrame(f"M-Bus: {message[1] + 6} bytes are required, as L says (got {len(message)})")
    if message[-1] != 0x16:
        raise BadFrame(f"M-Bus: the last byte must be 16 (got {message[-1]:02X})")
    expected = checksum(message[4:-2])
    if message[-2] != expected:
        raise BadFrame(f"M-Bus: the checksum must be {expected:02X} (got {message[-2]:02X})")
    return message


def _length(buffer: bytes) -> int | None:
    if buffer[0] == 0xE5:
        return 1
    if len(buffer) < 4:
        return 0
    sound = buffer[1] == buffer[2] >= 3 and buffer[3] == 0x68
    return buffer[1] + 6 if sound else None


FORMAT: Final = Format("M-Bus", b"\x68\xe5", _length, _check)


def decode(message: bytes) -> Answer:
    """Answer in a long frame.

    Raises
    ------
    BadFrame
        If it is no frame, or one whose inside cannot be taken apart.
    """
    _check(message)
    if message == b"\xe5":
        raise BadFrame("M-Bus: an answer with data is required (got E5)")
    if message[4] & 0x0F != _ANSWER_CONTROL or message[6] != _VARIABLE_DATA or len(message) < 21:
        raise BadFrame(f"M-Bus: an answer 08 … 72 with a header of 12 bytes is required (got {hex_of(message[4:7])})")
    try:
        telegram = meterbus.load(message)
        records = [_record(record) for record in telegram.records if not _is_mark(record)]
    except Exception as error:
        raise BadFrame(f"M-Bus: records are required (got {type(error).__name__}: {error})") from error
    header = message[7:19]
    number = int.from_bytes(header[4:6], "little")
    return Answer(
        address=message[5],
        id=header[3::-1].hex().upper(),
        manufacturer="".join(chr((number >> shift & 0x1F) + 64) for shift in (10, 5, 0)),
        version=header[6],
        medium=header[7],
        access=header[8],
        status=header[9],
        records=records,
        more=any(record.more_records_follow for record in telegram.records),
    )


def _is_mark(record: Any) -> bool:
    """Whether it is only the mark that more records follow (1F)."""
    return record.dib.function_type is meterbus.FunctionType.MORE_RECORDS_FOLLOW


def _record(record: Any) -> Record:
    raw = bytes(record._dataField.parts)  # noqa: SLF001 - the library has no public name for it
    function = _FUNCTIONS.get(record.dib.function_type.name, "other")
    place = dict(zip(_PLACE, (number or 0 for number in record.dib.parse_dife()), strict=True))
    quantity, unit, fault = "", "", ""
    value: Decimal | str | datetime | None = None
    enhanced = False
    try:
        multiplier, unit_of, kind, further = record._parse_vifx()  # noqa: SLF001
        enhanced = further is not None and record.vib.parts[1] & 0x7F != _FORWARD
        quantity = _text(kind).lower()
        unit = _UNITS.get(_text(unit_of, value=True), _text(unit_of, value=True))
        value = _value(record, raw, Decimal(repr(multiplier)) if multiplier is not None else Decimal(1), quantity)
    except Exception as error:  # noqa: BLE001 - whatever it raises, the other records are sound
        fault = f"{type(error).__name__}: {error}"
    return Record(
        function=function,
        quantity=quantity,
        unit=unit,
        value=value,
        raw=raw,
        fault=fault,
        enhanced=enhanced,
        **place,
    )


def _text(name: object, *, value: bool = False) -> str:
    if isinstance(name, Enum):
        return str(name.value if value else name.name)
    return "" if name is None else str(name)


def _value(record: Any, raw: bytes, multiplier: Decimal, quantity: str) -> Decimal | str | datetime | None:
    if quantity in ("date_time_general", "date"):
        return _time(raw)
    coding = record.dib.parts[0] & 0x0F
    if coding == _REAL:
        # the shortest decimal that is this float32 of the meter
        value = Decimal(str(np.frombuffer(raw, "<f4")[0])) * multiplier
        return value if value.is_finite() else None
    if coding in (0x00, 0x08):  # no data; selection for readout
        return None
    if coding in (0x0D, 0x0F):  # variable length; special function
        parsed = record.parsed_value
        return parsed if isinstance(parsed, str) else None
    return Decimal(_whole(raw, bcd=coding > 0x08)) * multiplier


def _whole(raw: bytes, *, bcd: bool) -> int:
    """Raw number: the library multiplies in floats."""
    if bcd:
        digits = raw[::-1].hex()
        if digits[:1] == "f" and digits[1:].isdecimal():  # a minus in the highest half byte
            return -int(digits[1:])
        if not digits.isdecimal():
            raise NoValue(f"BCD digits are required (got {hex_of(raw)})")
        return int(digits)
    return int.from_bytes(raw, "little", signed=True)


def _time(raw: bytes) -> datetime | None:
    """Time point of type G (date), F (with minutes) or I (with seconds); None where it is none or marked invalid."""
    if len(raw) == 2:
        second, minute, hour, day = 0, 0, 0, raw
    elif len(raw) == 4:
        if raw[0] & 0x80:
            return None
        second, minute, hour, day = 0, raw[0] & 0x3F, raw[1] & 0x1F, raw[2:]
    elif len(raw) == 6:
        if raw[1] & 0x80:
            return None
        second, minute, hour, day = raw[0] & 0x3F, raw[1] & 0x3F, raw[2] & 0x1F, raw[3:5]
    else:
        return None
    year = 2000 + (day[0] >> 5 | day[1] >> 4 << 3)
    try:
        return datetime(year, day[1] & 0x0F, day[0] & 0x1F, hour, minute, second)  # noqa: DTZ001 - local time
    except ValueError:
        return None
