"""Scheduling of background work: one piece at a time, and only while readings are processed on time.

Totals of an hour that closed, judging units and following balances are many times the work of the readings of a second,
on the same cores and in the same database. Done at once they would keep every reading waiting; done in pieces of some
tenths of a second, each only when no reading is late, they take what readings leave. Where readings are always late,
because the past is being caught up with, such work still gets a share of the time.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

__all__ = ["Courtesy", "Traffic", "units_at_once"]

_LOOK_S = 0.05
_PATIENCE = 4.0
"""While readings are late, a piece waits this many times its predecessor's run: a fifth of the time for such work."""


class Traffic(Protocol):
    """Source of the processing state of readings."""

    @property
    def starting(self) -> bool:
        """Whether partitions that were assigned do not have their state yet."""

    def late(self) -> bool:
        """Whether some reading has waited longer than it should."""


class Courtesy:
    """See the module's docstring.

    Parameters
    ----------
    traffic : Traffic
    """

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._turn = asyncio.Lock()
        self._took_s = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn; the piece of work is done inside."""
        async with self._turn:
            await self._give_way()
            began = time.monotonic()
            try:
                yield
            finally:
                self._took_s = time.monotonic() - began

    async def _give_way(self) -> None:
        while self._traffic.starting:  # noqa: ASYNC110 - time decides, not an event
            await asyncio.sleep(_LOOK_S)
        until = time.monotonic() + _PATIENCE * self._took_s
        while self._traffic.late() and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)


def units_at_once(points: int, units: int, *, most: int, points_at_once: int) -> int:
    """How many units of usual size make a piece of work that is soon done.

    Examples
    --------
    >>> units_at_once(100_000, 200, most=50, points_at_once=2_500)
    5
    >>> units_at_once(600, 60, most=50, points_at_once=2_500)
    50
    """
    return max(1, min(most, points_at_once * max(units, 1) // max(points, 1)))
