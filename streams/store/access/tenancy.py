"""Asking in the name of an enterprise: what a person of it is shown comes from its own database role.

The API and the pages connect as one role that may take on the role of any enterprise, and inherits nothing of it. For
the length of a transaction they do: then the two walls of schema `enterprise` stand between the answer and everybody
else's rows, as they do for a viewer of boards, and a query that forgot its condition shows nothing foreign.

>>> async with as_unit(connections, person.unit_id) as connection:          # doctest: +SKIP
...     await connection.execute("select * from alert_list")                # the enterprise's own rows, by the same SQL
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import psycopg

from streams.store.postgres.connections import Connections

__all__ = ["as_staff", "as_unit"]

_BECOME: Final = """
select set_config('role', board.enrolled(%(unit)s)::text, true), set_config('search_path', %(path)s, true),
       set_config('transaction_read_only', 'on', true), set_config('statement_timeout', %(limit)s, true)
"""


@asynccontextmanager
async def as_unit(
    connections: Connections, unit_id: int, *, limit_s: float = 20.0
) -> AsyncIterator[psycopg.AsyncConnection]:
    """A read-only transaction as the role of an energy-using unit.

    Unqualified names are the enterprise's views (`board.view` lists them, less the staff's own); tables cannot be read.
    What an enterprise may write is written in another transaction, as the API itself.

    Parameters
    ----------
    connections : Connections
        Of the API's role, ``<database>_api``, or of the database's owner.
    unit_id : int
        Of the ledger; its role is made where there is none yet.
    limit_s : float
        How long a statement may take. [s]

    Raises
    ------
    StoreRejected
        If there is no such unit, or roles cannot be made here (the extension's routines are open to everybody).
    StoreUnavailable
        If the database does not answer in time.
    """
    async with _as(connections, unit_id, "enterprise, public", limit_s) as connection:
        yield connection


@asynccontextmanager
async def as_staff(connections: Connections, *, limit_s: float = 20.0) -> AsyncIterator[psycopg.AsyncConnection]:
    """The same as the staff's role: the views of all units, and no tables."""
    async with _as(connections, None, "public", limit_s) as connection:
        yield connection


@asynccontextmanager
async def _as(
    connections: Connections, unit_id: int | None, path: str, limit_s: float
) -> AsyncIterator[psycopg.AsyncConnection]:
    async with connections.connection() as connection, connection.transaction():
        become = {"unit": unit_id, "path": path, "limit": f"{limit_s * 1000:.0f}ms"}
        await connection.execute(_BECOME, become)
        yield connection
