"""Faust that hands an agent whole fetches of a partition instead of one message after the other.

Stock Faust spends four tasks and a wait on every message; here one event carries a `Run`: the records of one fetch of
one partition, in order and without a hole. Beyond speed it changes four habits of Faust 0.15.3 that lose or stall data:

- positions come from the application (`BatchOptions.position_of`), never from Kafka's committed offsets. A partition is
  *held* (not fetched) from its assignment until the application has said where to begin, however long that takes;
- commits are for people who watch lag: the offset after the last acked run. Failing to commit never stops the worker;
- a partition can be *throttled* while its readings cannot be stored; polling goes on, so the group keeps its member;
- going back in time (a recreated or truncated topic) is noticed and leads to a new position, not to silent skipping.

It leans on private methods, so it refuses any version but those it was written against; `tests/streams/batch_consumer`
guards their sources.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import aiokafka
import faust
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from faust.types.tuples import ack_lock

from analytics.domain.errors import ConfigurationError

__all__ = ["BatchApp", "BatchConsumer", "BatchOptions", "PositionOf", "Record", "RecordsSchema", "Run"]

log = logging.getLogger("metering.consumer")

FAUST_VERSION = "0.15.3"
AIOKAFKA_VERSION = "0.14."
COMMIT_S = 5.0
"""Longest time that committing may take. [s]"""
NOTHING = {TP("", -1)}
"""What to fetch when nothing may be fetched: an empty set would mean everything."""


def _refuse_other_versions(faust_version: str, aiokafka_version: str) -> None:
    if faust_version != FAUST_VERSION or not aiokafka_version.startswith(AIOKAFKA_VERSION):
        raise ConfigurationError(
            f"streams.batch_consumer overrides private methods of faust-streaming {FAUST_VERSION} on aiokafka "
            f"{AIOKAFKA_VERSION}x; installed are faust-streaming {faust_version}, aiokafka {aiokafka_version}: "
            "install the locked versions"
        )


_refuse_other_versions(faust.__version__, aiokafka.__version__)

PositionOf = Callable[[TP], Awaitable[int]]
"""Where to begin reading a partition that was just assigned; may take as long as the database is away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """What the batch consumer needs to know.

    Attributes
    ----------
    topics : frozenset of str
        Topics delivered as runs; any other stays one message an event.
    position_of : PositionOf
        Asked once for each partition after each assignment, and after `BatchConsumer.reposition`.
    on_revoked : callable
        Awaited for the partitions that go away, before they can be anybody else's.
    fetch_wait_ms : int
        Longest time the broker holds a fetch that finds nothing. A fetch in flight for idle partitions keeps busy ones
        of the same broker waiting, so this bounds latency. [ms]
    fetch_max_bytes : int
        Most bytes of one fetch over all partitions. [byte]
    poll_s : float
        Longest time until a partition that was let go is looked at again. [s]
    """

    topics: frozenset[str]
    position_of: PositionOf
    on_revoked: Callable[[set[TP]], Awaitable[None]]
    fetch_wait_ms: int = 100
    fetch_max_bytes: int = 16 * 2**20
    poll_s: float = 0.1


class Record(Protocol):
    """What is used of a Kafka record."""

    offset: int
    timestamp: int  # ms
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Run:
    """Records of one partition as they came in one fetch.

    Attributes
    ----------
    records : list of Record
        At least one, offsets rising. They may leave numbers out (transaction markers, compaction).
    start : int
        The offset that was asked for: where the run before this one ended.
    end : int
        The offset after the last record.
    fetched_at : float
        `time.monotonic` after the fetch. [s]
    """

    records: list[Record]
    start: int
    end: int
    fetched_at: float


def _as_it_is(_: Any, record: Record) -> Record:
    return record


class _FetchResults(OrderedDict[Any, Any]):
    """aiokafka's fetched data by partition, whose records stay the compiled parser's: 2 us each instead of 6."""

    def __setitem__(self, tp: Any, result: Any) -> None:
        if type(result) is FetchResult and tp.topic in self.topics:
            result._partition_records._consumer_record = _as_it_is  # noqa: SLF001
        super().__setitem__(tp, result)

    topics: frozenset[str] = frozenset()


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread with aiokafka's event loop: fetches that do not hold each other up, commits that may fail."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        options: BatchOptions = self.app.batch_options
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = options.fetch_wait_ms  # noqa: SLF001 - Faust fixes it at 1500
        consumer._fetch_max_bytes = options.fetch_max_bytes  # noqa: SLF001
        return consumer

    async def on_start(self) -> None:
        """Connect to Kafka."""
        await super().on_start()
        results = self._ensure_consumer()._fetcher._records = _FetchResults()  # noqa: SLF001
        results.topics = self.app.batch_options.topics

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        here = self.assignment()
        wanted = {driver.ensure_aiokafka_TP(tp): OffsetAndMetadata(n, "") for tp, n in offsets.items() if tp in here}
        try:
            await asyncio.wait_for(self._ensure_consumer().commit(wanted), COMMIT_S)  # aiokafka itself never gives up
        except (KafkaError, TimeoutError) as error:
            log.warning("offsets not committed (the fence holds the truth): %r", error)
            return False
        now = time.monotonic()
        self.tp_last_committed_at.update(dict.fromkeys(offsets, now))
        return True

    async def seek_safely(self, tp: TP, offset: int) -> bool:
        """Seek in aiokafka's own thread; False where the partition is no longer assigned."""
        future = asyncio.run_coroutine_threadsafe(self._seek_here(tp, offset), self.thread_loop)
        return await asyncio.wrap_future(future)

    async def _seek_here(self, tp: TP, offset: int) -> bool:
        try:
            self._ensure_consumer().seek(driver.ensure_aiokafka_TP(tp), offset)
        except IllegalStateError:
            return False
        return True

    async def first_offset(self, tp: TP) -> int:
        """Oldest offset the broker still keeps of a partition."""
        consumer = self._ensure_consumer()
        aiotp = driver.ensure_aiokafka_TP(tp)
        future = asyncio.run_coroutine_threadsafe(consumer.beginning_offsets([aiotp]), self.thread_loop)
        return int((await asyncio.wrap_future(future))[aiotp])


class BatchConsumer(driver.Consumer):
    """Consumer whose events carry a `Run`; see the module's docstring."""

    _thread: BatchConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.options: BatchOptions = self.app.batch_options
        self._done: dict[TP, int] = {}
        self._position: dict[TP, int] = {}
        self._turn: dict[TP, int] = {}
        self._held: set[TP] = set()
        self._throttled: set[TP] = set()
        self._positioning: dict[TP, asyncio.Task[None]] = {}
        self._let_go = asyncio.Event()

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    # -- where to read ---------------------------------------------------------------------------------------------

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
        self._position.pop(tp, None)
        if (running := self._positioning.pop(tp, None)) is not None:
            running.cancel()

    async def _find_position(self, tp: TP, turn: int) -> None:
        wait_s = 0.5
        while True:
            try:
                offset = await self.options.position_of(tp)
                break
            except Exception:
                log.exception("no position for %s %d, asking again", tp.topic, tp.partition)
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, 10.0)
        if self._turn.get(tp) != turn or not await self._thread.seek_safely(tp, offset):
            return
        if self._turn.get(tp) != turn:
            return
        self._committed_offset.pop(tp, None)
        self._done.pop(tp, None)
        self._position[tp] = offset
        self._held.discard(tp)
        self._let_go.set()
        log.info("reading %s %d from %d", tp.topic, tp.partition, offset)

    async def first_offset(self, tp: TP) -> int:
        """Oldest offset the broker still keeps of a partition."""
        return await self._thread.first_offset(tp)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget what goes away, and let the application know before Kafka gives it to somebody else."""
        for tp in revoked:
            self._hold(tp)
            self._held.discard(tp)
            self._throttled.discard(tp)
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
        turns = {tp: self._turn.get(tp, 0) for tp in wanted}
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
            elif self._turn.get(tp, 0) == turns.get(tp) and tp not in self._held:
                self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
                run = self._next_run(tp, records, now)
                if run is not None:
                    self._read_offset[tp] = None  # else Faust drops a run that begins below the last one it saw
                    yield tp, self._run_message(tp, run, generation)

    async def _poll_nothing(self) -> None:
        """Stay a member of the group while nothing may be fetched: aiokafka leaves it when nobody polls."""
        await self._getmany(NOTHING, 0.0)
        self._let_go.clear()
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._let_go.wait(), self.options.poll_s)

    def _next_run(self, tp: TP, records: list[Record], now: float) -> Run | None:
        start = self._position[tp]
        if not records:
            return None
        if records[0].offset < start:
            log.error(
                "%s %d went back from %d to %d: the topic was recreated or truncated",
                tp.topic,
                tp.partition,
                start,
                records[0].offset,
            )
            self.reposition(tp)
            return None
        end = records[-1].offset + 1
        self._position[tp] = end
        return Run(records, start, end, now)

    def _run_message(self, tp: TP, run: Run, generation: int) -> ConsumerMessage:
        last = run.records[-1]
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last.offset,
            last.timestamp / 1000.0,
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
        """Nothing: Faust's watch for stuck streams takes a database that is away for a bug; our metrics tell it."""


class BatchTransport(driver.Transport):
    """aiokafka with the batch consumer."""

    Consumer: ClassVar[type[BatchConsumer]] = BatchConsumer


class BatchApp(faust.App):
    """A Faust application whose agents get a `Run` an event."""

    def __init__(self, name: str, *, batch: BatchOptions, **options: Any) -> None:
        self.batch_options = batch
        super().__init__(name, **options)

    def _new_transport(self) -> BatchTransport:
        return BatchTransport(self.conf.broker_consumer, self)

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
