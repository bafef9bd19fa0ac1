"""Decoding of one JSON message element by element, with the fault of each that is invalid.

This is the slow way, for messages that the fast one (`json_format`) could not take as a whole.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from analytics.domain.quality import RejectReason
from ingest.wire.block import shown
from ingest.wire.times import TIME_REQUIRED

__all__ = ["ERRORS", "Elements", "Envelope", "Member", "Reading", "Refusal", "judged", "split"]

ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""All that msgspec raises on bytes that are not what they should be."""

MAX_COMMAS = 4_000_000
"""In one JSON message; a reading has at least four, so 64 MiB of sound readings stay below, a memory bomb does not."""

_BOM = b"\xef\xbb\xbf"
_BLANK = re.compile(rb"[ \t\r\n]*")
# Python and JavaScript write these where JSON has no such thing
_NOT_JSON = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|-?(?:NaN|Infinity)\b', re.DOTALL)
_STAND_IN = {b"NaN": b'"N"', b"Infinity": b'"Infini"', b"-Infinity": b'"-Infini"'}
_STOOD = {stand_in: token for token, stand_in in _STAND_IN.items()}


class Reading(msgspec.Struct, gc=False):
    """One JSON reading, whole."""

    unit_code: str
    meter_no: str
    measured_at: str
    value: float
    unit: str
    register: str | None = None
    quality: int | None = None
    received_at: str | None = None
    readings: msgspec.UnsetType = msgspec.UNSET  # present: this is an envelope, not a reading


class Member(msgspec.Struct, gc=False):
    """One reading inside an envelope, which may say the unit for all."""

    meter_no: str
    measured_at: str
    value: float
    unit: str
    unit_code: str | None = None
    register: str | None = None
    quality: int | None = None
    received_at: str | None = None
    readings: msgspec.UnsetType = msgspec.UNSET


class Envelope(msgspec.Struct, gc=False):
    """Readings of one unit."""

    unit_code: str
    readings: list[Member]


class _Loose(msgspec.Struct, gc=False):
    """Any JSON object, the members we know as they stand; empty where missing."""

    unit_code: msgspec.Raw = msgspec.Raw()
    meter_no: msgspec.Raw = msgspec.Raw()
    measured_at: msgspec.Raw = msgspec.Raw()
    value: msgspec.Raw = msgspec.Raw()
    unit: msgspec.Raw = msgspec.Raw()
    register: msgspec.Raw = msgspec.Raw()
    quality: msgspec.Raw = msgspec.Raw()
    received_at: msgspec.Raw = msgspec.Raw()
    readings: msgspec.Raw = msgspec.Raw()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an element, or a whole message, is no reading."""

    reason: RejectReason
    required: str
    got: str
    unit_code: str = ""
    readings: int = 1


@dataclass(frozen=True, slots=True)
class Elements:
    """The elements of one message, as they stood in it.

    `parsed` is what to decode; it differs from `original` where the sender wrote NaN, which JSON does not have.
    """

    parsed: Sequence[bytes | msgspec.Raw]
    original: Sequence[bytes | msgspec.Raw]
    single: bool
    unit_code: bytes = b""  # of an envelope, as JSON

    def message(self, positions: Sequence[int]) -> bytes:
        """Message of some of the elements, fit to be sent again."""
        if self.single:
            return bytes(self.original[0])
        if len(positions) == 1 and not self.unit_code and bytes(self.original[positions[0]]).startswith(b"{"):
            return bytes(self.original[positions[0]])
        array = b"[" + b",".join(bytes(self.original[i]) for i in positions) + b"]"
        return b'{"unit_code":' + self.unit_code + b',"readings":' + array + b"}" if self.unit_code else array


_decode_member = msgspec.json.Decoder(Member).decode
_decode_loose = msgspec.json.Decoder(_Loose).decode
_decode_text = msgspec.json.Decoder(str).decode
_decode_number = msgspec.json.Decoder(float).decode
_decode_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode


def split(message: bytes) -> Elements | Refusal:
    """Elements of a message: of an array or envelope its members, else the message itself."""
    text = message.removeprefix(_BOM)
    try:
        return _split(text, text)
    except ERRORS as error:
        failed = error
    if b"NaN" in text or b"Infinity" in text:
        try:
            return _split(_NOT_JSON.sub(lambda m: _STAND_IN.get(m[0], m[0]), text), text)
        except ERRORS as error:
            failed = error
    return _malformed(failed, message)


def _malformed(error: Exception, message: bytes) -> Refusal:
    if isinstance(error, RecursionError):
        return Refusal(RejectReason.MALFORMED, "JSON that is not nested so deeply", shown(message))
    if isinstance(error, UnicodeDecodeError):
        return Refusal(RejectReason.MALFORMED, "text in UTF-8", f"{error.reason} in {shown(message)}")
    return Refusal(RejectReason.MALFORMED, "JSON", f"{error} in {shown(message)}")


def _split(parsed: bytes, original: bytes) -> Elements | Refusal:
    blank = _BLANK.match(parsed)
    first = parsed[blank.end() : blank.end() + 1] if blank else b""
    if first not in (b"[", b"{"):
        return Refusal(RejectReason.MALFORMED, "a JSON object or array, or a block", shown(original) or "nothing")
    if parsed.count(b",") > MAX_COMMAS:
        return Refusal(RejectReason.TOO_LARGE, f"JSON with at most {MAX_COMMAS} commas; send blocks", "more")
    if first == b"[":
        return _elements(parsed, parsed, original, b"")
    loose = _decode_loose(parsed)
    if not bytes(loose.readings):
        return Elements([parsed], [original], single=True)
    readings = bytes(loose.readings)
    if not readings.startswith(b"["):
        return Refusal(RejectReason.MALFORMED, "readings: an array", shown(readings), _text(loose.unit_code) or "")
    return _elements(readings, parsed, original, bytes(loose.unit_code))


def _elements(array: bytes, parsed: bytes, original: bytes, unit_code: bytes) -> Elements:
    members = _decode_raws(array)
    if parsed is original:
        return Elements(members, members, single=False, unit_code=unit_code)
    at = parsed.rfind(array) + 1  # stand-ins are as long as what they stand for: places agree
    stood = []
    for member in members:
        raw = bytes(member)
        at = parsed.find(raw, at)  # between members are only commas and blanks
        stood.append(original[at : at + len(raw)])
        at += len(raw)
    return Elements(members, stood, single=False, unit_code=unit_code)


_UNEXPLAINED = ("a reading with unit_code, meter_no, measured_at, value and unit", "one without, after many such")


def judged(element: bytes | msgspec.Raw, unit_code: bytes = b"", *, explain: bool = True) -> Member | Refusal:
    """Reading in an element, or what is wrong with it; `unit_code` is the envelope's, as JSON.

    To find what is wrong costs more than to read a sound one; without `explain` it is refused as it is.
    """
    try:
        member = _decode_member(element)
    except ERRORS:
        return _refusal(element, unit_code) if explain else Refusal(RejectReason.MALFORMED, *_UNEXPLAINED)
    if member.unit_code is None:
        member.unit_code = _text(unit_code)
        if member.unit_code is None:
            return Refusal(RejectReason.MISSING_FIELD, "unit_code: text", _got(unit_code))
    return member


def _refusal(element: bytes | msgspec.Raw, envelope_unit: bytes) -> Refusal:
    try:
        loose = _decode_loose(element)
    except ERRORS:
        return Refusal(RejectReason.MALFORMED, "a reading: a JSON object", shown(bytes(element)))
    unit_code = _text(loose.unit_code) or _text(envelope_unit) or ""
    if bytes(loose.readings):
        return Refusal(RejectReason.MALFORMED, "one reading", "an array of them", unit_code, _count(loose.readings))
    return _missing(loose, envelope_unit, unit_code) or _wrong(loose, unit_code)


def _missing(loose: _Loose, envelope_unit: bytes, unit_code: str) -> Refusal | None:
    for name, raw in (
        ("unit_code", loose.unit_code if _given(loose.unit_code) else envelope_unit),
        ("meter_no", loose.meter_no),
        ("measured_at", loose.measured_at),
        ("unit", loose.unit),
    ):
        if _text(raw):
            continue
        if name == "measured_at" and _given(raw):
            return Refusal(RejectReason.BAD_TIME, f"measured_at: {TIME_REQUIRED}", _got(raw), unit_code)
        return Refusal(RejectReason.MISSING_FIELD, f"{name}: text", _got(raw), unit_code)
    return None


def _wrong(loose: _Loose, unit_code: str) -> Refusal:
    if not _is_number(loose.value):
        return Refusal(RejectReason.NOT_A_NUMBER, "value: a finite number", _got(loose.value), unit_code)
    if _given(loose.register) and _text(loose.register) is None:
        return Refusal(RejectReason.MISSING_FIELD, "register: text or nothing", _got(loose.register), unit_code)
    if _given(loose.received_at) and _text(loose.received_at) is None:
        return Refusal(RejectReason.BAD_TIME, f"received_at: {TIME_REQUIRED}", _got(loose.received_at), unit_code)
    return Refusal(RejectReason.MISSING_FIELD, "quality: a whole number or nothing", _got(loose.quality), unit_code)


def _given(raw: bytes | msgspec.Raw) -> bool:
    return bytes(raw) not in (b"", b"null")


def _text(raw: bytes | msgspec.Raw) -> str | None:
    try:
        return _decode_text(raw)
    except ERRORS:
        return None


def _is_number(raw: msgspec.Raw) -> bool:
    try:
        _decode_number(raw)
    except ERRORS:
        return False
    return True


def _count(raw: msgspec.Raw) -> int:
    try:
        return max(1, len(_decode_raws(raw)))
    except ERRORS:
        return 1


def _got(raw: bytes | msgspec.Raw) -> str:
    stood = bytes(raw)
    return shown(_STOOD.get(stood, stood)) or "nothing"
