"""Assembly of the web pages: `create_pages` builds them, `ingest.http.serve` runs them; importing has no effect."""

import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException as PlainHTTPException

from analytics.domain.errors import MeterwardenError, StoreUnavailable
from analytics.domain.words import Language
from dashboards.web.rendering import asset
from deploy.api.life import life_of
from deploy.web import (
    acting,
    certificates,
    draws,
    facts,
    gateways,
    ledgers,
    openid,
    operations,
    papers,
    people,
    point_work,
    points,
    reading,
    readings,
    reviews,
    sign_in,
    silences,
    units,
)
from deploy.web.answers import failed, refused_at_the_door
from deploy.web.asking import Remembered
from deploy.web.doors import NotAllowed, Sessions, SignInNeeded, Stale
from deploy.web.openid import OpenId
from ingest.http import Attempts, Guard, Limits, Rule
from ingest.http.guard import AccessEvent, Scope
from ingest.http.telemetry import telemetry
from ingest.kafka.config import KafkaConfig
from streams.alerts.cases import LARGEST_FILE
from streams.alerts.config import AlertConfig
from streams.alerts.people import NotFound
from streams.store.postgres.connections import Connections

__all__ = ["PagesConfig", "create_pages"]

log = logging.getLogger("metering.pages")

_FORM_BYTES: Final = 64 * 2**10
_SLOW_S: Final = 120.0
_ONE_CORE: Final = "set max_parallel_workers_per_gather = 0"
"""Many ask at once: helpers of one question are started for some milliseconds, and take the cores from the others."""
_PARTS: Final = (
    sign_in,
    openid,
    reading,
    units,
    certificates,
    points,
    point_work,
    acting,
    draws,
    reviews,
    papers,
    silences,
    gateways,
    facts,
    ledgers,
    readings,
    people,
    operations,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PagesConfig:
    """Configuration of the pages.

    Attributes
    ----------
    dsn : str
        The database, as the API's role.
    kafka : KafkaConfig, optional
        Where uploaded readings are sent; without it none are taken.
    openid : OpenId, optional
        A provider by which people may sign in, beside a password.
    home : Path, optional
        Where the instance keeps its data, whose disk is watched.
    connections : int
        Pages that ask the database at once, and as many that write.
    audit_days : int
        How long the log of logins and refusals is kept. [d]
    language : Language
        For whoever has chosen none and is not known.
    """

    dsn: str = field(repr=False)
    alerts: AlertConfig = field(default_factory=AlertConfig)
    kafka: KafkaConfig | None = None
    home: Path | None = None
    openid: OpenId | None = None
    connections: int = 8
    limits: Limits = field(
        default_factory=lambda: Limits(body_bytes=_FORM_BYTES, proven=False, at_once=512, at_once_each=64)
    )
    audit_days: int = 365
    language: Language = "zh"

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Limits of what is not as the rest: files are taken from who is signed in alone."""
        file = replace(
            self.limits,
            proven=True,
            body_bytes=LARGEST_FILE + _FORM_BYTES,
            body_s=_SLOW_S,
            answer_s=2 * _SLOW_S,
            at_once=8,
            at_once_each=2,
        )
        slow = replace(self.limits, at_once=4, at_once_each=2, answer_s=_SLOW_S)
        link = replace(self.limits, guessable=True, at_once=8, at_once_each=4)
        return (
            Rule(name="/cases/{case}/files", path=re.compile(r"/cases/\d+/files"), limits=file, methods={"POST"}),
            Rule(
                name="/certificates/{certificate}/scan",
                path=re.compile(r"/unit/certificates|/certificates/\d+/scan|/reviews/\d+/photos"),
                limits=file,
                methods={"POST"},
            ),
            Rule(
                name="/ledger",
                path=re.compile(r"/ledger|/readings|/(facts|rules)(/\w+)?"),
                limits=file,
                methods={"POST"},
            ),
            Rule(name="/ledger/{upload}", path=re.compile(r"/(ledger|readings)/\d+(/load|/send)?"), limits=slow),
            Rule(
                name="/reports",
                path=re.compile(r"/report\.(xlsx|html)|/unit/paper|/reviews/(\d+/.*x|year\.xlsx)"),
                limits=slow,
            ),
            Rule(name="/invitation/{token}", path=re.compile(r"/invitation/.*", re.DOTALL), limits=link),
        )


def create_pages(config: PagesConfig, *, attempts: Attempts | None = None) -> Guard:
    """The pages as an ASGI application behind its guard.

    Parameters
    ----------
    config : PagesConfig
    attempts : Attempts, optional
        Shared with other doors of the same process.
    """
    attempts = attempts or Attempts()
    life = life_of(config.dsn, connections=config.connections, name="meterwarden pages", audit_days=config.audit_days)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with life(app):
            # a page that writes holds one connection while it asks by another: from one pool, all could wait for all
            app.state.questions = Connections(
                config.dsn, size=config.connections, name="meterwarden pages", session=(_ONE_CORE,)
            )
            yield
            await app.state.questions.close()

    app = FastAPI(
        title="Meterwarden",
        version=version("meterwarden"),
        lifespan=lifespan,
        telemetry=telemetry(),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.config = config
    app.state.attempts = attempts
    app.state.doors = sign_in.Doors(attempts)
    app.state.remembered = Remembered()
    app.middleware("http")(_timed)
    for part in _PARTS:
        app.include_router(part.router)
    app.get("/assets/{name}")(_asset)
    _refusals(app)

    def note(event: AccessEvent) -> None:
        app.state.access_log.note(door="pages", **event._asdict())

    def worded(scope: Scope, status: int, detail: str) -> tuple[list[tuple[bytes, bytes]], bytes]:
        said = refused_at_the_door(Request({**scope, "app": app}), status, detail)
        return [one for one in said.raw_headers if one[0] != b"content-length"], bytes(said.body)

    return Guard(
        app,
        name="pages",
        rules=config.rules,
        default=config.limits,
        authenticator=Sessions(lambda: app.state.connections),
        attempts=attempts,
        on_event=note,
        worded=worded,
    )


async def _timed(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    request.state.began = time.perf_counter()
    return await call_next(request)


async def _asset(request: Request) -> Response:
    found = asset(request.url.path)
    if found is None:
        raise HTTPException(404)
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(found[0], media_type=found[1], headers=headers)


def _refusals(app: FastAPI) -> None:
    def said(why: str, status: int, *, detail: bool = False) -> Callable[[Request, Any], Awaitable[Response]]:
        async def tell(request: Request, error: Exception) -> Response:
            return failed(request, why, status, str(error) if detail else "")

        return tell

    async def to_sign_in(request: Request, _error: Exception) -> Response:
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        back = asked if request.method == "GET" and asked != "/" else ""
        return RedirectResponse(f"/sign-in?{urlencode({'back': back})}" if back else "/sign-in", status_code=303)

    async def plain(request: Request, error: PlainHTTPException) -> Response:
        why = "not_found" if error.status_code in {404, 405} else "refused"
        return failed(request, why, error.status_code)

    async def broken(request: Request, error: Exception) -> Response:
        log.error("%s %s failed: %r", request.method, request.url.path, error, exc_info=error)
        return failed(request, "unexpected", 500)

    app.add_exception_handler(SignInNeeded, to_sign_in)
    app.add_exception_handler(NotAllowed, said("forbidden", 403))
    app.add_exception_handler(Stale, said("stale", 403))
    app.add_exception_handler(NotFound, said("not_found", 404))
    app.add_exception_handler(StoreUnavailable, said("away", 503))
    app.add_exception_handler(MeterwardenError, said("refused", 409, detail=True))
    app.add_exception_handler(RequestValidationError, said("wrong_input", 422))
    app.add_exception_handler(PlainHTTPException, plain)  # type: ignore[arg-type]  # of that kind alone
    app.add_exception_handler(Exception, broken)
