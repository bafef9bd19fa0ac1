"""Sessions, roles, language, and protection of forms against cross-site requests.

A page is opened by a session's cookie. What acts is a POST with the session's own token in its form, from a page of
this very host; nothing acts by GET.
"""

import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.cookies import CookieError, SimpleCookie
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import psycopg
from fastapi import Depends, Request
from starlette.datastructures import FormData, UploadFile

from analytics.domain.words import LANGUAGES, Language
from ingest.http.guard import Scope, Visitor, header
from streams.alerts.people import Who, digest_of
from streams.alerts.sign_in import Session, session_of
from streams.store.postgres.connections import Connections

__all__ = [
    "LANGUAGE_COOKIE",
    "Acting",
    "ActingAdministrator",
    "ActingFields",
    "ActingInspector",
    "ActingStaff",
    "ActingViewer",
    "Administrator",
    "Inspector",
    "NotAllowed",
    "Now",
    "Operator",
    "Reader",
    "Sessions",
    "SignInNeeded",
    "Staff",
    "Stale",
    "Viewer",
    "Visit",
    "Writing",
    "cookie_name",
    "from_here",
    "language_of",
    "session_token",
    "within",
]

LANGUAGE_COOKIE: Final = "mw_language"
_MENUS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "staff": (
        ("today", "/today"),
        ("units", "/units"),
        ("alerts", "/alerts"),
        ("cases", "/cases"),
        ("reviews", "/reviews"),
        ("ledger", "/ledger"),
        ("readings", "/readings"),
        ("operations", "/operations"),
    ),
    "inspector": (
        ("today", "/today"),
        ("units", "/units"),
        ("alerts", "/alerts"),
        ("cases", "/cases"),
        ("reviews", "/reviews"),
    ),
    "enterprise": (
        ("mine", "/unit"),
        ("alerts", "/alerts"),
        ("cases", "/cases"),
        ("reviews", "/reviews"),
        ("ledger", "/ledger"),
        ("readings", "/readings"),
    ),
    "operator": (("operations", "/operations"),),
}


class SignInNeeded(Exception):  # noqa: N818 - named after what is needed
    """Nobody is signed in."""


class NotAllowed(Exception):  # noqa: N818 - named after what is the matter
    """A role that may not."""


class Stale(Exception):  # noqa: N818 - named after what is the matter
    """A form that is not of this session, or came from elsewhere."""


@dataclass(slots=True)
class Visit:
    """A person at a page."""

    session: Session
    token: str = field(repr=False)
    language: Language
    sends: bool = False
    """Whether readings can be sent from here."""
    questions: int = 1
    """Asked of the database for this page; the session itself was one."""
    form: FormData | None = None

    @property
    def person(self) -> Who:
        """Whose session it is."""
        return self.session.person

    @property
    def csrf(self) -> str:
        """What a form of this session has in it."""
        return hmac.new(self.token.encode(), b"form", hashlib.sha256).hexdigest()

    @property
    def menu(self) -> tuple[tuple[str, str], ...]:
        """Pages of this role."""
        more = (("people", "/people"),) if self.session.administrator else ()
        return tuple(one for one in _MENUS[self.person.role] if self.sends or one[0] != "readings") + more

    def field(self, name: str, most: int = 4000) -> str:
        """A field of the form as text, without blanks at its ends; '' where it is not there or no text."""
        value = self.form.get(name, "") if self.form is not None else ""
        return value.strip()[:most].replace("\0", "") if isinstance(value, str) else ""

    async def file(self, name: str, most: int) -> tuple[str, bytes] | None:
        """Name and content of a file of the form, one byte more than `most` at most; None where none was chosen."""
        given = self.form.get(name) if self.form is not None else None
        if not isinstance(given, UploadFile) or not given.filename:
            return None
        return printable(given.filename), await given.read(most + 1)


def printable(name: str) -> str:
    """A file's name without what cannot be shown, its last 200 letters."""
    return "".join(letter for letter in name[-200:] if letter.isprintable()) or "file"


def cookie_name(scope: Scope) -> str:
    """The session's cookie: behind TLS bound to this very host by the browser."""
    return "__Host-mw_session" if scope.get("scheme") == "https" else "mw_session"


def session_token(scope: Scope) -> str | None:
    """The session's token of a request; None without one."""
    try:
        cookies = SimpleCookie((header(scope, b"cookie") or b"").decode("latin-1"))
    except CookieError:
        return None
    found = cookies.get(cookie_name(scope))
    return found.value if found is not None and 20 <= len(found.value) <= 100 else None


def language_of(request: Request, person: Who | None = None) -> Language:
    """The language that the person chose; that of the settings where nobody did."""
    chosen = request.cookies.get(LANGUAGE_COOKIE) or (person.language if person else "")
    unset: Language = request.app.state.config.language
    return next((one for one in LANGUAGES if one == chosen), unset)


def from_here(request: Request) -> bool:
    """Whether a browser says that a form came from a page of this host; one that says nothing is no browser."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def within(path: str) -> str:
    """A path of ours to go on to; the start for everything else, so that no link leads away."""
    plain = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path
    return path if plain and len(path) <= 1000 else "/"


class Sessions:
    """Proves who comes by their session, for the guard, before a large body is read."""

    def __init__(self, connections: Callable[[], Connections]) -> None:
        self._connections = connections

    def credential(self, scope: Scope) -> bytes | None:
        """Digest of the session's token; None without one."""
        token = session_token(scope)
        return None if token is None else digest_of(token)

    async def prove(self, scope: Scope) -> Visitor | None:
        """Whose session it is."""
        async with self._connections().connection() as connection:
            session = await session_of(connection, session_token(scope) or "", datetime.now(UTC))
        return None if session is None else Visitor(session.person.login, session)


async def visit(request: Request) -> Visit:
    """Who opens the page; raises `SignInNeeded`."""
    token = session_token(request.scope)
    if token is None:
        raise SignInNeeded
    connections: Connections = request.app.state.connections
    async with connections.connection() as connection:
        session = await session_of(connection, token, datetime.now(UTC))
    if session is None:
        raise SignInNeeded
    found = Visit(session=session, token=token, language=language_of(request, session.person))
    found.sends = request.app.state.config.kafka is not None
    request.state.visit = found
    return found


def _acting(fields: int) -> Callable[..., AsyncIterator[Visit]]:
    async def acting(request: Request, found: Annotated[Visit, Depends(visit)]) -> AsyncIterator[Visit]:
        """Who acts by a form of ours, whose files are there until the page is answered; raises `Stale`."""
        async with request.form(max_files=4, max_fields=fields) as form:
            found.form = form
            given = found.field("csrf", 100).encode()
            if not from_here(request) or not hmac.compare_digest(given, found.csrf.encode()):
                raise Stale
            yield found

    return acting


acting = _acting(60)
Reader = Annotated[Visit, Depends(visit)]
Acting = Annotated[Visit, Depends(acting)]
ActingFields = Annotated[Visit, Depends(_acting(400))]
"""Of a form as long as a sheet of items."""


def _role(base: Callable[..., Any], *roles: str, administrator: bool = False) -> Any:
    async def check(found: Annotated[Visit, Depends(base)]) -> Visit:
        if found.person.role not in roles or (administrator and not found.session.administrator):
            raise NotAllowed
        return found

    return check


Viewer = Annotated[Visit, Depends(_role(visit, "staff", "inspector", "enterprise"))]
ActingViewer = Annotated[Visit, Depends(_role(acting, "staff", "inspector", "enterprise"))]
Inspector = Annotated[Visit, Depends(_role(visit, "staff", "inspector"))]
Staff = Annotated[Visit, Depends(_role(visit, "staff"))]
Operator = Annotated[Visit, Depends(_role(visit, "staff", "operator"))]
Administrator = Annotated[Visit, Depends(_role(visit, "staff", administrator=True))]
ActingInspector = Annotated[Visit, Depends(_role(acting, "staff", "inspector"))]
ActingStaff = Annotated[Visit, Depends(_role(acting, "staff"))]
ActingAdministrator = Annotated[Visit, Depends(_role(acting, "staff", administrator=True))]


def now() -> datetime:
    """The moment of the request."""
    return datetime.now(UTC)


async def writing(request: Request) -> Any:
    """A connection in a transaction that is committed when the request went well."""
    async with request.app.state.connections.connection() as connection, connection.transaction():
        yield connection


Now = Annotated[datetime, Depends(now)]
Writing = Annotated[psycopg.AsyncConnection, Depends(writing, scope="function")]
