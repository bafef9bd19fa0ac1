"""Forwarding of readings from a unit's former partition to its present one, at least once.

After a crash between the two they go again; the unit's partition knows them, and refuses them as duplicates.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from ingest.wire import CONTENT_TYPE, CONTENT_TYPE_BLOCK, partition_of
from streams.agents.relay import Publisher, keep_publishing
from streams.metrics import WorkerMetrics

__all__ = ["PassingOn"]

_AT_ONCE = 500
_HEADERS = [(CONTENT_TYPE, CONTENT_TYPE_BLOCK.encode())]


class Outbox(Protocol):
    """Where they wait."""

    def relay_passed_on(
        self, topic: str, limit: int = 500
    ) -> AbstractAsyncContextManager[list[tuple[int, str, bytes]]]:
        """The oldest that wait; leaving the block removes them."""


class PassingOn:
    """Sends readings to the partition their unit has now.

    Parameters
    ----------
    partitions : callable
        Over how many the units are spread, 0 while that is not known.
    """

    def __init__(
        self, outbox: Outbox, publisher: Publisher, metrics: WorkerMetrics, *, topic: str, partitions: Callable[[], int]
    ) -> None:
        self._outbox = outbox
        self._publisher = publisher
        self._metrics = metrics
        self._topic = topic
        self._partitions = partitions

    async def run(self, every_s: float | Callable[[], float]) -> None:
        """Until cancelled."""
        what = "readings of other partitions"
        await keep_publishing(self.once, self._publisher, every_s=every_s, page=_AT_ONCE, what=what)

    async def once(self) -> int:
        """Send what waits, a page at most; how many."""
        partitions = self._partitions()
        if not partitions:
            return 0
        async with self._outbox.relay_passed_on(self._topic, _AT_ONCE) as rows:
            if rows:
                producer = await self._publisher.producer()
                sent: list[Any] = []
                for _, code, payload in rows:
                    where = partition_of(code, partitions)
                    sent.append(
                        await producer.send(self._topic, payload, key=code.encode(), partition=where, headers=_HEADERS)
                    )
                await asyncio.gather(*sent)
                self._metrics.published.labels(self._topic).inc(len(rows))
        return len(rows)
