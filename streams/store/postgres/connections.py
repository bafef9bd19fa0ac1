"""The one place where the database is connected to, and what its errors mean to a caller.

`connected` and `connected_blocking` open a connection for an errand, `Connections` keeps a few for work that goes on.
Every session gets the same name, time zone and message level here; user, TLS and all else come with the address.

A connection that broke, or that a task left in the middle of something, is closed and not given out again. Nothing is
retried here: who asked knows whether what it was doing can be done again.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final, LiteralString

import psycopg
from psycopg.pq import TransactionStatus

from analytics.domain.errors import MeterwardenError, StoreUnavailable
from streams.ports import StoreRejected

__all__ = ["Connections", "connected", "connected_blocking", "trouble", "understood"]

IDLE_IN_TRANSACTION_S: Final = 60
"""A worker that stops inside a transaction holds its fence for this long at most."""

_NETWORK: Final = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}
"""A server that is gone without a word, its machine or the way to it, is noticed after so long. [s, s, 1, ms]"""

_SESSION: Final = """
select set_config('timezone', 'UTC', false), set_config('jit', 'off', false),
       set_config('client_min_messages', 'warning', false)
"""
_WORK_SESSION: Final = "select set_config('idle_in_transaction_session_timeout', %s, false)"

_RETRY_STATES: Final = frozenset({"25006", "57P05", "25P03", "25P04"})
"""Read only (a standby took over), and sessions ended by a time limit: psycopg does not count them as operational."""


@asynccontextmanager
async def understood() -> AsyncIterator[None]:
    """Turn the driver's errors into ours: `StoreUnavailable` to try again, `StoreRejected` where that is no use."""
    try:
        yield
    except psycopg.Error as error:
        raise _ours(error) from error


def _ours(error: psycopg.Error) -> MeterwardenError:
    if isinstance(error, psycopg.OperationalError):
        return StoreUnavailable(f"the database must answer (got: {_first_line(error)})")
    if error.sqlstate in _RETRY_STATES:
        return StoreUnavailable(f"the database must take writes (got: {_first_line(error)})")
    return StoreRejected(f"the database must accept what was asked (got: {_first_line(error)})")


def _first_line(error: psycopg.Error) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return f"{error.sqlstate}: {line}" if error.sqlstate else line


@asynccontextmanager
async def connected(
    dsn: str, name: str, *, autocommit: bool = True, timeout_s: int = 10
) -> AsyncIterator[psycopg.AsyncConnection]:
    """Open one connection for an errand; its errors come out as `understood` says.

    Parameters
    ----------
    dsn : str
        Database.
    name : str
        What `pg_stat_activity` calls it, after "meterwarden".
    autocommit : bool
        Otherwise everything is one transaction, committed at the end.
    timeout_s : int
        Longest wait for the server to let it in. [s]
    """
    async with understood(), await _open(dsn, f"meterwarden {name}", timeout_s) as connection:
        await connection.set_autocommit(autocommit)
        yield connection


@contextmanager
def connected_blocking(
    dsn: str, name: str, *, autocommit: bool = True, timeout_s: int = 10
) -> Iterator[psycopg.Connection]:
    """As `connected`, for code that runs without an event loop."""
    try:
        with _open_blocking(dsn, name, timeout_s) as connection:
            connection.execute(_SESSION)
            connection.autocommit = autocommit
            yield connection
    except psycopg.Error as error:
        raise _ours(error) from error


def trouble(dsn: str, name: str, *, timeout_s: int = 10) -> str:
    """Why a database does not answer a login; empty where it does."""
    try:
        with _open_blocking(dsn, name, timeout_s) as connection:
            connection.execute("select 1")
    except psycopg.Error as error:
        return _first_line(error)
    return ""


def _open_blocking(dsn: str, name: str, timeout_s: int) -> psycopg.Connection:
    asked: dict[str, Any] = {"connect_timeout": timeout_s, "application_name": f"meterwarden {name}"}
    return psycopg.connect(dsn, autocommit=True, **asked, **_network(dsn))


def _network(dsn: str) -> dict[str, Any]:
    """Bounds of the way to the server that its address does not set itself."""
    return {name: value for name, value in _NETWORK.items() if f"{name}=" not in dsn}


async def _open(dsn: str, name: str, timeout_s: int) -> psycopg.AsyncConnection:
    connection = await psycopg.AsyncConnection.connect(
        dsn, autocommit=True, connect_timeout=timeout_s, application_name=name, **_network(dsn)
    )
    try:
        await connection.execute(_SESSION)
    except BaseException:
        await connection.close()
        raise
    return connection


class Connections:
    """Up to `size` connections, opened when needed.

    Parameters
    ----------
    dsn : str
        Database.
    size : int
        How many transactions may run at once.
    name : str
        What `pg_stat_activity` calls them.
    session : sequence of str
        Statements that each begins with (temporary tables).
    timeout_s : float
        How long opening one may take.
    """

    def __init__(
        self,
        dsn: str,
        *,
        size: int = 2,
        name: str = "meterwarden",
        session: Sequence[LiteralString] = (),
        timeout_s: float = 10.0,
    ) -> None:
        self._dsn = dsn
        self._name = name
        self._session = session
        self._timeout_s = timeout_s
        self._free = asyncio.Semaphore(size)
        self._idle: list[psycopg.AsyncConnection] = []
        self._closed = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[psycopg.AsyncConnection]:
        """Borrow a connection in autocommit mode; its errors come out as `understood` says."""
        async with self._free, understood():
            connection = await self._take()
            try:
                yield connection
            finally:
                await self._give_back(connection)

    @asynccontextmanager
    async def extra(self) -> AsyncIterator[psycopg.AsyncConnection]:
        """Open a connection beyond the limit, for an errand while all others may be waiting, and close it."""
        async with understood():
            connection = await self._open()
            try:
                yield connection
            finally:
                await connection.close()

    async def close(self) -> None:
        """Close what is idle; what is borrowed is closed when it comes back."""
        self._closed = True
        while self._idle:
            await self._idle.pop().close()

    async def _take(self) -> psycopg.AsyncConnection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed:
                return connection
        return await self._open()

    async def _open(self) -> psycopg.AsyncConnection:
        connection = await _open(self._dsn, self._name, max(2, round(self._timeout_s)))
        try:
            await connection.execute(_WORK_SESSION, (f"{IDLE_IN_TRANSACTION_S}s",))
            for statement in self._session:
                await connection.execute(statement)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _give_back(self, connection: psycopg.AsyncConnection) -> None:
        usable = not connection.closed and connection.info.transaction_status == TransactionStatus.IDLE
        if usable and not self._closed:
            self._idle.append(connection)
        else:
            with suppress(psycopg.Error):
                await connection.close()
