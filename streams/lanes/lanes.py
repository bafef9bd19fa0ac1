"""The lanes of one worker: begun when a partition is assigned, begun again when one broke, ended when it goes away."""

import asyncio
import logging
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from faust.types import TP

from streams.lanes.begin import Begun, begin
from streams.lanes.lane import Lane, LogChanged, TopicReplaced
from streams.lanes.workshop import Workshop
from streams.ports import FenceLost
from streams.rows.layout import Assigned, Doing, StoredLedger, TopicPartition
from streams.source.fetch import Position

__all__ = ["Lanes"]

log = logging.getLogger("metering.lanes")

_LONGEST_PAUSE_S = 30.0
_FORGIVEN_S = 120.0
"""After this long without breaking, a partition counts as sound again. [s]"""
_FREE, _REMEMBERED = 6, 12
"""A partition may restart without delay this many times within this time: workers join, leave and freeze."""
_REFUSED_S = 3.0
"""Interval of checks whether the units were redistributed. [s]"""
_REFUSED_TOLD_S = 60.0
_LATE_S = 0.5
"""A reading that waits so much longer than it has to is late. [s]"""
_SELDOM = 8.0
"""Times as long at most as a single worker waits, for one that has few partitions."""
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
        self._begun_at: dict[TP, list[float]] = {}
        self._opened_at: dict[TP, float] = {}
        self._refused_at = -_REFUSED_TOLD_S
        self._closing = False

    # -- what the consumer asks and gives --------------------------------------------------------------------------

    async def position_of(self, tp: TP) -> Position:
        """Take a partition over and bring its state back; where to begin reading. Waits as long as it takes."""
        self._opened_at.setdefault(tp, time.monotonic())
        await self._end(tp)  # its last report stays: it is taken up again
        await self._pause(tp)
        begun = await self._begin(tp)
        if self._closing:
            raise asyncio.CancelledError
        lane = Lane(tp, self._shop, begun)
        self._lanes[tp] = lane
        self._tasks[tp] = asyncio.ensure_future(self._run(lane))
        self._opened_at.pop(tp, None)
        return Position(begun.at, begun.epoch)

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
        for tp in tps:
            self._shop.progress.forget(tp)

    async def close(self) -> None:
        """End all lanes."""
        self._closing = True
        await self.revoked(list(self._lanes))

    def partitions(self) -> int:
        """Over how many partitions the units are spread, 0 while no lane runs."""
        return next((lane.partitions for lane in self._lanes.values()), 0)

    def first(self) -> bool:
        """Whether the first partition is this worker's: of what one worker does for all, it is the one."""
        return any(tp.partition == 0 for tp in self._lanes)

    def share(self, every_s: float) -> float:
        """How long this worker waits between two rounds of what any worker may do for all. [s]

        The longer, the fewer partitions it has: all workers together look as often as a single one would.
        """
        mine = len(self._lanes)
        return every_s * (min(self.partitions() / mine, _SELDOM) if mine else 1.0)  # none yet: it has just begun

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

    async def _begin(self, tp: TP) -> Begun:
        """Where and with which state a partition begins, once units and partitions agree."""
        while True:
            facts = await self._shop.guard.topic(after=time.monotonic())
            partition = TopicPartition(tp.topic, facts.topic_id, tp.partition)
            take = partial(self._shop.store.assign, partition, partitions=facts.partitions)
            assigned = await self._shop.patiently(take, "assign a partition")
            if assigned.partitions == facts.partitions:
                return await begin(self._shop, tp, assigned)
            await self._refuse(assigned, facts.partitions)

    async def _refuse(self, assigned: Assigned, partitions: int) -> None:
        """Report that the units are spread over another number of partitions than Kafka has, and look again later."""
        detail = (
            f"topic {assigned.partition.topic} has {partitions} partitions, but its units are spread over "
            f"{assigned.partitions}: run `meterwarden partitions {partitions}` to move them; readings wait in Kafka"
        )
        self._shop.progress.tell(assigned.partition, Doing.REFUSED, detail, fence=assigned.next_offset)
        if time.monotonic() - self._refused_at > _REFUSED_TOLD_S:
            self._refused_at = time.monotonic()
            log.error(detail)
        await asyncio.sleep(_REFUSED_S)

    async def _run(self, lane: Lane) -> None:
        tp = lane.tp
        try:
            await lane.run()
        except asyncio.CancelledError:
            raise
        except (FenceLost, TopicReplaced, LogChanged) as error:
            self._shop.metrics.fence_lost.inc()
            self._note_failure(lane, error)
            log.warning("partition %d begins again: %s", tp.partition, error)
        except Exception as error:
            suspect = max(lane.read, lane.at)
            self._shop.suspects[tp.partition] = max(suspect, self._shop.suspects.get(tp.partition, 0))
            self._note_failure(lane, error)
            log.exception("partition %d broke below %d, is taken again carefully", tp.partition, suspect)
        else:
            return
        if self._lanes.get(tp) is lane and not self._closing:
            self._shop.reader.reposition(tp)

    def _note_failure(self, lane: Lane, error: Exception) -> None:
        tp, now = lane.tp, time.monotonic()
        again = now - self._broke_at.get(tp, -_FORGIVEN_S) < _FORGIVEN_S
        self._failures[tp] = self._failures.get(tp, 0) + 1 if again else 1
        self._broke_at[tp] = now
        times = f"broke {self._failures[tp]} times in a row" if self._failures[tp] > 1 else "broke"
        detail = f"{times} and begins again: {type(error).__name__}: {error}"
        self._shop.progress.tell(lane.partition, Doing.WAITING, detail, fence=lane.fence)

    async def _pause(self, tp: TP) -> None:
        """Delay before a partition that failed repeatedly is restarted."""
        now = time.monotonic()
        begun = [at for at in self._begun_at.get(tp, ()) if now - at < _FORGIVEN_S]
        self._begun_at[tp] = [*begun, now][-_REMEMBERED:]
        again = max(self._failures.get(tp, 0), len(begun) - _FREE)
        if again > 1:
            await asyncio.sleep(min(0.5 * 2**again, _LONGEST_PAUSE_S))

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
