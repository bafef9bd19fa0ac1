"""Rate limiting by token buckets."""

import time
from collections.abc import Callable

__all__ = ["Bucket"]


class Bucket:
    """A token bucket: `rate` a second, with a burst of what accrues in `burst_s`.

    Examples
    --------
    >>> now = [0.0]
    >>> bucket = Bucket(100.0, burst_s=2.0, clock=lambda: now[0])
    >>> bucket.take(200), bucket.take(50)
    (0.0, 0.5)
    >>> now[0] = 0.5
    >>> bucket.take(50)
    0.0
    """

    def __init__(self, per_s: float, *, burst_s: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s, self._most, self._clock = per_s, per_s * burst_s, clock
        self._left, self._at = self._most, clock()

    def take(self, count: float) -> float:
        """Take tokens; returns 0 if they were available, else the time to wait before asking again. [s]

        More than the burst are taken from a full bucket, which then owes them.
        """
        now = self._clock()
        self._left = min(self._left + (now - self._at) * self._per_s, self._most)
        self._at = now
        wanted = min(count, self._most)
        if self._left < wanted:
            return (wanted - self._left) / self._per_s
        self._left -= count
        return 0.0
