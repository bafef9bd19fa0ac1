"""One transaction on the database, for commands."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg

from deploy.settings import load
from deploy.stack import Stack
from streams.store.postgres.connections import Connections

__all__ = ["inside"]

T = TypeVar("T")


def inside(work: Callable[[psycopg.AsyncConnection], Awaitable[T]]) -> T:
    """Run `work` in one transaction and return its result; raises `StoreUnavailable` if it does not answer."""

    async def run() -> T:
        connections = Connections(Stack(load()).dsn, size=1)
        try:
            async with connections.connection() as connection, connection.transaction():
                return await work(connection)
        finally:
            await connections.close()

    return asyncio.run(run())
