"""One transaction on the database, for commands."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg

from deploy.settings import load
from deploy.stack import Stack
from streams.store.postgres.connections import connected

__all__ = ["inside"]

T = TypeVar("T")


def inside(work: Callable[[psycopg.AsyncConnection], Awaitable[T]]) -> T:
    """Run `work` in one transaction and return its result; raises `StoreUnavailable` if it does not answer."""

    async def run() -> T:
        async with connected(Stack(load()).dsn, "command", autocommit=False) as connection:
            return await work(connection)

    return asyncio.run(run())
