"""How work that failed for a while is tried again: in rounds, or after a wait that doubles.

A database or Kafka that is away for a while is expected and logged in a line. Anything else is a fault of ours: it is
logged with its traceback, and the work goes on in the next round, for nobody watches the tasks of a worker.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from analytics.domain.errors import StoreUnavailable
from streams.ports import StoreRejected

__all__ = ["AWAY", "Backoff", "in_rounds"]

AWAY: Final = (StoreUnavailable, StoreRejected)
"""What work expects of a database that is away, or refuses for the moment."""


@dataclass(slots=True)
class Backoff:
    """Waits that double, from the first to the longest.

    Attributes
    ----------
    next_s : float
        Length of the next wait. [s]
    longest_s : float
        It grows no further. [s]
    """

    next_s: float = 0.2
    longest_s: float = 5.0

    async def wait(self) -> float:
        """Wait; returns for how long. [s]"""
        waited = self.next_s
        await asyncio.sleep(waited)
        self.next_s = min(2 * waited, self.longest_s)
        return waited


async def in_rounds(
    work: Callable[[], Awaitable[object]],
    every_s: float | Callable[[], float],
    what: str,
    *,
    log: logging.Logger,
    away: tuple[type[Exception], ...] = AWAY,
    level: int = logging.WARNING,
    failed: Callable[[], Awaitable[object]] | None = None,
) -> None:
    """Do a piece of work again and again, until cancelled.

    Parameters
    ----------
    work : callable
        A round of it. What it raises ends the round alone.
    every_s : float or callable
        Wait before each round; a callable is asked each time. [s]
    what : str
        The work, with its verb, in the line that is logged ("totals wait").
    log : logging.Logger
    away : tuple of exception classes
        What is logged in one line, without a traceback.
    level : int
        Level of that line.
    failed : callable, optional
        Called after a round that failed.
    """
    while True:
        await asyncio.sleep(every_s() if callable(every_s) else every_s)
        try:
            await work()
            continue
        except away as error:
            log.log(level, "%s: %s", what, error)
        except Exception:
            log.exception("%s", what)
        if failed is not None:
            await failed()
