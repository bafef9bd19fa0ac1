"""Admission decisions: a gateway may send readings of its own units only; all others are rejected."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analytics.domain.quality import RejectReason
from ingest.wire import (
    CONTENT_TYPE,
    CONTENT_TYPE_BLOCK,
    CONTENT_TYPE_JSON,
    MAX_MESSAGE_BYTES,
    RECEIVED_AT,
    Block,
    Fault,
    Headers,
    decode_fetched,
)
from ingest.wire.records import CALLED_BLOCK, CALLED_JSON, Records
from streams.rows.layout import Refusal, RejectedRow
from streams.rows.of_results import fault_rows, part_of, refusal_rows

__all__ = ["Admitted", "Decision", "MayNot", "decide"]

MayNot = Callable[[str, int], str]
"""Of a unit's code and the time at which a message was sent [us since 1970-01-01 UTC]: what would be required; empty
where the gateway may send it."""

_Part = tuple[int, NDArray[np.intp]]
"""A block, and which of its rows are of one message."""

_CALLED: Final = {CALLED_BLOCK: CONTENT_TYPE_BLOCK.encode(), CALLED_JSON: CONTENT_TYPE_JSON.encode()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A message for the topic of readings."""

    unit_code: str
    value: bytes
    headers: Headers


@dataclass(slots=True)
class Decision:
    """Decision on messages of one inbox: each reading is in `admitted` or in `rejected`, exactly once."""

    admitted: list[Admitted] = field(default_factory=list)
    rejected: list[RejectedRow] = field(default_factory=list)


def decide(
    records: Records,
    *,
    may_not: MayNot,
    zone: ZoneInfo,
    refused_before: Collection[tuple[int, int]] = (),
    max_bytes: int = MAX_MESSAGE_BYTES,
) -> Decision:
    """Decide on messages of one inbox, in their order.

    A message that is of one unit, and that unit the gateway's, goes on as it came where nothing in it speaks of
    another's unit: what is wrong with single readings of it the worker says. Any other is taken apart. None goes on as
    received later than Kafka got it.

    Parameters
    ----------
    records : Records
        With the time at which Kafka got each.
    refused_before : collection of (int, int)
        Offset and position of what an attempt before this one has refused, and stored: it stays refused.
    """
    blocks, faults = decode_fetched(records, zone=zone, max_bytes=max_bytes)
    parts, wrong = _by_message(blocks), _faults_by_message(faults)
    offsets, sent_us = records.rows["offset"].tolist(), records.rows["timestamp_us"].tolist()
    decision = Decision()
    refusals: list[Refusal] = []
    kept: list[Fault] = []
    for number in range(len(records)):
        good: list[_Part] = []
        for block, rows in parts.get(number, ()):
            place = (offsets[number], int(blocks[block].position[rows[0]]))
            required = may_not(blocks[block].unit_code, sent_us[number])
            if not required and place in refused_before:
                required = "a unit that it might send when this was refused"
            if required:
                refusals.append(_foreign(block, blocks[block], number, rows, required))
            else:
                good.append((block, rows))
        whole = len(good) == len(parts.get(number, ())) and len({blocks[block].unit_code for block, _ in good}) == 1
        # a worker would set what it cannot read of another's unit among the refused readings of that unit
        whole = whole and not any(
            fault.unit_code and may_not(fault.unit_code, sent_us[number]) for fault in wrong.get(number, ())
        )
        if not whole:
            kept += wrong.get(number, ())
        if good:
            value, headers = records.value(number) or b"", _headers(records, number)
            for block, rows in good[:1] if whole else good:
                part = value if whole else part_of(blocks[block], rows, value)
                decision.admitted.append(Admitted(unit_code=blocks[block].unit_code, value=part, headers=headers))
    sent = dict(zip(offsets, sent_us, strict=True))
    for row in fault_rows(kept, records) + refusal_rows(refusals, blocks, records):
        # what a stranger sends does not stand among the refused readings of the unit that it speaks of
        foreign = row.unit_code is None or may_not(row.unit_code, sent[row.kafka_offset])
        decision.rejected.append(replace(row, unit_code=None) if foreign else row)
    return decision


def _headers(records: Records, number: int) -> Headers:
    row = records.rows[number]
    received_us = max(min(int(row["received_us"]), int(row["timestamp_us"])), 0)
    called = _CALLED.get(int(row["kind"]))
    return [*([(CONTENT_TYPE, called)] if called else []), (RECEIVED_AT, b"%d" % received_us)]


def _by_message(blocks: Sequence[Block]) -> Mapping[int, Sequence[_Part]]:
    found: dict[int, list[_Part]] = defaultdict(list)
    for number, block in enumerate(blocks):
        if len(block):
            order = np.argsort(block.message, kind="stable")
            messages, first = np.unique(block.message[order], return_index=True)
            for message, rows in zip(messages.tolist(), np.split(order, first[1:]), strict=True):
                found[message].append((number, rows))
    return found


def _faults_by_message(faults: Sequence[Fault]) -> Mapping[int, Sequence[Fault]]:
    found: dict[int, list[Fault]] = defaultdict(list)
    for fault in faults:
        found[fault.message].append(fault)
    return found


def _foreign(number: int, block: Block, message: int, rows: NDArray[np.intp], required: str) -> Refusal:
    return Refusal(
        reason=RejectReason.FOREIGN_UNIT,
        block=number,
        message=message,
        rows=rows,
        required=required,
        got=f"readings of {block.unit_code}",
    )
