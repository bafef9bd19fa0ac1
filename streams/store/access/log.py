"""Audit log of logins and refusals, aggregated over some seconds before it is written."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from analytics.domain.errors import StoreUnavailable
from streams.ports import StoreRejected
from streams.store.postgres.connections import Connections
from streams.store.postgres.text import storable

__all__ = ["AccessLog"]

log = logging.getLogger("metering.access")

_MOST: Final = 2000
"""Different events between two writes; what comes beyond is counted under one."""
_WRITE_S: Final = 5.0
_TRIM_S: Final = 86_400.0
_TEXT: Final = 200
_WRITE: Final = """
insert into access_log (at, last_at, times, door, event, who, claimed, client, method, route, status, reason)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


class _Key(NamedTuple):
    door: str
    event: str
    who: str
    claimed: str
    client: str
    method: str
    route: str
    status: int
    reason: str


@dataclass(slots=True)
class _Seen:
    at: datetime
    last_at: datetime
    times: int = 1


class AccessLog:
    """Logins and refusals of one process, kept for audit.

    Parameters
    ----------
    connections : Connections
    keep_days : int
        How long rows are kept; at least half a year whatever is set. [d]
    """

    def __init__(self, connections: Connections, *, keep_days: int = 365) -> None:
        self._connections = connections
        self._keep_days = keep_days
        self._seen: dict[_Key, _Seen] = {}
        self._task: asyncio.Task[None] | None = None

    def note(
        self,
        *,
        door: str,
        event: str,
        client: str,
        who: str = "",
        claimed: str = "",
        method: str = "",
        route: str = "",
        status: int = 0,
        reason: str = "",
    ) -> None:
        """Count one event; writes nothing yet and never waits. No text in it may be a secret."""
        key = _Key(door, event, who, claimed[:_TEXT], client, method, route, status, reason[:_TEXT])
        if key not in self._seen and len(self._seen) >= _MOST:
            key = _Key(door, event, "", "", "many", "", "", 0, "more different events than are listed")
        now = datetime.now(UTC)
        seen = self._seen.get(key)
        if seen is None:
            self._seen[key] = _Seen(now, now)
        else:
            seen.times += 1
            seen.last_at = now

    def start(self) -> None:
        """Write what comes, until `close`."""
        self._task = asyncio.create_task(self._go_on(), name="metering.access_log")

    async def close(self) -> None:
        """Write what is left."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self.write()

    async def write(self) -> None:
        """Write what has come so far; what the database does not take now waits."""
        seen, self._seen = self._seen, {}
        if not seen:
            return
        values = [
            (one.at, one.last_at, one.times, *(storable(part) if isinstance(part, str) else part for part in key))
            for key, one in seen.items()
        ]
        try:
            async with self._connections.connection() as connection, connection.cursor() as cursor:
                await cursor.executemany(_WRITE, values)
        except (StoreUnavailable, StoreRejected) as error:
            log.warning("the log of logins and refusals waits: %s", error)
            for key, one in list(seen.items())[: _MOST - len(self._seen)]:
                newer = self._seen.get(key)
                self._seen[key] = one if newer is None else _Seen(one.at, newer.last_at, one.times + newer.times)

    async def _go_on(self) -> None:
        left_s = 0.0
        while True:
            await asyncio.sleep(_WRITE_S)
            await self.write()
            left_s -= _WRITE_S
            if left_s <= 0:
                left_s = _TRIM_S
                await self._trim()

    async def _trim(self) -> None:
        try:
            async with self._connections.connection() as connection:
                await connection.execute("select access_log_trim(%s)", (self._keep_days,))
        except (StoreUnavailable, StoreRejected) as error:
            log.warning("old rows of the log of logins stay for now: %s", error)
