"""The database roles of the program's own services: their logins are made here, by whoever owns the database."""

import base64
import hashlib
import hmac
from typing import Final, Literal, get_args
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from analytics.domain.errors import ConfigurationError
from streams.store.postgres.connections import connected_blocking, trouble

__all__ = ["SERVICES", "Service", "derived_password", "service_address"]

Service = Literal["worker", "sender", "api", "boards"]

SERVICES: Final[tuple[Service, ...]] = get_args(Service)
_MADE: Final = "select board.service(%s)"


def service_address(dsn: str, service: Service, *, secret: str) -> str:
    """The address by which a service logs in; its role is made or mended first.

    The password follows from `secret` and the role's name, so that every `up` of an instance finds the same one and
    running services are never locked out. The server is given its SCRAM verifier, and only where it does not know the
    password yet.

    Parameters
    ----------
    dsn : str
        The database as its owner, who may make roles; migrated.
    service : {'worker', 'sender', 'api', 'boards'}
    secret : str
        Of this instance, kept with its other secrets.

    Returns
    -------
    str
        `dsn` with another user and password; host, port, database and all options (TLS above all) as they were.

    Raises
    ------
    StoreUnavailable
        If the database does not answer.
    ConfigurationError
        If the role cannot be made, or the server does not let it in by its password.
    """
    with connected_blocking(dsn, "roles") as connection:
        role = _role(connection, service)
        password = derived_password(secret, role)
        address = _address(dsn, role, password)
        if trouble(address, "roles"):
            verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
            connection.execute(
                sql.SQL("alter role {} login password {}").format(sql.Identifier(role), sql.Literal(verifier.decode()))
            )
            fault = trouble(address, "roles")
            if fault:
                raise ConfigurationError(
                    f"the database must let the role {role} in by its password, from here (it says: {fault}); "
                    "add a line to its pg_hba.conf, or let services be the owner: METERWARDEN_DATABASE_ROLES=same"
                )
    return address


def _role(connection: psycopg.Connection, service: Service) -> str:
    try:
        row = connection.execute(_MADE, (service,)).fetchone()
    except psycopg.errors.InsufficientPrivilege as error:
        user = conninfo_to_dict(connection.info.dsn).get("user")
        raise ConfigurationError(
            f"the database user {user} must be allowed to make a role for the {service} ({error.diag.message_primary})"
        ) from None
    except psycopg.errors.UndefinedFunction:
        raise ConfigurationError("the database must be of this version: run `meterwarden migrate` first") from None
    assert row is not None, "such a query always has a row"
    return str(row[0])


def _address(dsn: str, role: str, password: str) -> str:
    """The same address with another user; a URL stays one, for that is what settings take."""
    parts = urlsplit(dsn)
    if not parts.scheme:
        return make_conninfo(dsn, user=role, password=password)
    host = parts.netloc.rpartition("@")[2]
    asked = [(key, value) for key, value in parse_qsl(parts.query) if key not in {"user", "password", "passfile"}]
    login = f"{quote(role, safe='')}:{quote(password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{login}@{host}", query=urlencode(asked, quote_via=quote)))


def derived_password(secret: str, role: str) -> str:
    """The password of one login, which tells nothing of the secret nor of another's."""
    digest = hmac.new(secret.encode(), role.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
