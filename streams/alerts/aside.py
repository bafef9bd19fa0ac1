"""Quarantine for rows that cannot be processed, with the reason, so that all others can."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import psycopg
from psycopg.types.datetime import DateLoader, TimestamptzLoader
from psycopg.types.json import Jsonb

from streams.store.postgres.text import storable

__all__ = ["Aside", "Unreadable", "lenient"]

log = logging.getLogger("metering.alerts")

R = TypeVar("R")
T = TypeVar("T")

_KEEP: Final = """
insert into alert_aside (source, source_key, error, row) values (%s, %s, %s, %s)
on conflict (source, source_key) do update
set error = excluded.error, row = excluded.row, seen_at = clock_timestamp(), solved_at = null
where alert_aside.error <> excluded.error or alert_aside.solved_at is not null
returning id
"""


class Unreadable(str):
    """A time of the database that Python has no value for: infinity, or beyond its years."""

    __slots__ = ()


class _Times(TimestamptzLoader):
    def load(self, data: Any) -> Any:
        try:
            return super().load(data)
        except (psycopg.DataError, ValueError, OverflowError):
            return Unreadable(bytes(data).decode("ascii", "replace"))


class _Dates(DateLoader):
    def load(self, data: Any) -> Any:
        try:
            return super().load(data)
        except (psycopg.DataError, ValueError, OverflowError):
            return Unreadable(bytes(data).decode("ascii", "replace"))


def lenient(connection: psycopg.AsyncConnection) -> None:
    """Let one time that cannot be read spoil its own row alone, not all that were asked for with it."""
    connection.adapters.register_loader("timestamptz", _Times)
    connection.adapters.register_loader("date", _Dates)


class Aside:
    """What was set aside in one round."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], tuple[str, Any]] = {}

    def add(self, source: str, key: object, error: BaseException, row: object = None) -> None:
        """Set a row aside."""
        said = f"{type(error).__name__}: {error}"
        if (source, str(key)) not in self.rows:
            log.error("set aside: row %s of %s: %s", key, source, said)
        self.rows[source, str(key)] = storable(said, 500), row

    def each(self, source: str, rows: Iterable[R], convert: Callable[[R], T], key: Callable[[R], object]) -> list[T]:
        """What can be made of rows; those that nothing can be made of are set aside."""
        made = []
        for row in rows:
            try:
                _require_readable(row)
                made.append(convert(row))
            except Exception as error:  # noqa: BLE001 - whatever is wrong with a row, it is wrong with that row alone
                self.add(source, key(row), error, row)
        return made

    async def keep(self, connection: psycopg.AsyncConnection) -> int:
        """Write down what is new of it; how many rows."""
        new = 0
        for (source, key), (error, row) in self.rows.items():
            cursor = await connection.execute(_KEEP, (source, storable(key, 200), error, Jsonb(_plain(row))))
            new += cursor.rowcount
        return new


def _require_readable(row: object) -> None:
    values: Iterable[tuple[object, object]] = ()
    if isinstance(row, Mapping):
        values = row.items()
    elif isinstance(row, Sequence):
        values = enumerate(row)
    for name, value in values:
        if isinstance(value, Unreadable):
            raise ValueError(  # noqa: TRY004 - the time is wrong, not its type
                f"{name} must be a time of the years 1 to 9999 (got {value})"
            )


def _plain(row: object) -> Any:
    """A row as JSON can hold it."""
    if isinstance(row, Mapping):
        return {storable(str(name)): _plain(value) for name, value in row.items()}
    if isinstance(row, list | tuple):
        return [_plain(value) for value in row]
    return row if isinstance(row, int | bool | None) else storable(str(row))
