"""Many rows from the database as columns: each column one array in PostgreSQL's binary form, read without a loop.

A row at a time costs a client microseconds; an aggregated array costs it nothing and the server some 0.1 µs a value.
A query for `fetch` selects ``array_send(array_agg(column))`` for each column and gives one row.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, LiteralString

import numpy as np
import psycopg
from numpy.typing import NDArray

from streams.store.postgres import arrays  # noqa: F401 - queries of columns take columns
from streams.store.postgres.copy import WIRE, from_wire

__all__ = ["decode", "fetch", "in_order"]

_HEADER: Final = 20  # dimensions, has NULL, element type, length, lower bound


def decode(sent: bytes | None, kind: str) -> NDArray[Any]:
    """Values of an array as ``array_send`` gives it, in native byte order; None is no values.

    Parameters
    ----------
    sent : bytes, optional
    kind : str
        As in `streams.store.postgres.copy.Column`.

    Raises
    ------
    ValueError
        If the array has a NULL or more than one dimension.
    """
    wire = np.dtype([("length", ">i4"), ("value", WIRE[kind])])
    native = wire["value"].newbyteorder("=")
    if sent is None or len(sent) < _HEADER:
        return np.empty(0, native)
    dimensions, has_null = np.frombuffer(sent, ">i4", 2).tolist()
    if dimensions != 1 or has_null:
        raise ValueError(f"a column must have one dimension and no NULL (got {dimensions}, {has_null})")
    values = np.frombuffer(sent, wire, offset=_HEADER)["value"]
    return from_wire(values.astype(native), kind)


async def fetch(
    connection: psycopg.AsyncConnection,
    query: LiteralString,
    parameters: Sequence[Any] | Mapping[str, Any],
    kinds: Mapping[str, str],
    dtype: np.dtype[np.void],
) -> NDArray[np.void]:
    """Rows of a query of aggregated columns.

    Parameters
    ----------
    query : str
        Selects one row of arrays, in the order of `kinds`.
    kinds : mapping of str to str
        Fields of `dtype` to what they are in the database.
    dtype : dtype
        Of the result.
    """
    cursor = await connection.execute(query, parameters, binary=True)
    row = await cursor.fetchone()
    assert row is not None, "an aggregate always has a row"
    columns = [decode(sent, kind) for sent, kind in zip(row, kinds.values(), strict=True)]
    rows = np.empty(len(columns[0]), dtype)
    for name, column in zip(kinds, columns, strict=True):
        rows[name] = column
    return rows


def in_order(rows: NDArray[np.void], owner: str, at: str) -> NDArray[np.void]:
    """Rows sorted by owner and time, each pair of these once.

    Examples
    --------
    >>> rows = np.array([(2, 5), (1, 7), (2, 5)], [("id", "i4"), ("hour", "i8")])
    >>> in_order(rows, "id", "hour").tolist()
    [(1, 7), (2, 5)]
    """
    ordered = rows[np.lexsort((rows[at], rows[owner]))]
    fresh = np.ones(len(ordered), np.bool_)
    fresh[1:] = (ordered[owner][1:] != ordered[owner][:-1]) | (ordered[at][1:] != ordered[at][:-1])
    return ordered[fresh]
