"""One partition on its way into the store: fetched records through the step, one transaction after the other.

A lane knows three positions: what was fetched (`read`), what the state has seen (`at`), and what is stored (the fence,
`assigned.next_offset` at first). While a batch is being stored the next one is decoded and computed. Whatever goes
wrong ends the lane, never the worker: `streams.lanes.lanes` begins a new one where the fence stands.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from faust.types import TP

from analytics.domain.errors import MeterwardenError, StoreUnavailable
from ingest.wire import Block, Fault, Names, Records, decode_fetched
from streams.lanes.batch import Batch, compute, poison, tick
from streams.lanes.begin import Begun
from streams.lanes.intake import Intake, Piece
from streams.lanes.marks import mark_of, same
from streams.lanes.restore import LatePoints, changed_of, follow
from streams.lanes.workshop import Workshop, blames_the_rows
from streams.lanes.writer import Writer
from streams.ports import FenceLost
from streams.rows.layout import Doing, Incident, IncidentKind, StoredLedger
from streams.steps.ledger_change import switch
from streams.steps.recompute import Recomputed
from streams.steps.step import columns_of, newest_us
from streams.steps.verdicts import threshold_factors

__all__ = ["Lane", "LogChanged", "TopicReplaced"]

log = logging.getLogger("metering.lane")

Decoded = tuple[list[Block], list[Fault]]

_BEHIND = 1000
"""Records; of the largest blocks some millions of readings, of single readings not yet a second's."""
_POISON_IN_A_ROW = 20
"""This many failing messages in a row point to a bug in the step: rejection stops, and the partition waits."""
_IDLE_S = 60.0
"""A partition that was read to its end and brought nothing for this long counts as quiet for now. [s]"""
_LIVE_US = 900_000_000
"""While records come in whose newest reading is older than this, the past is being caught up with: nobody is silent."""


class TopicReplaced(MeterwardenError):  # noqa: N818 - named after what happened
    """The topic was deleted and made again, or has more partitions; what was fetched may be of either."""


class LogChanged(MeterwardenError):  # noqa: N818 - named after what happened
    """The log holds another record than the one that was stored last."""


class Lane:
    """See the module's docstring.

    Parameters
    ----------
    begun : Begun
        State, and the offset from which it has to be brought up to the fence, computing only.
    """

    def __init__(self, tp: TP, shop: Workshop, begun: Begun) -> None:
        assigned = begun.assigned
        self.tp = tp
        self.shop = shop
        self.partition = assigned.partition
        self.topic_id = assigned.partition.topic_id
        self.partitions = assigned.partitions
        self.state = begun.state
        self.state.former = assigned.former
        self.at = begun.at
        self.read = begun.at
        self._writer = Writer(shop, assigned, begun.stored)
        self._reread_until = assigned.reread_until
        self._reread_before_us = assigned.reread_before_us
        self._moved_at: float | None = None
        self._incident: Incident | None = None
        self.intake = Intake(
            limit=shop.config.partition_bytes,
            throttle=lambda: shop.reader.throttle(tp),
            unthrottle=lambda: shop.reader.unthrottle(tp),
        )
        self._names = Names()
        self._pending: asyncio.Task[None] | None = None
        self._computing_since: float | None = None
        self._storing_since: float | None = None
        self._stopping = False
        self._bytes_a_reading = 40.0
        share = tp.partition / max(self.partitions, 1)
        self._snapshot_at = time.monotonic() - share * shop.config.snapshot_s  # staggered over the partitions
        self._snapshot_readings = 0
        self._tick_at = time.monotonic() + (1 + share) * shop.config.tick_s
        self._taken_at = time.monotonic()
        self._late_points: LatePoints = {}
        self._verdict = 0

    # -- from outside ----------------------------------------------------------------------------------------------

    def offer(self, event: Any) -> bool:
        """Take a fetched run in; False where it does not follow what was fetched before."""
        run = event.value
        if run.start != self.read:
            return False
        self.read = run.end
        self.intake.put(run, event)
        return True

    def stop(self) -> None:
        """Let `run` return once what was computed is stored."""
        self._stopping = True
        self.intake.clear()
        self.intake.wake()

    async def run(self) -> None:
        """Until stopped; raises what ended it otherwise."""
        try:
            await self._replay()
            while not self._stopping:
                await self._one_round()
            await self._settle()
            await self._save()
        finally:
            await self._let_pending_end()

    @property
    def fence(self) -> int:
        """Where the store stands."""
        return self._writer.fence

    @property
    def stored(self) -> StoredLedger:
        """The ledger in use."""
        return self._writer.stored

    @property
    def behind(self) -> bool:
        """Whether many more records wait than one transaction would take."""
        highwater = self.shop.reader.highwater(self.tp)
        return highwater is not None and highwater - self.at > _BEHIND

    @property
    def waiting_since(self) -> float | None:
        """When the oldest reading was fetched that is not stored yet. [s]"""
        stages = (self._storing_since, self._computing_since, self.intake.waiting_since)
        return min((since for since in stages if since is not None), default=None)

    # -- what there is to do ---------------------------------------------------------------------------------------

    async def _one_round(self) -> None:
        await self._use_ledger(self.shop.newest)
        if self.shop.newest_verdict > self._verdict:
            await self._hear_verdicts(self.shop.newest_verdict)
        until = min(self._tick_at, time.monotonic() + self.shop.config.ledger_s)
        piece = await self.intake.piece(
            size=int(self.shop.config.batch_readings * self._bytes_a_reading),
            patience_s=self.shop.config.collect_s,
            until=until,
        )
        if self._pending is not None and self._pending.done():
            await self._settle()  # a store that failed is not left until the next record comes
        if piece is not None and not self._stopping:
            await self._use_ledger(await self.shop.newest_as_of(piece.fetched_at))
            await self._take(piece)
        if time.monotonic() >= self._tick_at and not self._stopping:
            await self._tick()
        self._tell()

    async def _take(self, piece: Piece) -> None:
        await self._look_at_gap(piece)
        if piece.start < self.shop.suspects.get(self.tp.partition, 0):
            await self._take_carefully(piece)
            return
        self._computing_since = piece.waiting_since
        if piece.start < self._reread_until:
            await self._take_again(piece)
            return
        batch = await self._compute(piece, snapshot=self._snapshot_due())
        await self._settle()
        self._computing_since, self._storing_since = None, piece.waiting_since
        self._pending = asyncio.ensure_future(self._store(batch, piece))
        if len(batch.late):
            await self._settle()

    async def _take_again(self, piece: Piece) -> None:
        """Take a piece that may hold what is stored already, because the log was cut: repeats are passed over."""
        await self._settle()
        decoded, repeated = await self._without_stored(piece)
        batch = await self._compute(piece, snapshot=False, decoded=decoded)
        batch.repeated = repeated
        await self._store(batch, piece)
        self.shop.metrics.repeated.inc(repeated)

    async def _without_stored(self, piece: Piece) -> tuple[Decoded, int]:
        """The piece's blocks and faults, without readings of records that were there before and are stored."""
        config = self.shop.config
        blocks, faults = await self.shop.in_thread(
            decode_fetched, piece.records, zone=config.zone, max_bytes=config.max_message_bytes, names=self._names
        )
        rows = columns_of(self.state, blocks)
        times, offsets = piece.records.rows["timestamp_us"], piece.records.rows["offset"]
        message = np.concatenate([block.message for block in blocks]) if blocks else np.empty(0, np.int32)
        old = (offsets[message] < self._reread_until) & (times[message] <= self._reread_before_us)
        asked = np.flatnonzero(old & (rows["meter"] >= 0))
        gone = np.zeros(len(rows), np.bool_)
        if asked.size:
            gone[asked] = await self._writer.stored_of(rows[asked], self.state.register_names)
        left = [
            block.take(~gone[rows["block"] == i]) if gone[rows["block"] == i].any() else block
            for i, block in enumerate(blocks)
        ]
        return ([block for block in left if len(block)], faults), int(gone.sum())

    async def _take_carefully(self, piece: Piece) -> None:
        """Take a piece that broke before; what breaks again is halved until it is one message, which is rejected."""
        await self._settle()
        points = self.state.copy_points()
        try:
            batch = await self._compute(piece, snapshot=False)
            await self._store(batch, piece)
            self.shop.poisoned.pop(self.tp.partition, None)
        except (FenceLost, TopicReplaced, StoreUnavailable):
            raise
        except Exception as error:
            self.state.put_back(points)
            poisoned = self.shop.poisoned.get(self.tp.partition, 0)
            if not len(piece.records) or not blames_the_rows(error) or poisoned >= _POISON_IN_A_ROW:
                raise
            if len(piece.records) > 1:
                for half in piece.split(len(piece.records) // 2):
                    await self._take_carefully(half)
                return
            self.shop.poisoned[self.tp.partition] = poisoned + 1
            log.exception("message %d of partition %d is rejected: it breaks a step", piece.start, self.tp.partition)
            self.shop.metrics.poison.inc()
            self.at = piece.end
            batch = poison(piece.records[0], error, start=piece.start, end=piece.end)
            batch.mark = mark_of(piece.records)
            batch.snapshot = await self.shop.in_thread(self.state.to_bytes)  # a replay must not meet it again
            await self._store(batch, piece)

    async def _compute(self, piece: Piece, *, snapshot: bool, decoded: Decoded | None = None) -> Batch:
        config = self.shop.config
        batch = await self.shop.in_thread(
            compute,
            self.state,
            self._writer.stored,
            piece.records,
            start=piece.start,
            end=piece.end,
            zone=config.zone,
            max_bytes=config.max_message_bytes,
            names=self._names,
            snapshot=snapshot,
            decoded=decoded,
        )
        batch.incident, self._incident = self._incident, None
        self.at = piece.end
        self._taken_at = time.monotonic()
        count = len(batch.readings) + len(batch.late) + len(batch.late_further) + len(batch.rejected)
        self._bytes_a_reading = 0.8 * self._bytes_a_reading + 0.2 * max(piece.size / max(count, 1), 4.0)
        self._snapshot_readings += count
        if batch.snapshot is not None:
            self._snapshot_taken()
        self.shop.metrics.compute.observe(batch.computed_s)
        return batch

    async def _tick(self) -> None:
        self._tick_at = time.monotonic() + self.shop.config.tick_s
        now_us = self._judged_at()
        if now_us is None:
            return
        batch = await self.shop.in_thread(tick, self.state, self._writer.stored, at=self.at, now_us=now_us)
        await self._settle()
        if self._snapshot_due():
            batch.snapshot = await self.shop.in_thread(self.state.to_bytes)
            self._snapshot_taken()
        if not batch.empty:
            await self._store(batch, None)

    def _judged_at(self) -> int | None:
        """The instant by which silence and unfilled hours are judged, if they can be. [us since 1970-01-01 UTC]"""
        now_us = int(self.shop.now() * 1e6)
        highwater = self.shop.reader.highwater(self.tp)
        at_end = highwater is not None and highwater <= self.at
        if at_end and time.monotonic() - self._taken_at > _IDLE_S:
            return now_us
        newest = min(now_us, newest_us(self.state))
        return newest if newest > now_us - _LIVE_US else None

    async def _look_at_gap(self, piece: Piece) -> None:
        """Numbers left out are normal (transaction markers); records that Kafka dropped unread are not."""
        if len(piece.records) and piece.records[0].offset == piece.start:
            return
        first = min(await self.shop.reader.first_offset(self.tp), piece.end)
        if first > piece.start:
            self.shop.metrics.lost_offsets.inc(first - piece.start)
            self.shop.metrics.incidents.labels(IncidentKind.HOLE.value).inc()
            detail = f"Kafka dropped offsets {piece.start} to {first} before they were read"
            log.error("partition %d: %s", self.tp.partition, detail)
            self._incident = Incident(kind=IncidentKind.HOLE, from_offset=piece.start, to_offset=first, detail=detail)

    # -- into the store --------------------------------------------------------------------------------------------

    async def _settle(self) -> None:
        if self._pending is not None:
            pending, self._pending = self._pending, None
            await pending

    async def _let_pending_end(self) -> None:
        if self._pending is not None:
            with suppress(Exception):
                await asyncio.wait({self._pending}, timeout=self.shop.config.session_s)
            self._pending.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._pending

    async def _store(self, batch: Batch, piece: Piece | None) -> None:
        if piece is not None:
            topic = await self.shop.guard.topic(after=piece.fetched_at)
            if topic.topic_id != self.topic_id:
                raise TopicReplaced(f"topic {self.tp.topic} is {topic.topic_id} now, not {self.topic_id}")
            if topic.partitions != self.partitions:
                raise TopicReplaced(
                    f"topic {self.tp.topic} has {topic.partitions} partitions now, not {self.partitions}"
                )
        done = await self._writer.write(batch, self.state)
        if done is not None:
            done.apply(self.state)
        for event in piece.events if piece is not None else ():
            event.ack()
        self._storing_since = None
        self._count(batch, done, piece)

    def _snapshot_due(self) -> bool:
        config = self.shop.config
        overdue = time.monotonic() - self._snapshot_at >= config.snapshot_s and self._snapshot_readings > 0
        return overdue or self._snapshot_readings >= config.snapshot_readings

    def _snapshot_taken(self) -> None:
        self._snapshot_at = time.monotonic()
        self._snapshot_readings = 0

    async def _save(self) -> None:
        """Leave the state behind, so that the next owner need not compute it again."""
        if self._snapshot_readings and self.at == self._writer.fence:
            await self._writer.save(await self.shop.in_thread(self.state.to_bytes))

    # -- up to the fence -------------------------------------------------------------------------------------------

    async def _replay(self) -> None:
        """Bring the state from the snapshot to the fence; nothing is written."""
        began, first = time.monotonic(), self.at
        while self.at < self._writer.fence and not self._stopping:
            piece = await self.intake.piece(
                size=self.shop.config.partition_bytes // 2, patience_s=0.05, until=time.monotonic() + 1.0
            )
            if piece is None:
                continue
            below, rest = piece.below(self._writer.fence)
            if below is not None:
                self._compare(below)
                await self._replay_piece(below)
                for event in below.events:
                    event.ack()
            if rest is not None:
                self.at = self._writer.fence
                await self._settle_replay(began, first)
                await self._use_ledger(await self.shop.newest_as_of(rest.fetched_at))
                await self._take(rest)
                return
        await self._settle_replay(began, first)

    async def _settle_replay(self, began: float, first: int) -> None:
        if self._late_points:
            await self._writer.work_out(self.state, changed_of(self._late_points), write=False)
            self._late_points = {}
        if self._writer.fence > first:
            seconds = time.monotonic() - began
            log.info("partition %d: state from %d to %d in %.1f s", self.tp.partition, first, self.at, seconds)

    async def _replay_piece(self, piece: Piece) -> None:
        points = self.state.copy_points() if piece.start < self.shop.suspects.get(self.tp.partition, 0) else None
        try:
            late = dict(self._late_points)
            await self.shop.in_thread(self._follow, piece.records, late)
            self._late_points = late
        except Exception:
            if points is None:
                raise
            self.state.put_back(points)
            if len(piece.records) > 1:
                for half in piece.split(len(piece.records) // 2):
                    await self._replay_piece(half)
                return
        self.at = piece.end

    def _compare(self, piece: Piece) -> None:
        """See that the record that was stored last is still the one that is replayed."""
        newest = self._writer.marks[-1:]
        if len(newest) and piece.end >= self._writer.fence and len(piece.records):
            last = int(newest["offset"][0])
            if piece.records[0].offset <= last and not same(newest[0], piece.records):
                raise LogChanged(f"the log holds another record at {last} than the one that is stored")

    def _follow(self, records: Records, late: LatePoints) -> None:
        """Advance the state; notes points that had late readings."""
        config = self.shop.config
        blocks, _ = decode_fetched(records, zone=config.zone, max_bytes=config.max_message_bytes, names=self._names)
        follow(self.state, blocks, late)

    # -- another ledger --------------------------------------------------------------------------------------------

    async def _use_ledger(self, version: int) -> None:
        """See that no older ledger is used."""
        if version > self._writer.stored.version:
            await self._settle()
            await self._change_ledger(version)

    async def _change_ledger(self, version: int) -> None:
        """Go on under a newer ledger: state, the past of points whose facts changed, and a snapshot that says so."""
        stored = await self.shop.ledger(version, self.tp.partition, self.partitions)
        asked = await self._asked_again(stored)
        self.state, changed = await self.shop.in_thread(switch, self.state, stored.ledger, asked)
        self._writer.use(stored)
        self._verdict = 0  # thresholds begin neutral
        if len(changed.point):
            first_us = await self.shop.patiently(self.shop.store.first_reading, "tell the first reading")
            done = 0
            for some in changed.portions(first_us):
                self.shop.progress.tell(
                    self.partition,
                    Doing.RECOMPUTING,
                    f"ledger {version}: the past of {done} of {len(changed.point)} points is worked out anew",
                    fence=self._writer.fence,
                )
                await self._writer.work_out(self.state, some, write=True)
                done += len(some.point)
        await self._writer.save(await self.shop.in_thread(self.state.to_bytes))
        self._snapshot_taken()
        count = len(changed.point)
        log.info("partition %d: ledger %d, the past of %d points worked out anew", self.tp.partition, version, count)

    async def _asked_again(self, stored: StoredLedger) -> Mapping[int, int]:
        """Places of points that a person asked to be worked out again since the ledger in use, and from when."""
        after, ids = self._writer.stored.version, stored.point_ids
        store = self.shop.store
        found = await self.shop.patiently(
            lambda: store.asked_again(after, stored.version, ids), "tell what is to be worked out again"
        )
        order = np.argsort(ids)
        return {int(order[np.searchsorted(ids[order], point)]): since for point, since in found.items()}

    async def _hear_verdicts(self, newest: int) -> None:
        """Let what inspectors found move the thresholds from now on."""
        stored = self._writer.stored
        found = await self.shop.patiently(lambda: self.shop.store.verdicts(stored.unit_ids), "tell the verdicts")
        await self._settle()
        self.state.factors = threshold_factors(stored, found)
        self._verdict = newest

    # -- reports ---------------------------------------------------------------------------------------------------

    def _count(self, batch: Batch, done: Recomputed | None, piece: Piece | None) -> None:
        metrics = self.shop.metrics
        metrics.readings.inc(
            len(batch.readings) + batch.late_accepted + (len(done.accepted) if done is not None else 0)
        )
        metrics.late.inc(len(batch.late) + len(batch.late_further))
        metrics.detections.inc(len(batch.detections))
        for row in batch.rejected + batch.late_rejected:
            metrics.reject(row.reason, row.readings)
        if piece is not None:
            metrics.messages.inc(len(piece.records))
            metrics.follow_fence(self.tp.partition)
            self._moved_at = time.time()
            if self.shop.spans is not None:
                self.shop.spans.stored(
                    self.tp.partition,
                    piece.start,
                    piece.end,
                    readings=len(batch.readings),
                    rejected=sum(row.readings for row in batch.rejected + batch.late_rejected),
                    took_s=time.monotonic() - piece.waiting_since,
                    computed_s=batch.computed_s,
                )

    def _tell(self) -> None:
        metrics, partition = self.shop.metrics, self.tp.partition
        highwater = self.shop.reader.highwater(self.tp)
        if highwater is not None:
            metrics.lag.labels(partition).set(max(highwater - self._writer.fence, 0))
        metrics.ledger_version.labels(partition).set(self._writer.stored.version)
        trouble = self._writer.trouble if self._pending is not None else ""
        self.shop.progress.tell(
            self.partition,
            Doing.WAITING if trouble else Doing.READING,
            trouble,
            fence=self._writer.fence,
            end=highwater,
            moved_at=self._moved_at,
        )
        metrics.follow_ages(partition, snapshot_at=self._snapshot_at, waiting_since=self.waiting_since)
