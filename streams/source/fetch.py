"""The thread that fetches: aiokafka's event loop under Faust, and what is wrapped around its private parts."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Container, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import aiokafka
import numpy as np
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult
from aiokafka.errors import (
    IllegalStateError,
    KafkaError,
    LeaderNotAvailableError,
    NoError,
    OffsetOutOfRangeError,
    for_code,
)
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from ingest import wire
from ingest.wire import Records, WrongChecksum

__all__ = ["BatchConsumerThread", "BatchOptions", "Fetched", "Position", "PositionOf", "Run", "give_fetches"]

log = logging.getLogger("metering.consumer")

T = TypeVar("T")

_PROBE_BYTES = 2**16
COMMIT_S = 5.0
"""Longest time that committing may take. [s]"""

_TRIES = 3
"""So often a fetch with a wrong checksum is made before its batch counts as broken where it is stored."""


class Position(NamedTuple):
    """Where to begin reading a partition, and under which leader the batch there was written (None: any)."""

    offset: int
    epoch: int | None = None


PositionOf = Callable[[TP], Awaitable[Position]]
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
        Offsets rising. They may leave numbers out (transaction markers, aborted transactions, compaction), or be none.
    start : int
        The offset that was asked for: where the run before this one ended.
    end : int
        The offset after all that was fetched.
    fetched_at : float
        `time.monotonic` after the fetch. [s]
    """

    records: Records
    start: int
    end: int
    fetched_at: float


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one fetch gave of a partition: records, perhaps none, and the position it was from.

    By the position a hole before the first record is distinguished from a lost fetch.
    """

    records: Records
    start: int
    end: int
    first_epoch: int = -1
    last_epoch: int = -1

    def __len__(self) -> int:
        return len(self.records)

    def __bool__(self) -> bool:
        return True  # aiokafka drops what is false, and markers move the position as well


class _Batches:
    """aiokafka's reader of the batches of one partition, beside the bytes that it reads."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._reader = MemoryRecords(data)
        self.has_next, self.next_batch = self._reader.has_next, self._reader.next_batch
        self.size_in_bytes = self._reader.size_in_bytes


def _prepared(result: Any, tries: dict[tuple[Any, int], int]) -> Any:
    """A fetch result that gives all its records as columns: an object for each would cost 2 us, these 0.1.

    It never raises: what cannot be read of one partition must not keep the others from being read.
    """
    one_by_one = result.getall

    def getall(max_records: int | None = None) -> Fetched | list[Any]:
        left = result._partition_records  # noqa: SLF001
        if left is None or not result.check_assignment(result._topic_partition):  # noqa: SLF001
            return []
        start, where = left.next_fetch_offset, (result._topic_partition, left.next_fetch_offset)  # noqa: SLF001
        last_try = tries.get(where, 0) + 1 >= _TRIES
        try:
            read = _read(left, start, last_try=last_try) if max_records is None else None
        except WrongChecksum as error:
            tries[where] = tries.get(where, 0) + 1
            log.warning("%s %d: %s; it is fetched again", *result._topic_partition, error)  # noqa: SLF001
            result._partition_records = None  # noqa: SLF001 - the position stays
            return []
        tries.pop(where, None)
        if read is None:
            try:
                return Fetched(_of_objects(one_by_one(max_records)), start, left.next_fetch_offset)
            except Exception as error:  # noqa: BLE001 - whatever aiokafka raises
                data = left._records.data  # noqa: SLF001
                log.error("%s %d: from %d on cannot be read: %r", *result._topic_partition, start, error)  # noqa: SLF001, TRY400
                after = max(int.from_bytes(data[:8], "big") + 1, start + 1)
                read = wire.Fetched(wire.unreadable(data, after - 1), after)
        left.next_fetch_offset = read.after
        result._update_position()  # noqa: SLF001
        result._partition_records = None  # noqa: SLF001
        return Fetched(read.records, start, read.after, read.first_epoch, read.last_epoch)

    result.getall = getall
    return result


def _read(left: Any, start: int, *, last_try: bool) -> "wire.Fetched | None":
    return wire.records_of(
        left._records.data,  # noqa: SLF001
        start,
        check_crcs=left._check_crcs,  # noqa: SLF001
        aborted=left._aborted_transactions,  # noqa: SLF001
        last_try=last_try,
    )


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

    topics: Container[str] = frozenset()

    def __init__(self) -> None:
        super().__init__()
        self._tries: dict[tuple[Any, int], int] = {}

    def __setitem__(self, tp: Any, result: Any) -> None:
        ours = type(result) is FetchResult and tp.topic in self.topics
        super().__setitem__(tp, _prepared(result, self._tries) if ours else result)


def give_fetches(consumer: aiokafka.AIOKafkaConsumer, topics: Container[str]) -> None:
    """Let a consumer that has started give a `Fetched` of each partition of these topics: bounded, never an error."""
    fetcher.MemoryRecords = _Batches
    results = consumer._fetcher._records = _FetchResults()  # noqa: SLF001
    results.topics = topics


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread with aiokafka's event loop: fetches that do not hold each other up, commits that may fail."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        options: BatchOptions = self.app.batch_options
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = options.fetch_wait_ms  # noqa: SLF001 - Faust fixes it at 1500
        consumer._fetch_max_bytes = options.fetch_max_bytes  # noqa: SLF001
        consumer._isolation_level = "read_committed"  # noqa: SLF001 - what was aborted was never sent
        return consumer

    async def on_start(self) -> None:
        """Connect to Kafka, or close what could not be connected."""
        try:
            await super().on_start()
        except BaseException:
            if self._consumer is not None:
                with suppress(Exception):
                    await self._consumer.stop()
            raise
        give_fetches(self._ensure_consumer(), self.app.batch_options.topics)

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

    def highwater(self, tp: TP) -> int | None:
        """The offset after the last record that can be read; above it lie transactions that are still open."""
        consumer, here = self._ensure_consumer(), driver.ensure_aiokafka_TP(tp)
        stable = consumer.last_stable_offset(here)
        found: int | None = consumer.highwater(here) if stable is None or stable < 0 else stable
        return found

    async def first_offset(self, tp: TP) -> int:
        """Oldest offset the broker still keeps of a partition."""
        return (await self.bounds(tp))[0]

    async def bounds(self, tp: TP) -> tuple[int, int]:
        """Oldest offset the broker still keeps of a partition, and the one after the last that can be read."""
        return await self._in_its_thread(self._bounds_here(driver.ensure_aiokafka_TP(tp)))

    async def at(self, tp: TP, offset: int) -> "wire.Fetched | None":
        """Batches from the one on that holds `offset`, as much as the broker gives at once; None for none.

        Raises `KafkaError` while the broker cannot be asked.
        """
        return await self._in_its_thread(self._at_here(driver.ensure_aiokafka_TP(tp), offset))

    async def _in_its_thread(self, asked: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asked, self.thread_loop))

    async def _bounds_here(self, tp: Any) -> tuple[int, int]:
        consumer = self._ensure_consumer()
        first, end = await consumer.beginning_offsets([tp]), await consumer.end_offsets([tp])
        return int(first[tp]), int(end[tp])

    async def _at_here(self, tp: Any, offset: int) -> "wire.Fetched | None":
        client = self._ensure_consumer()._client  # noqa: SLF001
        node = client.cluster.leader_for_partition(tp)
        if node is None or node == -1:
            await client.force_metadata_update()
            raise LeaderNotAvailableError(f"{tp.topic} {tp.partition} has no leader now")
        asked = FetchRequest(0, 1, _PROBE_BYTES, READ_COMMITTED, [(tp.topic, [(tp.partition, offset, _PROBE_BYTES)])])
        answer = await client.send(node, asked)
        ((_, ((_, error_code, _, *rest),)),) = answer.topics
        error = for_code(error_code)
        if error is OffsetOutOfRangeError:
            return None
        if error is not NoError:
            raise error(f"{tp.topic} {tp.partition} at {offset}")
        return wire.records_of(bytes(rest[-1]), offset, check_crcs=True) if rest[-1] else None
