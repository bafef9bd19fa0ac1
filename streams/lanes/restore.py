"""State of a partition that the log cannot give back: from what other partitions left, and from stored readings.

The readings that were stored after a snapshot are followed again in the order in which they were stored, as a replay
follows Kafka's. So a state is what it was, whatever became of the log it was made from, and knows what is sent again.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from analytics.domain.units import unit_of
from ingest.wire import Block, MeterList
from streams.lanes.past import work_out
from streams.lanes.workshop import Workshop
from streams.rows.layout import Left, Readings, StoredLedger, StoredReadings, TopicPartition
from streams.steps.ledger_change import switch
from streams.steps.recompute import Changed, recompute_changed
from streams.steps.state import PartitionState
from streams.steps.step import step

__all__ = ["LatePoints", "blocks_of", "bring_up", "follow", "gather", "joined", "of_left", "open_snapshot"]

log = logging.getLogger("metering.restore")

_REGISTER = "\x1f"
_TOLD_S = 5.0

LatePoints = dict[int, int]
"""Points that had late readings, and the earliest of these. [us since 1970-01-01 UTC]"""


def follow(state: PartitionState, blocks: Sequence[Block], late_points: LatePoints) -> None:
    """Advance a state, and note which points had late readings."""
    late = step(state, blocks).late
    points = state.ledger.installations.point[late["installation"]].tolist()
    for point, at in zip(points, late["measured_at"].tolist(), strict=True):
        late_points[point] = min(at, late_points.get(point, at))


def changed_of(late_points: LatePoints) -> Changed:
    """The points that have to be worked out anew."""
    point = np.array(sorted(late_points), np.int32)
    return Changed(point=point, since_us=np.array([late_points[p] for p in point.tolist()], np.int64))


def late_portions(state: PartitionState, late_points: LatePoints) -> list[Changed]:
    """The same in parts whose past fits into memory: a few points of old readings, or many of young ones."""
    some = changed_of(late_points)
    if not len(some.point):
        return []
    newest = int(state.points["seen_at"][some.point].max())
    return replace(some, until_us=newest).portions(int(some.since_us.min()))


def blocks_of(found: StoredReadings, stored: StoredLedger) -> list[Block]:
    """Stored readings as the blocks they came in: one for each unit, order kept."""
    ledger = stored.ledger
    meter_of = {int(one): i for i, one in enumerate(stored.meter_ids.tolist())}
    ids = np.array([one for one, _, _ in found.registers], np.int64)
    owners = np.array([meter_of.get(meter, -1) for _, meter, _ in found.registers], np.int32)
    place = np.searchsorted(ids, found.rows["register_id"])
    meter = owners[place]
    here = meter >= 0
    rows, place, meter = found.rows[here], place[here], meter[here]
    unit = ledger.meter_unit[meter]
    order = np.argsort(unit, kind="stable")
    edges = np.flatnonzero(np.diff(unit[order])) + 1
    parts = np.split(order, edges) if len(order) else []
    names = [name for _, _, name in found.registers]
    return [_block(ledger.unit_codes[unit[part[0]]], rows[part], place[part], owners, names, stored) for part in parts]


def _block(
    code: str,
    rows: Readings,
    place: NDArray[np.intp],
    owners: NDArray[np.int32],
    names: Sequence[str],
    stored: StoredLedger,
) -> Block:
    registers, register = np.unique(place, return_inverse=True)
    meter_nos = stored.ledger.meter_nos
    called = [
        meter_nos[owners[one]] + ("" if names[one] == "main" else _REGISTER + names[one]) for one in registers.tolist()
    ]
    units, unit = np.unique(rows["unit"], return_inverse=True)
    n = len(rows)
    return Block(
        code,
        MeterList.of(called),
        register.astype(np.int32),
        np.ascontiguousarray(rows["measured_at"]),
        np.ascontiguousarray(rows["value"]),
        tuple(unit_of(one).symbol for one in units.tolist()),
        unit.astype(np.uint8),
        np.ascontiguousarray(rows["received_at"]),
        np.ascontiguousarray(rows["quality"]),
        np.zeros(n, np.int32),
        np.arange(n, dtype=np.int32),
    )


async def bring_up(
    shop: Workshop,
    state: PartitionState,
    stored: StoredLedger,
    after: TopicPartition | None,
    report: Callable[[str], None] = lambda _: None,
) -> int:
    """Let a state follow the readings that were stored after a snapshot, or all there are; how many.

    Parameters
    ----------
    after : TopicPartition or None
        Whose snapshot the state is.
    report : callable
        Given the progress now and then.
    """
    late_points: LatePoints = {}
    count, told_at = 0, time.monotonic()
    async with shop.store.stored_since(stored, after) as portions:
        async for portion in portions:
            blocks = await shop.in_thread(blocks_of, portion, stored)
            await shop.in_thread(follow, state, blocks, late_points)
            count += len(portion.rows)
            if time.monotonic() - told_at > _TOLD_S:
                told_at = time.monotonic()
                log.info("partition %d: state from %d stored readings so far", state.partition, count)
                report(f"{count} stored readings followed")
    await _settle(shop, state, stored, late_points)
    return count


async def _settle(shop: Workshop, state: PartitionState, stored: StoredLedger, late_points: LatePoints) -> None:
    """Work out anew the points that had late readings, as many at once as have a bounded past between them."""
    for some in late_portions(state, late_points):
        done = await work_out(recompute_changed(state, some), shop.store, stored, shop.in_thread)
        await shop.in_thread(done.apply, state)
        await asyncio.sleep(0)


async def open_snapshot(shop: Workshop, left: Left) -> tuple[StoredLedger, PartitionState]:
    """The state that a partition left, under the ledger it was taken with."""
    number = left.partition.partition
    stored = await shop.ledger(left.snapshot.ledger_version, number, left.partitions)
    state = await shop.in_thread(
        PartitionState.from_bytes,
        left.snapshot.state,
        stored.ledger,
        partition=number,
        partitions=left.partitions,
        rules=shop.rules,
    )
    return stored, state


async def of_left(
    shop: Workshop,
    left: Sequence[Left],
    partition: int,
    partitions: int,
    report: Callable[[str], None] = lambda _: None,
) -> tuple[StoredLedger, PartitionState]:
    """State of a partition out of what others left, each brought up to what is stored; under their newest ledger."""
    states = []
    for one in left:
        stored, state = await open_snapshot(shop, one)
        await bring_up(shop, state, stored, one.partition, report)
        states.append(state)
    version = max(one.snapshot.ledger_version for one in left)
    stored = await shop.ledger(version, partition, partitions)
    return stored, await shop.in_thread(gather, states, stored, shop, partition, partitions)


def gather(
    states: Sequence[PartitionState], stored: StoredLedger, shop: Workshop, partition: int, partitions: int
) -> PartitionState:
    """State of the units of one partition out of the states of several."""
    made = PartitionState.empty(stored.ledger, partition=partition, partitions=partitions, rules=shop.rules)
    return joined(made, states)


def joined(made: PartitionState, states: Sequence[PartitionState]) -> PartitionState:
    """An empty state filled with the points of its units that other states know."""
    for other in states:
        moved, _ = switch(other, made.ledger)
        known = np.flatnonzero(moved.points["seen_at"] > made.points["seen_at"])
        made.points[known], made.health[known] = moved.points[known], moved.health[known]
        made.further = made.further.with_others(moved.further)
    return made
