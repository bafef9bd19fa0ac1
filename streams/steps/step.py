"""Pure steps: blocks in, rows out. No I/O and no clock; the caller owns the state and gives the time.

`step` takes a batch of blocks through screening and the registers. `close_hours` finds what only the clock can show.
Readings that come late are stored like the others, and their points' hours are worked out anew from history by
`streams.steps.recompute`. The same steps run on a stream, on files and in a notebook.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.columns.register import (
    ACCEPTED,
    CONFLICT,
    EVENT_ROW,
    HOUR_ROW,
    LATE,
    advance,
    close,
)
from analytics.columns.screening import screen
from analytics.domain.quality import ReadingFlag, RejectReason
from analytics.health.arrival import HABIT_ROW, arrive, usual_wait_us
from analytics.health.habit import newest_habits
from analytics.health.redundancy import SIGHT_ROW
from ingest.wire import Block, partition_of
from streams.rows._rows_kernel import apart, gather
from streams.rows.layout import MAIN_REGISTER, READING, Refusal
from streams.steps.further import FurtherRead, own_units, read_further
from streams.steps.refusals import refusals_of
from streams.steps.state import PartitionState

__all__ = ["StepResult", "close_hours", "columns_of", "newest_us", "step"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """Result of a batch; every reading is in exactly one of `readings`, `late`, `late_further` and `refusals`.

    Attributes
    ----------
    readings : (n,) READING
        Accepted, in the order they came.
    late : (k,) READING
        Older than what its point has seen already: `streams.steps.recompute` judges them against history.
    late_further : (f,) READING
        The same of known registers beside the main one, which no hour depends on.
    hours : (h,) analytics.columns.register.HOUR_ROW
        New or changed hours of points; at most one row a point and hour.
    events : (e,) analytics.columns.register.EVENT_ROW
    refusals : list of Refusal
    sights : (s,) analytics.health.redundancy.SIGHT_ROW
        Observability of meters by further registers, where it is published anew.
    habits : (p,) analytics.health.arrival.HABIT_ROW
        How long a jam could hide, of points that a UTC day is over for; at most one row a point.
    elsewhere : list of int
        Blocks of units that had this partition before the topic grew, and have another now.
    """

    readings: NDArray[Any]
    late: NDArray[Any]
    hours: NDArray[Any]
    events: NDArray[Any]
    refusals: list[Refusal]
    late_further: NDArray[Any] = field(default_factory=lambda: np.empty(0, READING))
    sights: NDArray[Any] = field(default_factory=lambda: np.empty(0, SIGHT_ROW))
    habits: NDArray[Any] = field(default_factory=lambda: np.empty(0, HABIT_ROW))
    elsewhere: list[int] = field(default_factory=list)

    @property
    def refused(self) -> int:
        """Number of readings refused."""
        return sum(len(refusal.rows) for refusal in self.refusals)


def _home_reason(state: PartitionState, block: Block) -> RejectReason | None:
    """Reason to reject a whole block as not belonging to this partition, if any."""
    if partition_of(block.unit_code, state.partitions) != state.partition:
        return RejectReason.WRONG_PARTITION
    if block.unit_code not in state.ledger.unit_index:
        return RejectReason.UNKNOWN_UNIT_CODE
    return None


def _at_home(state: PartitionState, blocks: Sequence[Block]) -> tuple[list[int], list[Refusal], list[int]]:
    """Blocks that belong here, the others refused, and those that belonged here before the topic grew."""
    refusals: list[Refusal] = []
    taken, elsewhere = [], []
    for i, block in enumerate(blocks):
        reason = _home_reason(state, block)
        if reason is None:
            taken.append(i)
        elif reason is RejectReason.WRONG_PARTITION and _was_at_home(state, block):
            elsewhere.append(i)
        elif len(block):
            refusals += refusals_of(state, blocks, reason, np.full(len(block), i), np.arange(len(block)))
    return taken, refusals, elsewhere


def _was_at_home(state: PartitionState, block: Block) -> bool:
    return state.former is not None and partition_of(block.unit_code, state.former) == state.partition


def _columns(state: PartitionState, blocks: Sequence[Block], taken: Sequence[int]) -> NDArray[Any]:
    """The readings of some blocks, one below the other; `meter` -1 where the ledger has none."""
    some = [blocks[i] for i in taken]
    counts = np.array([len(block) for block in some], np.int64)
    out = np.empty(int(counts.sum()), READING)
    if not some:
        return out
    columns = _Given(
        np.concatenate([block.measured_at for block in some]),
        np.concatenate([block.received_at for block in some]),
        np.concatenate([block.value for block in some]),
        np.concatenate([block.quality for block in some]),
        np.concatenate([block.meter for block in some], dtype=np.int32),
        np.concatenate([block.unit for block in some]),
    )
    found = [state.meters_of(block.unit_code, block.meters) for block in some]
    meters = _Meters(
        np.concatenate([meter for meter, _ in found]),
        np.concatenate([register for _, register in found]),
        _starts([len(meter) for meter, _ in found]),
    )
    codes = [state.unit_codes_of(block.units) for block in some]
    units = _Units(np.concatenate(codes), _starts([len(code) for code in codes]))
    gather(out, np.array(taken, np.int32), counts, columns, meters, units)
    return out


class _Given(NamedTuple):
    """Columns of blocks, one below the other; `meter` and `unit` as numbered by the block."""

    measured_at: NDArray[np.int64]
    received_at: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.int16]
    meter: NDArray[np.int32]
    unit: NDArray[np.uint8]


class _Meters(NamedTuple):
    """What blocks call meters, one block's below the other's; `start` is where each begins."""

    meter: NDArray[np.int32]
    register: NDArray[np.int16]
    start: NDArray[np.int64]


class _Units(NamedTuple):
    """What blocks call units, likewise."""

    code: NDArray[np.int16]
    start: NDArray[np.int64]


def _starts(lengths: Sequence[int]) -> NDArray[np.int64]:
    """Where parts of these lengths begin, one below the other."""
    return np.cumsum([0, *lengths[:-1]], dtype=np.int64)


def columns_of(state: PartitionState, blocks: Sequence[Block]) -> NDArray[Any]:
    """The readings of all blocks, one below the other, (n,) READING; `meter` is -1 where the ledger has none.

    Of units that are not of this partition's ledger, too.
    """
    return _columns(state, blocks, range(len(blocks)))


def _screened(state: PartitionState, rows: NDArray[Any]) -> tuple[NDArray[np.int16] | None, NDArray[np.uint8]]:
    """Which registers readings are of, None where all are main ones, and why they are refused; `rows` are filled in."""
    others = bool((rows["register"] != MAIN_REGISTER).any())
    kind = state.kinds_of(rows["register"]) if others else None
    own_unit = None if kind is None else own_units(kind, rows["unit"])
    return kind, screen(state.ledger, rows, rules=state.rules.screening, own_unit=own_unit)


def _read_further(
    state: PartitionState,
    rows: NDArray[Any],
    kind: NDArray[np.int16] | None,
    reasons: NDArray[np.uint8],
    counts: NDArray[np.bool_],
) -> FurtherRead:
    """Registers beside the main ones, and those main ones that they are held against."""
    return read_further(
        state.further,
        state.ledger,
        state.table,
        state.redundancy_rules,
        state.factors,
        rows=rows,
        kind=np.zeros(len(rows), np.int16) if kind is None else kind,
        reasons=reasons,
        main=counts & (reasons == 0),
    )


def step(state: PartitionState, blocks: Sequence[Block]) -> StepResult:
    """Take a batch of one partition's blocks, in the order they lie on it.

    The state is changed in place; keep `state.copy_points()` where the result may have to be dropped.

    Parameters
    ----------
    state : PartitionState
    blocks : sequence of Block
        Decoded blocks of any units; those that do not belong here are refused.
    """
    taken, refusals, elsewhere = _at_home(state, blocks)
    rows = _columns(state, blocks, taken)
    kind, reasons = _screened(state, rows)
    followed = (reasons == 0) & (rows["register"] == MAIN_REGISTER)
    if not state.counted.all():
        followed[followed] = state.counted[state.ledger.installations.point[rows["installation"][followed]]]
    hours, events, habits = np.empty(0, HOUR_ROW), np.empty(0, EVENT_ROW), np.empty(0, HABIT_ROW)
    late = np.zeros(len(rows), bool)
    counts = np.zeros(len(rows), bool)
    heard = _heard(state, rows, reasons, followed)
    if heard.any():
        columns = _Columns.of(state, rows if heard.all() else rows[heard])
        arrived = arrive(
            state.health,
            state.table,
            state.health_rules,
            **columns.given(),
            received_us=columns.received_us,
            future=~followed[heard],
            factors=state.factors,
        )
        habits = newest_habits(arrived.habits)
        index = np.flatnonzero(heard)
        rows["quality"][index[arrived.astray]] |= np.int16(ReadingFlag.ASTRAY)
        received_us = np.where(arrived.punctual, columns.received_us, columns.at_us)
        sound = followed[heard] & ~arrived.astray
        if not sound.all():
            columns, received_us, index = columns.take(sound), received_us[sound], index[sound]
        advanced = advance(state.points, state.table, **columns.given(), received_us=received_us)
        hours, events = advanced.hours, np.concatenate([advanced.events, arrived.events])
        said = advanced.disposition
        counts[index] = True
        if (said != ACCEPTED).any():
            late[index[said == LATE]] = True
            rows["quality"][late] |= np.int16(ReadingFlag.LATE)
            repeats = (said != ACCEPTED) & (said != LATE)
            reasons[index[repeats]] = np.where(
                said[repeats] == CONFLICT, np.uint8(RejectReason.CONFLICT), np.uint8(RejectReason.DUPLICATE)
            )
    late_further, sights = np.zeros(len(rows), bool), np.empty(0, SIGHT_ROW)
    if kind is not None or len(state.further):
        found = _read_further(state, rows, kind, reasons, counts)
        events, sights, late_further = np.concatenate([events, found.events]), found.sights, found.late
    behind = late | late_further
    if reasons.any():
        for reason in np.unique(reasons[reasons > 0]).tolist():
            bad = rows[reasons == reason]
            refusals += refusals_of(state, blocks, RejectReason(reason), bad["block"], bad["row"])
        sound_rows = rows[(reasons == 0) & ~behind]
    else:
        sound_rows = rows[~behind] if behind.any() else rows
    return StepResult(
        readings=sound_rows,
        late=rows[late],
        hours=hours,
        events=events,
        refusals=refusals,
        late_further=rows[late_further],
        sights=sights,
        habits=habits,
        elsewhere=elsewhere,
    )


class _Columns(NamedTuple):
    """Columns of readings, each by itself, as the compiled core takes them."""

    point: NDArray[np.int32]
    installation: NDArray[np.int32]
    at_us: NDArray[np.int64]
    value: NDArray[np.float64]
    received_us: NDArray[np.int64]

    @classmethod
    def of(cls, state: PartitionState, rows: NDArray[Any]) -> "_Columns":
        n = len(rows)
        columns = cls(
            np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.int64), np.empty(n), np.empty(n, np.int64)
        )
        apart(rows, state.ledger.installations.point, columns)
        return columns

    def take(self, which: NDArray[np.bool_]) -> "_Columns":
        return _Columns(
            self.point[which],
            self.installation[which],
            self.at_us[which],
            self.value[which],
            self.received_us[which],
        )

    def given(self) -> dict[str, Any]:
        """All but when received, which each takes its own way."""
        return {name: column for name, column in self._asdict().items() if name != "received_us"}


def _heard(
    state: PartitionState, rows: NDArray[Any], reasons: NDArray[np.uint8], followed: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Readings passed to the health checks: those followed, and those rejected as future, which concern the clock."""
    future = reasons == RejectReason.FUTURE
    if not future.any():
        return followed
    future &= (rows["installation"] >= 0) & (rows["register"] == MAIN_REGISTER)
    future[future] = state.counted[state.ledger.installations.point[rows["installation"][future]]]
    heard: NDArray[np.bool_] = followed | future
    return heard


def close_hours(state: PartitionState, *, now_us: int, ends_us: int | None = None) -> StepResult:
    """Hours that are over but not filled, and meters fallen silent or taken out for good, by the wall clock.

    Parameters
    ----------
    now_us : int
        [µs since 1970 UTC]
    ends_us : int, optional
        Up to when declared ends are counted; shortly before `now_us`, without it. [µs since 1970 UTC]
    """
    advanced = close(state.points, state.table, now_us=now_us, wait_us=usual_wait_us(state.health), ends_us=ends_us)
    nothing = np.empty(0, READING)
    return StepResult(readings=nothing, late=nothing, hours=advanced.hours, events=advanced.events, refusals=[])


def newest_us(state: PartitionState) -> int:
    """When the newest reading of the partition was measured; 0 before the first. [µs since 1970 UTC]"""
    return max(int(state.points["seen_at"].max(initial=0)), 0)
