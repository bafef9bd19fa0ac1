"""Faust that hands an agent whole fetches of a partition instead of one message after the other.

Stock Faust spends four tasks and a wait on every message; here one event carries a `Run`: the records of one fetch of
one partition, in order and without a hole. Beyond speed it changes four habits of Faust 0.15.3 that lose or stall data:

- positions come from the application (`BatchOptions.position_of`), never from Kafka's committed offsets. A partition is
  *held* (not fetched) from its assignment until the application has stated where to begin, however long that takes;
- commits are for people who watch lag: the offset after the last acked run. Failing to commit never stops the worker;
- a partition can be *throttled* while its readings cannot be stored; polling goes on, so the group keeps its member;
- going back in time (a recreated or truncated topic) is noticed and leads to a new position, not to silent skipping.

It leans on private methods, so it refuses any version but those it was written against; `tests/streams/batch_consumer`
guards their sources.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any, ClassVar

import aiokafka
import faust
from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from faust.types.tuples import ack_lock

from analytics.domain.errors import ConfigurationError
from ingest import wire
from streams.patience import Backoff
from streams.source.fetch import BatchConsumerThread, BatchOptions, Fetched, Position, PositionOf, Run

__all__ = ["BatchApp", "BatchConsumer", "BatchOptions", "Position", "PositionOf", "RecordsSchema", "Run"]

log = logging.getLogger("metering.consumer")

FAUST_VERSION = "0.15.3"
AIOKAFKA_VERSION = "0.14."
NOTHING = {TP("", -1)}
"""What to fetch when nothing may be fetched: an empty set would mean everything."""


def _refuse_other_versions(faust_version: str, aiokafka_version: str) -> None:
    if faust_version != FAUST_VERSION or not aiokafka_version.startswith(AIOKAFKA_VERSION):
        raise ConfigurationError(
            f"streams.source.consumer overrides private methods of faust-streaming {FAUST_VERSION} on aiokafka "
            f"{AIOKAFKA_VERSION}x; installed are faust-streaming {faust_version}, aiokafka {aiokafka_version}: "
            "install the locked versions"
        )


_refuse_other_versions(faust.__version__, aiokafka.__version__)


class BatchConsumer(driver.Consumer):
    """Consumer whose events carry a `Run`; see the module's docstring."""

    _thread: BatchConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.options: BatchOptions = self.app.batch_options
        self._done: dict[TP, int] = {}
        self._position: dict[TP, int] = {}
        self._epoch: dict[TP, int | None] = {}
        self._turn: dict[TP, int] = {}
        self._held: set[TP] = set()
        self._throttled: set[TP] = set()
        self._positioning: dict[TP, asyncio.Task[None]] = {}
        self._let_go = asyncio.Event()

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    # -- where to read ---------------------------------------------------------------------------------------------

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Take note that the group has this member."""
        await super().on_partitions_assigned(assigned, generation_id)
        self.app.joined = True

    async def perform_seek(self) -> None:
        """Hold every partition that was assigned and ask the application for its position; returns at once.

        Faust gives this method `broker_request_timeout` seconds and never starts consuming again when it takes longer,
        so a database that is away must not be waited for here.
        """
        assigned = self.assignment()
        if any(tp.topic not in self.options.topics for tp in assigned):
            await super().perform_seek()
        for tp in assigned:
            if tp.topic in self.options.topics:
                self.reposition(tp)

    def reposition(self, tp: TP) -> None:
        """Stop delivering a partition, ask the application where to go on, and go on there."""
        self._hold(tp)
        task = asyncio.ensure_future(self._find_position(tp, self._turn[tp]))
        self._positioning[tp] = task

    def _hold(self, tp: TP) -> None:
        self._turn[tp] = self._turn.get(tp, 0) + 1
        self._held.add(tp)
        self._throttled.discard(tp)  # who throttled it is gone
        self._position.pop(tp, None)
        if (running := self._positioning.pop(tp, None)) is not None:
            running.cancel()

    async def _find_position(self, tp: TP, turn: int) -> None:
        backoff = Backoff(0.5, 10.0)
        while True:
            try:
                offset, epoch = await self.options.position_of(tp)
                break
            except (KafkaError, OSError) as error:
                log.warning(
                    "partition %d of %s is begun as soon as Kafka answers, nothing is lost (now: %r)",
                    tp.partition, tp.topic, error,
                )  # fmt: skip
            except Exception:
                log.exception("partition %d of %s could not be begun, it is tried again", tp.partition, tp.topic)
            await backoff.wait()
        if self._turn.get(tp) != turn or not await self._thread.seek_safely(tp, offset):
            return
        if self._turn.get(tp) != turn:
            return
        self._committed_offset.pop(tp, None)
        self._done.pop(tp, None)
        self._position[tp], self._epoch[tp] = offset, epoch
        # a run that was on its way when the partition was held may have made the lane before this one throttle it
        self._throttled.discard(tp)
        self._held.discard(tp)
        self._let_go.set()
        log.info("reading %s %d from %d", tp.topic, tp.partition, offset)

    async def first_offset(self, tp: TP) -> int:
        """Oldest offset the broker still keeps of a partition."""
        return await self._thread.first_offset(tp)

    async def bounds(self, tp: TP) -> tuple[int, int]:
        """Oldest offset the broker still keeps of a partition, and the one after the last that can be read."""
        return await self._thread.bounds(tp)

    async def at(self, tp: TP, offset: int) -> wire.Fetched | None:
        """Batches from the one on that holds an offset; None where the log does not reach there."""
        return await self._thread.at(tp, offset)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget what goes away, and let the application know before Kafka gives it to somebody else."""
        for tp in revoked:
            self._hold(tp)
            self._held.discard(tp)
            self._done.pop(tp, None)
        try:
            await self.options.on_revoked({tp for tp in revoked if tp.topic in self.options.topics})
        except Exception:
            log.exception("partitions were not left cleanly; the fence keeps them right")
        await super().on_partitions_revoked(revoked)

    # -- how fast to read ------------------------------------------------------------------------------------------

    def throttle(self, tp: TP) -> None:
        """Fetch no more of a partition until `unthrottle`."""
        self._throttled.add(tp)

    def unthrottle(self, tp: TP) -> None:
        """Fetch a throttled partition again."""
        self._throttled.discard(tp)
        self._let_go.set()

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ASYNC109 - Faust's
        """One message a partition and fetch, its value a `Run`."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        wanted = self._get_active_partitions() - self._held - self._throttled
        if not wanted:
            await self._poll_nothing()
            return
        blocked = self._held or self._throttled
        try:
            fetched = await self._getmany(wanted, self.options.poll_s if blocked else timeout)
        except KafkaError as error:
            log.error("fetch failed, trying again: %r", error)  # noqa: TRY400 - the broker's trouble, not a bug
            await asyncio.sleep(1.0)
            return
        generation = self.app.consumer_generation_id
        now = time.monotonic()
        for aiotp, records in (fetched or {}).items():
            tp = driver.TP(aiotp.topic, aiotp.partition)
            if self.should_stop or not self.flow_active or self.app.consumer_generation_id != generation:
                return
            if tp.topic not in self.options.topics:
                for record in records:
                    yield tp, self._to_message(tp, record)
            elif tp not in self._held:
                self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
                run = await self._next_run(tp, records, now)
                if run is not None:
                    self._read_offset[tp] = None  # else Faust drops a run that begins below the last one it saw
                    yield tp, self._run_message(tp, run, generation)

    async def _poll_nothing(self) -> None:
        """Stay a member of the group while nothing may be fetched: aiokafka leaves it when nobody polls."""
        await self._getmany(NOTHING, 0.0)
        self._let_go.clear()
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._let_go.wait(), self.options.poll_s)

    async def _next_run(self, tp: TP, fetched: Fetched, now: float) -> Run | None:
        """The records as the continuation of what was delivered, or None where they are not that.

        A fetch that was under way while the position changed may have been thrown away, and what follows it is not
        what follows the last run; a topic that was recreated begins below; one that was cleaned begins above.
        """
        start = self._position.get(tp)
        if start is None:  # revoked while the fetch was under way
            return None
        if fetched.start != start and not await self._cleaned(tp, start, fetched.start):
            if self._position.get(tp) == start:
                log.warning("%s %d: fetched from %d instead of %d", tp.topic, tp.partition, fetched.start, start)
                self.reposition(tp)
            return None
        before = self._epoch.get(tp)
        if before is not None and fetched.first_epoch not in (before, -1):
            # another leader may have another log: what lies before is compared with what is stored
            log.info("%s %d: another leader since %d, its log is compared", tp.topic, tp.partition, start)
            self.reposition(tp)
            return None
        self._position[tp] = fetched.end
        if fetched.last_epoch >= 0:
            self._epoch[tp] = fetched.last_epoch
        return Run(fetched.records, start, fetched.end, now)

    async def _cleaned(self, tp: TP, wanted: int, got: int) -> bool:
        """Whether Kafka dropped what was wanted, so that `got` is the next there is."""
        return got > wanted and tp not in self._held and await self.first_offset(tp) >= got

    def _run_message(self, tp: TP, run: Run, generation: int) -> ConsumerMessage:
        time_us = int(run.records.rows["timestamp_us"][-1]) if len(run.records) else 0
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            run.end - 1,
            time_us / 1e6,
            0,
            None,
            None,
            run,
            None,
            0,
            0,
            tp,
            generation_id=generation,
        )

    # -- what is done ----------------------------------------------------------------------------------------------

    def ack(self, message: ConsumerMessage) -> bool:
        """Mark a run as stored; runs are acked in order."""
        tp = message.tp
        if tp.topic not in self.options.topics:
            return bool(super().ack(message))
        with ack_lock:
            if message.acked:
                return False
            message.acked = True
            self._unacked_messages.discard(message)
            if message.generation_id == self.app.consumer_generation_id:
                self._done[tp] = max(message.offset + 1, self._done.get(tp, 0))
            return True

    def _new_offset(self, tp: TP) -> int | None:
        if tp.topic not in self.options.topics:
            return super()._new_offset(tp)  # type: ignore[no-any-return]  # untyped base
        return self._done.get(tp)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        yield from list(super()._filter_tps_with_pending_acks(topics))
        for tp in list(self._done):
            if topics is None or tp in topics or tp.topic in topics:
                yield tp

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Offsets between two runs' last ones are no gaps."""
        if tp.topic not in self.options.topics:
            await super()._add_gap(tp, offset_from, offset_to)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing: Faust's watch for stuck streams takes a database that is away for a bug; our metrics show it."""


class ClosedProducer(driver.Producer):
    """Faust's producer, which leaves none of aiokafka's behind where Kafka does not answer when it starts."""

    _producer: aiokafka.AIOKafkaProducer | None

    async def on_start(self) -> None:
        """Connect, or close what could not be connected."""
        try:
            await super().on_start()
        except BaseException:
            producer, self._producer = self._producer, None
            if producer is not None:
                with suppress(Exception):
                    await producer.stop()
            raise


class BatchTransport(driver.Transport):
    """aiokafka with the batch consumer."""

    Consumer: ClassVar[type[BatchConsumer]] = BatchConsumer
    Producer: ClassVar[type[ClosedProducer]] = ClosedProducer


class BatchApp(faust.App):
    """A Faust application whose agents get a `Run` an event."""

    def __init__(self, name: str, *, batch: BatchOptions, **options: Any) -> None:
        self.batch_options = batch
        self.joined = False
        """Whether the group has ever given it its share, which may be none."""
        super().__init__(name, **options)

    def _new_transport(self) -> BatchTransport:
        return BatchTransport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> BatchTransport:
        return BatchTransport(self.conf.broker_producer, self)

    def _create_directories(self) -> None:
        """None: nothing is kept on this machine's disk."""


class RecordsSchema(faust.Schema):
    """Key and value straight through: what a run holds is decoded by the step, many at once."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> Any:  # noqa: ARG002 - Faust's
        """Key as it is."""
        return message.key

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:  # noqa: ARG002 - Faust's
        """Value as it is: the `Run`."""
        return message.value
