"""The API put together: importing does nothing, `create_api` makes it, uvicorn runs it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from analytics.alerting.case import CaseRefused
from analytics.alerting.lifecycle import AlertIsOver
from analytics.domain.errors import MeterwardenError, StoreUnavailable
from deploy.api import alerts, cases, links
from streams.alerts.config import AlertConfig
from streams.alerts.links import LinkRefused, LinkUnknown
from streams.alerts.people import NotFound, SilenceRefused
from streams.ports import StoreRejected
from streams.store.postgres.connections import Connections

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiConfig:
    """What the API is told.

    Attributes
    ----------
    dsn : str
        The database.
    secret : bytes
        What links are signed with; the sender has the same.
    connections : int
        Requests that are at the database at once.
    """

    dsn: str = field(repr=False)
    secret: bytes = field(repr=False)
    alerts: AlertConfig = field(default_factory=AlertConfig)
    connections: int = 8


def create_api(config: ApiConfig) -> FastAPI:
    """The API as an ASGI application.

    Parameters
    ----------
    config : ApiConfig
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.connections = Connections(config.dsn, size=config.connections, name="meterwarden api")
        yield
        await app.state.connections.close()

    app = FastAPI(
        title="Meterwarden",
        version=version("meterwarden"),
        summary="Alerts on energy meters, and the case until it is closed.",
        lifespan=lifespan,
    )
    app.state.config = config
    for router in (alerts.router, cases.router, links.router):
        app.include_router(router)
    for kind, status in _STATUS.items():
        app.add_exception_handler(kind, _told(status))
    return app


def _told(status: int) -> Callable[[Request, Exception], JSONResponse]:
    def tell(_request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=status)

    return tell
