"""JSON readings as columns: thousands of sound messages at once, an unsound one element by element.

Single readings as they are usually written are read by compiled code (`_json_kernel`), without an object for each and
without the interpreter lock; all others by msgspec, which is the judge of what is JSON and what is not.

``{"unit_code", "meter_no", "measured_at", "value", "unit"}`` and optionally ``register``, ``quality`` (0 to 255 as the
sender knows it, plus 256 where its time had no offset and a zone was assumed) and ``received_at``; unknown members are
ignored, the last of repeated members counts. Text is UTF-8; a byte order mark before it is tolerated.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain, compress, repeat
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import NDArray

from analytics.domain.quality import ReadingFlag, RejectReason
from ingest.wire._json_kernel import NONE, SCANNED, WALL, scan
from ingest.wire.block import MAIN_REGISTER, NAME_SEPARATOR, REGISTER_SEPARATOR, Block, Fault, shown
from ingest.wire.group import Columns, parted
from ingest.wire.json_elements import ERRORS, Elements, Envelope, Member, Reading, Refusal, judged, split
from ingest.wire.names import Names
from ingest.wire.records import Records
from ingest.wire.times import TIME_REQUIRED, format_utc, instants_of_wall, parse_times

__all__ = ["JsonBatch", "encode_readings_json"]

_MAX_QUALITY = int(ReadingFlag.STATED_MASK | ReadingFlag.ZONE_ASSUMED)
_TOGETHER = 4096  # readings turned into columns at once: their objects stay in the processor's cache
_STRETCH = 512
_WHOLE_BYTES = 2**20  # a longer array is taken element by element, so that its objects never live all at once

_decode_one = msgspec.json.Decoder(Reading).decode
_decode_array = msgspec.json.Decoder(list[Reading]).decode
_decode_envelope = msgspec.json.Decoder(Envelope).decode

Place = tuple[int, int]  # message and position in it


_EXPLAINED = 1000
"""Refused elements of one message that are each looked at for what is wrong; the others share one reason."""


class JsonBatch:
    """Collects the JSON messages of a batch of records and turns them into blocks and faults.

    Parameters
    ----------
    records : Records
        The records, JSON or not; messages are named by their place among them.
    zone : ZoneInfo
        Zone of times without an offset.
    names : Names
        What readings speak of; what is new is added.
    """

    def __init__(self, records: Records, zone: ZoneInfo, names: Names) -> None:
        self._records, self._zone, self._names = records, zone, names
        self._received_at = records.rows["received_us"]
        self._readings: list[Reading | Member] = []
        self._message: list[int] = []
        self._position: list[int] = []
        self._scanned: list[Columns] = []
        self._parts: list[Columns] = []
        self._faults: list[Fault] = []
        self._refused: dict[tuple[int, RejectReason, str], list[tuple[int, Refusal]]] = defaultdict(list)

    def scan(self, messages: NDArray[np.intp]) -> NDArray[np.intp]:
        """Take those records that are single readings as usually written; returns those that it took."""
        rows, names = self._records.rows, self._names
        at, size = rows["at"][messages], rows["size"][messages].astype(np.int64)
        out = np.empty(len(messages), SCANNED)
        begin, pairs, units = 0, names.scanned_pairs, names.scanned_units
        while (begin := scan(self._records.data, at, size, begin, pairs.table, units.table, out)) < len(out):
            pairs.make_room()
            units.make_room()
        taken = out["pair"] >= 0
        if not taken.all():  # rows are wide: they are copied only where some are left out
            out, messages = out[taken], messages[taken]
        place, unit = pairs.places()[out["pair"]], units.places()[out["unit"], 0]
        sound = (place[:, 0] >= 0) & (unit >= 0)
        if not sound.all():
            out, messages, place, unit = out[sound], messages[sound], place[sound], unit[sound]
        if len(out):
            self._scanned.append(self._scanned_columns(out, messages, place, unit))
        return messages

    def _scanned_columns(
        self, out: NDArray[Any], messages: NDArray[np.intp], place: NDArray[np.int64], unit: NDArray[np.int64]
    ) -> Columns:
        measured_us, assumed = out["measured_us"].copy(), out["measured_form"] == WALL
        if assumed.any():
            measured_us[assumed], _ = instants_of_wall(measured_us[assumed], self._zone)
        received_us, form = self._received_at[messages], out["received_form"]
        if form.any():
            said, wall = form != NONE, form == WALL
            received_us[said] = out["received_us"][said]
            received_us[wall], _ = instants_of_wall(received_us[wall], self._zone)
        return Columns(
            place[:, 0],
            place[:, 1],
            unit,
            measured_us,
            out["value"].copy(),
            received_us,
            out["quality"] | (assumed * np.int16(ReadingFlag.ZONE_ASSUMED)),
            messages.astype(np.int32),
            np.zeros(len(out), np.int32),
        )

    def add_singles(self, messages: Sequence[int]) -> int:
        """Take records while each is one sound reading; returns how many."""
        readings: list[Reading | Member] = []
        value = self._records.value
        for low in range(0, len(messages), _STRETCH):
            try:
                # extend keeps those before an unsound one; none is None, the caller has looked
                readings.extend(map(_decode_one, map(value, messages[low : low + _STRETCH])))  # type: ignore[arg-type]
            except ERRORS:
                break
            if len(readings) >= _TOGETHER:
                break
        self._add(readings, messages[: len(readings)], repeat(0, len(readings)))
        return len(readings)

    def add(self, message: int) -> None:
        """Take one record, whatever JSON it is."""
        value = self._records.value(message) or b""
        if len(value) < _WHOLE_BYTES:
            readings = _whole(value)
            if readings is not None:
                self._add(readings, repeat(message, len(readings)), range(len(readings)))
                return
        elements = split(value)
        if isinstance(elements, Refusal):
            self._faults.append(_fault(message, -1, elements, value))
            return
        if value[:1] == b"[" and elements.parsed and b"{" not in value:  # no reading can be in it: not looked at singly
            first = judged(elements.parsed[0])
            assert isinstance(first, Refusal), "it is no object"
            self._faults.append(_fault(message, 0, replace(first, readings=len(elements.parsed)), value))
            return
        refused = 0
        for position, element in enumerate(elements.parsed):
            one = judged(element, elements.unit_code, explain=refused < _EXPLAINED)
            if isinstance(one, Refusal):
                refused += 1
                self._refuse(message, position, one)
            else:
                self._add([one], (message,), (position,))

    def finish(self) -> tuple[list[Block], list[Fault]]:
        """One block a unit, in the order of the messages, and the faults."""
        self._flush()
        self._name_faults()
        parts = self._scanned + self._parts
        if not parts:
            return [], self._faults
        columns = Columns.joined(parts)
        if self._scanned and self._parts:
            columns = columns.take(np.lexsort((columns.position, columns.message)))
        names = self._names
        return parted(columns, names.unit_codes, names.meters, names.stated_units), self._faults

    def _add(self, readings: Sequence[Reading | Member], message: Iterable[int], position: Iterable[int]) -> None:
        self._readings += readings
        self._message += message
        self._position += position
        if len(self._readings) >= _TOGETHER:
            self._flush()

    def _refuse(self, message: int, position: int, refusal: Refusal) -> None:
        self._refused[message, refusal.reason, refusal.required].append((position, refusal))

    def _flush(self) -> None:
        if not self._readings:
            return
        readings, message, position = self._readings, self._message, self._position
        self._readings, self._message, self._position = [], [], []
        if _are_sound(readings):
            self._parts.append(self._columns(readings, message, position))
            return
        unsound = {i: refusal for i, reading in enumerate(readings) if (refusal := _unsound(reading))}
        for i, refusal in unsound.items():
            self._refuse(message[i], position[i], refusal)
        sound = [i not in unsound for i in range(len(readings))]
        message, position = list(compress(message, sound)), list(compress(position, sound))
        self._parts.append(self._columns(list(compress(readings, sound)), message, position))

    def _columns(
        self, readings: Sequence[Reading | Member], messages: Sequence[int], positions: Sequence[int]
    ) -> Columns:
        message, position = np.array(messages, np.int32), np.array(positions, np.int32)
        unit_codes: list[str] = [r.unit_code for r in readings]  # type: ignore[misc]  # members have the envelope's
        us, assumed, readable = parse_times([r.measured_at for r in readings], self._zone)
        received_at = self._received_at[message]
        stated = [r.received_at for r in readings]
        readable_received = _overwrite_stated(received_at, stated, self._zone)
        unit, meter = self._names.pairs(list(zip(unit_codes, _names(readings), strict=True)))
        columns = Columns(
            unit,
            meter,
            self._names.units([r.unit for r in readings]),
            us,
            np.array([r.value for r in readings], np.float64),
            received_at,
            _quality([r.quality for r in readings]) | (assumed * np.int16(ReadingFlag.ZONE_ASSUMED)),
            message,
            position,
        )
        sound = readable & readable_received
        if sound.all():
            return columns
        for i in np.flatnonzero(~sound).tolist():
            name, got = ("received_at", stated[i]) if readable[i] else ("measured_at", readings[i].measured_at)
            refusal = Refusal(RejectReason.BAD_TIME, f"{name}: {TIME_REQUIRED}", shown(got), unit_codes[i])
            self._refuse(messages[i], positions[i], refusal)
        return columns.take(sound)

    def _name_faults(self) -> None:
        """Make one fault of all readings of a message that were refused for the same reason."""
        last, elements = -1, Elements((), (), single=True)
        for (message, _, _), refused in sorted(self._refused.items(), key=lambda item: item[0][0]):
            if message != last:
                found = split(self._records.value(message) or b"")
                assert isinstance(found, Elements)  # it had readings before
                last, elements = message, found
            positions = sorted(position for position, _ in refused)
            first = min(refused, key=lambda place: place[0])[1]
            total = sum(refusal.readings for _, refusal in refused)
            payload = elements.message(positions)
            self._faults.append(
                Fault(message, positions[0], first.reason, first.required, first.got, payload, total, first.unit_code)
            )


def _whole(value: bytes) -> Sequence[Reading | Member] | None:
    """All readings of a message that is sound as a whole."""
    try:
        if value[:1] == b"[":
            return _decode_array(value)
        if b'"readings"' not in value:
            return [_decode_one(value)]
        envelope = _decode_envelope(value)
    except ERRORS:
        return None
    for member in envelope.readings:
        member.unit_code = member.unit_code if member.unit_code is not None else envelope.unit_code
    return envelope.readings


def _fault(message: int, position: int, why: Refusal, payload: bytes) -> Fault:
    return Fault(message, position, why.reason, why.required, why.got, payload, why.readings, why.unit_code)


def _are_sound(readings: Sequence[Reading | Member]) -> bool:
    """Whether no quality is out of range, and no text is empty or holds one of our separators."""
    qualities = [r.quality for r in readings]
    if any(qualities) and not all(quality is None or 0 <= quality <= _MAX_QUALITY for quality in qualities):
        return False
    # of many readings few texts are different
    required = {r.unit_code for r in readings} | {r.meter_no for r in readings} | {r.unit for r in readings}
    if not all(required):
        return False
    text = "".join(chain(required, {r.register for r in readings if r.register}))  # type: ignore[arg-type]  # all are
    return NAME_SEPARATOR not in text and REGISTER_SEPARATOR not in text


def _unsound(r: Reading | Member) -> Refusal | None:
    code = r.unit_code or ""
    for name, text in (("unit_code", code), ("meter_no", r.meter_no), ("unit", r.unit)):
        if not text:
            return Refusal(RejectReason.MISSING_FIELD, f"{name}: text", "nothing", code)
    for name, text in (
        ("unit_code", code),
        ("meter_no", r.meter_no),
        ("unit", r.unit),
        ("register", r.register or ""),
    ):
        if NAME_SEPARATOR in text or REGISTER_SEPARATOR in text:
            return Refusal(RejectReason.MISSING_FIELD, f"{name}: text without U+0000, U+001F", shown(text), code)
    if r.quality is not None and not 0 <= r.quality <= _MAX_QUALITY:
        return Refusal(RejectReason.MISSING_FIELD, f"quality: 0 to {_MAX_QUALITY}", shown(r.quality), code)
    return None


def _names(readings: Sequence[Reading | Member]) -> list[str]:
    registers = [r.register for r in readings]
    meters = [r.meter_no for r in readings]
    if not any(registers):
        return meters
    return [
        f"{meter}{REGISTER_SEPARATOR}{register}" if register and register != MAIN_REGISTER else meter
        for meter, register in zip(meters, registers, strict=True)
    ]


def _quality(stated: Sequence[int | None]) -> NDArray[np.int16]:
    if not any(stated):
        return np.zeros(len(stated), np.int16)
    return np.array([quality or 0 for quality in stated], np.int16)


def _overwrite_stated(
    received_at: NDArray[np.int64], stated: Sequence[str | None], zone: ZoneInfo
) -> NDArray[np.bool_]:
    """Put the stated times in; False where one cannot be read."""
    readable = np.ones(len(stated), np.bool_)
    if any(stated):
        rows = np.flatnonzero([text is not None for text in stated])
        received_at[rows], _, readable[rows] = parse_times([text for text in stated if text is not None], zone)
    return readable


def encode_readings_json(
    block: Block, rows: "slice | NDArray[np.intp] | NDArray[np.bool_]" = slice(None)
) -> list[bytes]:
    """One JSON message for each of some rows of a block, times in UTC; a decoder reads the same reading from it.

    Examples
    --------
    >>> import numpy as np
    >>> one, zero = np.ones(1, np.int64), np.zeros(1, np.int64)
    >>> from ingest.wire import MeterList
    >>> block = Block("9111", MeterList.of(["M-1"]), zero.astype("u2"), one * 10**6, one * 2.5, ("kWh",),
    ...     zero.astype("u1"), one * 2 * 10**6, zero.astype("i2"), zero.astype("i4"), zero.astype("i4"))
    >>> print(encode_readings_json(block)[0].decode())  # doctest: +ELLIPSIS
    {"unit_code":"9111","meter_no":"M-1","measured_at":"1970-01-01T00:00:01Z","value":2.5,...}
    """
    names = [name.partition(REGISTER_SEPARATOR) for name in block.meters.names]
    encode = msgspec.json.Encoder().encode
    columns = zip(
        block.meter[rows].tolist(),
        format_utc(block.measured_at[rows]),
        block.value[rows].tolist(),
        block.unit[rows].tolist(),
        block.quality[rows].tolist(),
        format_utc(block.received_at[rows]),
        strict=True,
    )
    return [
        encode(
            _Sent(
                block.unit_code, names[m][0], at, value, block.units[u], names[m][2] or None, quality or None, received
            )
        )
        for m, at, value, u, quality, received in columns
    ]


class _Sent(msgspec.Struct, omit_defaults=True, gc=False):
    unit_code: str
    meter_no: str
    measured_at: str
    value: float
    unit: str
    register: str | None = None
    quality: int | None = None
    received_at: str | None = None
