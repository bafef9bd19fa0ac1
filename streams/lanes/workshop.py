"""Resources shared by the lanes of one worker."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, ParamSpec, Protocol, TypeVar

import psycopg
from faust.types import TP

from ingest.wire import Fetched, partition_of
from streams.config import StreamsConfig
from streams.lanes.progress import Progress
from streams.metrics import WorkerMetrics
from streams.patience import AWAY, Backoff
from streams.ports import PartitionStore, StoreRejected
from streams.rows.layout import StoredLedger
from streams.source.incarnation import TopicGuard
from streams.spans import Spans
from streams.steps.state import StepRules

__all__ = ["Reader", "Workshop", "blames_the_rows"]

log = logging.getLogger("metering.worker")

P = ParamSpec("P")
T = TypeVar("T")

_DATA_FAULTS = ("22", "23")
"""SQLSTATE classes of errors caused by the rows: data exception, integrity constraint violation."""


def blames_the_rows(error: BaseException) -> bool:
    """Whether an error is due to these rows, so that others may pass, rather than to a misconfigured database."""
    if not isinstance(error, StoreRejected):
        return True
    cause = error.__cause__
    return isinstance(cause, psycopg.Error) and (cause.sqlstate or "")[:2] in _DATA_FAULTS


class Reader(Protocol):
    """Control of the consumer by a lane."""

    def throttle(self, tp: TP) -> None:
        """Fetch no more of a partition."""

    def unthrottle(self, tp: TP) -> None:
        """Fetch it again."""

    def reposition(self, tp: TP) -> None:
        """Begin again with a partition: where, is asked anew."""

    def highwater(self, tp: TP) -> int | None:
        """The offset after a partition's last record, where known."""

    async def first_offset(self, tp: TP) -> int:
        """Oldest offset still kept of a partition."""

    async def bounds(self, tp: TP) -> tuple[int, int]:
        """Oldest offset that is kept, and the one after the last that can be read."""

    async def at(self, tp: TP, offset: int) -> Fetched | None:
        """Batches from the one on that holds an offset; None where the log does not reach there."""


@dataclass(slots=True, kw_only=True)
class Workshop:
    """Settings, store, threads and counters that the lanes of one worker have in common.

    Attributes
    ----------
    threads : ThreadPoolExecutor
        Where decoding and computing goes on.
    aside : ThreadPoolExecutor
        Where work that can wait computes, so that no reading queues behind it.
    slots : Semaphore
        Transactions under way at once.
    newest : int
        Ledger version to be used; 0 while none is loaded.
    newest_verdict : int
        Id of the newest of inspectors' verdicts; 0 while there is none.
    suspects : dict
        Offsets below which a partition is taken message by message where it breaks, because it broke before.
    poisoned : dict
        Messages of a partition that were rejected in a row because each broke a step.
    now : callable
        Wall clock. [s since 1970-01-01 UTC]
    progress : Progress
        How each partition does.
    spans : Spans or None
        Where what is stored is told to OpenTelemetry; None where nobody collects it.
    """

    config: StreamsConfig
    store: PartitionStore
    metrics: WorkerMetrics
    guard: TopicGuard
    reader: Reader
    threads: ThreadPoolExecutor
    aside: ThreadPoolExecutor
    slots: asyncio.Semaphore
    rules: StepRules = field(default_factory=StepRules)
    newest: int = 0
    newest_verdict: int = 0
    newest_known: asyncio.Event = field(default_factory=asyncio.Event)
    suspects: dict[int, int] = field(default_factory=dict)
    poisoned: dict[int, int] = field(default_factory=dict)
    spans: Spans | None = None
    now: Callable[[], float] = time.time
    progress: Progress = field(default_factory=Progress)
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _asked_at: float = -math.inf

    async def in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a computation beside the event loop."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.threads, lambda: function(*args, **kwargs))

    async def in_thread_aside(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a computation that can wait, one at a time."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.aside, lambda: function(*args, **kwargs))

    async def patiently(self, ask: Callable[[], Coroutine[Any, Any, T]], what: str) -> T:
        """Ask the database until it answers."""
        backoff = Backoff()
        while True:
            try:
                return await ask()
            except AWAY as error:
                log.warning("waiting for the database to %s: %s", what, error)
            self.metrics.database_wait.inc(await backoff.wait())

    async def ledger(self, version: int, partition: int, partitions: int) -> StoredLedger:
        """A version of the ledger of the units of one of some partitions."""

        def here(unit_code: str) -> bool:
            return partition_of(unit_code, partitions) == partition

        return await self.patiently(lambda: self.store.ledger(version, here), f"give ledger {version}")

    def learn(self, version: int) -> None:
        """Take note of a ledger version."""
        if version > self.newest:
            log.info("ledger %d is the newest", version)
            self.newest = version
            self.newest_known.set()

    async def newest_as_of(self, after: float) -> int:
        """The newest ledger version, as a question put after `after` (`time.monotonic`) was answered.

        So what was sent after a ledger had been loaded is judged by that ledger, and its units are known.
        """
        async with self._asking:
            if self._asked_at < after:
                asked_at = time.monotonic()
                self.learn(await self.patiently(self.store.ledger_version, "tell the ledger version"))
                self._asked_at = asked_at
        return self.newest

    async def newest_ledger(self) -> int:
        """The newest ledger version; waits while none is loaded."""
        if not self.newest:
            log.warning("no ledger is loaded: waiting, readings stay in Kafka")
            await self.newest_known.wait()
        return self.newest
