"""A database of somebody else's as copies of its tables, and back into an empty one.

All tables are read under one snapshot, so fence and results are of one instant. Which readings were stored after a
state's snapshot is known by the ages of their transactions (`streams.store.since`), which copies do not keep: so
readings younger than the oldest snapshot are kept with the order of their transactions, and put back in as many, with
the snapshots between them where they were.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any, Final

import psycopg
from psycopg import sql

from analytics.domain.errors import MeterwardenError
from deploy.operations.archive import Writer

__all__ = ["Copied", "copy_out", "is_empty", "put_in", "snapshot"]

_CHUNK: Final = 1 << 20
_READINGS: Final = "public.reading_hot"
_SNAPSHOTS: Final = "public.stream_snapshot"
_YOUNG_READINGS: Final = "young_readings"
_PLACES: Final = "places_of_snapshots"
_LEFT_OUT: Final = ("public.schema_migration", "sign_in.session")
"""What the new database has of its own, and who is signed in."""

_TABLES: Final = """
select n.nspname || '.' || c.relname,
    array(select a.attname::text from pg_attribute a
          where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' order by a.attnum),
    array(select distinct f.confrelid::regclass::text from pg_constraint f
          where f.conrelid = c.oid and f.contype = 'f' and f.confrelid <> c.oid),
    exists (select from pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal and t.tgname <> 'ts_insert_blocker')
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('public', 'sign_in') and c.relkind = 'r' and n.nspname || '.' || c.relname <> all (%s)
    and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
order by 1
"""
_OLDEST: Final = "select max(age(xmin)) from stream_snapshot"
_YOUNG: Final = """
select dense_rank() over (order by age(xmin) desc)::int4 as place, {columns} from reading_hot where age(xmin) < {age}
"""
_PLACES_OF: Final = """
select s.consumer_group, s.topic_id, s.partition, (
    select count(distinct age(h.xmin))::int4 from reading_hot h
    where age(h.xmin) < {age} and age(h.xmin) >= age(s.xmin)
) as place
from stream_snapshot s
"""
_SEQUENCES: Final = """
select schemaname || '.' || sequencename, coalesce(last_value, 0) from pg_sequences
where schemaname in ('public', 'sign_in')
"""
_SIZE: Final = "select pg_database_size(current_database())"


Opened = Callable[[str], Any]
"""A file of a backup by its name, as a context."""


@dataclass(frozen=True, slots=True)
class _Table:
    name: str
    columns: Sequence[str]
    needs: Sequence[str]
    triggers: bool

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(*self.name.split("."))

    @property
    def listed(self) -> sql.Composed:
        return sql.SQL(", ").join(map(sql.Identifier, self.columns))


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What is known of the tables of a backup beside their rows.

    Attributes
    ----------
    tables : tuple of str
        In the order in which they are put back.
    sequences : mapping
        The last number that each has given.
    """

    tables: tuple[str, ...]
    sequences: Mapping[str, int]


@contextmanager
def snapshot(connection: psycopg.Connection) -> Iterator[None]:
    """All that is read within is of one instant."""
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    try:
        with connection.transaction():
            yield
    finally:
        connection.isolation_level = connection.read_only = None


def copy_out(connection: psycopg.Connection, writer: Writer, report: Callable[[int, int], None]) -> Copied:
    """Write all tables, within a `snapshot`.

    Parameters
    ----------
    report : callable
        Gets how much was read, and about how much there is. [byte]
    """
    total, read = _number(connection, _SIZE), 0
    oldest = sql.Literal(_number(connection, _OLDEST))
    tables = _tables(connection)
    for name, query in _queries(tables, oldest):
        statement = sql.SQL("copy ({}) to stdout (format binary)").format(query)
        with writer.file(f"tables/{name}") as stream, connection.cursor().copy(statement) as copy:
            for data in copy:
                stream.write(bytes(data))
                read += len(data)
                report(read, max(total, read))
    report(read, read)
    return Copied(tables=tuple(table.name for table in tables), sequences=_sequences(connection))


def _queries(tables: Sequence[_Table], oldest: sql.Literal) -> Iterator[tuple[str, sql.Composed]]:
    for table in tables:
        query = sql.SQL("select {} from {}").format(table.listed, table.identifier)
        if table.name == _READINGS:
            query += sql.SQL(" where age(xmin) >= {}").format(oldest)
            yield _YOUNG_READINGS, sql.SQL(_YOUNG).format(columns=table.listed, age=oldest)
        yield table.name, query
    yield _PLACES, sql.SQL(_PLACES_OF).format(age=oldest)


def is_empty(connection: psycopg.Connection) -> bool:
    """Whether a migrated database holds nothing of a plant yet."""
    query = "select exists (select from unit) or exists (select from stream_fence) or exists (select from reading_hot)"
    row = connection.execute(query.encode()).fetchone()
    return row is not None and not row[0]


def put_in(connection: psycopg.Connection, copied: Copied, opened: Opened, report: Callable[[int], None]) -> None:
    """Put copies into a migrated, empty database.

    Parameters
    ----------
    connection : psycopg.Connection
        Of the database's owner, in autocommit mode.
    report : callable
        Gets how much was put back. [byte]
    """
    tables = _tables(connection)
    if {table.name for table in tables} != set(copied.tables):
        wrong = ", ".join(sorted({table.name for table in tables} ^ set(copied.tables)))
        raise MeterwardenError(f"the database must have the tables of the backup (it differs in {wrong})")
    _put_in(connection, tables, copied, opened, report)


def _empty(connection: psycopg.Connection) -> None:
    names = sql.SQL(", ").join(table.identifier for table in _tables(connection))
    connection.execute(sql.SQL("truncate {} cascade").format(names))


def _put_in(
    connection: psycopg.Connection,
    tables: Sequence[_Table],
    copied: Copied,
    opened: Opened,
    report: Callable[[int], None],
) -> None:
    done = 0

    def copy_in(name: str, target: sql.Composable) -> None:
        nonlocal done
        statement = sql.SQL("copy {} from stdin (format binary)").format(target)
        with opened(f"tables/{name}") as stream, connection.cursor().copy(statement) as copy:
            while data := stream.read(_CHUNK):
                copy.write(data)
                done += len(data)
                report(done)

    readings = next(table for table in tables if table.name == _READINGS)
    snapshots = next(table for table in tables if table.name == _SNAPSHOTS)
    with connection.transaction(), _without_triggers(connection, tables):
        _empty(connection)  # a migration has made some rows, which the backup has as well
        for table in tables:
            if table is not snapshots:
                copy_in(table.name, sql.SQL("{} ({})").format(table.identifier, table.listed))
        for name, value in copied.sequences.items():
            if value:
                connection.execute("select setval(%s::regclass, %s)", (name, value))
    # each of these is a transaction of its own, in the order in which they once were
    connection.execute(
        sql.SQL(
            "create temp table young_readings as select 0::int4 as place, {} from reading_hot limit 0;"
            "create temp table places_of_snapshots as select consumer_group, topic_id, partition, 0::int4 as place"
            " from stream_snapshot limit 0;"
            "create temp table snapshots (like stream_snapshot)"
        ).format(readings.listed)
    )
    copy_in(_YOUNG_READINGS, sql.Identifier(_YOUNG_READINGS))
    copy_in(_PLACES, sql.Identifier(_PLACES))
    copy_in(_SNAPSHOTS, sql.SQL("snapshots ({})").format(snapshots.listed))
    connection.execute("create index on young_readings (place)")
    last = _number(connection, "select coalesce(max(place), 0) from young_readings")
    add = sql.SQL("insert into reading_hot ({0}) select {0} from young_readings where place = %s").format(
        readings.listed
    )
    take = sql.SQL(
        "insert into stream_snapshot ({0}) select {0} from snapshots"
        " join places_of_snapshots using (consumer_group, topic_id, partition) where place = %s"
    ).format(snapshots.listed)
    for place in range(last + 1):
        connection.execute(add, (place,))
        connection.execute(take, (place,))


@contextmanager
def _without_triggers(connection: psycopg.Connection, tables: Sequence[_Table]) -> Iterator[None]:
    """What is put back has happened before: nobody is notified of it again, nothing refused that stood."""
    for switch in ("disable", "enable"):
        for table in tables:
            if table.triggers:
                connection.execute(sql.SQL(f"alter table {{}} {switch} trigger user").format(table.identifier))
        if switch == "disable":
            yield


def _tables(connection: psycopg.Connection) -> list[_Table]:
    found = [_Table(*row) for row in connection.execute(_TABLES, (list(_LEFT_OUT),))]
    by_name = {table.name: table for table in found}
    graph = {
        table.name: {need if "." in need else f"public.{need}" for need in table.needs} & by_name.keys()
        for table in found
    }
    return [by_name[name] for name in TopologicalSorter(graph).static_order()]


def _sequences(connection: psycopg.Connection) -> dict[str, int]:
    """The last number that each sequence has given."""
    return dict(connection.execute(_SEQUENCES).fetchall())


def _number(connection: psycopg.Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    return 0 if row is None or row[0] is None else int(row[0])
