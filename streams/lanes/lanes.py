"""The lanes of one worker: begun when a partition is assigned, begun again when one broke, ended when it goes away."""

import asyncio
import logging
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from faust.types import TP

from analytics.domain.errors import MeterwardenError
from streams.lanes.lane import Lane, TopicReplaced
from streams.lanes.workshop import Workshop
from streams.ports import FenceLost
from streams.rows.layout import Assigned, Snapshot, StoredLedger, TopicPartition
from streams.steps.state import PartitionState

__all__ = ["Lanes"]

log = logging.getLogger("metering.lanes")

_LONGEST_PAUSE_S = 30.0
_FORGIVEN_S = 120.0
"""After this long without breaking, a partition counts as sound again. [s]"""
_LATE_S = 0.5
"""A reading that waits so much longer than it has to is late. [s]"""
_STARTING_S = 60.0
"""Longest time for which a partition without its state counts as starting. [s]"""


class Lanes:
    """All lanes of a worker.

    Parameters
    ----------
    shop : Workshop
        What they share.
    """

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._lanes: dict[TP, Lane] = {}
        self._tasks: dict[TP, asyncio.Task[None]] = {}
        self._failures: dict[TP, int] = {}
        self._broke_at: dict[TP, float] = {}
        self._opened_at: dict[TP, float] = {}
        self._closing = False

    # -- what the consumer asks and gives --------------------------------------------------------------------------

    async def position_of(self, tp: TP) -> int:
        """Take a partition over and bring its state back; where to begin reading. Waits as long as it takes."""
        self._opened_at.setdefault(tp, time.monotonic())
        await self._end(tp)
        await self._pause(tp)
        topic_id = await self._shop.guard.topic_id(after=time.monotonic())
        partition = TopicPartition(tp.topic, topic_id, tp.partition)
        assigned = await self._shop.patiently(lambda: self._shop.store.assign(partition), "assign a partition")
        stored, state, at = await self._state_of(tp, assigned)
        if self._closing:
            raise asyncio.CancelledError
        lane = Lane(tp, self._shop, assigned=assigned, state=state, stored=stored, at=at)
        self._lanes[tp] = lane
        self._tasks[tp] = asyncio.ensure_future(self._run(lane))
        self._opened_at.pop(tp, None)
        return at

    def offer(self, event: Any) -> None:
        """Take a fetched run in; never waits, never raises."""
        lane = self._lanes.get(event.message.tp)
        if lane is not None and not lane.offer(event):
            log.error("partition %d: a run does not follow the one before it", event.message.partition)
            self._shop.reader.reposition(event.message.tp)

    async def revoked(self, tps: Iterable[TP]) -> None:
        """Finish what was computed and leave the state behind, before Kafka gives the partitions to somebody else."""
        tps = list(tps)
        for tp in tps:
            self._opened_at.pop(tp, None)
        await asyncio.gather(*(self._end(tp) for tp in tps))

    async def close(self) -> None:
        """End all lanes."""
        self._closing = True
        await self.revoked(list(self._lanes))

    @property
    def running(self) -> int:
        """Lanes that run now."""
        return len(self._lanes)

    def ledgers(self) -> list[StoredLedger]:
        """The ledger of each partition this worker has now."""
        return [lane.stored for lane in self._lanes.values()]

    def behind(self) -> bool:
        """Whether readings of some partition pile up."""
        return any(lane.behind for lane in self._lanes.values())

    @property
    def starting(self) -> bool:
        """Whether partitions that were assigned do not have their state yet."""
        return any(time.monotonic() - at < _STARTING_S for at in self._opened_at.values())

    def late(self) -> bool:
        """Whether some reading has waited longer than it should."""
        waiting = [lane.waiting_since for lane in self._lanes.values()]
        since = min((since for since in waiting if since is not None), default=None)
        limit_s = self._shop.config.collect_s + _LATE_S
        return self.behind() or (since is not None and time.monotonic() - since > limit_s)

    # -- their life ------------------------------------------------------------------------------------------------

    async def _state_of(self, tp: TP, assigned: Assigned) -> tuple[StoredLedger, PartitionState, int]:
        snapshot = assigned.snapshot
        if snapshot is None:
            version = await self._shop.newest_ledger()
            stored = await self._shop.ledger(version, tp.partition)
            state = self._empty(stored, tp.partition)
            await self._first_snapshot(assigned, version, state)
            return stored, state, 0
        stored = await self._shop.ledger(snapshot.ledger_version, tp.partition)
        state = await self._shop.in_thread(
            PartitionState.from_bytes,
            snapshot.state,
            stored.ledger,
            partition=tp.partition,
            partitions=self._shop.partitions,
            rules=self._shop.rules,
        )
        return stored, state, snapshot.next_offset

    def _empty(self, stored: StoredLedger, partition: int) -> PartitionState:
        shop = self._shop
        return PartitionState.empty(stored.ledger, partition=partition, partitions=shop.partitions, rules=shop.rules)

    async def _first_snapshot(self, assigned: Assigned, version: int, state: PartitionState) -> None:
        """Say under which ledger the partition begins, so that a replay knows it."""
        if assigned.next_offset != 0:
            raise MeterwardenError(f"{assigned.partition}: a fence at {assigned.next_offset} must have a snapshot")
        snapshot = Snapshot(next_offset=0, ledger_version=version, state=state.to_bytes())

        async def once() -> None:
            async with self._shop.store.transaction(assigned, at=0) as tx:
                await tx.save_snapshot(snapshot)

        await self._shop.patiently(once, "take the first snapshot")

    async def _run(self, lane: Lane) -> None:
        tp = lane.tp
        try:
            await lane.run()
        except asyncio.CancelledError:
            raise
        except (FenceLost, TopicReplaced) as error:
            self._shop.metrics.fence_lost.inc()
            log.warning("partition %d begins again: %s", tp.partition, error)
        except Exception:
            suspect = max(lane.read, lane.at)
            self._shop.suspects[tp.partition] = max(suspect, self._shop.suspects.get(tp.partition, 0))
            self._note_failure(tp)
            log.exception("partition %d broke below %d, is taken again carefully", tp.partition, suspect)
        else:
            return
        if self._lanes.get(tp) is lane and not self._closing:
            self._shop.reader.reposition(tp)

    def _note_failure(self, tp: TP) -> None:
        now = time.monotonic()
        again = now - self._broke_at.get(tp, -_FORGIVEN_S) < _FORGIVEN_S
        self._failures[tp] = self._failures.get(tp, 0) + 1 if again else 1
        self._broke_at[tp] = now

    async def _pause(self, tp: TP) -> None:
        """Not at once again what broke again and again."""
        failures = self._failures.get(tp, 0)
        if failures > 1:
            await asyncio.sleep(min(0.5 * 2**failures, _LONGEST_PAUSE_S))

    async def _end(self, tp: TP) -> None:
        lane, task = self._lanes.pop(tp, None), self._tasks.pop(tp, None)
        if lane is None or task is None:
            return
        lane.stop()
        await asyncio.wait({task}, timeout=2 * self._shop.config.session_s)
        if not task.done():
            log.warning("partition %d is left in the middle: the database does not answer", tp.partition)
            task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task
        self._shop.metrics.forget(tp.partition)
