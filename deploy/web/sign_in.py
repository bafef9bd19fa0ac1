"""Signing in and out, choosing a password by an invitation, the language, and one's own sessions."""

import asyncio
import hashlib
import math
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Query, Request, Response

from analytics.domain.words import LANGUAGES
from dashboards.web.panels import table_of
from deploy.web.answers import answer, go
from deploy.web.doors import (
    LANGUAGE_COOKIE,
    Acting,
    Now,
    Reader,
    Stale,
    Writing,
    cookie_name,
    from_here,
    session_token,
    within,
)
from ingest.http import Attempts
from ingest.http.attempts import address_of
from streams.alerts.people import NotFound, Who
from streams.alerts.sign_in import (
    PasswordRefused,
    account_of,
    checked_password,
    end_session,
    hash_of,
    is_password,
    keep_password,
    person_of_invitation,
    session_of,
    sessions_of,
    start_session,
    use_invitation,
)

__all__ = ["Doors", "note_sign_in", "router", "signed_in"]

router = APIRouter()
_COOKIE_S: Final = 7 * 86_400
_YEAR_S: Final = 365 * 86_400
Text = Annotated[str, Form(max_length=200)]
Back = Annotated[str, Form(max_length=1000)]


class Doors:
    """Guesses of passwords: so many from an address, so many at a login, and two hashes at a time.

    A login that was guessed at too often still opens to the address from which it was opened before.
    """

    def __init__(self, attempts: Attempts) -> None:
        self.attempts = attempts
        self._logins = Attempts(burst=10, every_s=30.0, proven_s=30 * 86_400.0)
        self._hashing = asyncio.Semaphore(2)

    def wait_s(self, client: str, login: str) -> float:
        """How long this address must wait before it tries this login. [s]"""
        known = self._logins.is_proven(_credential(login), client)
        return max(self.attempts.wait_s(client), 0.0 if known else self._logins.wait_s(login))

    def wrong(self, client: str, login: str) -> None:
        """Count a wrong guess."""
        self.attempts.wrong(client)
        self._logins.wrong(login)

    def right(self, client: str, login: str) -> None:
        """Remember where a login was opened from."""
        self._logins.right(_credential(login), client)

    async def is_password(self, kept: str | None, password: str) -> bool:
        """Whether it is the password; off the event loop."""
        async with self._hashing:
            return await asyncio.to_thread(is_password, kept, password)

    async def hash_of(self, password: str) -> str:
        """Hash of a new password; off the event loop."""
        async with self._hashing:
            return await asyncio.to_thread(hash_of, password)


def ours(request: Request) -> None:
    """Refuse a form that came from another host."""
    if not from_here(request):
        raise Stale


Ours = Depends(ours)


@router.get("/sign-in")
async def ask_sign_in(request: Request, back: Annotated[str, Query(max_length=1000)] = "/") -> Response:
    """The form."""
    return answer(request, "sign_in", back=within(back), fault="", login="", openid=_openid(request))


@router.post("/sign-in", dependencies=[Ours])
async def sign_in(request: Request, login: Text, password: Text, at: Now, back: Back = "/") -> Response:
    """Sign in."""
    doors: Doors = request.app.state.doors
    login, client = login.replace("\0", "").strip().lower(), _client(request)
    again: dict[str, Any] = {"back": within(back), "login": login, "openid": _openid(request)}
    wait_s = doors.wait_s(client, login)
    if wait_s > 0:
        note_sign_in(request, "limited", login, 429, "too many wrong passwords")
        late = answer(request, "sign_in", status=429, fault="wait", **again)
        late.headers["Retry-After"] = str(math.ceil(wait_s))
        return late
    async with request.app.state.connections.connection() as connection:
        account = await account_of(connection, login)
    if not await doors.is_password(account[2] if account else None, password) or account is None:
        doors.wrong(client, login)
        note_sign_in(request, "refused", login, 401, "a wrong login or password")
        return answer(request, "sign_in", status=401, fault="wrong", **again)
    doors.right(client, login)
    note_sign_in(request, "login", login, 200, "")
    return await signed_in(request, account[0], account[1], at, within(back))


@router.post("/sign-out")
async def sign_out(request: Request, visit: Acting, connection: Writing) -> Response:
    """End this session."""
    await end_session(connection, visit.session.id)
    gone = go("/sign-in")
    gone.delete_cookie(cookie_name(request.scope), path="/", secure=_secure(request), httponly=True, samesite="lax")
    return gone


@router.get("/invitation/{token}")
async def ask_password(request: Request, token: str, at: Now, connection: Writing) -> Response:
    """The form for a new password; opening it uses nothing up."""
    try:
        person = await person_of_invitation(connection, token, at)
    except NotFound:
        return answer(request, "invitation", status=404, person=None, fault="", back="/")
    return answer(request, "invitation", person=person, fault="", back="/")


@router.post("/invitation/{token}", dependencies=[Ours])
async def choose_password(request: Request, token: str, password: Text, again: Text, at: Now) -> Response:
    """Choose a password, once, and be signed in."""
    connections = request.app.state.connections
    async with connections.connection() as connection:
        try:
            person = await person_of_invitation(connection, token, at)
        except NotFound:
            return answer(request, "invitation", status=404, person=None, fault="", back="/")
    fault = _fault(password, again, person)
    if fault:
        return answer(request, "invitation", status=422, person=person, fault=fault, back="/")
    kept = await request.app.state.doors.hash_of(password)
    async with connections.connection() as connection, connection.transaction():
        await use_invitation(connection, token, at)
        await keep_password(connection, person.id, kept)
    note_sign_in(request, "login", person.login, 200, "by an invitation")
    return await signed_in(request, person.id, person.standing, at, "/")


@router.post("/language", dependencies=[Ours])
async def choose_language(request: Request, language: Text, back: Back = "/") -> Response:
    """Choose the language of the pages, in this browser."""
    chosen = go(within(back))
    if language in LANGUAGES:
        chosen.set_cookie(
            LANGUAGE_COOKIE, language, max_age=_YEAR_S, path="/", secure=_secure(request), httponly=True, samesite="lax"
        )
    return chosen


@router.get("/account")
async def read_account(request: Request, visit: Reader, connection: Writing, at: Now) -> Response:
    """One's own sessions and password."""
    return await _account(request, visit, connection, at)


@router.post("/account/sessions/{session_id}/end")
async def end_own_session(visit: Acting, session_id: int, connection: Writing) -> Response:
    """End a session of one's own."""
    await end_session(connection, session_id, of=visit.person.id)
    return go("/account")


@router.post("/account/password")
async def change_password(request: Request, visit: Acting, connection: Writing, at: Now) -> Response:
    """Change one's own password; all sessions end."""
    doors: Doors = request.app.state.doors
    now_given, new, again = (visit.field(name, 200) for name in ("now", "new", "again"))
    login, client = visit.person.login, _client(request)
    account = await account_of(connection, login)
    fault = "wait" if doors.attempts.wait_s(client) > 0 else ""
    if not fault and not await doors.is_password(account[2] if account else None, now_given):
        doors.wrong(client, login)
        fault = "wrong"
    fault = fault or _fault(new, again, visit.person)
    if fault:
        return await _account(request, visit, connection, at, fault=fault, status=422)
    await keep_password(connection, visit.person.id, await doors.hash_of(new))
    return go("/sign-in")


async def _account(
    request: Request, visit: Any, connection: Any, at: datetime, *, fault: str = "", status: int = 200
) -> Response:
    found = await sessions_of(connection, visit.person.id, at)
    table = table_of(
        [{name: row[name] for name in ("began_at", "seen_at", "client", "agent")} for row in found],
        language=visit.language,
        zone=request.app.state.config.alerts.zone,
        href=lambda _column, _row: "",
    )
    ids = [(row["id"], row["id"] == visit.session.id) for row in found]
    return answer(request, "account", visit=visit, here="account", status=status, table=table, ids=ids, fault=fault)


async def signed_in(request: Request, person_id: int, standing: int, at: datetime, to: str) -> Response:
    """A new session, and an end to the one that the browser had."""
    async with request.app.state.connections.connection() as connection, connection.transaction():
        before = session_token(request.scope)
        if before is not None and (known := await session_of(connection, before, at)) is not None:
            await end_session(connection, known.id)
        agent = request.headers.get("user-agent", "")
        agent = "".join(letter for letter in agent if letter.isprintable())
        token = await start_session(connection, person_id, standing, at, client=_client(request), agent=agent)
    inside = go(to)
    inside.set_cookie(
        cookie_name(request.scope),
        token,
        max_age=_COOKIE_S,
        path="/",
        secure=_secure(request),
        httponly=True,
        samesite="lax",
    )
    return inside


def _fault(password: str, again: str, person: Who) -> str:
    if password != again:
        return "different"
    try:
        checked_password(password, person.login)
    except PasswordRefused:
        return "refused"
    return ""


def _credential(login: str) -> bytes:
    return hashlib.sha256(login.encode()).digest()


def _client(request: Request) -> str:
    return address_of(request.client.host if request.client else "")


def _openid(request: Request) -> bool:
    """Whether people may sign in by a provider of OpenID Connect."""
    return request.app.state.config.openid is not None


def _secure(request: Request) -> bool:
    return request.url.scheme == "https"


def note_sign_in(request: Request, event: str, login: str, status: int, reason: str) -> None:
    """Into the log of logins and refusals; what was claimed is kept apart from who it proved to be."""
    proven = event == "login"
    request.app.state.access_log.note(
        door="pages",
        event=event,
        who=login if proven else "",
        claimed="" if proven else login,
        client=_client(request),
        method="POST",
        route="/sign-in",
        status=status,
        reason=reason,
    )
