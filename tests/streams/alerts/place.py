"""A world with people and faults, and real ends of channels that remember what arrived."""

import asyncio
import email
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import Message as Mail
from email.policy import default as email_policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
from aiosmtpd.controller import Controller

from streams.alerts.config import AlertConfig
from streams.alerts.raiser import Raised, Raiser
from tests.streams.store.conftest import peopled

ROOT = Path(__file__).parents[3]
NOW = datetime.now(UTC).replace(microsecond=0)
ALWAYS = """
[people]
burst = 50
[[rule]]
name = "no readings"
kind = ["silence"]
group = "unit"
tell = ["inspectors", "enterprise"]
[[rule]]
name = "meter fault"
tell = ["inspectors"]
escalate = [{ after_min = 60, tell = ["staff"] }]
"""
PEOPLE = """
insert into person (login, name, role, unit_id, channel, address) values
    ('li.na', '李娜', 'inspector', null, 'mail', 'li@example.org'),
    ('wang', '王强', 'staff', null, 'hook', ''),
    ('first', 'First', 'enterprise', 1, 'mail', 'first@example.org'),
    ('second', 'Second', 'enterprise', 2, 'mail', 'second@example.org')
"""


def settled(dsn: str, rules: str = ALWAYS) -> str:
    """The small world with people in it and these rules in force."""
    with psycopg.connect(peopled(dsn), autocommit=True) as connection:
        connection.execute(PEOPLE)
        if rules:
            connection.execute("insert into alert_rules (source, body, loaded_by) values ('t', %s, 't')", (rules,))
    return dsn


def detect(dsn: str, point: int = 1, **facts: Any) -> int:
    """Put a detection in; its id."""
    row: dict[str, Any] = {
        "unit_id": (point + 1) // 2,
        "point_id": point,
        "meter_id": point,
        "kind": "stuck",
        "started_at": NOW - timedelta(hours=5),
        "detected_at": NOW,
        "severity": "serious",
        "confidence": 0.99,
        "energy_affected": 120.0,
        "evidence": json.dumps({"before": 1234.5, "n": 20, "unit": "kWh"}),
    } | facts
    names = ", ".join(row)
    with psycopg.connect(dsn, autocommit=True) as connection:
        found = connection.execute(
            f"insert into detection ({names}) values ({', '.join(['%s'] * len(row))}) returning id",
            list(row.values()),
        ).fetchone()
    assert found is not None
    return int(found[0])


def rows(dsn: str, text: str, *parameters: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        return (
            connection.execute(text.encode(), parameters).fetchall()
            if "select" in text
            else [(connection.execute(text.encode(), parameters).rowcount,)]
        )


def raised(dsn: str, now: datetime = NOW, *, raiser: Raiser | None = None) -> Raised:
    """One round of the raiser."""

    async def once() -> Raised | None:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            return await (raiser or Raiser(AlertConfig())).once(connection, now)

    result = asyncio.run(once())
    assert result is not None
    return result


@dataclass
class Arrived:
    """What reached an end of a channel."""

    keys: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)
    status: int = 200

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        mail = email.message_from_bytes(envelope.content, policy=email_policy)
        self.mails.append(mail)
        self.keys.append(str(mail["X-Meterwarden-Key"]))
        self.texts.append(str(mail["Subject"]))
        return "250 accepted"


@contextmanager
def mail_server(port: int) -> Iterator[Arrived]:
    """A real SMTP server on 127.0.0.1."""
    arrived = Arrived()
    controller = Controller(arrived, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield arrived
    finally:
        controller.stop()


@contextmanager
def hook_server(port: int) -> Iterator[Arrived]:
    """A real HTTP endpoint on 127.0.0.1."""
    arrived = Arrived()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if arrived.status == 200:
                arrived.keys.append(self.headers["X-Meterwarden-Key"])
                arrived.texts.append(json.loads(body)["message"])
            self.send_response(arrived.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield arrived
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def nursery() -> Iterator[Callable[[dict[str, Any]], int]]:
    """Runs raisers and senders that kill themselves, one at a time; gives the exit code of each."""
    command = [sys.executable, "-m", "tests.streams.alerts.process"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        given, told = process.stdin, process.stdout

        def run(options: dict[str, Any]) -> int:
            given.write(json.dumps(options) + "\n")
            given.flush()
            return int(told.readline())

        yield run
        given.close()
        process.wait(30)


def body_of(mail: Mail) -> str:
    parts = [part for part in mail.walk() if part.get_content_maintype() == "text"]
    return "\n".join(part.get_payload(decode=True).decode() for part in parts)  # type: ignore[union-attr]  # decode gives bytes
