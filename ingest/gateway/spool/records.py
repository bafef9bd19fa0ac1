"""Bytes of the spool's records.

==========  ======  =========================================================================
 bytes      what
==========  ======  =========================================================================
 0 – 3      magic   ``MWS1``
 4 – 7      crc     CRC-32 of all that follows in the record
 8 – 11     size    bytes of the payload
 12 – 19    seq     number of the record, from 1, without gaps
 20 – 27    total   readings in this and all records before it
 28 – 35    at      when it was received [us since 1970-01-01 UTC]
 36 – 39    n       readings in it
 40 – 41    key     bytes of the key
 42 – 43    kind    what the payload is
 44 –       key, payload
==========  ======  =========================================================================
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

__all__ = [
    "BLOCK",
    "HEADER",
    "JSON",
    "STATUS",
    "Entry",
    "Stored",
    "checked",
    "last_sound",
    "next_sound",
    "parse_header",
    "record",
    "sound_records",
]

BLOCK: Final = 1
JSON: Final = 2
STATUS: Final = 3
"""What the gateway tells of itself (`ingest.gateway.told`); it is never in a spool."""

HEADER: Final = struct.Struct("<4sIIQQqIHH")
_MAGIC: Final = b"MWS1"
_LARGEST: Final = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Entry:
    """A message to keep.

    Attributes
    ----------
    key : str
        The energy-using unit's code.
    kind : int
        `BLOCK` or `JSON`.
    readings : int
        Readings in it, for the account.
    received_us : int
        When it was received. [us since 1970-01-01 UTC]
    """

    key: str
    kind: int
    payload: bytes
    readings: int
    received_us: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A message that is kept, and its number."""

    seq: int
    entry: Entry


def record(seq: int, total: int, key: bytes, entry: Entry) -> tuple[bytes, bytes, bytes]:
    """Header, key and payload of one record; `total` counts the readings up to and with it."""
    rest = struct.pack(
        "<IQQqIHH", len(entry.payload), seq, total, entry.received_us, entry.readings, len(key), entry.kind
    )
    crc = zlib.crc32(entry.payload, zlib.crc32(key, zlib.crc32(rest)))
    return _MAGIC + struct.pack("<I", crc) + rest, key, entry.payload


def parse_header(head: bytes) -> tuple[int, int] | None:
    """Bytes of payload and key; None where it is no header."""
    if len(head) < HEADER.size:
        return None
    magic, _, size, _, _, _, _, key_size, _ = HEADER.unpack_from(head)
    return (size, key_size) if magic == _MAGIC and size <= _LARGEST else None


def checked(record: bytes, key_size: int) -> Stored | None:
    """Message in a whole record; None where its bytes are not those that were written."""
    _, crc, size, seq, _, at, readings, _, kind = HEADER.unpack_from(record)
    if len(record) != HEADER.size + key_size + size or zlib.crc32(record[8:]) != crc:
        return None
    key_end = HEADER.size + key_size
    return Stored(seq, Entry(record[HEADER.size : key_end].decode(), kind, record[key_end:], readings, at))


def _sound_at(data: bytes, at: int) -> int | None:
    """End of the sound record that begins here, None where none does."""
    parsed = parse_header(data[at : at + HEADER.size])
    if parsed is None:
        return None
    end = at + HEADER.size + sum(parsed)
    return end if checked(data[at:end], parsed[1]) is not None else None


def next_sound(data: bytes, at: int) -> int | None:
    """Where the next sound record begins."""
    while (at := data.find(_MAGIC, at)) >= 0:
        if _sound_at(data, at) is not None:
            return at
        at += 1
    return None


def sound_records(data: bytes) -> Iterator[tuple[int, int]]:
    """Begin and end of each sound record."""
    at: int | None = 0
    while at is not None and at < len(data):
        end = _sound_at(data, at)
        if end is None:
            at = next_sound(data, at + 1)
            continue
        yield at, end
        at = end


def last_sound(data: bytes) -> int | None:
    """Where the last sound record begins."""
    at = len(data)
    while (at := data.rfind(_MAGIC, 0, at)) >= 0:
        if _sound_at(data, at) is not None:
            return at
    return None
