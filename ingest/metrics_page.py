"""The page for monitors: `/metrics` for Prometheus, `/healthz` (the service lives) and `/readyz` (it can work).

With a password where one is set: probes, which have none, then get yes or no, and the reason only with it.
"""

import base64
import binascii
import hmac
import ipaddress
import time
from collections.abc import Callable, Iterable, Mapping
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any, Final, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

__all__ = ["CHALLENGE", "MetricsPage", "Pulse", "Question", "is_loopback", "may_read"]

CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="metrics", charset="UTF-8"'}
_SLOW_S: Final = 10.0
_App = Callable[[Any, Any], Iterable[bytes]]

Question = Callable[[], str]
"""Reason why a check fails; empty if it passes."""


def _well() -> str:
    return ""


class Pulse:
    """Whether an event loop still turns, as seen from another thread.

    Examples
    --------
    >>> pulse = Pulse(still_s=60.0)
    >>> pulse.trouble()
    ''
    """

    def __init__(self, *, still_s: float) -> None:
        self._still_s = still_s
        self._at = time.monotonic()

    def beat(self) -> None:
        """Record a beat of the loop."""
        self._at = time.monotonic()

    def trouble(self) -> str:
        """Reason to consider the loop dead; empty if it is alive."""
        still_s = time.monotonic() - self._at
        return f"the event loop has stood for {still_s:.0f} s" if still_s > self._still_s else ""


def may_read(authorization: str | None, password: str) -> bool:
    """Whether a request's ``Authorization`` is Basic with this password; the name does not matter.

    Examples
    --------
    >>> may_read("Basic cHJvbWV0aGV1czp4eA==", "xx"), may_read("Basic cHJvbWV0aGV1czp4eA==", "x"), may_read(None, "x")
    (True, False, False)
    """
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        given = base64.b64decode(token.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(given, password.encode())


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("::ffff:127.0.0.1"), is_loopback("10.0.0.7"), is_loopback("unknown")
    (True, True, False, False)
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = _SLOW_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the signature of the base
        """Log no single request."""


class MetricsPage:
    """The HTTP page of a process that has no other."""

    def __init__(self, server: WSGIServer, thread: Thread) -> None:
        self._server = server
        self._thread = thread
        self.port: int = server.server_port

    @classmethod
    def open(
        cls,
        registry: CollectorRegistry,
        *,
        host: str,
        port: int,
        password: str | None = None,
        alive: Question = _well,
        ready: Question = _well,
    ) -> Self:
        """Serve the page; port 0 takes a free one.

        Parameters
        ----------
        registry : CollectorRegistry
            What ``/metrics`` shows.
        password : str, optional
            Asked for by ``/metrics``.
        alive, ready : callable
            Asked by ``/healthz`` and ``/readyz``: 200, or 503 with the reason.
        """
        app = _page(make_wsgi_app(registry), password, {"/healthz": alive, "/readyz": ready})
        server = make_server(host, port, app, _Server, _Handler)
        thread = Thread(target=server.serve_forever, name="metrics", daemon=True)
        thread.start()
        return cls(server, thread)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _page(metrics: _App, password: str | None, questions: Mapping[str, Question]) -> _App:
    def answer(environ: Any, start_response: Any) -> Iterable[bytes]:
        known = password is None or may_read(environ.get("HTTP_AUTHORIZATION"), password)
        question = questions.get(environ["PATH_INFO"])
        if question is not None:
            why_not = question()
            status = "503 Service Unavailable" if why_not else "200 OK"
            start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
            return [f"{(why_not if known else 'no') if why_not else 'ok'}\n".encode()]
        if known:
            return metrics(environ, start_response)
        start_response("401 Unauthorized", [("Content-Type", "text/plain"), *CHALLENGE.items()])
        return [b"the password of METERWARDEN_METRICS_PASSWORD is required\n"]

    return answer
