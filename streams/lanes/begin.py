"""Start of a partition after its assignment: which state, at which offset, whatever happened to its log.

===================================================  ============================  ==========================
what is found                                        state                         read from
===================================================  ============================  ==========================
a snapshot, and the log holds all since              the snapshot, replayed        the snapshot's offset
a snapshot, but Kafka dropped what was to be         the snapshot, and what is     the fence
replayed                                             stored since
the log is shorter than the fence, or another        the same                      where the two part
the topic was made anew                              what the former incarnation   0
                                                     left, and what is stored
                                                     since
no snapshot, but readings                            all stored readings           the fence
nothing                                              empty                         0
===================================================  ============================  ==========================
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from faust.types import TP

from streams.lanes.log import Log, compare
from streams.lanes.marks import Marks, from_bytes
from streams.lanes.restore import bring_up, of_left, open_snapshot
from streams.lanes.workshop import Workshop
from streams.rows.layout import (
    Assigned,
    Doing,
    Incident,
    IncidentKind,
    Left,
    Snapshot,
    StoredLedger,
)
from streams.steps.state import PartitionState

__all__ = ["Begun", "begin"]

log = logging.getLogger("metering.lanes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Starting point of a partition.

    Attributes
    ----------
    assigned : Assigned
        With the fence as it is now.
    at : int
        Offset to read from, at which `state` is.
    epoch : int or None
        Under which leader the batch there was written, where that is known.
    """

    assigned: Assigned
    stored: StoredLedger
    state: PartitionState
    at: int
    epoch: int | None


async def begin(shop: Workshop, tp: TP, assigned: Assigned) -> Begun:
    """Take a partition up; what was found of its log is stored with the fence, once.

    Raises whatever the broker's client raises while it cannot be asked, and `FenceLost`.
    """
    marks = from_bytes(assigned.marks)
    found = await compare(shop.reader, tp, fence=assigned.next_offset, marks=marks)
    snapshot = assigned.snapshot
    if snapshot is None:
        return await _without_snapshot(shop, assigned, found)
    own = Left(partition=assigned.partition, partitions=assigned.partitions, snapshot=snapshot)
    stored, state = await open_snapshot(shop, own)
    if found.parting is None and found.first <= snapshot.next_offset:
        epoch = found.epoch if snapshot.next_offset == assigned.next_offset else None
        return Begun(assigned=assigned, stored=stored, state=state, at=snapshot.next_offset, epoch=epoch)
    if found.parting is None and snapshot.next_offset == assigned.next_offset:  # the lane meets the hole and says so
        return Begun(assigned=assigned, stored=stored, state=state, at=snapshot.next_offset, epoch=None)
    await bring_up(shop, state, stored, assigned.partition, _teller(shop, assigned))
    incident = found.incident(assigned.next_offset)
    if incident is None:
        log.warning(
            "partition %d: Kafka no longer has %d to %d, which were stored but not in the state; the state is made of "
            "what is stored", tp.partition, snapshot.next_offset, min(found.first, assigned.next_offset),
        )  # fmt: skip
    return await _settled(shop, assigned, stored, state, found, incident)


async def _without_snapshot(shop: Workshop, assigned: Assigned, found: Log) -> Begun:
    """The first time that this incarnation of the topic is seen, or a state that was lost."""
    number, partitions = assigned.partition.partition, assigned.partitions
    incident = found.incident(assigned.next_offset)
    if assigned.left:
        before = assigned.left[0].partition.topic_id
        stored, state = await of_left(shop, assigned.left, number, partitions, _teller(shop, assigned))
        stands = max(one.snapshot.next_offset for one in assigned.left)
        detail = (
            f"topic {assigned.partition.topic} was made anew; its former incarnation {before} was stored to {stands}"
        )
        incident = Incident(kind=IncidentKind.TOPIC_ANEW, from_offset=0, to_offset=0, detail=detail)
    else:
        stored = await shop.ledger(await shop.newest_ledger(), number, partitions)
        state = PartitionState.empty(stored.ledger, partition=number, partitions=partitions, rules=shop.rules)
        if assigned.next_offset:
            log.warning("partition %d: its state is lost, and made of all stored readings", number)
            await bring_up(shop, state, stored, None, _teller(shop, assigned))
    return await _settled(shop, assigned, stored, state, found, incident)


async def _settled(
    shop: Workshop,
    assigned: Assigned,
    stored: StoredLedger,
    state: PartitionState,
    found: Log,
    incident: Incident | None,
) -> Begun:
    """Store a state that was made anew, with the fence where it goes on, and what happened."""
    parting = found.parting
    at = assigned.next_offset if parting is None else parting.to
    until, before_us, marks = _rereading(assigned, found)
    kept = await shop.in_thread(state.to_bytes)

    async def once() -> None:
        async with shop.store.transaction(assigned, at=assigned.next_offset) as tx:
            if parting is not None:
                await tx.rewind(at, marks.tobytes(), until=until, before_us=before_us)
            if incident is not None:
                await tx.note(incident)
            await tx.save_snapshot(Snapshot(next_offset=at, ledger_version=stored.version, state=kept))

    await shop.patiently(once, "store a state that was made anew")
    if incident is not None:
        shop.metrics.incidents.labels(incident.kind.value).inc()
        log.error("partition %d: %s", assigned.partition.partition, incident.detail)
    now = Assigned(
        partition=assigned.partition,
        epoch=assigned.epoch,
        next_offset=at,
        snapshot=None,
        partitions=assigned.partitions,
        former=assigned.former,
        marks=marks.tobytes(),
        reread_until=until,
        reread_before_us=before_us,
    )
    return Begun(assigned=now, stored=stored, state=state, at=at, epoch=found.epoch)


def _rereading(assigned: Assigned, found: Log) -> tuple[int, int, Marks]:
    """Bounds on records that may be stored already (offset below, and not newer), and the marks still valid."""
    if found.parting is None:
        return assigned.reread_until, assigned.reread_before_us, from_bytes(assigned.marks)
    parting = found.parting
    until = max(parting.until, assigned.reread_until)
    return until, max(parting.before_us, assigned.reread_before_us), parting.marks


def _teller(shop: Workshop, assigned: Assigned) -> Callable[[str], None]:
    def report(text: str) -> None:
        shop.progress.tell(assigned.partition, Doing.RESTORING, text, fence=assigned.next_offset)

    return report
