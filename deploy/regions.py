"""Several regions seen in one place: each a whole instance of its own, one database with views over all of them.

No unit belongs to two regions and no balance crosses one, so nothing of a region has to know of another. The database
that sees them asks theirs by ``postgres_fdw``, with a login that may read there what the staff may read, and nothing
more. Its schema ``region`` holds for each view of `SHARED` one of the same name: all regions' rows, the region's name
before them. Its staff may query it; enterprises may not, whose own region shows them what is theirs.
"""

import re
import secrets
from collections.abc import Sequence
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from analytics.domain.errors import ConfigurationError
from streams.store.postgres.connections import connected_blocking

__all__ = ["SHARED", "bring_back", "join", "leave", "login", "put_away", "regions"]

SHARED: Final = (
    "unit_list",
    "unit_day",
    "unit_completeness",
    "compliance_list",
    "equipping_rate_list",
    "finding_list",
    "alert_list",
    "case_list",
)
"""Views that are shown of all regions together: days and states, not readings, which stay where they are."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,30}")
_HERE: Final = "here"
_TLS: Final = ("sslmode", "sslrootcert", "sslcert", "sslkey")
_VIEWER: Final = "meterwarden_staff_viewer"
_MOST: Final = 8

_LIST: Final = "select name, address, joined_at from region.member order by name"
_COLUMNS: Final = """
select a.attname::text from pg_attribute a
where a.attrelid = format('public.%%I', %(view)s::text)::regclass and a.attnum > 0 and not a.attisdropped
    and not exists (
        select from unnest(%(places)s::text[]) p (place)
        where not exists (
            select from pg_attribute b where b.attrelid = format('%%I.%%I', place, %(view)s::text)::regclass
                and b.attname = a.attname and b.atttypid = a.atttypid and not b.attisdropped
        )
    )
order by a.attnum
"""
"""Columns that all have: regions of two versions are seen together until the second is upgraded too."""
_MEMBERS: Final = """
create table if not exists region.member (
    name text primary key, address text not null, joined_at timestamptz not null default now()
)
"""


def login(dsn: str) -> tuple[str, str]:
    """Name and new password of the login by which another instance may read what the staff of this one may read.

    The one that it had ends. Raises `ConfigurationError` where the database's user may make no role.
    """
    password = secrets.token_urlsafe(32)
    with connected_blocking(dsn, "regions") as connection, connection.transaction():
        connection.execute("call board.lock_doors()")  # makes the role that lets into this database
        row = connection.execute("select left(current_database(), 44) || '_region', board.door()").fetchone()
        assert row is not None, "such a query always has a row"
        role, door = (sql.Identifier(name) for name in row)
        try:
            if connection.execute("select from pg_roles where rolname = %s", (row[0],)).fetchone() is None:
                connection.execute(sql.SQL("create role {} login").format(role))
            verifier = connection.pgconn.encrypt_password(password.encode(), row[0].encode(), b"scram-sha-256")
            connection.execute(sql.SQL("grant {}, {} to {}").format(sql.Identifier(_VIEWER), door, role))
            connection.execute(
                sql.SQL("alter role {} connection limit {} password {}").format(role, _MOST, verifier.decode())
            )
            here = sql.Identifier(connection.info.dbname)
            for name, value in (("default_transaction_read_only", "on"), ("statement_timeout", "60s")):
                said = sql.SQL("alter role {} in database {} set {} = {}")
                connection.execute(said.format(role, here, sql.Identifier(name), value))
        except psycopg.errors.InsufficientPrivilege as error:
            raise ConfigurationError(f"the database's user must be allowed to make a role ({error})") from None
    return str(row[0]), password


def join(dsn: str, name: str, address: str) -> None:
    """Take a region into the views; one that is there under this name is asked at the new address from now on.

    Parameters
    ----------
    address : str
        ``postgresql://user:password@host:port/database?sslmode=…`` of its database, or ``here`` for this one.

    Raises
    ------
    ConfigurationError
        If the name or the address is none, the database there is of another version, or this one's user may not.
    StoreUnavailable
        If one of the two does not answer.
    """
    if not _NAME.fullmatch(name) or name == "region":
        raise ConfigurationError(f"a region's name must be of a-z, 0-9 and _, and begin with a letter (got {name!r})")
    parts = {} if address == _HERE else _parts(address)
    if parts:
        _check(address, name)
    with connected_blocking(dsn, "regions") as connection, connection.transaction():
        try:
            _prepare(connection)
            put_away(connection)
            _forget(connection, name)
            if parts:
                _attach(connection, name, parts)
            shown = f"{parts['host']}:{parts['port']}/{parts['dbname']}" if parts else _HERE
            connection.execute("insert into region.member (name, address) values (%s, %s)", (name, shown))
            bring_back(connection)
        except psycopg.errors.InsufficientPrivilege as error:
            raise ConfigurationError(
                f"the database's user must be allowed to make extensions and servers of postgres_fdw ({error})"
            ) from None


def leave(dsn: str, name: str) -> None:
    """Take a region out of the views; its own database keeps all of it. `ConfigurationError` if there is none."""
    with connected_blocking(dsn, "regions") as connection, connection.transaction():
        if name not in {row["name"] for row in _members(connection)}:
            raise ConfigurationError(f"a region that joined is required (got {name!r})")
        put_away(connection)
        _forget(connection, name)
        bring_back(connection)


def regions(dsn: str) -> Sequence[dict[str, Any]]:
    """Those that joined: name, address without its login, when, and whether it answers now."""
    with connected_blocking(dsn, "regions") as connection:
        found = _members(connection)
        for one in found:
            one["answers"] = _answers(connection, one["name"])
    return found


def put_away(connection: psycopg.Connection[Any]) -> None:
    """Drop the views, which hold on to what they are made of; `bring_back` makes them again."""
    for view in SHARED:
        connection.execute(sql.SQL("drop view if exists {}").format(sql.Identifier("region", view)))


def bring_back(connection: psycopg.Connection[Any]) -> None:
    """Make the views over the regions that there are; none where there are none, or they are there."""
    places = {
        one["name"]: "public" if one["address"] == _HERE else f"region_{one['name']}" for one in _members(connection)
    }
    if not places or connection.execute("select to_regclass(%s)", (f"region.{SHARED[0]}",)).fetchone() != (None,):
        return
    for view in SHARED:
        found = connection.execute(_COLUMNS, {"view": view, "places": list(places.values())}).fetchall()
        columns = sql.SQL(", ").join(sql.Identifier(column) for (column,) in found)
        parts = [
            sql.SQL("select {}::text as region, {} from {}").format(name, columns, sql.Identifier(place, view))
            for name, place in places.items()
        ]
        name = sql.Identifier("region", view)
        connection.execute(sql.SQL("create view {} as {}").format(name, sql.SQL(" union all ").join(parts)))
        connection.execute(sql.SQL("grant select on {} to {}").format(name, sql.Identifier(_VIEWER)))


def _parts(address: str) -> dict[str, str]:
    try:
        given = {key: str(value) for key, value in conninfo_to_dict(address).items()}
    except psycopg.ProgrammingError as error:
        raise ConfigurationError(f"an address must be postgresql://user:password@host/database ({error})") from None
    missing = [key for key in ("host", "dbname", "user", "password") if not given.get(key)]
    if missing:
        raise ConfigurationError(f"an address must name {', '.join(missing)}, for `meterwarden regions login` gave all")
    return {"port": "5432", **given}


def _check(address: str, name: str) -> None:
    """Whether it answers, and shows what is asked of it."""
    with connected_blocking(address, "regions") as connection:
        for view in SHARED:
            try:
                connection.execute(sql.SQL("select from {} limit 0").format(sql.Identifier("public", view)))
            except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege) as error:
                raise ConfigurationError(
                    f"region {name} must be of this version, and its login a viewer ({error})"
                ) from None


def _prepare(connection: psycopg.Connection[Any]) -> None:
    connection.execute("set local client_min_messages = warning")
    connection.execute("create extension if not exists postgres_fdw with schema public")
    connection.execute("create schema if not exists region")
    connection.execute("revoke all on schema region from public")
    connection.execute(_MEMBERS)
    connection.execute("call board.shut()")  # what the extension lets everybody do is shut again
    connection.execute(sql.SQL("grant usage on schema region to {}").format(sql.Identifier(_VIEWER)))


def _schema(name: str) -> sql.Identifier:
    return sql.Identifier(f"region_{name}")


def _attach(connection: psycopg.Connection[Any], name: str, parts: dict[str, str]) -> None:
    options: dict[str, str] = {key: parts[key] for key in ("host", "port", "dbname", *_TLS) if key in parts}
    # a day of all units is asked in pieces; who is away is not waited for
    options |= {"fetch_size": "10000", "connect_timeout": "5", "use_remote_estimate": "false"}
    server = _schema(name)
    connection.execute(
        sql.SQL("create server {} foreign data wrapper postgres_fdw options ({})").format(server, _options(options))
    )
    login = _options({"user": parts["user"], "password": parts["password"]})
    connection.execute(sql.SQL("create user mapping for current_user server {} options ({})").format(server, login))
    connection.execute(sql.SQL("create schema {}").format(server))
    views = sql.SQL(", ").join(map(sql.Identifier, SHARED))
    connection.execute(
        sql.SQL("import foreign schema public limit to ({}) from server {} into {}").format(views, server, server)
    )


def _options(options: dict[str, str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(key), value) for key, value in options.items())


def _forget(connection: psycopg.Connection[Any], name: str) -> None:
    connection.execute(sql.SQL("drop schema if exists {} cascade").format(_schema(name)))
    connection.execute(sql.SQL("drop server if exists {} cascade").format(_schema(name)))
    connection.execute("delete from region.member where name = %s", (name,))


def _members(connection: psycopg.Connection[Any]) -> list[dict[str, Any]]:
    if connection.execute("select to_regclass('region.member')").fetchone() == (None,):
        return []
    rows = connection.execute(_LIST).fetchall()
    return [dict(zip(("name", "address", "joined_at"), row, strict=True)) for row in rows]


def _answers(connection: psycopg.Connection[Any], name: str) -> bool:
    query = sql.SQL("select from {} where region = {} limit 1").format(sql.Identifier("region", "unit_list"), name)
    try:
        connection.execute(query)
    except psycopg.OperationalError:
        return False
    return True
