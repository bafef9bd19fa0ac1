"""The database's side: roles of units, their passwords, and the book of organizations that we made."""

import secrets
from collections.abc import Mapping
from typing import Final

import psycopg

from deploy.grafana.wanted import Unit

__all__ = ["Book", "enrol", "new_password", "stale", "units"]

_PASSWORD_BYTES: Final = 24
_UNITS: Final = "select id, code, name from unit order by code"
_GONE: Final = "delete from board.role where unit_id is not null and not unit_id = any (select id from unit)"
_STALE: Final = """
select unit_id from board.role
where handed_at is null or password_at is null or handed_at < password_at or password_at < now() - %s * interval '1 day'
"""


def units(connection: psycopg.Connection) -> list[Unit]:
    """The ledger's units."""
    return [Unit(id=row[0], code=row[1], name=row[2]) for row in connection.execute(_UNITS).fetchall()]


def enrol(connection: psycopg.Connection, wanted: list[Unit]) -> Mapping[int | None, str]:
    """Roles for the staff and these units, made where they are missing, those of units that are gone dropped."""
    connection.execute(_GONE)
    ids = [None, *(unit.id for unit in wanted)]
    rows = [(one, connection.execute("select board.enrol(%s)", (one,)).fetchone()) for one in ids]
    return {one: row[0] for one, row in rows if row is not None}


def stale(connection: psycopg.Connection, *, older_than_days: float) -> frozenset[int | None]:
    """Units whose role has no password that a data source is known to have, or an old one."""
    return frozenset(row[0] for row in connection.execute(_STALE, (older_than_days,)).fetchall())


def new_password(connection: psycopg.Connection, role: str) -> str:
    """Give a role a new password; until `Book.handed` is recorded, it counts as not handed over.

    The server gets its SCRAM verifier only, so that the password is in none of its logs.
    """
    password = secrets.token_urlsafe(_PASSWORD_BYTES)
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    connection.execute("select board.set_password(%s, %s)", (role, verifier))
    return password


class Book:
    """Record of the organizations that we made in a Grafana."""

    def __init__(self, connection: psycopg.Connection, grafana: str) -> None:
        self._connection = connection
        self._grafana = grafana

    def read(self) -> dict[int, tuple[int | None, bool]]:
        """Unit and whether we made it, by organization."""
        rows = self._connection.execute(
            "select org_id, unit_id, made from board.organization where grafana = %s", (self._grafana,)
        ).fetchall()
        return {org_id: (unit_id, made) for org_id, unit_id, made in rows}

    def add(self, org_id: int, unit_id: int | None, name: str, *, made: bool) -> None:
        """Write an organization down."""
        self._connection.execute(
            "insert into board.organization (grafana, org_id, unit_id, name, made) values (%s, %s, %s, %s, %s) "
            "on conflict (grafana, org_id) do update set unit_id = excluded.unit_id, name = excluded.name",
            (self._grafana, org_id, unit_id, name, made),
        )

    def forget(self, org_id: int) -> None:
        """Strike it out."""
        self._connection.execute(
            "delete from board.organization where grafana = %s and org_id = %s", (self._grafana, org_id)
        )

    def handed(self, role: str) -> None:
        """Record that a data source has the role's password."""
        self._connection.execute("update board.role set handed_at = now() where role = %s", (role,))
