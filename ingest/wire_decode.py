"""A batch of Kafka records as blocks and faults, whatever formats are mixed in it."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analytics.domain.quality import RejectReason
from ingest.wire_block import decode_block, readings_claimed
from ingest.wire_json import JsonBatch
from ingest.wire_types import (
    CONTENT_TYPE,
    CONTENT_TYPE_BLOCK,
    CONTENT_TYPE_JSON,
    MAX_MESSAGE_BYTES,
    RECEIVED_AT,
    Block,
    Fault,
    Headers,
)

__all__ = ["decode_records"]

_BLOCK_MARK = frozenset(bytes([byte]) for byte in range(0x90, 0xA0))  # msgpack's short arrays; no JSON begins so
_KINDS: dict[bytes | None, str] = {kind.encode(): kind for kind in (CONTENT_TYPE_BLOCK, CONTENT_TYPE_JSON)}
_INT64_DIGITS = 18


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
        The records' times: what `received_at` is where the sender says nothing. [us since 1970-01-01 UTC]
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
    received_at = np.array(timestamps_us, np.int64)
    has_headers = headers is not None and any(headers)
    kinds = _kinds(headers, received_at) if headers is not None and has_headers else None
    json = JsonBatch(values, received_at, zone)
    blocks: list[Block] = []
    faults: list[Fault] = []
    for start, stop in pairwise([-1, *_apart(values, kinds, max_bytes), len(values)]):
        if start >= 0:
            _decode_one(values[start], start, int(received_at[start]), max_bytes, (blocks, faults))
        i = start + 1
        while i < stop:
            value = values[i] or b""
            taken = json.add_singles(i, stop) if value[:1] == b"{" else 0
            if not taken and value[:1] in _BLOCK_MARK and not (kinds and kinds[i] == CONTENT_TYPE_JSON):
                _decode_one(value, i, int(received_at[i]), max_bytes, (blocks, faults))
            elif not taken:
                json.add(i)
            i += taken or 1
    json_blocks, json_faults = json.finish()
    if json_blocks and blocks:
        json_blocks = _parted(json_blocks, blocks)
    if json_blocks:
        blocks += json_blocks
        blocks.sort(key=_place)
    faults += json_faults
    faults.sort(key=lambda fault: (fault.message, fault.position))
    return blocks, faults


def _apart(values: Sequence[bytes | None], kinds: Sequence[str | None] | None, max_bytes: int) -> list[int]:
    """Records that are certainly no JSON to decode: tombstones, too large ones, and those called blocks."""
    apart: set[int] = set()
    if kinds and CONTENT_TYPE_BLOCK in kinds:
        apart.update(i for i, kind in enumerate(kinds) if kind == CONTENT_TYPE_BLOCK)
    if None in values:
        apart.update(i for i, value in enumerate(values) if value is None)
        apart.update(i for i, value in enumerate(values) if value is not None and len(value) > max_bytes)
    elif values and max(map(len, values)) > max_bytes:  # type: ignore[arg-type]  # none of them is None
        apart.update(i for i, value in enumerate(values) if value is not None and len(value) > max_bytes)
    return sorted(apart)


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


def _kinds(headers: Sequence[Headers | None], received_at: NDArray[np.int64]) -> list[str | None]:
    """Content type of each record; stated times of receipt are put into `received_at`, unreadable ones are not."""
    kinds: list[str | None] = []
    for i, of_record in enumerate(headers):
        kind = None
        for name, value in of_record or ():
            if name == CONTENT_TYPE and value in _KINDS:
                kind = _KINDS[value]
            elif name == CONTENT_TYPE and value:
                kind = value.decode("ascii", "replace").partition(";")[0].strip().lower()
            elif name == RECEIVED_AT and value and value.isdigit() and len(value) <= _INT64_DIGITS:
                received_at[i] = int(value)
        kinds.append(kind)
    return kinds


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
