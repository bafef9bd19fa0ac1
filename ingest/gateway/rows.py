"""What senders may say: messages to blocks of their own units, and why each other row is refused.

Rows are judged by the decoder of the wire, so a row that is accepted here is one that a worker can read; what it then
says of meter, unit of measurement and time against the ledger is the worker's to judge.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import numpy as np

from analytics.domain.quality import RejectReason
from ingest.gateway.spool import BLOCK, Entry
from ingest.kafka.packing import Packer
from ingest.wire import Block, Fault, Names, Records, decode_fetched, encode_readings_json, shown
from ingest.wire.json_elements import Elements, split

__all__ = ["Judge", "Judged", "Row", "entries_of", "lines_of"]


@dataclass(frozen=True, slots=True)
class Row:
    """A row that was refused.

    Attributes
    ----------
    row : int
        Its place in the message, from 0; -1 for the message as a whole.
    readings : int
        Readings refused with it.
    payload : bytes
        JSON of just these, fit to be sent again.
    """

    row: int
    reason: RejectReason
    required: str
    got: str
    readings: int = 1
    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class Judged:
    """Outcome of a message: what was accepted and what was rejected.

    Attributes
    ----------
    blocks : list of Block
        Accepted readings, a unit each.
    accepted, rejected : int
        Readings.
    rows : list of Row
        Every refused row.
    """

    blocks: list[Block] = field(default_factory=list)
    accepted: int = 0
    rejected: int = 0
    rows: list[Row] = field(default_factory=list)


class Judge:
    """Judges messages; one for each sender's thread of work, for it remembers names.

    Parameters
    ----------
    zone : ZoneInfo
        Zone of times without an offset.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone, self._names = zone, Names()

    def message(self, body: bytes, *, units: Collection[str] | None, now_us: int) -> Judged:
        """Judge a JSON document: a reading, an array of them, or an envelope with those of one unit.

        Parameters
        ----------
        units : collection of str or None
            Codes of the units that the sender may speak for; None for all.
        now_us : int
            When it was received. [us since 1970-01-01 UTC]
        """
        blocks, faults = self._decoded([body], now_us)
        if not faults:
            return _allowed(blocks, [], units, by_message=False)
        # something is wrong with it: every row on its own, so that each is reported
        elements = split(body)
        if not isinstance(elements, Elements) or elements.single or not elements.parsed:
            return _allowed(blocks, faults, units, by_message=False)
        return self.lines([elements.message([i]) for i in range(len(elements.parsed))], units=units, now_us=now_us)

    def lines(self, rows: Sequence[bytes], *, units: Collection[str] | None, now_us: int) -> Judged:
        """Judge documents of one reading each."""
        blocks, faults = self._decoded(rows, now_us)
        return _allowed(blocks, faults, units, by_message=True)

    def _decoded(self, values: Sequence[bytes], now_us: int) -> tuple[list[Block], list[Fault]]:
        records = Records.of(values, timestamps_us=np.full(len(values), now_us, np.int64))
        return decode_fetched(records, zone=self._zone, names=self._names)


def lines_of(body: bytes) -> list[bytes]:
    """JSON lines, without empty ones."""
    return [line for line in body.splitlines() if line.strip()]


def _allowed(
    blocks: Sequence[Block], faults: Sequence[Fault], units: Collection[str] | None, *, by_message: bool
) -> Judged:
    judged = Judged()
    accepted = rejected = 0
    for block in blocks:
        if units is None or block.unit_code in units:
            judged.blocks.append(block)
            accepted += len(block)
            continue
        rejected += len(block)
        places = block.message if by_message else block.position
        required = f"unit_code: one that this sender may speak for ({', '.join(sorted(units)[:3])}…)"
        got = shown(block.unit_code)
        judged.rows.extend(
            Row(place, RejectReason.UNKNOWN_UNIT_CODE, required, got, 1, payload)
            for place, payload in zip(places.tolist(), encode_readings_json(block), strict=True)
        )
    for fault in faults:
        rejected += fault.readings
        place = fault.message if by_message else fault.position
        judged.rows.append(Row(place, fault.reason, fault.required, fault.got, fault.readings, fault.payload))
    judged.rows.sort(key=lambda row: row.row)
    return Judged(judged.blocks, accepted, rejected, judged.rows)


def entries_of(blocks: Sequence[Block], now_us: int) -> list[Entry]:
    """Blocks as messages for the spool, one a unit as far as they fit."""
    packer = Packer()
    packed = [*packer.add(blocks), *packer.flush()]
    return [Entry(one.unit_code, BLOCK, one.message, one.readings, now_us) for one in packed]
