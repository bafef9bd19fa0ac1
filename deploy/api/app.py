"""Assembly of the HTTP API: `create_api` builds it, `ingest.http.serve` runs it; importing has no effect."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from analytics.alerting.case import CaseRefused
from analytics.alerting.lifecycle import AlertIsOver
from analytics.domain.errors import MeterwardenError, StoreUnavailable
from deploy.api import alerts, cases, certificates, links
from deploy.api.doors import People
from deploy.api.life import life_of
from ingest.http import Attempts, Guard, Limits, Rule
from ingest.http.guard import AccessEvent
from ingest.http.telemetry import telemetry
from streams.alerts.cases import LARGEST_FILE
from streams.alerts.config import AlertConfig
from streams.alerts.links import LinkRefused, LinkUnknown
from streams.alerts.people import NotFound, SilenceRefused
from streams.ports import StoreRejected

__all__ = ["ApiConfig", "create_api"]

_STATUS: Final[dict[type[MeterwardenError], int]] = {
    NotFound: 404,
    CaseRefused: 409,
    AlertIsOver: 409,
    SilenceRefused: 409,
    LinkUnknown: 404,
    LinkRefused: 410,
    StoreRejected: 422,
    StoreUnavailable: 503,
}
_FORM_BYTES: Final = 64 * 2**10
"""Room for what is around a file in its request, and for a remark of 4,000 letters as a form sends it. [byte]"""
_MORE_S: Final = 120.0
_REFUSED: Final = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiConfig:
    """Configuration of the API.

    Attributes
    ----------
    dsn : str
        The database.
    secret : callable
        What links are signed with at this moment, since it can be changed; the sender has the same.
    connections : int
        Requests that are at the database at once.
    limits : Limits
        Limits of a request; those of files and links are derived from it.
    audit_days : int
        How long the log of logins and refusals is kept. [d]
    """

    dsn: str = field(repr=False)
    secret: Callable[[], bytes] = field(repr=False)
    alerts: AlertConfig = field(default_factory=AlertConfig)
    connections: int = 8
    limits: Limits = field(default_factory=lambda: Limits(body_bytes=_FORM_BYTES))
    audit_days: int = 365

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Limits of requests that differ from the default."""
        file = replace(
            self.limits,
            body_bytes=LARGEST_FILE + _FORM_BYTES,
            body_s=max(self.limits.body_s, _MORE_S),
            answer_s=max(self.limits.answer_s, 2 * _MORE_S),
            at_once=8,
            at_once_each=2,
        )
        link = replace(self.limits, proven=False, guessable=True, at_once=32, at_once_each=8)
        open_to_all = replace(self.limits, proven=False, body_bytes=0, at_once=8, at_once_each=4)
        return (
            Rule(name="/cases/{case_id}/files", path=re.compile(r"/cases/\d+/files(/\d+)?"), limits=file),
            Rule(name="/certificates/{certificate_id}/scan", path=re.compile(r"/certificates/\d+/scan"), limits=file),
            Rule(name="/act/{token}", path=re.compile(r"/act/.*", re.DOTALL), limits=link),
            Rule(name="/openapi.json", path=re.compile(r"/openapi\.json"), limits=open_to_all),
        )


def create_api(config: ApiConfig, *, attempts: Attempts | None = None) -> Guard:
    """The API as an ASGI application behind its guard.

    Parameters
    ----------
    config : ApiConfig
    attempts : Attempts, optional
        Shared with other doors of the same process.
    """
    app = FastAPI(
        title="Meterwarden",
        version=version("meterwarden"),
        summary="Alerts on energy meters, and the case until it is closed.",
        lifespan=life_of(
            config.dsn, connections=config.connections, name="meterwarden api", audit_days=config.audit_days
        ),
        telemetry=telemetry(),
        docs_url=None,  # their scripts come from outside addresses; /openapi.json says it all
        redoc_url=None,
    )
    app.state.config = config
    for router in (alerts.router, cases.router, certificates.router, links.router):
        app.include_router(router)
    for kind, status in _STATUS.items():
        app.add_exception_handler(kind, _told(status))
    app.add_exception_handler(RequestValidationError, _malformed)  # type: ignore[arg-type]  # of that kind alone

    def note(event: AccessEvent) -> None:
        facts = event._asdict()
        app.state.access_log.note(door="api", **facts)

    people = People(lambda: app.state.connections)
    return Guard(
        app,
        name="api",
        rules=config.rules,
        default=config.limits,
        authenticator=people,
        attempts=attempts,
        on_event=note,
    )


def _told(status: int) -> Callable[[Request, Exception], JSONResponse]:
    def tell(_request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"detail": _printable(str(error))}, status_code=status)

    return tell


def _malformed(_request: Request, error: RequestValidationError) -> JSONResponse:
    """Validation errors without the input, which JSON may not be able to hold (lone surrogates, infinity)."""
    detail: list[dict[str, Any]] = [
        {
            "loc": [part if isinstance(part, int) else _printable(str(part)) for part in one["loc"]],
            "msg": _printable(str(one["msg"])),
            "type": one["type"],
        }
        for one in error.errors()
    ]
    return JSONResponse({"detail": detail}, status_code=422)


def _printable(text: str) -> str:
    return _REFUSED.sub("\ufffd", text)
