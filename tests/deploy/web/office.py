"""Pages over a small region, with people at them: each signs in with a password as a browser would."""

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import psycopg
from fastapi import FastAPI
from fastapi.testclient import TestClient

from streams.alerts.people import add_person, person_of
from streams.alerts.sign_in import hash_of, invite, keep_password, make_administrator
from streams.store.postgres.connections import Connections

__all__ = ["HOST", "PASSWORD", "PEOPLE", "Office", "enter", "inside"]

T = TypeVar("T")
HOST: Final = "http://testserver"
PASSWORD: Final = "a horse of 17 hands"
PEOPLE: Final = {
    "chief": ("staff", ""),
    "li.na": ("inspector", ""),
    "first": ("enterprise", "U1"),
    "second": ("enterprise", "SECRETB"),
    "night": ("operator", ""),
}
_HASH: Final = hash_of(PASSWORD)
_CSRF: Final = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


def inside(dsn: str, work: Callable[[psycopg.AsyncConnection], Awaitable[T]]) -> T:
    """What `work` gives, within one transaction."""

    async def run() -> T:
        connections = Connections(dsn, size=1)
        try:
            async with connections.connection() as connection, connection.transaction():
                return await work(connection)
        finally:
            await connections.close()

    return asyncio.run(run())


def enter(dsn: str, people: Mapping[str, tuple[str, str]] = PEOPLE) -> None:
    """Enter everybody with the one password; the chief, where one is among them, is administrator."""

    async def work(connection: psycopg.AsyncConnection) -> None:
        for login, (role, unit) in people.items():
            person = await add_person(connection, login=login, name=login.title(), role=role, unit=unit)
            await keep_password(connection, person, _HASH)
        if "chief" in people:
            await make_administrator(connection, (await person_of(connection, login="chief")).id)

    inside(dsn, work)


@dataclass(frozen=True, slots=True)
class Office:
    """Pages that run in this process, and the region behind them."""

    dsn: str
    app: FastAPI
    door: TestClient
    """Nobody's browser; its application runs."""

    def browser(self, login: str = "") -> TestClient:
        """A browser of its own; signed in where a login is given."""
        browser = TestClient(self.door.app, base_url=HOST, follow_redirects=False, raise_server_exceptions=False)
        browser.portal = self.door.portal  # the same event loop, where the application's connections live
        if login:
            answer = browser.post("/sign-in", data={"login": login, "password": PASSWORD})
            assert answer.status_code == 303, (login, answer.status_code, answer.text)
        return browser

    def act(self, browser: TestClient, page: str, path: str, **facts: Any) -> Any:
        """Send a form of a page, as a browser does."""
        found = _CSRF.search(browser.get(page).text)
        assert found is not None, f"{page} must have a form"
        files = facts.pop("files", None)
        return browser.post(path, data={"csrf": found[1], **facts}, files=files)

    def rows(self, query: str, *facts: object) -> list[tuple[Any, ...]]:
        """Rows as the owner sees them."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return connection.execute(query.encode(), facts).fetchall()

    def somebody(self, role: str = "enterprise", unit: str = "") -> str:
        """A new person's login, for tests that change a person: the shared ones stay as they are.

        An enterprise's person is of U1 unless `unit` names another.
        """
        login = f"p{uuid.uuid4().hex[:12]}"
        enter(self.dsn, {login: (role, unit or ("U1" if role == "enterprise" else ""))})
        return login

    def invited(self, login: str) -> str:
        """The path of a one-time link."""

        async def work(connection: psycopg.AsyncConnection) -> str:
            return await invite(connection, await person_of(connection, login=login), datetime.now(UTC))

        return f"/invitation/{inside(self.dsn, work)}"
