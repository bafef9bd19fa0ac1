"""Requests are checked (size, token, time, concurrency) before their body is read; answers get security headers.

Plain ASGI around any application: each has its own `Guard` with its own rules, and none knows of another.
"""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, Protocol

from analytics.domain.errors import MeterwardenError
from ingest.http.attempts import Attempts, address_of
from ingest.http.limits import Limits, Rule

__all__ = ["AccessEvent", "Authenticator", "Guard", "Visitor", "bearer", "header"]

log = logging.getLogger("metering.http")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_LINGER_S: Final = 2.0
_LINGER_BYTES: Final = 4 * 2**20
"""What a refused client is still sending is thrown away for so long, or its system drops our answer unread."""
_LINGERING: Final = 32
"""Most connections that are drained at once."""
_PROOF_S: Final = 15.0
"""Longest time that proving who comes may take. [s]"""
_POLICY: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_HEADERS: Final = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
    b"content-security-policy": _POLICY.encode(),
}
_HSTS: Final = b"max-age=31536000"
_OURS_TO_ADD: Final = "frame-ancestors 'none'"


class Visitor(NamedTuple):
    """Who has proven who he is.

    Attributes
    ----------
    name : str
        As the log of logins has it, and what counts as one for `Limits.at_once_each`.
    whole : object
        The application's own object for the visitor; it finds it in ``scope["state"]["visitor"]``.
    """

    name: str
    whole: Any = None


class Authenticator(Protocol):
    """Proves who comes in."""

    def credential(self, scope: Scope) -> bytes | None:
        """A digest of what a request brings to prove who it is from; None where it brings nothing."""

    async def prove(self, scope: Scope) -> Visitor | None:
        """Who it is; None where what it brings is nobody's. Raises `OSError` or a `TransientError` to try later."""


class AccessEvent(NamedTuple):
    """A login or a refusal, for the log that is kept of them; nothing in it is secret."""

    event: Literal["login", "refused", "limited"]
    who: str
    client: str
    method: str
    route: str
    status: int
    reason: str


Worded = Callable[[Scope, int, str], tuple[Sequence[tuple[bytes, bytes]], bytes]]


class _Refusal(NamedTuple):
    status: int
    detail: str
    headers: tuple[tuple[bytes, bytes], ...] = ()
    event: Literal["refused", "limited"] = "refused"


def _busy(status: int, detail: str, wait_s: float) -> _Refusal:
    return _Refusal(status, detail, ((b"retry-after", str(max(1, round(wait_s))).encode()),), "limited")


def header(scope: Scope, name: bytes) -> bytes | None:
    """A header by its lower-case name; the first of several."""
    return next((value for key, value in scope["headers"] if key == name), None)


def bearer(scope: Scope) -> str | None:
    """The bearer token of a request; None where there is none."""
    scheme, _, token = (header(scope, b"authorization") or b"").decode("latin-1").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


@dataclass(slots=True)
class _Places:
    """Requests that are worked on, of one rule."""

    limits: Limits
    taken: Counter[str] = field(default_factory=Counter)

    def refusal(self, who: str) -> _Refusal | None:
        if self.taken[who] >= self.limits.at_once_each:
            return _busy(429, f"at most {self.limits.at_once_each} requests at once are answered to one visitor", 1)
        if self.taken.total() >= self.limits.at_once:
            return _busy(503, f"at most {self.limits.at_once} requests at once are worked on; try again", 1)
        return None

    @contextmanager
    def one(self, who: str) -> Any:
        self.taken[who] += 1
        try:
            yield
        finally:
            self.taken[who] -= 1
            if not self.taken[who]:
                del self.taken[who]


class _Exchange:
    """One request and its answer, measured."""

    def __init__(self, limits: Limits, receive: Receive, send: Send) -> None:
        self._limits = limits
        self._receive = receive
        self._send = send
        self._deadline = asyncio.get_running_loop().time() + limits.body_s
        self._read = 0
        self._whole = False
        self.cut: _Refusal | None = None
        self.status = 0

    async def receive(self) -> Message:
        """A part of the body while it keeps to the limits; then the application gets the end of the connection."""
        if self._whole:
            return await self._receive()
        if self.cut is not None:
            return {"type": "http.disconnect"}
        left_s = self._deadline - asyncio.get_running_loop().time()
        try:
            message = await asyncio.wait_for(self._receive(), max(left_s, 0.0))
        except TimeoutError:
            self.cut = _Refusal(408, f"the body must arrive within {self._limits.body_s:g} s ({self._read} bytes did)")
            return {"type": "http.disconnect"}
        self._read += len(message.get("body", b""))
        self._whole = message["type"] == "http.disconnect" or not message.get("more_body", False)
        if self._read > self._limits.body_bytes:
            self._whole = False
            self.cut = too_large(self._limits, f"more than {self._limits.body_bytes}")
            return {"type": "http.disconnect"}
        return message

    async def send(self, message: Message) -> None:
        """Pass an answer on, unless the request was cut: then ours comes instead."""
        if self.cut is not None and not self.status:
            return
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


def too_large(limits: Limits, got: str) -> _Refusal:
    """Refusal of a body that is too large."""
    return _Refusal(413, f"the body must have at most {limits.body_bytes} bytes (got {got})")


class Guard:
    """Judges each request by its head, keeps its body within limits, and hardens what goes out.

    Parameters
    ----------
    app : ASGI application
        Finds a proven `Visitor` in ``scope["state"]["visitor"]``.
    name : str
        The door, as the log of refusals calls it.
    rules : sequence of Rule
        The first that covers a request says its limits.
    default : Limits
        Of all other requests.
    authenticator : Authenticator, optional
        Needed where any limits ask for proof.
    attempts : Attempts, optional
        Shared by doors where a wrong guess at one shall count at the other.
    on_event : callable, optional
        Gets logins and refusals; must not block.
    worded : callable, optional
        Headers and body of a refusal, from the request's scope, the status and why; JSON without it.
    """

    def __init__(
        self,
        app: App,
        *,
        name: str,
        rules: Sequence[Rule] = (),
        default: Limits | None = None,
        authenticator: Authenticator | None = None,
        attempts: Attempts | None = None,
        on_event: Callable[[AccessEvent], None] = lambda _event: None,
        worded: Worded = lambda _scope, _status, detail: _as_json(detail),
    ) -> None:
        self._worded = worded
        self.app = app
        self.name = name
        self._rules = [(rule, _Places(rule.limits)) for rule in rules]
        self._default = name, _Places(default or Limits())
        self._authenticator = authenticator
        self._attempts = attempts or Attempts()
        self._on_event = on_event
        self._lingering = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, _hardened(scope, send))
        else:  # nothing of ours speaks by web sockets
            await send({"type": "websocket.close", "code": 1000})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        route, places = self._places(scope)
        client = address_of((scope.get("client") or ("",))[0])
        refusal = _by_length(scope, places.limits)
        visitor = None
        if refusal is None:
            visitor, refusal = await self._proven(scope, places.limits, client, route)
        who = visitor.name if visitor else ""
        refusal = refusal or places.refusal(who or client)
        if refusal is not None:
            self._note(refusal.event, who, client, scope, route, refusal.status, refusal.detail)
            await self._refuse(refusal, scope, receive, send)
            return
        if visitor is not None:
            scope.setdefault("state", {})["visitor"] = visitor
        with places.one(who or client):
            exchange = await self._work(scope, places.limits, receive, send)
            if exchange.cut is not None and not exchange.status:
                self._note("refused", who, client, scope, route, exchange.cut.status, exchange.cut.detail)
                await self._refuse(exchange.cut, scope, receive, send)
        if places.limits.guessable and exchange.status == 404:
            self._attempts.wrong(client)
        if exchange.status in {401, 403} or (places.limits.guessable and exchange.status in {404, 410}):
            self._note("refused", who, client, scope, route, exchange.status, "by the application")

    async def _work(self, scope: Scope, limits: Limits, receive: Receive, send: Send) -> _Exchange:
        exchange = _Exchange(limits, receive, send)
        try:
            async with asyncio.timeout(limits.answer_s) as clock:
                await self.app(scope, exchange.receive, exchange.send)
        except TimeoutError:
            if not clock.expired():
                raise
            if exchange.status:  # half an answer that is not ended: the server closes the connection
                return exchange
            exchange.cut = exchange.cut or _busy(503, f"no answer within {limits.answer_s:g} s; try again", 1)
        except Exception:
            if exchange.cut is None:
                raise
            log.debug("an application went on after its request was cut", exc_info=True)
        return exchange

    async def _proven(
        self, scope: Scope, limits: Limits, client: str, route: str
    ) -> tuple[Visitor | None, _Refusal | None]:
        """Who comes in, and a refusal where he must be proven and is not, or has guessed too often."""
        wait_s = self._attempts.wait_s(client)
        if not limits.proven:
            if limits.guessable and wait_s > 0:
                return None, _busy(429, "too many wrong guesses from this address; try later", wait_s)
            return None, None
        assert self._authenticator is not None, "rules that ask for proof come with an authenticator"
        credential = self._authenticator.credential(scope)
        if credential is None:
            return None, _stranger()
        if wait_s > 0 and not self._attempts.is_proven(credential, client):
            return None, _busy(429, "too many wrong guesses from this address; try later", wait_s)
        return await self._asked(self._authenticator, credential, scope, client, route)

    async def _asked(
        self, authenticator: Authenticator, credential: bytes, scope: Scope, client: str, route: str
    ) -> tuple[Visitor | None, _Refusal | None]:
        try:
            async with asyncio.timeout(_PROOF_S):
                visitor = await authenticator.prove(scope)
        except (MeterwardenError, OSError) as error:  # a time-out is an OSError
            log.warning("%s: nobody can be proven at this moment: %r", self.name, error)
            return None, _busy(503, "who you are cannot be proven at this moment; try again", 2)
        if visitor is None:
            self._attempts.wrong(client)
            return None, _stranger()
        if self._attempts.right(credential, client):
            self._note("login", visitor.name, client, scope, route, 200, "")
        return visitor, None

    def _places(self, scope: Scope) -> tuple[str, _Places]:
        for rule, places in self._rules:
            if rule.covers(scope["method"], scope["path"]):
                return rule.name, places
        return self._default

    def _note(
        self,
        event: Literal["login", "refused", "limited"],
        who: str,
        client: str,
        scope: Scope,
        route: str,
        status: int,
        reason: str,
    ) -> None:
        with suppress(Exception):  # a log that fails stops nobody
            self._on_event(AccessEvent(event, who, client, scope["method"][:16], route, status, reason))

    async def _refuse(self, refusal: _Refusal, scope: Scope, receive: Receive, send: Send) -> None:
        said, body = self._worded(scope, refusal.status, refusal.detail)
        headers = [*said, (b"content-length", str(len(body)).encode()), *refusal.headers]
        unread = _has_body(scope)
        if unread:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": True})
        if unread and header(scope, b"expect") is None and self._lingering < _LINGERING:
            self._lingering += 1
            try:
                await _throw_away(receive)
            finally:
                self._lingering -= 1
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _as_json(detail: str) -> tuple[Sequence[tuple[bytes, bytes]], bytes]:
    return [(b"content-type", b"application/json")], json.dumps({"detail": detail}).encode()


def _stranger() -> _Refusal:
    return _Refusal(401, "a token must be given that holds", ((b"www-authenticate", b"Bearer"),))


async def _throw_away(receive: Receive) -> None:
    left = _LINGER_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_S):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return


def _has_body(scope: Scope) -> bool:
    return header(scope, b"transfer-encoding") is not None or (header(scope, b"content-length") or b"0") != b"0"


def _by_length(scope: Scope, limits: Limits) -> _Refusal | None:
    stated = header(scope, b"content-length")
    if stated is None:
        return None
    if not stated.isdigit():
        return _Refusal(400, "content-length must be a whole number")
    if len(stated) > 18 or int(stated) > limits.body_bytes:
        return too_large(limits, stated[:40].decode("ascii"))
    return None


def _hardened(scope: Scope, send: Send) -> Send:
    """Headers that every answer has, unless the application set another."""
    https = scope.get("scheme") == "https"

    async def harden(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": list(_complete(message.get("headers", ()), https=https))}
        await send(message)

    return harden


def _complete(given: Iterable[tuple[bytes, bytes]], *, https: bool) -> Iterable[tuple[bytes, bytes]]:
    missing = dict(_HEADERS)
    if https:
        missing[b"strict-transport-security"] = _HSTS
    for name, value in given:
        key = name.lower()
        if key == b"server":
            continue
        missing.pop(key, None)
        if key == b"content-security-policy" and b"frame-ancestors" not in value:
            value = value.rstrip(b"; ") + b"; " + _OURS_TO_ADD.encode()  # noqa: PLW2901 - the same header, completed
        yield key, value
    yield from missing.items()
