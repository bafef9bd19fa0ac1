"""Who comes in, and what they may see: a connection, a person, and rows of their own."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import psycopg
from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from streams.alerts.people import NotFound, Who, rows, who

__all__ = ["Connection", "Inspector", "Me", "Now", "Staff", "own_alert", "own_case", "own_unit"]

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


async def me(
    connection: Connection, at: Now, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
) -> Who:
    """Who asks; 401 without a token that holds."""
    person = await who(connection, given.credentials, at) if given is not None else None
    if person is None:
        raise HTTPException(401, "a token must be given that holds", headers={"WWW-Authenticate": "Bearer"})
    return person


Me = Annotated[Who, Depends(me)]


def _role(*roles: str) -> Callable[[Who], Awaitable[Who]]:
    async def check(person: Me) -> Who:
        if person.role not in roles:
            raise HTTPException(403, f"this is for {' and '.join(roles)} (you are {person.role})")
        return person

    return check


Inspector = Annotated[Who, Depends(_role("inspector", "staff"))]
Staff = Annotated[Who, Depends(_role("staff"))]


def own_unit(person: Who) -> int | None:
    """The unit that rows must be of; None for who may see all. An enterprise's person always has one."""
    if person.role != "enterprise":
        return None
    assert person.unit_id is not None, "the table says so"
    return person.unit_id


async def own_alert(connection: psycopg.AsyncConnection, person: Who, alert_id: int) -> dict[str, Any]:
    """An alert that this person may see; another unit's is not there for them."""
    query = "select * from alert_list where id = %(id)s and (%(unit)s::int4 is null or unit_id = %(unit)s)"
    return await _one(connection, query, person, alert_id, "an alert")


async def own_case(connection: psycopg.AsyncConnection, person: Who, case_id: int) -> dict[str, Any]:
    """A case that this person may see; another unit's is not there for them."""
    query = "select * from case_list where id = %(id)s and (%(unit)s::int4 is null or unit_id = %(unit)s)"
    return await _one(connection, query, person, case_id, "a case")


async def _one(
    connection: psycopg.AsyncConnection, query: str, person: Who, identity: int, what: str
) -> dict[str, Any]:
    found = await rows(connection, query, {"id": identity, "unit": own_unit(person)})
    if not found:
        raise NotFound(f"{what} must be one that is there, and yours to see (got {identity})")
    return found[0]
