"""Publication of rejected readings to their topic, with the reason and the original bytes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from analytics.domain.quality import RejectReason
from ingest.kafka_access import KafkaAccess
from ingest.wire import REJECTED_TOPIC, rejected_headers
from streams.metrics import WorkerMetrics
from streams.patience import AWAY, in_rounds
from streams.store.rejected import RejectedRecord

__all__ = ["Outbox", "Publisher", "Relay", "keep_publishing"]

log = logging.getLogger("metering.relay")

_AT_ONCE = 500


class Outbox(Protocol):
    """Where rejected rows wait to be published."""

    def relay(self, limit: int = 1000) -> AbstractAsyncContextManager[Sequence[RejectedRecord]]:
        """The oldest that wait; leaving the block marks them as published."""


class Publisher:
    """An idempotent producer that is connected when first needed and forgotten when it broke."""

    def __init__(self, access: KafkaAccess, *, client: str) -> None:
        self._access = access
        self._client = client
        self._producer: AIOKafkaProducer | None = None

    async def producer(self) -> AIOKafkaProducer:
        """The producer, connected."""
        if self._producer is None:
            producer = AIOKafkaProducer(
                client_id=self._client,
                enable_idempotence=True,
                linger_ms=5,
                max_request_size=4 * 2**20,
                request_timeout_ms=10_000,
                **self._access.aio_options(),
            )
            try:
                await producer.start()
            except BaseException:
                with suppress(Exception):
                    await producer.stop()
                raise
            self._producer = producer
        return self._producer

    async def close(self) -> None:
        """Disconnect; what was not acknowledged stays in the outbox."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            with suppress(Exception):
                await asyncio.wait_for(producer.stop(), 5.0)


async def keep_publishing(
    once: Callable[[], Awaitable[int]],
    publisher: Publisher,
    *,
    every_s: float | Callable[[], float],
    page: int,
    what: str,
) -> None:
    """Empty an outbox page by page, until cancelled; what cannot be published now stays in it and is tried again.

    Parameters
    ----------
    once : callable
        Publishes a page at most; how many rows.
    every_s : float or callable
        How often the outbox is looked at; see `in_rounds`. [s]
    page : int
        Rows of a full page, after which there may be more. [1]
    """

    async def all_pages() -> None:
        while await once() == page:
            pass

    away = (KafkaError, *AWAY)
    await in_rounds(all_pages, every_s, f"{what} wait", log=log, away=away, failed=publisher.close)


class Relay:
    """Publishes rejected rows, at least once; the header ``identity`` marks repeats."""

    def __init__(
        self, outbox: Outbox, publisher: Publisher, metrics: WorkerMetrics, *, topic: str = REJECTED_TOPIC
    ) -> None:
        self._outbox = outbox
        self._publisher = publisher
        self._metrics = metrics
        self._topic = topic

    async def run(self, every_s: float | Callable[[], float]) -> None:
        """Until cancelled."""
        await keep_publishing(self.once, self._publisher, every_s=every_s, page=_AT_ONCE, what="rejected readings")

    async def once(self) -> int:
        """Publish what waits, a page at most; how many."""
        async with self._outbox.relay(_AT_ONCE) as rows:
            if rows:
                producer = await self._publisher.producer()
                await asyncio.gather(*[await self._send(producer, row) for row in rows])
                self._metrics.published.labels(self._topic).inc(len(rows))
        return len(rows)

    async def _send(self, producer: AIOKafkaProducer, row: RejectedRecord) -> "asyncio.Future[object]":
        key = row.unit_code.encode() if row.unit_code else None
        headers = rejected_headers(
            reason=RejectReason[row.reason.upper()],
            required=row.required,
            got=row.got,
            source_topic=row.topic,
            source_partition=row.partition,
            source_offset=row.kafka_offset,
            position=row.position,
            readings=row.readings,
            identity=f"{row.topic_id}:{row.partition}:{row.kafka_offset}:{row.position}:{row.id}",
        )
        try:
            return await producer.send(self._topic, row.payload, key=key, headers=headers)  # type: ignore[no-any-return]
        except MessageSizeTooLargeError:
            log.warning("rejected row %d is too large for the topic: its bytes stay in the table", row.id)
            return await producer.send(self._topic, b"", key=key, headers=headers)  # type: ignore[no-any-return]
