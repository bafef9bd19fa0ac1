"""Alerts are raised by one worker at a time, in rounds: whichever gets the lock, the others find it taken."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from analytics.domain.errors import ConfigurationError
from streams.alerts.config import AlertConfig
from streams.alerts.raiser import Raiser
from streams.patience import AWAY, in_rounds
from streams.store.postgres.connections import Connections

__all__ = ["AlertsAgent"]

log = logging.getLogger("metering.alerts")


class AlertsAgent:
    """See the module's docstring.

    Parameters
    ----------
    dsn : str
        Database.
    config : AlertConfig
    """

    def __init__(self, dsn: str, config: AlertConfig) -> None:
        self._connections = Connections(dsn, size=1, name="meterwarden alerts")
        self._raiser = Raiser(config)

    async def run(self, every_s: float | Callable[[], float]) -> None:
        """Until cancelled; a fault is logged and tried again, and no mark is lost by it."""
        try:
            await in_rounds(self._round, every_s, "alerts wait", log=log, away=(ConfigurationError, *AWAY))
        finally:
            await self._connections.close()

    async def _round(self) -> None:
        while await self.once():
            pass

    async def once(self) -> bool:
        """One round; whether there may be more to take at once."""
        async with self._connections.connection() as connection:
            raised = await self._raiser.once(connection, datetime.now(UTC))
        if raised is None:
            return False
        if raised.messages:
            log.info("%d signals, %d alerts changed, %d messages", raised.signals, raised.alerts, raised.messages)
        return raised.more
