"""The page that Prometheus reads, with a password where one is set; on loopback it may go without."""

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any, Final, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

__all__ = ["CHALLENGE", "MetricsPage", "is_loopback", "may_read"]

CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="metrics", charset="UTF-8"'}
_SLOW_S: Final = 10.0


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
        """Say nothing of each request."""


class MetricsPage:
    """The HTTP page of a process that has no other."""

    def __init__(self, server: WSGIServer, thread: Thread) -> None:
        self._server = server
        self._thread = thread
        self.port: int = server.server_port

    @classmethod
    def open(cls, registry: CollectorRegistry, *, host: str, port: int, password: str | None = None) -> Self:
        """Serve the page; port 0 takes a free one."""
        server = make_server(host, port, _guarded(registry, password), _Server, _Handler)
        thread = Thread(target=server.serve_forever, name="metrics", daemon=True)
        thread.start()
        return cls(server, thread)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _guarded(registry: CollectorRegistry, password: str | None) -> Callable[[Any, Any], Iterable[bytes]]:
    page: Callable[[Any, Any], Iterable[bytes]] = make_wsgi_app(registry)

    def answer(environ: Any, start_response: Any) -> Iterable[bytes]:
        if password is None or may_read(environ.get("HTTP_AUTHORIZATION"), password):
            return page(environ, start_response)
        start_response("401 Unauthorized", [("Content-Type", "text/plain"), *CHALLENGE.items()])
        return [b"the password of METERWARDEN_METRICS_PASSWORD is required\n"]

    return answer
