"""What was fetched of a partition and waits for its turn."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ingest.wire import Records
from streams.source.consumer import Run

__all__ = ["Intake", "Piece"]


@dataclass(frozen=True, slots=True)
class Piece:
    """Records in order, and what to ack once all that lies below `end` is stored.

    Attributes
    ----------
    records : Records
        None where only markers or aborted transactions lie there.
    start, end : int
        Offsets [start, end) of the partition that this piece speaks for.
    fetched_at : float
        When its youngest record was fetched, `time.monotonic`. [s]
    waiting_since : float
        When its oldest record was. [s]
    size : int
        Bytes of its values. [byte]
    events : tuple
        Faust events to ack.
    """

    records: Records
    start: int
    end: int
    fetched_at: float
    waiting_since: float
    size: int
    events: tuple[Any, ...] = ()

    def split(self, index: int) -> tuple["Piece", "Piece"]:
        """Two pieces; the first has `index` records and acks nothing."""
        first, second = self.records[:index], self.records[index:]
        middle = second[0].offset
        return (
            Piece(first, self.start, middle, self.fetched_at, self.waiting_since, _size(first)),
            Piece(second, middle, self.end, self.fetched_at, self.waiting_since, _size(second), self.events),
        )

    def below(self, offset: int) -> "tuple[Piece | None, Piece | None]":
        """The part below an offset and the rest; either may be without records (markers alone lie there)."""
        if self.end <= offset:
            return self, None
        if self.start >= offset:
            return None, self
        index = int(np.searchsorted(self.records.rows["offset"], offset))
        first, second = self.records[:index], self.records[index:]
        return (
            Piece(first, self.start, offset, self.fetched_at, self.waiting_since, _size(first)),
            Piece(second, offset, self.end, self.fetched_at, self.waiting_since, _size(second), self.events),
        )


def _size(records: Records) -> int:
    return int(records.sizes().sum())


class Intake:
    """Runs in the order they were fetched, bounded by throttling the consumer.

    Parameters
    ----------
    limit : int
        Waiting bytes above which `throttle` is called, and below half of which `unthrottle` is. [byte]
    """

    def __init__(self, *, limit: int, throttle: Callable[[], None], unthrottle: Callable[[], None]) -> None:
        self._limit = limit
        self._throttle = throttle
        self._unthrottle = unthrottle
        self._waiting: deque[Piece] = deque()
        self._size = 0
        self._full = False
        self._changed = asyncio.Event()

    def put(self, run: Run, event: Any) -> None:
        """Take a run in; never waits."""
        piece = Piece(run.records, run.start, run.end, run.fetched_at, run.fetched_at, _size(run.records), (event,))
        self._waiting.append(piece)
        self._size += piece.size
        if not self._full and self._size > self._limit:
            self._full = True
            self._throttle()
        self._changed.set()

    def clear(self) -> None:
        """Forget what waits; it will be fetched again."""
        self._waiting.clear()
        self._size = 0

    @property
    def waiting_since(self) -> float | None:
        """When the oldest record that waits was fetched. [s]"""
        return self._waiting[0].waiting_since if self._waiting else None

    def wake(self) -> None:
        """Let `piece` return early."""
        self._changed.set()

    async def piece(self, *, size: int, patience_s: float, until: float) -> Piece | None:
        """The next piece of about `size` bytes, or less once its oldest record has waited for `patience_s`.

        While the consumer is throttled nothing more comes, so there is nothing to wait for.

        Returns None at `until` (`time.monotonic`), or when woken, with nothing to give.
        """
        while True:
            self._changed.clear()
            now = time.monotonic()
            since = self.waiting_since
            if since is not None and (self._full or self._size >= size or now >= since + patience_s):
                return self._take(size)
            deadline = until if since is None else since + patience_s
            if now >= deadline:
                return None
            try:
                await asyncio.wait_for(self._changed.wait(), deadline - now)
            except TimeoutError:
                continue
            if not self._waiting:
                return None

    def _take(self, size: int) -> Piece:
        taken: list[Piece] = []
        total = 0
        while self._waiting and (total == 0 or total + self._waiting[0].size <= size):
            piece = self._waiting.popleft()
            taken.append(piece)
            total += piece.size
        self._size -= total
        if self._full and self._size <= self._limit // 2:
            self._full = False
            self._unthrottle()
        if len(taken) == 1:
            return taken[0]
        return Piece(
            Records.joined([piece.records for piece in taken]),
            taken[0].start,
            taken[-1].end,
            taken[-1].fetched_at,
            taken[0].waiting_since,
            total,
            tuple(event for piece in taken for event in piece.events),
        )
