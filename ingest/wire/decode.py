"""A batch of Kafka records as blocks and faults, whatever formats are mixed in it."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analytics.domain.quality import RejectReason
from ingest.wire.block import MAX_MESSAGE_BYTES, Block, Fault, Headers
from ingest.wire.block_format import decode_block, readings_claimed
from ingest.wire.fetched import EMPTY_BATCH, records_of, why_unreadable
from ingest.wire.json_format import JsonBatch
from ingest.wire.names import Names
from ingest.wire.records import CALLED_BLOCK, CALLED_JSON, UNREADABLE, Records

__all__ = ["decode_fetched", "decode_records", "warm_up"]

_OBJECT, _BLOCK_MARK = ord("{"), 0x90


def decode_records(
    values: Sequence[bytes | None],
    *,
    headers: Sequence[Headers | None] | None = None,
    timestamps_us: Sequence[int] | NDArray[np.int64],
    zone: ZoneInfo,
    max_bytes: int = MAX_MESSAGE_BYTES,
) -> tuple[list[Block], list[Fault]]:
    """Blocks of a batch of Kafka records and the faults of what could not be read; never raises, whatever the bytes.

    All JSON readings of a unit come in one block, unless a block message of the same unit lies between them; so the
    blocks of each unit are in the order of the records. Every reading is in a block or counted in a fault.

    Parameters
    ----------
    values : sequence of (bytes or None)
        The records' values; None (a tombstone) is a fault.
    headers : sequence of headers, optional
        The records' headers, where there are any.
    timestamps_us : (n,) int64
        The records' times: what `received_at` is where the sender states none. [us since 1970-01-01 UTC]
    zone : ZoneInfo
        Zone of times without an offset.
    max_bytes : int
        A longer message is one fault, TOO_LARGE, and is not decoded.

    Examples
    --------
    >>> reading = b'{"unit_code":"9111", "meter_no":"M-1", "measured_at":"1970-01-01 08:00", "value":7, "unit":"m3"}'
    >>> blocks, faults = decode_records([reading, b"?"], timestamps_us=[5, 6], zone=ZoneInfo("Asia/Shanghai"))
    >>> [(b.unit_code, b.meters.names, b.value.tolist(), b.measured_at.tolist()) for b in blocks]
    [('9111', ('M-1',), [7.0], [0])]
    >>> [(f.message, f.reason.name, f.readings) for f in faults]
    [(1, 'MALFORMED', 1)]
    """
    return decode_fetched(
        Records.of(values, timestamps_us=timestamps_us, headers=headers), zone=zone, max_bytes=max_bytes
    )


def decode_fetched(
    records: Records, *, zone: ZoneInfo, max_bytes: int = MAX_MESSAGE_BYTES, names: Names | None = None
) -> tuple[list[Block], list[Fault]]:
    """Blocks and faults of records, as `decode_records` gives them.

    Parameters
    ----------
    names : Names, optional
        What the readings of earlier batches spoke of, so that it need not be resolved again; one batch at a time.
    """
    names = Names() if names is None else names
    names.trim()
    rows = records.rows
    # certainly no JSON to decode: tombstones, too large ones, those called blocks, and batches that cannot be read
    broken = rows["kind"] == UNREADABLE
    apart = (rows["size"] < 0) | (rows["size"] > max_bytes) | (rows["kind"] == CALLED_BLOCK) | broken
    first = _first_bytes(records)
    single = ~apart & (first == _OBJECT)
    json = JsonBatch(records, zone, names)
    left = np.ones(len(records), np.bool_)
    left[json.scan(np.flatnonzero(single))] = False
    rest = np.flatnonzero(left)
    blocks: list[Block] = []
    faults: list[Fault] = []
    ends = np.flatnonzero(~single[rest])
    packed = apart | (_is_packed(first) & (rows["kind"] != CALLED_JSON))
    messages, at = rest.tolist(), 0
    while at < len(messages):
        i = messages[at]
        taken = 0
        if broken[i]:
            faults.append(_unreadable(records.value(i) or b"", i))
        elif packed[i]:
            _decode_one(records.value(i), i, int(rows["received_us"][i]), max_bytes, (blocks, faults))
        else:
            if single[i]:
                end = int(np.searchsorted(ends, at))
                taken = json.add_singles(messages[at : int(ends[end]) if end < len(ends) else len(messages)])
            if not taken:
                json.add(i)
        at += taken or 1
    json_blocks, json_faults = json.finish()
    if json_blocks and blocks:
        json_blocks = _parted(json_blocks, blocks)
    if json_blocks:
        blocks += json_blocks
        blocks.sort(key=_place)
    faults += json_faults
    faults.sort(key=lambda fault: (fault.message, fault.position))
    return blocks, faults


def warm_up(zone: ZoneInfo) -> None:
    """Compile, or load from the cache, what reads fetched records."""
    records_of(EMPTY_BATCH, 0, check_crcs=False)
    decode_fetched(Records.of([b"{}"], timestamps_us=[0]), zone=zone)


def _first_bytes(records: Records) -> NDArray[np.uint8]:
    """First byte of each value, 0 where there is none: no format begins so."""
    first = np.zeros(len(records), np.uint8)
    some = records.rows["size"] > 0
    first[some] = records.data[records.rows["at"][some]]
    return first


def _is_packed(first: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where the first byte is that of msgpack's short arrays; no JSON begins so."""
    packed: NDArray[np.bool_] = (first & 0xF0) == _BLOCK_MARK
    return packed


def _decode_one(
    value: bytes | None, i: int, received_at: int, max_bytes: int, into: tuple[list[Block], list[Fault]]
) -> None:
    """Decode a record that is a block, or a fault as a whole."""
    blocks, faults = into
    if value is None:
        faults.append(Fault(i, -1, RejectReason.MALFORMED, "a message", "nothing (a tombstone)", b""))
    elif len(value) > max_bytes:
        got, claimed = f"{len(value)} bytes", readings_claimed(value)
        faults.append(Fault(i, -1, RejectReason.TOO_LARGE, f"at most {max_bytes} bytes", got, value, claimed))
    else:
        block, fault = decode_block(value, i, received_at)
        blocks += [block] if block else []
        faults += [fault] if fault else []


def _unreadable(batch: bytes, i: int) -> Fault:
    required, got, readings = why_unreadable(batch)
    return Fault(i, -1, RejectReason.MALFORMED, required, got, batch, readings, whole=True)


def _place(block: Block) -> tuple[int, int]:
    return int(block.message[0]), int(block.position[0])


def _parted(json_blocks: Sequence[Block], blocks: Sequence[Block]) -> list[Block]:
    """JSON blocks cut where block messages of the same unit came between their readings."""
    between = defaultdict(list)
    for block in blocks:
        between[block.unit_code].append(int(block.message[0]))
    parted: list[Block] = []
    for block in json_blocks:
        cuts = np.unique(np.searchsorted(block.message, np.array(between[block.unit_code], np.int32)))
        edges = [0, *(cut for cut in cuts.tolist() if 0 < cut < len(block)), len(block)]
        parted += [block.take(slice(low, high)) for low, high in pairwise(edges)]
    return parted
