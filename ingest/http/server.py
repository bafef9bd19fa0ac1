"""uvicorn with what it lacks against slow clients: heads in time, connections counted, closed ones really closed."""

import logging
import ssl
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ingest.http.attempts import address_of

__all__ = ["ConnectionLimits", "serve", "server_of"]

log = logging.getLogger("metering.http")

_LOOK_EVERY_S: Final = 1.0
_HEAD_BYTES: Final = 16 * 2**10


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """Limits of a connection.

    Attributes
    ----------
    head_s : float
        The head of a request must be there after this time. [s]
    close_s : float
        A connection that was closed and cannot hand over the rest of its answer is cut after this time. [s]
    idle_s : float
        How long a connection may wait for its next request. [s]
    total, each : int
        Open connections in all, and those of one address. [1]
    """

    head_s: float = 10.0
    close_s: float = 5.0
    idle_s: float = 30.0
    total: int = 2048
    each: int = 256


class _TimedProtocol(H11Protocol):
    """One connection, looked at every second until it is gone."""

    limits: ClassVar[ConnectionLimits]
    open: ClassVar[Counter[str]]
    cycle: Any  # None before the first request
    _timer: Any = None
    _address: str | None = None
    _late_at: float = 0.0
    _closing_at: float | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        address = address_of(self.client[0] if self.client else "")
        if self.open.total() >= self.limits.total or self.open[address] >= self.limits.each:
            transport.abort()
            return
        self._address = address
        self.open[address] += 1
        self._late_at = self.loop.time() + self.limits.head_s
        self._look_again()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._address is not None:
            self.open[self._address] -= 1
            if not self.open[self._address]:
                del self.open[self._address]
            self._address = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        idle = self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]
        if idle and self.cycle is not None:  # the next request of this connection begins
            self._late_at = self.loop.time() + self.limits.head_s
        super().data_received(data)

    def _look_again(self) -> None:
        self._timer = self.loop.call_later(_LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        now = self.loop.time()
        if self.transport.is_closing():
            self._closing_at = now if self._closing_at is None else self._closing_at
            if now - self._closing_at >= self.limits.close_s:
                self.transport.abort()
                return
        elif self._head_is_due() and now >= self._late_at:
            self.transport.abort()
            return
        self._look_again()

    def _head_is_due(self) -> bool:
        """Whether a request has begun, or the first has not, and its head is not whole."""
        if self.conn.their_state is not h11.IDLE:
            return False
        return self.cycle is None or bool(self.conn.trailing_data[0])


def server_of(
    app: Any,
    *,
    host: str = "127.0.0.1",
    port: int,
    limits: ConnectionLimits | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
    client_ca: Path | None = None,
    trusted_proxies: str = "127.0.0.1",
) -> uvicorn.Server:
    """A server that is not started yet.

    Parameters
    ----------
    app : ASGI application
        Within a `Guard`: this here bounds connections, not requests.
    certificate, key : Path, optional
        PEM files; without them it speaks plain HTTP, for a proxy on the same machine.
    client_ca : Path, optional
        Who vouches for clients: then each must show a certificate of it.
    trusted_proxies : str
        Addresses whose word on the client's address and on TLS is taken, with commas between.
    """
    limits = limits or ConnectionLimits()
    protocol = type("TimedProtocol", (_TimedProtocol,), {"limits": limits, "open": Counter()})
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=protocol,
        ws="none",
        log_config=None,
        access_log=False,  # the path of a link is the right to act
        server_header=False,
        h11_max_incomplete_event_size=_HEAD_BYTES,
        timeout_keep_alive=round(limits.idle_s),
        timeout_graceful_shutdown=15,
        proxy_headers=True,
        forwarded_allow_ips=trusted_proxies,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        ssl_version=ssl.PROTOCOL_TLS_SERVER,
        ssl_ca_certs=str(client_ca) if client_ca is not None else None,
        ssl_cert_reqs=ssl.CERT_REQUIRED if client_ca is not None else ssl.CERT_NONE,
    )
    if certificate is not None:
        config.load()
        assert config.ssl is not None, "a certificate was given"
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
    return uvicorn.Server(config)


def serve(app: Any, **facts: Any) -> None:
    """Serve until SIGTERM or SIGINT; parameters as `server_of` has them."""
    server_of(app, **facts).run()
