"""What a broker answers to a fetch, as columns of records: no object for each record, and no interpreter lock held.

Batches of format 2 are read here, whichever codec packs them. One that cannot be read (its checksum is wrong, it cannot
be unpacked, it does not hold together) stands among the records as one row of kind `UNREADABLE` whose value is the
batch itself, so that it is refused with its bytes and keeps nothing else waiting. Batches of aborted transactions are
left out. Formats 0 and 1, which Kafka 4 does not know any more, are left to aiokafka.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from crc32c import crc32c
from numpy.typing import NDArray

from ingest.wire._fetched_kernel import HEAD, SMALLEST_RECORD, fill, outline
from ingest.wire.codecs import CODECS, CodecError, unpack
from ingest.wire.records import RECORD, UNREADABLE, Records

__all__ = ["EMPTY_BATCH", "Aborted", "Fetched", "WrongChecksum", "records_of", "unreadable", "why_unreadable"]

_LENGTH, _EPOCH, _CRC, _ATTRIBUTES, _LAST, _TIME, _PRODUCER, _COUNT = 8, 12, 17, 21, 23, 35, 43, 57
_BODY = 12
_CODEC, _TRANSACTIONAL, _CONTROL = 7, 16, 32
_MOST_PACKED = 255
"""No codec of Kafka's packs bytes into less than this part of themselves, but zstd, whose word we take."""
EMPTY_BATCH = bytes(_LENGTH) + (HEAD - _BODY).to_bytes(4, "big") + bytes(4) + b"\x02" + bytes(HEAD - _CRC)
"""A batch without records; its checksum is not right."""

Aborted = Sequence[tuple[int, int]]
"""Producer and first offset of each transaction that was aborted, by offset, as the broker tells them."""


class WrongChecksum(ValueError):  # noqa: N818 - named after what was found
    """The bytes are not those that were stored; once more they may be."""


class Fetched(NamedTuple):
    """Records of a fetch.

    Attributes
    ----------
    records : Records
        From the offset that was wanted on; none where only markers or aborted transactions were there.
    after : int
        The offset after the last batch.
    first_epoch, last_epoch : int
        Under which leader the first and the last batch were written; -1 where not known.
    """

    records: Records
    after: int
    first_epoch: int = -1
    last_epoch: int = -1


def records_of(
    data: bytes, wanted: int, *, check_crcs: bool, aborted: Aborted = (), last_try: bool = True
) -> Fetched | None:
    """Records from offset `wanted` on; None for what aiokafka should look at.

    Parameters
    ----------
    data : bytes
        Batches as a broker sends them; the last one may be cut off, and is left out then.
    check_crcs : bool
        Whether checksums are compared.
    aborted : sequence of (int, int)
        Transactions whose batches are left out.
    last_try : bool
        Whether a wrong checksum makes a batch unreadable at once, or raises so that the fetch is tried again.

    Raises
    ------
    WrongChecksum
        If a checksum is not that of its batch and this is not the last try.
    """
    outlined = _outlined(data)
    if outlined is None:
        return None
    batches, claimed = outlined
    intact = _intact(data, batches) if check_crcs else np.ones(len(batches), np.bool_)
    if not last_try and not intact.all():
        raise WrongChecksum(f"a batch at offset {_base(data, batches[~intact][0])} has a wrong checksum")
    found = None
    if intact.all() and not (batches[:, 2] & _CODEC).any() and not (aborted and _any_of(data, batches, aborted)):
        found = _filled(data, claimed, wanted)
    if found is None:
        found = _one_by_one(data, batches, intact, wanted, aborted)
    last = batches[-1]
    return Fetched(found, _after(data, last), _integer(data, batches[0], _EPOCH, 4), _integer(data, last, _EPOCH, 4))


def unreadable(batch: bytes, offset: int) -> Records:
    """One row that stands for a batch that cannot be read."""
    time_us = max(int.from_bytes(batch[_TIME : _TIME + 8], "big", signed=True), 0) * 1000 if len(batch) >= HEAD else 0
    records = Records.of([batch], timestamps_us=[time_us % (1 << 62)], offsets=[offset])
    records.rows["kind"] = UNREADABLE
    return records


def why_unreadable(batch: bytes) -> tuple[str, str, int]:
    """What a batch must be, what it is, and how many records it says it has, as far as that can be."""
    required = "a batch of records that can be read"
    if len(batch) < HEAD:
        return required, f"{len(batch)} bytes that are none", 1
    if crc32c(batch[_ATTRIBUTES:]) != int.from_bytes(batch[_CRC:_ATTRIBUTES], "big"):
        return required, f"{len(batch)} bytes with a wrong checksum", 1
    packing = int.from_bytes(batch[_ATTRIBUTES:_LAST], "big") & _CODEC
    last, count = (int.from_bytes(batch[at : at + 4], "big", signed=True) for at in (_LAST, _COUNT))
    room = (len(batch) - HEAD) * (_MOST_PACKED if packing else 1) // SMALLEST_RECORD
    claimed = max(min(count, last + 1, room), 1)
    try:
        unpack(packing, batch[HEAD:])
    except CodecError as error:
        return required, f"{len(batch)} bytes that cannot be unpacked ({error})", claimed
    codec = f", unpacked by {CODECS[packing]}" if packing else ""
    return required, f"{len(batch)} bytes whose records do not hold together{codec}", claimed


def _outlined(data: bytes) -> tuple[NDArray[np.int64], int] | None:
    """Start, end and attributes of each batch, and the records they claim; None for what is no such thing."""
    text, batches = np.frombuffer(data, np.uint8), np.empty((64, 3), np.int64)
    count, claimed = outline(text, batches)
    if count > len(batches):
        batches = np.empty((count, 3), np.int64)
        outline(text, batches)
    return (batches[:count], claimed) if count > 0 else None


def _intact(data: bytes, batches: NDArray[np.int64]) -> NDArray[np.bool_]:
    view = memoryview(data)
    sums = (
        crc32c(view[start + _ATTRIBUTES : end]) == int.from_bytes(view[start + _CRC : start + _ATTRIBUTES], "big")
        for start, end in batches[:, :2].tolist()
    )
    return np.fromiter(sums, np.bool_, len(batches))


def _filled(data: bytes, claimed: int, wanted: int) -> Records | None:
    """Records of batches that are not packed; None where one does not hold together."""
    if claimed * SMALLEST_RECORD > len(data):
        return None
    text, rows = np.frombuffer(data, np.uint8), np.empty(claimed, RECORD)
    count, _ = fill(text, wanted, rows)
    return None if count < 0 else Records(text, rows[:count])


def _one_by_one(
    data: bytes, batches: NDArray[np.int64], intact: NDArray[np.bool_], wanted: int, aborted: Aborted
) -> Records:
    """Records of batches that are packed, aborted or broken; those between that are plain are read at once."""
    parts: list[Records] = []
    plain: list[bytes] = []
    seen = _Transactions(aborted)
    for batch, sound in zip(batches, intact.tolist(), strict=True):
        if seen.left_out(data, batch):
            continue
        whole = data[batch[0] : batch[1]]
        ready = _unpacked(whole, int(batch[2])) if sound else None
        if ready is not None and _count(ready) * SMALLEST_RECORD <= len(ready):
            plain.append(ready)
        elif _after(data, batch) > wanted:
            parts += _read(plain, wanted)
            plain = []
            parts.append(unreadable(whole, _after(data, batch) - 1))
    parts += _read(plain, wanted)
    return Records.joined(parts) if parts else Records.of([], timestamps_us=[])


def _read(plain: Sequence[bytes], wanted: int) -> Iterable[Records]:
    """Records of unpacked batches, those that do not hold together as unreadable ones."""
    if not plain:
        return
    joined = b"".join(plain)
    found = _filled(joined, sum(map(_count, plain)), wanted)
    if found is not None:
        yield found
    elif len(plain) == 1:
        whole = np.array([0, len(joined), 0])
        if _after(joined, whole) > wanted:
            yield unreadable(joined, _after(joined, whole) - 1)
    else:
        middle = len(plain) // 2
        yield from _read(plain[:middle], wanted)
        yield from _read(plain[middle:], wanted)


def _unpacked(batch: bytes, attributes: int) -> bytes | None:
    """The same batch without compression; None where it cannot be unpacked."""
    packing = attributes & _CODEC
    if not packing:
        return batch
    try:
        records = unpack(packing, batch[HEAD:])
    except CodecError:
        return None
    length = (HEAD - _BODY + len(records)).to_bytes(4, "big", signed=True)
    plain = (attributes & ~_CODEC).to_bytes(2, "big", signed=True)
    head = batch[:_LENGTH] + length + batch[_BODY:_ATTRIBUTES] + plain
    return b"".join((head, batch[_ATTRIBUTES + 2 : HEAD], records))


class _Transactions:
    """Which batches belong to transactions that were aborted, batch after batch."""

    def __init__(self, aborted: Aborted) -> None:
        self._coming = sorted(aborted, key=lambda one: one[1], reverse=True)
        self._open: set[int] = set()

    def left_out(self, data: bytes, batch: NDArray[np.int64]) -> bool:
        """Whether the next batch is of an aborted transaction, or no more than a marker."""
        attributes, producer = int(batch[2]), _integer(data, batch, _PRODUCER, 8)
        while self._coming and self._coming[-1][1] <= _base(data, batch):
            self._open.add(self._coming.pop()[0])
        if attributes & _CONTROL:
            self._open.discard(producer)  # an open one can only end by being aborted
            return True
        return bool(attributes & _TRANSACTIONAL) and producer in self._open


def _any_of(data: bytes, batches: NDArray[np.int64], aborted: Aborted) -> bool:
    """Whether some batch may be of an aborted transaction."""
    producers = {producer for producer, _ in aborted}
    some = batches[(batches[:, 2] & _TRANSACTIONAL) != 0]
    return any(_integer(data, batch, _PRODUCER, 8) in producers for batch in some)


def _integer(data: bytes, batch: NDArray[np.int64], at: int, width: int) -> int:
    start = int(batch[0]) + at
    return int.from_bytes(data[start : start + width], "big", signed=True)


def _base(data: bytes, batch: NDArray[np.int64]) -> int:
    return _integer(data, batch, 0, 8)


def _after(data: bytes, batch: NDArray[np.int64]) -> int:
    return _base(data, batch) + _integer(data, batch, _LAST, 4) + 1


def _count(batch: bytes) -> int:
    return int.from_bytes(batch[_COUNT : _COUNT + 4], "big", signed=True)
