"""People, their sign-in links and sessions: for administrators."""

from datetime import timedelta
from typing import Any, Final

from fastapi import APIRouter, Path, Request, Response

from analytics.domain.errors import MeterwardenError
from dashboards.web.values import cell, heading
from dashboards.web.words import ROLES
from deploy.web.answers import answer, go
from deploy.web.doors import ActingAdministrator, Administrator, Now, Visit, Writing
from deploy.web.units import tabs_of
from streams.alerts.people import NotFound, add_person, end_person, new_token, person_of, revoke_tokens, rows
from streams.alerts.sign_in import end_session, end_sessions, invite, sessions_of

__all__ = ["people_tabs", "router"]

router = APIRouter(prefix="/people")
Login = Path(max_length=64)
_PEOPLE: Final = """
select p.login, p.name, p.role, u.code as unit_of_person, p.active, coalesce(a.administrator, false) as administrator,
       (select count(*) from api_token t where t.person_id = p.id and t.revoked_at is null
           and t.expires_at > now()) as tokens
from person p left join unit u on u.id = p.unit_id left join sign_in.account a on a.person_id = p.id
order by p.active desc, p.login limit 1000
"""
_MOST_DAYS: Final = 3650
_LOGIN: Final = r"^[a-z0-9][a-z0-9._@-]{0,63}$"


class TokenRefused(MeterwardenError):  # noqa: N818 - named after what happened
    """A token that would hold for no time, or too long."""


@router.get("")
async def list_people(request: Request, visit: Administrator, connection: Writing, at: Now) -> Response:
    """Who is entered, and who is signed in."""
    return await _shown(request, visit, connection, at)


@router.post("")
async def enter(request: Request, visit: ActingAdministrator, connection: Writing, at: Now) -> Response:
    """Enter a person, or change what is known of one; nobody changes their own role."""
    login = visit.field("login", 64).lower()
    known = await rows(connection, "select channel, address from person where login = %s", (login,))
    if login == visit.person.login:
        raise NotFound(f"a person must be changed by another administrator (got {login!r}, who asks)")
    told = known[0] if known else {"channel": "", "address": ""}
    await add_person(
        connection,
        login=login,
        name=visit.field("name", 200),
        role=visit.field("role", 20),
        unit=visit.field("unit", 200),
        language=visit.field("language", 2) or "zh",
        channel=told["channel"],
        address=told["address"],
    )
    return await _invited(request, visit, connection, at, login)


@router.post("/{login}/invite")
async def invite_again(
    request: Request, visit: ActingAdministrator, login: str, connection: Writing, at: Now
) -> Response:
    """Make a new sign-in link; earlier ones act no more."""
    return await _invited(request, visit, connection, at, login)


@router.post("/{login}/end")
async def end(visit: ActingAdministrator, login: str, connection: Writing) -> Response:
    """Let a person in no longer."""
    person = await person_of(connection, login=login)
    if person.id == visit.person.id:
        raise NotFound(f"a person must be ended by another administrator (got {login!r}, who asks)")
    await end_sessions(connection, person.id)
    await end_person(connection, person.id)
    return go("/people")


@router.post("/sessions/{session_id}/end")
async def end_one(_: ActingAdministrator, session_id: int, connection: Writing) -> Response:
    """End a session of anybody."""
    await end_session(connection, session_id)
    return go("/people")


@router.post("/{login}/token")
async def make_token(
    request: Request, visit: ActingAdministrator, login: str, connection: Writing, at: Now
) -> Response:
    """Make a token for the HTTP API, shown this once."""
    days = visit.field("days", 4)
    if not days.isdecimal() or not 1 <= int(days) <= _MOST_DAYS:
        raise TokenRefused(f"days must be 1 to {_MOST_DAYS} (got {days!r})")
    person = await person_of(connection, login=login)
    until = at + timedelta(days=int(days))
    token = await new_token(connection, person.id, label=visit.field("label", 200), expires_at=until)
    return await _shown(request, visit, connection, at, token=token, of=login)


@router.post("/{login}/tokens/end")
async def end_tokens(_: ActingAdministrator, login: str, connection: Writing) -> Response:
    """End all tokens of a person."""
    await revoke_tokens(connection, (await person_of(connection, login=login)).id)
    return go("/people")


async def _invited(request: Request, visit: Visit, connection: Any, at: Any, login: str) -> Response:
    token = await invite(connection, await person_of(connection, login=login), at)
    link = str(request.url_for("ask_password", token=token))
    return await _shown(request, visit, connection, at, link=link)


def people_tabs(visit: Visit, here: str) -> list[dict[str, Any]]:
    """People, and gateways."""
    return tabs_of(visit, "people", here, {"people": "/people", "gateways": "/gateways"})


async def _shown(
    request: Request, visit: Visit, connection: Any, at: Any, *, link: str = "", token: str = "", of: str = ""
) -> Response:
    def cells(row: dict[str, Any], *names: str) -> list[Any]:
        zone = request.app.state.config.alerts.zone
        return [cell(name, row[name], language=visit.language, zone=zone) for name in names]

    columns = ("login", "name", "role", "unit_of_person", "administrator", "active", "tokens")
    seen = ("login", "name", "began_at", "seen_at", "client", "agent")
    found = await rows(connection, _PEOPLE)
    sessions = await sessions_of(connection, None, at)
    return answer(
        request,
        "people",
        visit=visit,
        here="people",
        link=link,
        token=token,
        of=of,
        most_days=_MOST_DAYS,
        tabs=people_tabs(visit, "people"),
        headings=[heading(name, visit.language) for name in columns],
        people=[{"login": row["login"], "active": row["active"], "cells": cells(row, *columns)} for row in found],
        session_headings=[heading(name, visit.language) for name in seen],
        sessions=[{"id": row["id"], "cells": cells(row, *seen)} for row in sessions],
        roles=[(code, text.of(visit.language)) for code, text in ROLES.items()],
        login_pattern=_LOGIN.strip("^$"),
    )
