"""Publication of detections to their topic, one message for each revision that is not overtaken by the next.

What is stored says whether its newest revision went out; one that is overtaken before is not sent. After a crash
between the two it goes out again, and the header ``identity`` (id and revision) marks the repeat.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol

from ingest.wire import CONTENT_TYPE, CONTENT_TYPE_JSON
from streams.agents.relay import Publisher, keep_publishing
from streams.metrics import WorkerMetrics
from streams.store.detections import DetectionRecord

__all__ = ["DetectionRelay", "message"]


_AT_ONCE = 500
_IDENTITY = "identity"
_FIELDS = (
    "id", "revision", "unit_code", "point", "meter_no", "kind", "severity", "state", "started_at", "ended_at",
    "detected_at", "magnitude", "magnitude_low", "magnitude_high", "magnitude_unit", "confidence", "energy_affected",
    "energy_affected_low", "energy_affected_high", "energy_unit",
)  # fmt: skip


class Outbox(Protocol):
    """Where detections wait to be published."""

    def relay_detections(self, limit: int = 1000) -> AbstractAsyncContextManager[Sequence[DetectionRecord]]:
        """The oldest that wait; leaving the block marks them as published."""


def message(row: DetectionRecord) -> bytes:
    """The value of a detection's record: columns of the interchange file ``detections``, as one JSON object."""
    said: dict[str, Any] = {name: getattr(row, name) for name in _FIELDS}
    for name, value in said.items():
        if isinstance(value, datetime):
            said[name] = value.isoformat()
    said["evidence"] = json.loads(row.evidence)
    return json.dumps(said, ensure_ascii=False).encode()


class DetectionRelay:
    """Publishes detections, at least once, keyed by unit."""

    def __init__(self, outbox: Outbox, publisher: Publisher, metrics: WorkerMetrics, *, topic: str) -> None:
        self._outbox = outbox
        self._publisher = publisher
        self._metrics = metrics
        self._topic = topic

    async def run(self, every_s: float | Callable[[], float]) -> None:
        """Until cancelled."""
        await keep_publishing(self.once, self._publisher, every_s=every_s, page=_AT_ONCE, what="detections")

    async def once(self) -> int:
        """Publish what waits, a page at most; how many."""
        async with self._outbox.relay_detections(_AT_ONCE) as rows:
            if rows:
                producer = await self._publisher.producer()
                sent = [await self._send(producer, row) for row in rows]
                await asyncio.gather(*sent)
                self._metrics.published.labels(self._topic).inc(len(rows))
        return len(rows)

    async def _send(self, producer: Any, row: DetectionRecord) -> "asyncio.Future[object]":
        headers = [(CONTENT_TYPE, CONTENT_TYPE_JSON.encode()), (_IDENTITY, f"{row.id}:{row.revision}".encode())]
        return await producer.send(self._topic, message(row), key=row.unit_code.encode(), headers=headers)  # type: ignore[no-any-return]
