"""Exchanges with a Grafana: a proxy that records them, and a server that plays them back.

What is recorded is method, path, organization and answer, in order. A board that comes back is left out of the
recording and put in again from what was sent, so that the recording stays small and boards may change.
"""

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Exchange", "Player", "playing", "recording"]

GONE_BOARD = "the board as it was sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request and its answer."""

    method: str
    path: str
    org: str
    status: int
    answer: Any


@dataclass(slots=True, kw_only=True)
class Player:
    """Plays a recording: every request must be the next one.

    `away` are places in the recording at which the server breaks off the connection once, then says 503 twice, as one
    that restarts does.
    """

    exchanges: list[Exchange]
    words: dict[str, str]
    away: frozenset[int] = frozenset()
    at: int = 0
    faults: list[str] = field(default_factory=list)
    sent: list[tuple[str, str, Any]] = field(default_factory=list)
    broken: dict[int, int] = field(default_factory=dict)
    boards: dict[str, Any] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def answer(self, method: str, path: str, org: str, body: Any) -> tuple[int, Any] | None:
        """Status and body; None breaks the connection."""
        with self.lock:
            if self.at in self.away and self.broken.get(self.at, 0) < 3:
                self.broken[self.at] = self.broken.get(self.at, 0) + 1
                return None if self.broken[self.at] == 1 else (503, {"message": "starting"})
            if self.at >= len(self.exchanges):
                self.faults.append(f"{method} {path} of {org}: the recording is over")
                return 500, {"message": self.faults[-1]}
            expected = self.exchanges[self.at]
            if (method, path, org) != (expected.method, expected.path, expected.org):
                self.faults.append(f"{method} {path} of {org}: the recording has {expected}")
                return 400, {"message": self.faults[-1]}
            self.at += 1
            self.sent.append((method, path, body))
            if path == "/api/dashboards/db":
                self.boards[f"{org} {body['dashboard']['uid']}"] = body["dashboard"]
            return expected.status, self._filled(expected)

    def _filled(self, exchange: Exchange) -> Any:
        text = json.dumps(exchange.answer)
        for word, value in self.words.items():
            text = text.replace("{" + word + "}", value)
        answer = json.loads(text)
        if isinstance(answer, dict) and answer.get("dashboard") == GONE_BOARD:
            uid = exchange.path.rpartition("/")[2]
            answer["dashboard"] = {**self.boards[f"{exchange.org} {uid}"], "id": 1, "version": 1}
        return answer


def read(file: Path) -> list[Exchange]:
    """A recording."""
    return [Exchange(**row) for row in json.loads(file.read_text(encoding="utf-8"))]


@contextmanager
def playing(player: Player) -> Iterator[str]:
    """The address of a server that plays."""

    class Handler(_Handler):
        def handle_one(self, body: bytes) -> None:
            found = player.answer(
                self.command, self.path, self.headers.get("X-Grafana-Org-Id", ""), json.loads(body) if body else None
            )
            if found is None:
                self.close_connection = True
                return
            self.reply(found[0], json.dumps(found[1]).encode())

    with _served(Handler) as address:
        yield address


@contextmanager
def recording(server: str, words: dict[str, str], into: list[Exchange]) -> Iterator[str]:
    """The address of a proxy before a real Grafana; `words` are texts of this run and what to write for them."""
    target = urlsplit(server)

    class Handler(_Handler):
        def handle_one(self, body: bytes) -> None:
            assert target.hostname is not None
            connection = http.client.HTTPConnection(target.hostname, target.port or 80, timeout=60)
            headers = {
                key: value for key, value in self.headers.items() if key.lower() not in {"host", "accept-encoding"}
            }
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            content = response.read()
            text = content.decode()
            for value, word in words.items():
                text = text.replace(value, "{" + word + "}")
            answer = json.loads(text or "null")
            if self.path.startswith("/api/dashboards/uid/") and self.command == "GET":
                answer["dashboard"] = GONE_BOARD
            into.append(
                Exchange(
                    method=self.command,
                    path=self.path,
                    org=self.headers.get("X-Grafana-Org-Id", ""),
                    status=response.status,
                    answer=answer,
                )
            )
            self.reply(response.status, content)

    with _served(Handler) as address:
        yield address


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_one(self, body: bytes) -> None:
        """Answer one request; each of the two servers above says how."""
        raise NotImplementedError  # abstract: only the two handlers above are served, and each has its own

    def reply(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _any(self) -> None:
        self.handle_one(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Nothing: the tests look at faults."""


@contextmanager
def _served(handler: type[_Handler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
