"""What a broker answers to a fetch, as columns of records: no object for each record, and no interpreter lock held.

Only what is common is read here: whole batches of format 2. Anything else is left to aiokafka, which reads all of it
or says what is wrong with it.
"""

import logging
from collections.abc import Callable

import numpy as np
from aiokafka import codec
from crc32c import crc32c
from numpy.typing import NDArray

from ingest.wire._fetched_kernel import HEAD, SMALLEST_RECORD, fill, outline
from ingest.wire.records import RECORD, Records

__all__ = ["EMPTY_BATCH", "records_of"]

log = logging.getLogger("metering.consumer")

_LENGTH, _CRC, _ATTRIBUTES = 8, 17, 21
_BODY = 12
_CODEC = 7
EMPTY_BATCH = bytes(_LENGTH) + (HEAD - _BODY).to_bytes(4, "big") + bytes(4) + b"\x02" + bytes(HEAD - _CRC)
"""A batch without records; its checksum is not right."""
_UNPACK: dict[int, tuple[Callable[[], bool], Callable[[bytes], bytes]]] = {
    1: (codec.has_gzip, codec.gzip_decode),
    2: (codec.has_snappy, codec.snappy_decode),
    3: (codec.has_lz4, codec.lz4_decode),
    4: (codec.has_zstd, codec.zstd_decode),
}


def records_of(data: bytes, wanted: int, *, check_crcs: bool) -> tuple[Records, int] | None:
    """Records from offset `wanted` on and the offset after the last batch; None for what aiokafka should look at.

    Parameters
    ----------
    data : bytes
        Batches as a broker sends them; the last one may be cut off, and is left out then.
    check_crcs : bool
        Whether to give None where a checksum is not that of its batch.
    """
    outlined = _outlined(data)
    if outlined is None:
        return None
    batches, claimed = outlined
    if check_crcs and not _intact(data, batches):
        return None
    if (batches[:, 2] & _CODEC).any():
        unpacked = _unpacked(data, batches)
        outlined = None if unpacked is None else _outlined(unpacked)
        if unpacked is None or outlined is None:
            return None
        data, claimed = unpacked, outlined[1]
    if claimed * SMALLEST_RECORD > len(data):
        return None
    text = np.frombuffer(data, np.uint8)
    rows = np.empty(claimed, RECORD)
    count, after = fill(text, wanted, rows)
    return None if count < 0 else (Records(text, rows[:count]), after)


def _outlined(data: bytes) -> tuple[NDArray[np.int64], int] | None:
    """Start, end and attributes of each batch, and the records they claim; None for what is no such thing."""
    text, batches = np.frombuffer(data, np.uint8), np.empty((64, 3), np.int64)
    count, claimed = outline(text, batches)
    if count > len(batches):
        batches = np.empty((count, 3), np.int64)
        outline(text, batches)
    return (batches[:count], claimed) if count > 0 else None


def _intact(data: bytes, batches: NDArray[np.int64]) -> bool:
    view = memoryview(data)
    return all(
        crc32c(view[start + _ATTRIBUTES : end]) == int.from_bytes(view[start + _CRC : start + _ATTRIBUTES], "big")
        for start, end in batches[:, :2].tolist()
    )


def _unpacked(data: bytes, batches: NDArray[np.int64]) -> bytes | None:
    """The same batches without compression; None where a codec is missing or something is not what it says."""
    parts: list[bytes] = []
    for start, end, attributes in batches.tolist():
        packing = attributes & _CODEC
        has, unpack = _UNPACK.get(packing, (_never, bytes))
        if packing and not has():
            return None
        try:
            records = unpack(data[start + HEAD : end]) if packing else data[start + HEAD : end]
            length = (HEAD - _BODY + len(records)).to_bytes(4, "big", signed=True)
        except Exception:  # whatever a codec raises: aiokafka meets the same and says it
            log.debug("a batch cannot be unpacked", exc_info=True)
            return None
        plain = (attributes & ~_CODEC).to_bytes(2, "big", signed=True)
        head = data[start : start + _LENGTH] + length + data[start + _BODY : start + _ATTRIBUTES] + plain
        parts += [head, data[start + _ATTRIBUTES + 2 : start + HEAD], records]
    return b"".join(parts)


def _never() -> bool:
    return False
