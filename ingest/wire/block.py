"""Results of decoding: blocks of readings, and faults of what could not be read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from analytics.domain.quality import RejectReason

__all__ = [
    "CONTENT_TYPE",
    "CONTENT_TYPE_BLOCK",
    "CONTENT_TYPE_JSON",
    "DETECTIONS_TOPIC",
    "HOURS_TOPIC",
    "MAIN_REGISTER",
    "MAX_MESSAGE_BYTES",
    "NAME_SEPARATOR",
    "READINGS_TOPIC",
    "RECEIVED_AT",
    "REGISTER_SEPARATOR",
    "REJECTED_TOPIC",
    "Block",
    "Fault",
    "Headers",
    "MeterList",
    "shown",
]

READINGS_TOPIC = "metering.readings"
REJECTED_TOPIC = "metering.rejected"
HOURS_TOPIC = "metering.hours"
DETECTIONS_TOPIC = "metering.detections"

CONTENT_TYPE = "content-type"
CONTENT_TYPE_BLOCK = "application/vnd.meterwarden.block"
CONTENT_TYPE_JSON = "application/json"
RECEIVED_AT = "received-at-us"
"""Optional header: when the collector got the readings, decimal microseconds since 1970-01-01 UTC."""

MAX_MESSAGE_BYTES = 64 * 2**20
MAIN_REGISTER = "main"
REGISTER_SEPARATOR = "\x1f"
NAME_SEPARATOR = "\x00"

Headers = Sequence[tuple[str, bytes | None]]
"""Headers of one Kafka record, as kafka-python and aiokafka give and take them."""


class MeterList:
    r"""The meters a block speaks of; equal and hashed by its raw bytes, so a cache keyed by it resolves all at once.

    An entry is ``meter_no``, or ``meter_no\x1fregister`` for a register other than the main one. A sender that
    repeats the same dictionary block after block sends the same bytes, and nothing of it is decoded again.

    Parameters
    ----------
    raw : bytes
        Names in UTF-8 joined by U+0000; `UnicodeDecodeError` if they are not.

    Examples
    --------
    >>> meters = MeterList.of(["M-1", "M-2\x1freverse"])
    >>> meters.raw
    b'M-1\x00M-2\x1freverse'
    >>> meters == MeterList(b"M-1\x00M-2\x1freverse"), len(meters)
    (True, 2)
    """

    __slots__ = ("_hash", "names", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.names: tuple[str, ...] = tuple(raw.decode().split(NAME_SEPARATOR)) if raw else ()
        self._hash = hash(raw)

    @classmethod
    def of(cls, names: Sequence[str]) -> Self:
        """List of `names`; ValueError for a name that is empty or holds U+0000."""
        joined = NAME_SEPARATOR.join(names)
        if not all(names) or joined.count(NAME_SEPARATOR) != max(len(names) - 1, 0):
            raise ValueError("a meter's name must not be empty nor hold the character U+0000")
        return cls(joined.encode())

    def __len__(self) -> int:
        return len(self.names)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MeterList) and self.raw == other.raw

    def __repr__(self) -> str:
        return f"MeterList({shown(self.raw)})"


@dataclass(frozen=True, slots=True)
class Block:
    """n readings of one energy-using unit as parallel columns, in the order they were sent.

    Attributes
    ----------
    unit_code : str
        The energy-using unit; not yet known to exist.
    meters : MeterList
        The meters (and registers) that `meter` points at.
    meter : (n,) uint16 or int32
        Index into ``meters.names``, always within.
    measured_at : (n,) int64
        When the dial showed the value. [us since 1970-01-01 UTC]
    value : (n,) float64
        The dial, before the multiplier; always finite. [stated unit]
    units : tuple of str
        Stated units, at most 256.
    unit : (n,) uint8
        Index into `units`, always within.
    received_at : (n,) int64
        When the collector got it; the Kafka record's time where the sender stated none. [us since 1970-01-01 UTC]
    quality : (n,) int16
        Low byte: what the sender stated; `ReadingFlag.ZONE_ASSUMED` where the time had no offset.
    message : (n,) int32
        Ordinal, in the decoded batch, of the Kafka record the reading came in.
    position : (n,) int32
        Ordinal of the reading inside that record.
    """

    unit_code: str
    meters: MeterList
    meter: NDArray[np.uint16] | NDArray[np.int32]
    measured_at: NDArray[np.int64]
    value: NDArray[np.float64]
    units: tuple[str, ...]
    unit: NDArray[np.uint8]
    received_at: NDArray[np.int64]
    quality: NDArray[np.int16]
    message: NDArray[np.int32]
    position: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.value)

    def take(self, rows: "slice | NDArray[np.intp] | NDArray[np.bool_]") -> "Block":
        """Block of some of the rows, with the same dictionaries."""
        return Block(
            self.unit_code,
            self.meters,
            self.meter[rows],
            self.measured_at[rows],
            self.value[rows],
            self.units,
            self.unit[rows],
            self.received_at[rows],
            self.quality[rows],
            self.message[rows],
            self.position[rows],
        )


@dataclass(frozen=True, slots=True)
class Fault:
    """An unreadable message or part of it, with the reason; a value to be counted and kept, not an exception.

    Faults of one message with the same reason are one fault, so that a hostile message cannot make millions.

    Attributes
    ----------
    message : int
        Ordinal of the Kafka record in the decoded batch.
    position : int
        Ordinal of the (first) refused reading in that record, -1 for the whole message.
    reason : RejectReason
        Why.
    required, got : str
        What a reading must have there, and what came instead; short and printable.
    payload : bytes
        The original bytes, fit to be sent again.
    readings : int
        Readings refused with it; 1 where they cannot be counted.
    unit_code : str
        The energy-using unit where it could be read, else empty.
    whole : bool
        Whether all of `payload` is kept, however long.
    """

    message: int
    position: int
    reason: RejectReason
    required: str
    got: str
    payload: bytes
    readings: int = 1
    unit_code: str = ""
    whole: bool = False


def shown(value: bytes | str | object, limit: int = 80) -> str:
    r"""`value` for a person: printable, in one line, cut at `limit` characters.

    Examples
    --------
    >>> shown(b'{"value": "\xe4\xb8\x80\x00"}')
    '{"value": "一\\x00"}'
    """
    text = bytes(value[: 4 * limit]).decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
    clean = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[: limit + 1])
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
