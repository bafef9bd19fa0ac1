"""The thread that fetches: aiokafka's event loop under Faust, and what is wrapped around its private parts."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiokafka
import numpy as np
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import READ_UNCOMMITTED, FetchResult
from aiokafka.errors import IllegalStateError, KafkaError
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from ingest.wire import Records, records_of

__all__ = ["BatchConsumerThread", "BatchOptions", "Fetched", "PositionOf", "Run"]

log = logging.getLogger("metering.consumer")

COMMIT_S = 5.0
"""Longest time that committing may take. [s]"""

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


@dataclass(frozen=True, slots=True)
class Run:
    """Records of one partition as they came in one fetch.

    Attributes
    ----------
    records : Records
        At least one, offsets rising. They may leave numbers out (transaction markers, compaction).
    start : int
        The offset that was asked for: where the run before this one ended.
    end : int
        The offset after the last record.
    fetched_at : float
        `time.monotonic` after the fetch. [s]
    """

    records: Records
    start: int
    end: int
    fetched_at: float


@dataclass(frozen=True, slots=True)
class Fetched:
    """Records of a fetch, and the position it was from, which tells a hole before the first from a lost fetch."""

    records: Records
    start: int

    def __len__(self) -> int:
        return len(self.records)


class _Batches:
    """aiokafka's reader of the batches of one partition, beside the bytes that it reads."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._reader = MemoryRecords(data)
        self.has_next, self.next_batch = self._reader.has_next, self._reader.next_batch
        self.size_in_bytes = self._reader.size_in_bytes


def _prepared(result: Any) -> Any:
    """A fetch result that gives all its records as columns: an object for each would cost 2 us, these 0.1."""
    one_by_one = result.getall

    def getall(max_records: int | None = None) -> Fetched | list[Any]:
        left = result._partition_records  # noqa: SLF001
        if left is None or not result.check_assignment(result._topic_partition):  # noqa: SLF001
            return []
        start = left.next_fetch_offset
        read = None
        if max_records is None and left._isolation_level == READ_UNCOMMITTED:  # noqa: SLF001
            read = records_of(left._records.data, start, check_crcs=left._check_crcs)  # noqa: SLF001
        if read is None:
            return Fetched(_of_objects(one_by_one(max_records)), start)
        records, left.next_fetch_offset = read
        result._update_position()  # noqa: SLF001
        result._partition_records = None  # noqa: SLF001
        return Fetched(records, start)

    result.getall = getall
    return result


def _of_objects(records: list[Any]) -> Records:
    timestamps_ms = [-1 if record.timestamp is None else record.timestamp for record in records]
    return Records.of(
        [record.value for record in records],
        timestamps_us=np.array(timestamps_ms, np.int64) * 1000,
        headers=[record.headers for record in records],
        offsets=[record.offset for record in records],
    )


class _FetchResults(OrderedDict[Any, Any]):
    """aiokafka's fetched data by partition."""

    topics: frozenset[str] = frozenset()

    def __setitem__(self, tp: Any, result: Any) -> None:
        ours = type(result) is FetchResult and tp.topic in self.topics
        super().__setitem__(tp, _prepared(result) if ours else result)


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
        fetcher.MemoryRecords = _Batches
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
