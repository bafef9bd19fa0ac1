"""Compiled: Kafka's record batches (format 2, unpacked) into rows of `RECORD`; every byte is looked at in bounds."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.compiled import compiled_plain
from ingest.wire._bytes_kernel import same
from ingest.wire.block import CONTENT_TYPE, CONTENT_TYPE_BLOCK, CONTENT_TYPE_JSON, RECEIVED_AT
from ingest.wire.records import CALLED_BLOCK, CALLED_JSON

__all__ = ["HEAD", "SMALLEST_RECORD", "fill", "outline"]

Bytes = NDArray[np.uint8]

HEAD = 61
"""Bytes of a batch before its records."""
SMALLEST_RECORD = 7
"""A record's length, attributes, two deltas, two sizes and number of headers take a byte each at least."""
_BEFORE_LENGTH, _BEFORE_BODY, _MAGIC = 8, 12, 16
_ATTRIBUTES, _LAST, _FIRST_TIME, _LAST_TIME, _COUNT = 21, 23, 27, 35, 57
_LOG_APPEND, _CONTROL = 8, 32
_NAME_OF_KIND = np.frombuffer(CONTENT_TYPE.encode(), np.uint8)
_NAME_OF_RECEIVED = np.frombuffer(RECEIVED_AT.encode(), np.uint8)
_JSON = np.frombuffer(CONTENT_TYPE_JSON.encode(), np.uint8)
_BLOCK = np.frombuffer(CONTENT_TYPE_BLOCK.encode(), np.uint8)
_KIND_JSON, _KIND_BLOCK = CALLED_JSON, CALLED_BLOCK
_INT64_DIGITS = 18


@compiled_plain
def _integer(data: Bytes, at: int, width: int) -> Any:
    """Big-endian signed integer; the caller has looked that it lies within."""
    value = np.int64(data[at])
    if value >= 128:
        value -= 256
    for i in range(1, width):
        value = (value << 8) | np.int64(data[at + i])
    return value


@compiled_plain
def outline(data: Bytes, batches: NDArray[np.int64]) -> tuple[int, int]:
    """Where whole batches lie: rows (start, end, attributes) are put into `batches` as far as it goes.

    Returns their number and that of the records they claim; (-1, 0) for bytes that are no batches of format 2.
    """
    at, count, records = 0, 0, 0
    while len(data) - at >= _BEFORE_BODY:
        length = _integer(data, at + _BEFORE_LENGTH, 4)
        if length < HEAD - _BEFORE_BODY:
            return -1, 0
        end = at + _BEFORE_BODY + length
        if end > len(data):  # a fetch ends where it is full
            break
        claimed = _integer(data, at + _COUNT, 4)
        if data[at + _MAGIC] != 2 or claimed < 0:
            return -1, 0
        if count < len(batches):
            batches[count, 0], batches[count, 1] = at, end
            batches[count, 2] = _integer(data, at + _ATTRIBUTES, 2)
        count += 1
        records += claimed
        at = end
    return count, records


@compiled_plain
def _varint(data: Bytes, at: int, end: int) -> tuple[Any, int]:
    """Signed number and the place after it; place -1 where there is none."""
    raw, shift = np.uint64(0), np.uint64(0)
    while at < end and shift < np.uint64(64):
        byte = data[at]
        raw |= np.uint64(byte & 127) << shift
        at += 1
        if byte < 128:
            return np.int64(raw >> np.uint64(1)) ^ -np.int64(raw & np.uint64(1)), at
        shift += np.uint64(7)
    return 0, -1


@compiled_plain
def _is_loosely(data: Bytes, at: int, size: int, text: Bytes) -> bool:
    """Whether a content type is `text`, ignoring case, surrounding blanks and parameters."""
    end = at
    while end < at + size and data[end] != 59:  # semicolon
        end += 1
    while at < end and _is_blank(data[at]):
        at += 1
    while at < end and _is_blank(data[end - 1]):
        end -= 1
    if end - at != len(text):
        return False
    for i in range(len(text)):
        byte = data[at + i]
        if (byte + 32 if 65 <= byte <= 90 else byte) != text[i]:
            return False
    return True


@compiled_plain
def _is_blank(byte: int) -> bool:
    return byte == 32 or 9 <= byte <= 13 or 28 <= byte <= 31  # as `str.strip` has it, in ASCII


@compiled_plain
def _decimal(data: Bytes, at: int, end: int) -> Any:
    """Number of the digits there, -1 where anything else is among them."""
    number = np.int64(0)
    for i in range(at, end):
        digit = np.int64(data[i]) - 48
        if not 0 <= digit <= 9:
            return np.int64(-1)
        number = number * 10 + digit
    return number


@compiled_plain
def _stated(data: Bytes, at: int, end: int) -> tuple[int, int, bool]:
    """Of a record's headers: what they call the value, when it was received (-1: not stated), whether they fill it."""
    kind, received = 0, -1
    count, at = _varint(data, at, end)
    while at >= 0 and count > 0:
        name_size, name_at = _varint(data, at, end)
        if name_at < 0 or not 0 <= name_size <= end - name_at:
            return 0, -1, False
        size, value_at = _varint(data, name_at + name_size, end)
        if value_at < 0 or not -1 <= size <= end - value_at:
            return 0, -1, False
        size = max(size, 0)
        if size > 0 and same(data, name_at, name_size, _NAME_OF_KIND):
            kind = 0
            if _is_loosely(data, value_at, size, _JSON):
                kind = _KIND_JSON
            elif _is_loosely(data, value_at, size, _BLOCK):
                kind = _KIND_BLOCK
        elif 0 < size <= _INT64_DIGITS and same(data, name_at, name_size, _NAME_OF_RECEIVED):
            number = _decimal(data, value_at, value_at + size)
            received = number if number >= 0 else received
        at = value_at + size
        count -= 1
    return kind, received, at == end and count == 0


@compiled_plain
def fill(data: Bytes, wanted: int, rows: NDArray[Any]) -> tuple[int, int]:
    """Records from offset `wanted` on, out of the whole batches in `data`, into `rows`, which has room for all.

    Returns how many, and the offset after the last batch; -1 instead of how many where a batch does not hold together.
    """
    at, n, after = 0, 0, wanted
    while len(data) - at >= _BEFORE_BODY:
        end = at + _BEFORE_BODY + _integer(data, at + _BEFORE_LENGTH, 4)
        if end > len(data):
            break
        first, attributes = _integer(data, at, 8), _integer(data, at + _ATTRIBUTES, 2)
        count = 0 if attributes & _CONTROL else _integer(data, at + _COUNT, 4)
        first_time, last_time = _integer(data, at + _FIRST_TIME, 8), _integer(data, at + _LAST_TIME, 8)
        after = first + _integer(data, at + _LAST, 4) + 1
        place = at + HEAD
        for _ in range(count):
            size, place = _varint(data, place, end)
            if place < 0 or not 1 <= size <= end - place:
                return -1, 0
            stop = place + size
            later, place = _varint(data, place + 1, stop)
            if place < 0:
                return -1, 0
            delta, place = _varint(data, place, stop)
            if place < 0:
                return -1, 0
            key_size, place = _varint(data, place, stop)
            if place < 0 or not -1 <= key_size <= stop - place:
                return -1, 0
            size, place = _varint(data, place + max(key_size, 0), stop)
            if place < 0 or not -1 <= size <= stop - place:
                return -1, 0
            kind, received, sound = _stated(data, place + max(size, 0), stop)
            if not sound or n >= len(rows):
                return -1, 0
            if first + delta >= wanted:
                row = rows[n]
                time = (last_time if attributes & _LOG_APPEND else first_time + later) * 1000
                row.offset, row.timestamp_us, row.kind = first + delta, time, kind
                row.received_us = received if received >= 0 else time
                row.at, row.size = place, size
                n += 1
            place = stop
        at = end
    return n, after
