"""The past worked out anew inside a partition's transaction: late readings, a corrected ledger."""

from collections.abc import Callable, Coroutine, Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.columns.register import REGISTER_KINDS
from analytics.domain.quality import RejectReason
from streams.lanes.batch import Batch
from streams.ports import PartitionTransaction, StoredWindows
from streams.rows.layout import Hours, Int32s, Readings, RejectedRow, StoredLedger
from streams.rows.of_results import detection_rows, dirty_spans, hour_rows, reading_rows, refusal_rows
from streams.steps.recompute import HISTORY, Recomputed, Windows
from streams.steps.refusals import refusals_of
from streams.steps.state import PartitionState

__all__ = ["history_rows", "superseded", "work_out", "write_late", "write_late_further", "write_past"]

InThread = Callable[..., Coroutine[Any, Any, Any]]

_EARLIEST_US = -62_135_596_800_000_000  # year 1
_LATEST_US = 253_402_300_800_000_000  # year 10000


def history_rows(rows: Readings, meter: NDArray[np.int32], register_ids: NDArray[np.int32]) -> NDArray[Any]:
    """Stored readings as the pure core takes them.

    Parameters
    ----------
    rows : (n,) READING_ROW
    meter, register_ids : (k,) int32
        Meters that were asked for, and their main registers.
    """
    order = np.argsort(register_ids, kind="stable")
    place = np.searchsorted(register_ids[order], rows["register_id"])
    out = np.empty(len(rows), HISTORY)
    for name in ("measured_at", "received_at", "value", "unit", "quality"):
        out[name] = rows[name]
    out["meter"] = meter[order[place]]
    return out


async def work_out(
    job: Generator[Windows, NDArray[Any], Recomputed],
    source: StoredWindows,
    stored: StoredLedger,
    in_thread: InThread,
) -> Recomputed:
    """Feed a recomputation with the stored readings that it asks for."""
    windows, done = await in_thread(_advance, job, None)
    while done is None:
        ids = stored.register_ids[windows.meter]
        known = ids > 0
        rows = await source.readings_of(
            ids[known],
            windows.from_us[known].clip(_EARLIEST_US, _LATEST_US),
            windows.to_us[known].clip(_EARLIEST_US, _LATEST_US),
        )
        history = history_rows(rows, windows.meter[known], ids[known])
        windows, done = await in_thread(_advance, job, history)
    return done  # type: ignore[no-any-return]  # through the thread


def _advance(
    job: Generator[Windows, NDArray[Any], Recomputed], rows: NDArray[Any] | None
) -> tuple[Windows | None, Recomputed | None]:
    try:
        return (next(job) if rows is None else job.send(rows)), None
    except StopIteration as end:
        return None, end.value


async def write_late(
    tx: PartitionTransaction, batch: Batch, done: Recomputed, state: PartitionState, stored: StoredLedger
) -> list[RejectedRow]:
    """Store late readings and what they change; gives those that history refuses, not yet written."""
    if len(done.accepted):
        ids = stored.register_ids[done.accepted["meter"]]
        await tx.write_readings(reading_rows(done.accepted, ids))
    refusals = []
    for rows, reason in ((done.duplicates, RejectReason.DUPLICATE), (done.conflicts, RejectReason.CONFLICT)):
        if len(rows):
            refusals += refusals_of(state, batch.blocks, reason, rows["block"], rows["row"])
    await write_past(tx, done, stored)
    return refusal_rows(refusals, batch.blocks, batch.records)


async def write_late_further(
    tx: PartitionTransaction, batch: Batch, register_ids: Int32s, state: PartitionState
) -> tuple[int, list[RejectedRow]]:
    """Store late readings of further registers; how many, and those that are stored already, not yet written.

    Parameters
    ----------
    register_ids : (f,) int32
        Of `batch.late_further`.
    """
    late = batch.late_further
    stored = await tx.readings_of(register_ids, late["measured_at"], late["measured_at"] + 1)
    known = dict(zip(_times(stored["register_id"], stored["measured_at"]), stored["value"].tolist(), strict=True))
    reason = np.zeros(len(late), np.uint8)
    for i, key in enumerate(_times(register_ids, late["measured_at"])):
        value = float(late["value"][i])
        if key in known:
            reason[i] = RejectReason.DUPLICATE if known[key] == value else RejectReason.CONFLICT
        else:
            known[key] = value
    fresh = reason == 0
    if fresh.any():
        await tx.write_readings(reading_rows(late[fresh], register_ids[fresh]))
    refusals = []
    for one in (RejectReason.DUPLICATE, RejectReason.CONFLICT):
        rows = late[reason == one]
        if len(rows):
            refusals += refusals_of(state, batch.blocks, one, rows["block"], rows["row"])
    return int(fresh.sum()), refusal_rows(refusals, batch.blocks, batch.records)


def _times(register_ids: Int32s, at_us: NDArray[np.int64]) -> list[tuple[int, int]]:
    return list(zip(register_ids.tolist(), at_us.tolist(), strict=True))


def superseded(hours: Hours, done: Recomputed, stored: StoredLedger) -> NDArray[np.bool_]:
    """Hours of a batch that a recomputation in the same transaction replaces.

    Parameters
    ----------
    hours : (n,) HOUR_ROW
    """
    point_ids = stored.point_ids[done.point]
    order = np.argsort(point_ids)
    place = np.searchsorted(point_ids[order], hours["point_id"]).clip(0, len(order) - 1)
    mine = order[place]
    better: NDArray[np.bool_] = (point_ids[mine] == hours["point_id"]) & (hours["hour"] >= done.from_hour[mine])
    return better


async def write_past(tx: PartitionTransaction, done: Recomputed, stored: StoredLedger) -> None:
    """Replace hours and detections of points by those of a recomputation."""
    point_ids = stored.point_ids[done.point]
    before = await tx.read_hours(point_ids, done.from_hour, done.to_hour)
    hours = hour_rows(done.hours, stored)
    gone = before[~np.isin(_keys(before), _keys(hours))]
    if len(gone):
        await tx.remove_hours(np.ascontiguousarray(gone["point_id"]), np.ascontiguousarray(gone["hour"]))
        await tx.mark_dirty(*dirty_spans(gone))
    if len(hours):
        await tx.write_hours(hours)
        await tx.mark_dirty(*dirty_spans(hours))
    await tx.replace_detections(
        detection_rows(done.events, stored),
        point_ids,
        done.from_us.clip(_EARLIEST_US, _LATEST_US),
        done.points["seen_at"].clip(_EARLIEST_US, _LATEST_US),
        REGISTER_KINDS,
    )


def _keys(hours: Hours) -> NDArray[np.int64]:
    return (hours["point_id"].astype(np.int64) << 32) | (hours["hour"] & 0xFFFFFFFF)
