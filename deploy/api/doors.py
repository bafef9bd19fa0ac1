"""Authentication and authorisation of API requests: connection, person, visible rows."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import psycopg
from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from ingest.http.guard import Scope, Visitor, bearer
from streams.alerts.people import NotFound, Who, digest_of, rows, who
from streams.alerts.shared import SharedViews
from streams.store.postgres.connections import Connections

__all__ = [
    "Connection",
    "Inspector",
    "Me",
    "Now",
    "People",
    "Staff",
    "own_alert",
    "own_case",
    "own_certificate",
    "seen",
]

_BEARER = HTTPBearer(auto_error=False, description="A token of your own: `meterwarden people token LOGIN`")


async def connection_of(request: Request) -> AsyncIterator[psycopg.AsyncConnection]:
    """A connection in a transaction that is committed when the request went well."""
    async with request.app.state.connections.connection() as connection, connection.transaction():
        yield connection


Connection = Annotated[psycopg.AsyncConnection, Depends(connection_of, scope="function")]


def now() -> datetime:
    """The moment of the request."""
    return datetime.now(UTC)


Now = Annotated[datetime, Depends(now)]


class People:
    """Authenticator by API tokens, used by the guard before a body is read.

    Parameters
    ----------
    connections : callable
        Gives the connections of the running application.
    """

    def __init__(self, connections: Callable[[], Connections]) -> None:
        self._connections = connections

    def credential(self, scope: Scope) -> bytes | None:
        """Digest of the token; None without one."""
        token = bearer(scope)
        return None if token is None else digest_of(token)

    async def prove(self, scope: Scope) -> Visitor | None:
        """Whose token it is."""
        async with self._connections().connection() as connection:
            person = await who(connection, bearer(scope) or "", now())
        return None if person is None else Visitor(person.login, person)


async def me(request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> Who:
    """Who asks, as the guard has proven; 401 where it has not."""
    visitor = request.scope.get("state", {}).get("visitor")
    if visitor is None or not isinstance(visitor.whole, Who):
        raise HTTPException(401, "a token must be given that holds", headers={"WWW-Authenticate": "Bearer"})
    if visitor.whole.role == "operator":
        raise HTTPException(403, "this is for who sees alerts (an operator sees how the system does, on the pages)")
    return visitor.whole


Me = Annotated[Who, Depends(me)]


def _role(*roles: str) -> Callable[[Who], Awaitable[Who]]:
    async def check(person: Me) -> Who:
        if person.role not in roles:
            raise HTTPException(403, f"this is for {' and '.join(roles)} (you are {person.role})")
        return person

    return check


Inspector = Annotated[Who, Depends(_role("inspector", "staff"))]
Staff = Annotated[Who, Depends(_role("staff"))]


_SHARED = SharedViews()


async def seen(connection: psycopg.AsyncConnection, view: str, person: Who) -> str:
    """What to select from: a view as this person may see it."""
    return await _SHARED.of(connection, view, person)


async def own_alert(connection: psycopg.AsyncConnection, person: Who, alert_id: int) -> dict[str, Any]:
    """An alert that this person may see; another unit's is not there for them."""
    return await _one(connection, await seen(connection, "alert_list", person), alert_id, "an alert")


async def own_case(connection: psycopg.AsyncConnection, person: Who, case_id: int) -> dict[str, Any]:
    """A case that this person may see; another unit's is not there for them."""
    return await _one(connection, await seen(connection, "case_list", person), case_id, "a case")


async def own_certificate(connection: psycopg.AsyncConnection, person: Who, certificate_id: int) -> dict[str, Any]:
    """A certificate that this person may see; another unit's is not there for them."""
    return await _one(connection, await seen(connection, "certificate_list", person), certificate_id, "a certificate")


async def _one(connection: psycopg.AsyncConnection, relation: str, identity: int, what: str) -> dict[str, Any]:
    query = f"select * from {relation} where id = %s"  # noqa: S608 - a view of ours, or one made of it
    found = await rows(connection, query, (identity,))
    if not found:
        raise NotFound(f"{what} must be one that is there, and yours to see (got {identity})")
    return found[0]
