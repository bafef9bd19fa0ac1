"""One batch of a partition through decoding, the step and into rows; runs in a thread and touches nothing shared."""

import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analytics.domain.quality import RejectReason
from ingest.wire import Block, Fault, Names, Record, Records, decode_fetched, encode_rows
from streams.lanes.marks import MARK, Marks, mark_of
from streams.rows.layout import (
    HOUR_ROW,
    READING,
    DetectionRow,
    Hours,
    Incident,
    ObservabilityRow,
    PassedOn,
    RejectedRow,
    StoredLedger,
)
from streams.rows.of_results import (
    detection_rows,
    fault_rows,
    habit_rows,
    hour_rows,
    refusal_rows,
    rise_rows,
    sight_rows,
)
from streams.steps.state import PartitionState
from streams.steps.step import StepResult, close_hours, step

__all__ = ["Batch", "compute", "poison", "tick"]

_TRACEBACK_CHARS = 4000


@dataclass(slots=True)
class Batch:
    """Results of the offsets [start, end) of a partition, ready to be stored but for register ids and late readings.

    Attributes
    ----------
    start, end : int
        Equal for what the clock alone decided.
    readings, late, late_further : (n,) streams.rows.layout.READING
        Accepted; those that history has to judge; and late ones of registers on which no hour depends.
    register_names : list of str
        What `register` of these points into.
    blocks, records
        Where `block`, `row` and messages point; kept where late readings may still be refused.
    snapshot : bytes or None
        State after this batch, where it is due.
    late_rejected : list of RejectedRow
        Late readings that history refused; known once the batch is stored.
    late_accepted : int
        Late readings of further registers that were stored; known then, too.
    computed_s : float
        Time it took. [s]
    repeated : int
        Readings passed over because they are stored already: the log is read a second time.
    mark : (0 or 1,) MARK
        By which the last record is known again.
    incident : Incident or None
        What happened to the log here.
    passed_on : list of PassedOn
        Readings that another partition has to take.
    """

    start: int
    end: int
    readings: NDArray[Any]
    late: NDArray[Any]
    register_names: list[str]
    hours: Hours
    detections: list[DetectionRow]
    rejected: list[RejectedRow]
    late_further: NDArray[Any] = field(default_factory=lambda: np.empty(0, READING))
    sights: list[ObservabilityRow] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    records: Sequence[Record] = ()
    snapshot: bytes | None = None
    late_rejected: list[RejectedRow] = field(default_factory=list)
    late_accepted: int = 0
    computed_s: float = 0.0
    repeated: int = 0
    mark: Marks = field(default_factory=lambda: np.empty(0, MARK))
    incident: Incident | None = None
    passed_on: list[PassedOn] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to store, not even a position."""
        rows = (self.readings, self.late, self.late_further, self.hours, self.detections, self.rejected, self.sights)
        return self.start == self.end and self.snapshot is None and not any(len(some) for some in rows)


def _batch(start: int, end: int, result: StepResult, state: PartitionState, stored: StoredLedger) -> Batch:
    news = state.said.news(result.habits, len(state.points))
    return Batch(
        start,
        end,
        result.readings,
        result.late,
        state.register_names,
        hour_rows(result.hours, stored),
        detection_rows(result.events, stored),
        [],
        late_further=result.late_further,
        sights=sight_rows(result.sights, stored)
        + habit_rows(news, stored)
        + rise_rows(state.points, news["point"], news["at"], stored),
    )


def compute(
    state: PartitionState,
    stored: StoredLedger,
    records: Records,
    *,
    start: int,
    end: int,
    zone: ZoneInfo,
    max_bytes: int,
    names: Names | None = None,
    snapshot: bool = False,
    decoded: tuple[list[Block], list[Fault]] | None = None,
) -> Batch:
    """Decode records and advance the state by them.

    Raises whatever a step raises on data nobody thought of; the state is then worthless.

    Parameters
    ----------
    start, end : int
        Offsets that the records stand for.
    names : Names, optional
        What the readings of earlier batches spoke of.
    snapshot : bool
        Whether the state after this batch is to be stored with it.
    decoded : blocks and faults, optional
        Of the records, where they were decoded before.
    """
    began = time.perf_counter()
    blocks, faults = decoded or decode_fetched(records, zone=zone, max_bytes=max_bytes, names=names)
    result = step(state, blocks)
    batch = _batch(start, end, result, state, stored)
    batch.rejected = fault_rows(faults, records) + refusal_rows(result.refusals, blocks, records)
    if len(result.late) or len(result.late_further):
        batch.blocks, batch.records = blocks, records
    if snapshot and not len(result.late):
        batch.snapshot = state.to_bytes()
    batch.mark = mark_of(records)
    batch.passed_on = [
        PassedOn(unit_code=blocks[i].unit_code, payload=encode_rows(blocks[i], slice(None)), readings=len(blocks[i]))
        for i in result.elsewhere
    ]
    batch.computed_s = time.perf_counter() - began
    return batch


def tick(state: PartitionState, stored: StoredLedger, *, at: int, now_us: int) -> Batch:
    """What the clock alone decides: silence, and hours that never filled."""
    return _batch(at, at, close_hours(state, now_us=now_us), state, stored)


def poison(record: Record, error: BaseException, *, start: int, end: int) -> Batch:
    """Reject one message that breaks a step, with the traceback as what came."""
    text = "".join(traceback.format_exception(error))[-_TRACEBACK_CHARS:]
    fault = Fault(0, -1, RejectReason.MALFORMED, "a message that the steps can take", text, record.value or b"")
    nothing = np.empty(0, READING)
    return Batch(start, end, nothing, nothing, [], np.empty(0, HOUR_ROW), [], fault_rows([fault], [record]))
