"""What an HTTP application of ours holds from its start to its end: connections, and the log of access."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from streams.store.access.log import AccessLog
from streams.store.postgres.connections import Connections

__all__ = ["life_of"]


def life_of(
    dsn: str, *, connections: int, name: str, audit_days: int
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Lifespan of an application: `state.connections` and `state.access_log` while it runs.

    Parameters
    ----------
    dsn : str
        The database.
    connections : int
        Requests that are at the database at once.
    name : str
        What `pg_stat_activity` calls the connections.
    audit_days : int
        How long the log of logins and refusals is kept. [d]
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.connections = Connections(dsn, size=connections, name=name)
        app.state.access_log = AccessLog(app.state.connections, keep_days=audit_days)
        app.state.access_log.start()
        yield
        await app.state.access_log.close()
        await app.state.connections.close()

    return lifespan
