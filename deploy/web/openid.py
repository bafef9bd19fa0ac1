"""Signing in by OpenID Connect: the authority's own provider says who somebody is; what they may do stays with us.

The authorization code flow with PKCE (OpenID Connect Core 1.0, 3.1; RFC 7636). Who comes must have been entered
with the login that the provider says; nobody becomes a person here by having an account there.
"""

import asyncio
import hashlib
import hmac
import json
import logging
import secrets
import time
import urllib.error
import urllib.request
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode, urlsplit

from fastapi import APIRouter, Query, Request, Response
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from analytics.domain.errors import MeterwardenError
from deploy.web.answers import answer, go
from deploy.web.doors import Now, within
from deploy.web.sign_in import note_sign_in, signed_in
from streams.alerts.sign_in import account_of

__all__ = ["OpenId", "router"]

log = logging.getLogger("metering.pages")
router = APIRouter(prefix="/sign-in/openid")
_COOKIE: Final = "mw_openid"
_KEPT_S: Final = 600
_FOUND_S: Final = 3600.0
_WAIT_S: Final = 10.0
_LARGEST: Final = 1 << 20
_HERE: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
"""Signatures by a key of the provider; never one by a secret, and never none."""
Word = Annotated[str, Query(max_length=4000)]


class OpenIdRefused(MeterwardenError):  # noqa: N818 - named after what happened
    """An answer of the provider, or of somebody in its name, that proves nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenId:
    """A provider.

    Attributes
    ----------
    issuer : str
        Its address, as its tokens name it, without a / at its end.
    client, secret : str
        What it calls these pages, and by what they prove it.
    claim : str
        Whose value is a person's login here.
    """

    issuer: str
    client: str
    secret: str = field(repr=False)
    claim: str = "preferred_username"


_REMEMBERED: Final[dict[str, tuple[float, Any]]] = {}


@router.get("")
async def begin(request: Request, back: Word = "/") -> Response:
    """On to the provider; what comes back is known by a cookie of this browser."""
    provider: OpenId | None = request.app.state.config.openid
    if provider is None:
        return go("/sign-in")
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    found = await _discovered(provider)
    asked = {
        "response_type": "code",
        "client_id": provider.client,
        "redirect_uri": _returning(request),
        "scope": "openid profile email",
        "state": state,
        "nonce": nonce,
        "code_challenge": _unpadded(hashlib.sha256(verifier.encode()).digest()),
        "code_challenge_method": "S256",
    }
    on = go(f"{found['authorization_endpoint']}?{urlencode(asked)}")
    kept = {"state": state, "nonce": nonce, "verifier": verifier, "back": within(back), "until": time.time() + _KEPT_S}
    on.set_cookie(
        _COOKIE, _sealed(provider, kept), max_age=_KEPT_S, path="/sign-in", secure=_secure(request), httponly=True,
        samesite="lax",
    )  # fmt: skip
    return on


@router.get("/back")
async def come_back(request: Request, at: Now, state: Word = "", code: Word = "", error: Word = "") -> Response:
    """Sign in who the provider proves, where they were entered here."""
    provider: OpenId | None = request.app.state.config.openid
    if provider is None:
        return go("/sign-in")
    try:
        kept = _unsealed(provider, request.cookies.get(_COOKIE, ""))
        _require_ours(kept, state)
        _require_code(code, error)
        login = await _proven(provider, code, str(kept["verifier"]), str(kept["nonce"]), _returning(request))
    except OpenIdRefused as refused:
        log.warning("openid: %s", refused)
        note_sign_in(request, "refused", "", 401, "not proven by the provider")
        return answer(request, "sign_in", status=401, back="/", fault="not_proven", login="", openid=True)
    async with request.app.state.connections.connection() as connection:
        account = await account_of(connection, login)
    if account is None:
        note_sign_in(request, "refused", login, 403, "proven by the provider, but not entered here")
        return answer(request, "sign_in", status=403, back="/", fault="not_entered", login="", openid=True)
    note_sign_in(request, "login", login, 200, "by the provider")
    done = await signed_in(request, account[0], account[1], at, within(str(kept["back"])))
    done.delete_cookie(_COOKIE, path="/sign-in")
    return done


def _require_ours(kept: Mapping[str, Any], state: str) -> None:
    if not state or not hmac.compare_digest(str(kept["state"]).encode(), state.encode()):
        raise OpenIdRefused("an answer must be of a sign-in that this browser began (it is not)")


def _require_code(code: str, error: str) -> None:
    if error or not code:
        raise OpenIdRefused(f"the provider must let the person in (it says {error[:100]!r})")


async def _proven(provider: OpenId, code: str, verifier: str, nonce: str, returning: str) -> str:
    """Login of who the provider says it is; raises `OpenIdRefused`."""
    found = await _discovered(provider)
    basic = b64encode(f"{quote(provider.client, safe='')}:{quote(provider.secret, safe='')}".encode()).decode()
    given = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": returning,
        "code_verifier": verifier,
    }
    headers = {"Authorization": f"Basic {basic}"}
    tokens = await _fetched(found["token_endpoint"], data=urlencode(given).encode(), headers=headers)
    keys = KeySet.import_key_set(await _remembered(found["jwks_uri"]))
    rules = jwt.JWTClaimsRegistry(
        leeway=60,
        iss={"essential": True, "value": found["issuer"]},
        aud={"essential": True, "value": provider.client},
        exp={"essential": True},
        nonce={"essential": True, "value": nonce},
    )
    try:
        claims = jwt.decode(str(tokens.get("id_token", "")), keys, algorithms=_ALGORITHMS).claims
        rules.validate(claims)
    except (JoseError, ValueError) as error:
        raise OpenIdRefused(f"a token must be the provider's, for us and now (it is not: {error})") from None
    login = claims.get(provider.claim)
    if login is None and "userinfo_endpoint" in found and "access_token" in tokens:
        more = await _fetched(found["userinfo_endpoint"], headers={"Authorization": f"Bearer {tokens['access_token']}"})
        login = more.get(provider.claim) if more.get("sub") == claims.get("sub") else None
    if not isinstance(login, str) or not login:
        raise OpenIdRefused(f"the provider must say {provider.claim} of a person (it does not)")
    return login.strip().lower()


async def _discovered(provider: OpenId) -> Mapping[str, Any]:
    """What the provider says of itself, which must be in its own name."""
    found = await _remembered(f"{provider.issuer}/.well-known/openid-configuration")
    if str(found.get("issuer", "")).rstrip("/") != provider.issuer:
        raise OpenIdRefused(f"the provider must call itself {provider.issuer} (it says {found.get('issuer')!r})")
    return dict(found)


async def _remembered(url: str) -> Any:
    known = _REMEMBERED.get(url)
    if known is None or time.monotonic() - known[0] > _FOUND_S:
        known = time.monotonic(), await _fetched(url)
        _REMEMBERED[url] = known
    return known[1]


async def _fetched(url: str, *, data: bytes | None = None, headers: Mapping[str, str] | None = None) -> Any:
    """JSON of an address of the provider; raises `OpenIdRefused`."""

    def fetch() -> Any:
        address = urlsplit(url)
        if address.scheme != "https" and not (address.scheme == "http" and address.hostname in _HERE):
            raise OpenIdRefused(f"an address of the provider must be https, or of this machine (got {url[:60]!r})")
        asked = urllib.request.Request(  # noqa: S310 - of https, or of this machine
            url, data=data, headers={"Accept": "application/json", **(headers or {})}
        )
        try:
            with urllib.request.urlopen(asked, timeout=_WAIT_S) as told:  # noqa: S310 - as above
                return json.loads(told.read(_LARGEST))
        except (urllib.error.URLError, OSError, ValueError) as error:
            raise OpenIdRefused(f"the provider must answer (it does not: {error})") from None

    return await asyncio.to_thread(fetch)


def _returning(request: Request) -> str:
    """Where the provider sends people back to, as entered there for these pages."""
    return f"{request.url.scheme}://{request.url.netloc}/sign-in/openid/back"


def _sealed(provider: OpenId, kept: Mapping[str, Any]) -> str:
    body = _unpadded(json.dumps(kept).encode())
    return f"{body}.{_mark(provider, body)}"


def _unsealed(provider: OpenId, text: str) -> dict[str, Any]:
    body, _, mark = text.partition(".")
    if not body or not hmac.compare_digest(_mark(provider, body).encode(), mark.encode()):
        raise OpenIdRefused("an answer must be of a sign-in that this browser began (it is not)")
    kept: dict[str, Any] = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    if kept["until"] < time.time():
        raise OpenIdRefused("a sign-in must be finished within ten minutes (it was not)")
    return kept


def _mark(provider: OpenId, body: str) -> str:
    return hmac.new(f"openid {provider.secret}".encode(), body.encode(), hashlib.sha256).hexdigest()


def _unpadded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _secure(request: Request) -> bool:
    return request.url.scheme == "https"
