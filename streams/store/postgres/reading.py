"""Rows of a query as they are shown or decided on: few, each a dictionary by column."""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row

__all__ = ["rows_of"]


async def rows_of(
    connection: psycopg.AsyncConnection, query: str, parameters: Mapping[str, object] | Sequence[object] = ()
) -> list[dict[str, Any]]:
    """All rows of a query of ours; what comes from outside stands in `parameters`."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query.encode(), parameters)
        return await cursor.fetchall()
