"""A checked ledger into the database, from a program that is not a worker."""

import asyncio
from datetime import datetime

import psycopg

from analytics.domain.ledger import Ledger
from streams.store.ledger import LoadReport, load_ledger
from streams.store.postgres.connections import understood

__all__ = ["load"]


def load(dsn: str, ledger: Ledger, source: str, *, correct: bool = False, since: datetime | None = None) -> LoadReport:
    """Load a ledger over the one in force, all or nothing; safe to repeat.

    Parameters
    ----------
    dsn : str
        The database.
    ledger : Ledger
        Without faults.
    source : str
        Where it comes from, for the record.
    correct : bool
        Whether installations that it does not name any more never were, and are withdrawn.
    since : datetime or None
        From when another status or class of a meter holds; from now on without it.

    Raises
    ------
    StoreUnavailable
        If the database cannot be reached or goes away; nothing is loaded.
    """
    return asyncio.run(_load(dsn, ledger, source, correct=correct, since=since))


async def _load(dsn: str, ledger: Ledger, source: str, *, correct: bool, since: datetime | None) -> LoadReport:
    async with understood():
        connection = await psycopg.AsyncConnection.connect(
            dsn, autocommit=True, connect_timeout=10, application_name="meterwarden ledger load"
        )
        async with connection:
            return await load_ledger(connection, ledger, source, correct=correct, since=since)
