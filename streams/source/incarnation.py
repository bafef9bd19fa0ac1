"""Detection of topics that were deleted and recreated: which incarnation fetched records came from.

A topic that is deleted and made again begins at offset 0 under its old name. aiokafka fetches by name, so records of
the new one can look like the old one going on. Kafka gives every incarnation its own id, and incarnations follow each
other: when the id is still the old one *after* a fetch, the fetched records are of the old one.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from streams.source.broker import TopicFacts

__all__ = ["FactsOf", "TopicGuard"]

log = logging.getLogger("metering.incarnation")

FactsOf = Callable[[], Awaitable[TopicFacts]]
"""Asks the broker for the topic's id and partitions; raises while it cannot be asked or does not know the topic."""


class TopicGuard:
    """The topic's id and number of partitions, asked for once for all that wait for it."""

    def __init__(self, ask: FactsOf, *, retry_s: float = 0.5) -> None:
        self._ask = ask
        self._retry_s = retry_s
        self._known: TopicFacts | None = None
        self._known_since = 0.0
        self._asked_at = 0.0
        self._asking: asyncio.Task[None] | None = None

    async def topic(self, *, after: float) -> TopicFacts:
        """As a question put after `after` (`time.monotonic`) was answered; waits while the broker is away."""
        while self._known is None or self._known_since < after:
            if self._asking is None or self._asking.done():
                self._asked_at = time.monotonic()
                self._asking = asyncio.ensure_future(self._question(self._asked_at))
            await asyncio.shield(self._asking)
        return self._known

    async def _question(self, asked_at: float) -> None:
        try:
            self._known = await self._ask()
            self._known_since = asked_at
        except Exception as error:  # noqa: BLE001 - whatever the client raises: the broker cannot be asked now
            log.warning(
                "Kafka does not answer whether the topic is still the same; nothing is stored until then: %r",
                error,
            )
            await asyncio.sleep(self._retry_s)
