"""Exact values as devices send them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from ingest.devices.faults import NoValue

__all__ = ["Value", "bcd_digits", "bcd_number", "digits_time", "hex_of", "scale_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value of a device.

    Attributes
    ----------
    point : str
        Its name in the protocol's table or the device's profile, as `energy_forward`.
    register : str
        Its name in readings: `main`, one of `analytics.domain.registers`, or another name that is kept as sent.
    value : Decimal
        Before the multiplier. [unit]
    unit : str
        As the device or its profile states it.
    at : datetime or None
        When the device measured it, by its own clock; without an offset, local time of the site. None: now.
    raw : bytes
        The bytes that the value stood in.
    """

    point: str
    register: str
    value: Decimal
    unit: str
    at: datetime | None = None
    raw: bytes = b""


def scale_of(row: Mapping[str, Any], place: str, faults: list[str]) -> Decimal:
    """Factor of a profile's row, from the number on the wire to its `unit`; 1 where it states none.

    A scale that is no number or 0, and a unit that is no text, are appended to `faults` with the row's `place`.
    """
    try:
        scale = Decimal(str(row.get("scale", "1")))
    except InvalidOperation:
        scale = Decimal("nan")
    if not scale.is_finite() or scale == 0:
        faults.append(f"{place}: scale must be a number other than 0 (got {row.get('scale')!r})")
    if not isinstance(row.get("unit"), str):
        faults.append(f"{place}: unit must be a text (got {row.get('unit')!r})")
    return scale


def hex_of(data: bytes) -> str:
    """Bytes for a person: ``68 01 16``; long ones are cut."""
    most = 96
    return data[:most].hex(" ").upper() + (f" … ({len(data)} bytes)" if len(data) > most else "")


def bcd_digits(data: bytes) -> str:
    """Decimal digits of BCD bytes that come low byte first.

    Raises
    ------
    NoValue
        If a half byte is no digit.

    Examples
    --------
    >>> bcd_digits(bytes.fromhex("785634"))
    '345678'
    """
    digits = data[::-1].hex()
    if not digits.isdecimal():
        raise NoValue(f"BCD digits are required (got {hex_of(data)}, low byte first)")
    return digits


def bcd_number(data: bytes, decimals: int, *, signed: bool = False) -> Decimal:
    """Number in BCD bytes that come low byte first; where `signed`, the top bit of the highest byte is the sign.

    Examples
    --------
    >>> bcd_number(bytes.fromhex("34120080"), 2, signed=True)
    Decimal('-12.34')
    """
    negative = signed and bool(data) and data[-1] >= 0x80
    if negative:
        data = data[:-1] + bytes([data[-1] & 0x7F])
    number = Decimal(bcd_digits(data)).scaleb(-decimals)
    return -number if negative else number


def digits_time(digits: str) -> datetime | None:
    """Local time in digits ``YYYYMMDDhhmmss``; None where it is none, as of a clock that was never set.

    Examples
    --------
    >>> digits_time("20150511220131"), digits_time("00000000000000")
    (datetime.datetime(2015, 5, 11, 22, 1, 31), None)
    """
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S")  # noqa: DTZ007 - local time of the site
    except ValueError:
        return None
