"""Storing a partition's results, with retries for as long as the database is away."""

import logging
import time
from typing import Any

import numpy as np

from analytics.domain.errors import StoreUnavailable
from streams.lanes.batch import Batch
from streams.lanes.marks import from_bytes, with_mark
from streams.lanes.past import superseded, work_out, write_late, write_late_further, write_past
from streams.lanes.workshop import Workshop, blames_the_rows
from streams.patience import Backoff
from streams.ports import FenceLost, PartitionTransaction, StoreRejected
from streams.rows.layout import Assigned, RejectedRow, Snapshot, StoredLedger
from streams.rows.of_results import Registers, device_statuses, dirty_spans, reading_rows
from streams.steps.recompute import Changed, Recomputed, recompute, recompute_changed
from streams.steps.state import PartitionState

__all__ = ["Writer"]

log = logging.getLogger("metering.writer")


class Writer:
    """The one who writes for a lane; `fence` is where the store stands.

    Raises `FenceLost` when the partition is another worker's now, `StoreRejected` when it is the rows' fault. While the
    database is away, or set up wrongly, it waits: results are kept and tried again, not computed anew.
    """

    def __init__(self, shop: Workshop, assigned: Assigned, stored: StoredLedger) -> None:
        self._shop = shop
        self._assigned = assigned
        self._partition = assigned.partition.partition
        self.fence = assigned.next_offset
        self.marks = from_bytes(assigned.marks)
        self.trouble = ""
        """Why what was computed cannot be stored now."""
        self.use(stored)

    def use(self, stored: StoredLedger) -> None:
        """Write under another version of the ledger from now on."""
        self.stored = stored
        self._registers = Registers(stored)

    async def write(self, batch: Batch, state: PartitionState) -> Recomputed | None:
        """Store a batch; gives what late readings make of the state's past, not yet applied."""
        backoff = Backoff()
        done: Recomputed | None = None
        while True:
            try:
                async with self._shop.slots:
                    began = time.perf_counter()
                    await self._make_registers(batch)
                    async with self._shop.store.transaction(self._assigned, at=batch.start) as tx:
                        done = await self._transact(tx, batch, state)
                    self._shop.metrics.transaction.observe(time.perf_counter() - began)
                break
            except (StoreUnavailable, StoreRejected) as error:
                if isinstance(error, StoreRejected) and blames_the_rows(error):
                    raise
                self.trouble = f"waits for the database: {error}"
                log.warning("partition %d waits for the database: %s", self._partition, error)
            self._shop.metrics.database_wait.inc(await backoff.wait())
            if await self._stored_already(batch):
                break
        self.fence, self.trouble = batch.end, ""
        self.marks = with_mark(self.marks, batch.mark)
        return done

    async def save(self, state: bytes) -> None:
        """Store the state that belongs to the fence."""

        async def once() -> None:
            async with self._shop.store.transaction(self._assigned, at=self.fence) as tx:
                await tx.save_snapshot(self._snapshot(self.fence, state))

        await self._shop.patiently(once, "take a snapshot")

    async def work_out(self, state: PartitionState, changed: Changed, *, write: bool) -> None:
        """Bring the past of some points up to date, in `state` and, if `write`, in the store."""

        async def once() -> Recomputed:
            job = recompute_changed(state, changed)
            async with self._shop.slots, self._shop.store.transaction(self._assigned, at=self.fence) as tx:
                done = await work_out(job, tx, self.stored, self._shop.in_thread)
                if write:
                    await write_past(tx, done, self.stored)
            return done

        done = await self._shop.patiently(once, "work out the past")
        await self._shop.in_thread(done.apply, state)

    async def stored_of(self, readings: Any, names: list[str]) -> Any:
        """Which readings are stored already, to the last digit, (n,) bool.

        Parameters
        ----------
        readings : (n,) READING
            Of known meters.
        names : list of str
            What `register` points into.
        """

        async def once() -> Any:
            missing = self._registers.missing(readings, names)
            if missing:
                ids = await self._shop.store.ensure_registers([self._registers.name_of(key) for key in missing])
                self._registers.others.update(zip(missing, ids.tolist(), strict=True))
            ids = self._registers.ids(readings, names)
            at = np.ascontiguousarray(readings["measured_at"])
            return ids, await self._shop.store.readings_of(ids, at, at + 1)

        ids, stored = await self._shop.patiently(once, "tell what is stored already")
        fields = ("measured_at", "value", "unit")
        known = set(zip(stored["register_id"].tolist(), *(stored[f].tolist() for f in fields), strict=True))
        asked = zip(ids.tolist(), *(readings[f].tolist() for f in fields), strict=True)
        return np.fromiter((one in known for one in asked), np.bool_, len(readings))

    async def _stored_already(self, batch: Batch) -> bool:
        """Whether a commit whose connection broke had taken effect."""
        if batch.end == batch.start:
            return False
        fence = await self._shop.patiently(lambda: self._shop.store.fence(self._assigned), "tell the fence")
        if fence not in (batch.start, batch.end):
            raise FenceLost(f"partition {self._partition}: the fence is {fence}, a batch is {batch.start}-{batch.end}")
        return fence == batch.end

    async def _make_registers(self, batch: Batch) -> None:
        rows = np.concatenate([batch.readings, batch.late_further]) if len(batch.late_further) else batch.readings
        missing = self._registers.missing(rows, batch.register_names)
        if missing:
            names = [self._registers.name_of(key) for key in missing]
            ids = await self._shop.store.ensure_registers(names)
            self._registers.others.update(zip(missing, ids.tolist(), strict=True))

    async def _transact(self, tx: PartitionTransaction, batch: Batch, state: PartitionState) -> Recomputed | None:
        """Write a batch; all of it is committed with the fence, or nothing.

        1. Readings, and the newest status of devices.
        2. Late readings: what they make of the past is worked out over the stored ones, which step 1 has added to.
        3. Hours, but for those that step 2 says better; the totals over them are marked as stale.
        4. Detections of the batch.
        5. What step 2 made of the past: hours and detections replaced, late readings added, or refused.
        6. Late readings of further registers, on which no hour depends.
        7. Everything refused, in the batch, in step 5 and in step 6.
        8. What of each fault could have been observed.
        9. The fence, and what happened to the log; from here on the batch counts as stored.
        10. The state, where it is due.

        Detections come after the hours of the batch and before those of the past, which replace them.
        """
        if len(batch.readings):
            await self._write_readings(tx, batch)
        done = None
        hours, rejected = batch.hours, batch.rejected
        if len(batch.late):
            done = await work_out(recompute(state, batch.late), tx, self.stored, self._shop.in_thread)
            hours = hours[~superseded(hours, done, self.stored)]
        if len(hours):
            await self._write_hours(tx, hours)
        if batch.detections:
            await tx.write_detections(batch.detections)
        if done is not None:
            batch.late_rejected = await write_late(tx, batch, done, state, self.stored)
            rejected = rejected + batch.late_rejected
        else:
            batch.late_rejected = []
        rejected = rejected + await self._write_late_further(tx, batch, state)
        if rejected:
            await tx.write_rejected(rejected)
        if batch.sights:
            await tx.write_observability(batch.sights)
        await self._move(tx, batch)
        if batch.snapshot is not None:
            await tx.save_snapshot(self._snapshot(batch.end, batch.snapshot))
        return done

    async def _write_readings(self, tx: PartitionTransaction, batch: Batch) -> None:
        ids = self._registers.ids(batch.readings, batch.register_names)
        await tx.write_readings(reading_rows(batch.readings, ids))
        statuses = device_statuses(batch.readings, ids, batch.register_names)
        if statuses:
            await tx.write_device_statuses(statuses)

    async def _move(self, tx: PartitionTransaction, batch: Batch) -> None:
        """What is known of the log: where it is stored to, by what it is known again, and what happened to it."""
        if batch.incident is not None:
            await tx.note(batch.incident)
        if batch.passed_on:
            await tx.pass_on(batch.passed_on)
        if batch.repeated:
            await tx.count_repeated(batch.repeated)
        if batch.end != batch.start:
            await tx.move_fence(batch.end, with_mark(self.marks, batch.mark).tobytes())

    async def _write_late_further(
        self, tx: PartitionTransaction, batch: Batch, state: PartitionState
    ) -> list[RejectedRow]:
        """Store what came late of registers on which no hour depends; gives what is refused of it."""
        if not len(batch.late_further):
            return []
        ids = self._registers.ids(batch.late_further, batch.register_names)
        batch.late_accepted, refused = await write_late_further(tx, batch, ids, state)
        batch.late_rejected = batch.late_rejected + refused
        return refused

    async def _write_hours(self, tx: PartitionTransaction, hours: Any) -> None:
        counts = await tx.write_hours(hours)
        self._shop.metrics.hours.labels("new").inc(counts.inserted)
        self._shop.metrics.hours.labels("revised").inc(counts.revised)
        await tx.mark_dirty(*dirty_spans(hours))

    def _snapshot(self, offset: int, state: bytes) -> Snapshot:
        return Snapshot(next_offset=offset, ledger_version=self.stored.version, state=state)
