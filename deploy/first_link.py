"""The one-time link of the first administrator."""

import asyncio
from datetime import UTC, datetime

from streams.alerts.sign_in import first_administrator
from streams.store.postgres.connections import Connections

__all__ = ["first_link"]


def first_link(dsn: str, url: str) -> str | None:
    """Where the first administrator chooses a password; None where one has. Earlier links act no more.

    Parameters
    ----------
    dsn : str
        The database as its owner.
    url : str
        Of the pages.
    """

    async def made() -> str | None:
        connections = Connections(dsn, size=1)
        try:
            async with connections.connection() as connection, connection.transaction():
                return await first_administrator(connection, datetime.now(UTC))
        finally:
            await connections.close()

    token = asyncio.run(made())
    return None if token is None else f"{url}/invitation/{token}"
