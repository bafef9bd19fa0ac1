"""Queue of data to upload and their state, in a SQLite file, so that nothing unsent is taken for sent.

A datum is named by its data code, its kind of period and the start of the period. Its state is

- ``waiting``: not sent, or sent without an answer: it is sent (again) with the next upload;
- ``sent``: the platform accepted it;
- ``refused``: the platform answered that it does not; it is sent again too, for causes are mended on both sides;
- ``corrected``: accepted, and the value has changed since; sent again, or only reported, as the profile says.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["Datum", "Kept", "Outbox"]

_SCHEMA: Final = """
create table if not exists datum (
    code text not null, stat_type integer not null, start text not null, scope integer not null,
    input_type integer not null, value text not null, estimated integer not null,
    state text not null default 'waiting' check (state in ('waiting', 'sent', 'refused', 'corrected')),
    sent_value text, attempts integer not null default 0, answer text not null default '',
    changed_at text not null, sent_at text,
    primary key (code, stat_type, start)
) without rowid;
create index if not exists datum_state on datum (state, start);
create table if not exists memory (name text primary key, body text not null) without rowid;
"""
_PUT: Final = """
insert into datum (code, stat_type, start, scope, input_type, value, estimated, changed_at)
values (?, ?, ?, ?, ?, ?, ?, ?)
on conflict (code, stat_type, start) do update
set value = excluded.value, estimated = excluded.estimated, scope = excluded.scope, input_type = excluded.input_type,
    changed_at = excluded.changed_at,
    state = case when sent_value is null then state when sent_value = excluded.value then 'sent' else 'corrected' end
where (value, estimated, scope, input_type)
    is not (excluded.value, excluded.estimated, excluded.scope, excluded.input_type)
"""
_COLUMNS: Final = "code, stat_type, start, scope, input_type, value, estimated"


class Datum(NamedTuple):
    """One number to be uploaded.

    Attributes
    ----------
    stat_type : int
        0 hour, 1 day, 2 month, 3 year.
    start : str
        Start of the period, local: ``yyyy-MM-dd HH:mm:ss``.
    value : str
        As it is sent.
    estimated : bool
        Whether some of it was estimated; then the profile's mark for not valid goes with it.
    """

    code: str
    stat_type: int
    start: str
    scope: int
    input_type: int
    value: str
    estimated: bool


class Kept(NamedTuple):
    """A datum with its state."""

    datum: Datum
    state: str
    sent_value: str | None
    attempts: int
    answer: str


class Outbox:
    """The file; one process at a time writes it.

    Parameters
    ----------
    path : Path
        Made where it is missing, readable by its owner alone: the platform's key is kept in it.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.chmod(0o600)
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("pragma journal_mode = wal")
        self._connection.execute("pragma synchronous = full")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Let the file go."""
        self._connection.close()

    def put(self, data: Sequence[Datum]) -> None:
        """Take in data; one that was accepted with another value becomes `corrected`."""
        now = _now()
        with self._transaction():
            self._connection.executemany(_PUT, [(*datum[:6], int(datum.estimated), now) for datum in data])

    def waiting(self, *, corrected: bool, limit: int = 1000) -> list[Datum]:
        """The oldest that are to be sent; those that were corrected too where it is so wanted."""
        states = ("waiting", "refused", "corrected") if corrected else ("waiting", "refused")
        marks = ",".join("?" * len(states))
        query = f"select {_COLUMNS} from datum where state in ({marks}) order by attempts, start, code limit ?"  # noqa: S608 - marks only
        return [_datum(row) for row in self._connection.execute(query, (*states, limit))]

    def attempted(self, data: Sequence[Datum]) -> None:
        """Record an attempt to send them."""
        with self._transaction():
            self._connection.executemany(
                "update datum set attempts = attempts + 1 where code = ? and stat_type = ? and start = ?",
                [datum[:3] for datum in data],
            )

    def answered(self, data: Sequence[Datum], *, accepted: bool, answer: str) -> None:
        """Record the platform's answer; a value that has changed meanwhile remains to be sent."""
        now = _now()
        with self._transaction():
            if accepted:
                self._connection.executemany(
                    "update datum set sent_value = ?, sent_at = ?, answer = ?,"
                    " state = case when value = ? then 'sent' else 'corrected' end"
                    " where code = ? and stat_type = ? and start = ?",
                    [(datum.value, now, answer, datum.value, *datum[:3]) for datum in data],
                )
            else:
                self._connection.executemany(
                    "update datum set answer = ?, state = case when sent_value is null then 'refused' else state end"
                    " where code = ? and stat_type = ? and start = ?",
                    [(answer, *datum[:3]) for datum in data],
                )

    def values(self, code: str, stat_type: int) -> dict[date, Decimal]:
        """Values of a code by the day that they begin at: as the platform has them, else as they will be sent."""
        rows = self._connection.execute(
            "select start, coalesce(sent_value, value) from datum where code = ? and stat_type = ?", (code, stat_type)
        )
        return {date.fromisoformat(start[:10]): Decimal(value) for start, value in rows}

    def first(self) -> datetime | None:
        """The earliest start of a period in it, local; None where it is empty."""
        row = self._connection.execute("select min(start) from datum").fetchone()
        return datetime.fromisoformat(row[0]) if row[0] is not None else None

    def counts(self) -> dict[str, int]:
        """Data by state."""
        return dict(self._connection.execute("select state, count(*) from datum group by state"))

    def list(self, state: str, limit: int = 100) -> list[Kept]:
        """Data of a state, the newest first."""
        query = f"select {_COLUMNS}, state, sent_value, attempts, answer from datum where state = ? order by start desc, code limit ?"  # noqa: S608, E501 - columns only
        return [
            Kept(_datum(row), row[7], row[8], row[9], row[10])
            for row in self._connection.execute(query, (state, limit))
        ]

    def remember(self, name: str, body: str) -> None:
        """Keep what the platform answered: the registration, versions, dictionaries."""
        self._connection.execute(
            "insert into memory values (?, ?) on conflict (name) do update set body = excluded.body", (name, body)
        )

    def remembered(self, name: str) -> str | None:
        """What was kept, None where nothing was."""
        row = self._connection.execute("select body from memory where name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._connection.execute("rollback")
            raise
        self._connection.execute("commit")


def _datum(row: Sequence[object]) -> Datum:
    code, stat_type, start, scope, input_type, value, estimated = row[:7]
    return Datum(
        str(code), int(str(stat_type)), str(start), int(str(scope)), int(str(input_type)), str(value), bool(estimated)
    )


def _now() -> str:
    return datetime.now(UTC).isoformat()
