"""Bring a database to the schema of this version: numbered SQL files, each applied once, in order, by itself.

A file that was applied may not change afterwards: its checksum is kept, and a difference stops everything. What can be
repeated (units of measurement, what the `timescale` edition offers) is said after every run.
"""

import hashlib
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, Final, LiteralString, NamedTuple

import psycopg

from analytics.domain.errors import ConfigurationError, StoreUnavailable
from analytics.domain.units import CODE_COUNT, KIND_TABLE, NO_UNIT, unit_of
from deploy.descriptions import describe
from deploy.regions import bring_back, put_away
from deploy.settings import Settings
from streams.store.postgres.connections import connected_blocking
from streams.store.site import Site, settle

__all__ = ["Migration", "migrate", "migrations", "pending", "site_of"]

LOCK: Final = 0x6D77_0001  # of everything that changes the schema of a meterwarden database
EDITION_FILE: Final = "timescale_edition.sql"

_TABLE: Final = """
create table if not exists schema_migration (
    number     int4 primary key,
    name       text not null unique,
    checksum   bytea not null check (length(checksum) = 32),
    applied_at timestamptz not null default now()
)
"""
_THERE: Final = "select pg_has_role(relowner, 'usage') from pg_class where oid = to_regclass('schema_migration')"
_KNOWN: Final = "select number, name, checksum from schema_migration order by number"
_RECORD: Final = "insert into schema_migration (number, name, checksum) values (%s, %s, %s)"
_EDITION: Final = "select current_setting('timescaledb.license', true)"
_EVERY_TIME: Final = tuple(
    f"""
do $$
begin
    if to_regprocedure('board.{procedure}()') is not null then   -- not before the migration that brings it
        call board.{procedure}();
    end if;
end
$$
""".encode()
    for procedure in ("shut", "services", "views")
)
_Statement = tuple[bytes | LiteralString, tuple[Any, ...] | None]
_IMPATIENT: Final = "set local lock_timeout = '2s'"
_PAUSES_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
_END_VIEWERS: Final = """
do $$
begin
    if to_regclass('board.role') is not null then
        perform pg_terminate_backend(a.pid) from pg_stat_activity a join board.role r on r.role = a.usename
        where a.datname = current_database() and now() - a.xact_start > interval '20 s';
    end if;
end
$$
"""
_UNITS: Final = """
insert into measure_unit (code, symbol, kind) values (%s, %s, %s)
on conflict (code) do update set symbol = excluded.symbol, kind = excluded.kind
where (measure_unit.symbol, measure_unit.kind) <> (excluded.symbol, excluded.kind)
"""


def site_of(settings: Settings) -> Site:
    """What the settings settle about the database."""
    database = settings.database
    return Site(zone=settings.zone, chunk_h=database.chunk_h or None, retain_days=database.retain_days or None)


class Migration(NamedTuple):
    """One numbered file."""

    number: int
    name: str
    text: str

    @property
    def checksum(self) -> bytes:
        """SHA-256 of its bytes."""
        return hashlib.sha256(self.text.encode()).digest()


def migrations() -> tuple[Migration, ...]:
    """The files of this version, by number; each number once, and some may be left out."""
    found = sorted(
        Migration(int(match[1]), file.name, file.read_text("utf-8"))
        for file in files("deploy.migrations").iterdir()
        if (match := re.fullmatch(r"(\d{4})_\w+\.sql", file.name))
    )
    numbers = [migration.number for migration in found]
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    if twice:
        raise ConfigurationError(f"each number must be that of one migration (got several of {twice})")
    return tuple(found)


def migrate(dsn: str, *, site: Site | None = None) -> list[str]:
    """Apply what is missing; the names of the files applied, none where the schema is up to date.

    Safe to run from several places at once: one works, the others wait and then find nothing to do. A service's own
    login, as a worker of another machine has it, may change nothing: it only looks whether all is there.

    Parameters
    ----------
    dsn : str
        Database to migrate; its user owns the schema.
    site : Site, optional
        What the site has settled; None leaves what the database says.

    Raises
    ------
    ConfigurationError
        If a file that was applied has changed since, the database is of a newer version than this one, or of an older
        one and its user does not own it.
    StoreUnavailable
        If the database cannot be reached.
    """
    with _locked(dsn) as connection:
        applied = []
        missing = _pending(connection)
        if not _owned(connection):
            if missing:
                raise ConfigurationError(
                    f"the database must be of this version: `meterwarden migrate` by its owner (it lacks "
                    f"{missing[0].name}; {connection.info.user} may not change it)"
                )
            return []
        if missing:
            put_away(connection)
        for migration in missing:
            record = (migration.number, migration.name, migration.checksum)
            _patiently(connection, (_trusted(migration.text), None), (_RECORD, record))
            applied.append(migration.name)
        with connection.transaction():
            _say_units(connection)
            if site is not None:
                settle(connection, site)
        if _edition(connection) == "timescale":
            _patiently(connection, (_trusted((files("deploy.migrations") / EDITION_FILE).read_text("utf-8")), None))
        for step in _EVERY_TIME:
            _patiently(connection, (step, None))
        bring_back(connection)
        describe(connection)
        return applied


def _patiently(connection: psycopg.Connection, *statements: _Statement) -> None:
    """Execute statements in a transaction, and again while others hold what they need.

    Who waits for a lock makes everybody wait who comes later, so nothing waits for long. A viewer of boards who keeps
    a transaction open for longer than his limits allow is ended.
    """
    for pause_s in (*_PAUSES_S, None):
        try:
            with connection.transaction():
                connection.execute(_IMPATIENT)
                for text, values in statements:
                    connection.execute(text, values)
        except psycopg.errors.LockNotAvailable as error:
            if pause_s is None:
                raise StoreUnavailable(
                    f"what is migrated must be free for a moment (others held it all the time: {error})"
                ) from error
        except psycopg.errors.InsufficientPrivilege as error:
            said = " ".join(filter(None, (error.diag.message_primary, error.diag.message_detail)))
            raise ConfigurationError(
                f"the database user {connection.info.user} must be allowed to bring the schema up to date "
                f"(it says: {said}); where another database of the server has made a role before, its administrator "
                "can `grant <role> to <user> with admin option`"
            ) from error
        else:
            return
        connection.execute(_END_VIEWERS)
        time.sleep(pause_s)


def pending(dsn: str) -> list[str]:
    """Names of the files that `migrate` would apply; raises as it does."""
    with _locked(dsn) as connection:
        return [migration.name for migration in _pending(connection)]


@contextmanager
def _locked(dsn: str) -> Iterator[psycopg.Connection]:
    with connected_blocking(dsn, "migrate") as connection:
        connection.execute("select pg_advisory_lock(%s)", (LOCK,))  # given back when the connection closes
        yield connection


def _owned(connection: psycopg.Connection) -> bool:
    row = connection.execute(_THERE).fetchone()
    return row is None or bool(row[0])


def _pending(connection: psycopg.Connection) -> list[Migration]:
    if connection.execute(_THERE).fetchone() is None:
        connection.execute(_TABLE)
    known = {number: (name, bytes(checksum)) for number, name, checksum in connection.execute(_KNOWN).fetchall()}
    ours = migrations()
    for migration in ours:
        name, checksum = known.get(migration.number, (migration.name, migration.checksum))
        if (name, checksum) != (migration.name, migration.checksum):
            raise ConfigurationError(
                f"migration {migration.name} must be what was applied as {name} "
                "(its content differs: restore the file and put the change into a new one)"
            )
    unknown = sorted(known.keys() - {migration.number for migration in ours})
    if unknown:
        raise ConfigurationError(
            f"the database must not be newer than this version (it has {known[unknown[-1]][0]}, the newest here is "
            f"{ours[-1].name})"
        )
    # not only what is above the newest applied: parts of a version may come in another order than their numbers
    return [migration for migration in ours if migration.number not in known]


def _say_units(connection: psycopg.Connection) -> None:
    codes = [code for code in range(CODE_COUNT) if KIND_TABLE[code]]
    units = [unit_of(code) for code in codes]
    rows = [(unit.code, unit.symbol, unit.kind.name.lower()) for unit in units]
    with connection.cursor() as cursor:
        cursor.executemany(_UNITS, [(NO_UNIT, "", "none"), *rows])


def _edition(connection: psycopg.Connection) -> str | None:
    row = connection.execute(_EDITION).fetchone()
    return None if row is None else row[0]


def _trusted(text: str) -> bytes:
    return text.encode()  # psycopg takes bytes, or strings it knows to be constant; this is a file of this package
