"""Database queries of a page: with the person's role, in one read-only transaction, counted."""

import asyncio
import math
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlencode

import psycopg
from fastapi import Request

from analytics.domain.registers import is_apart
from dashboards.boards import BOARDS
from dashboards.panels import Panel
from dashboards.queries import query
from dashboards.web.asking import RANGES, Span, statement
from dashboards.web.evidence import evidence_rows
from dashboards.web.panels import Shown, Table, shown, table_of
from dashboards.web.rendering import question
from deploy.web.doors import Visit
from streams.alerts.people import NotFound, rows
from streams.store.access.tenancy import as_staff, as_unit

__all__ = ["Questions", "Remembered", "asking", "panels_of", "point_href", "span_of", "unit_href"]


_LEADS: Final = {
    **dict.fromkeys(("alert", "title_zh", "title_en"), ("alert", "/alerts/{}")),
    **dict.fromkeys(("number", "case_number"), ("_case", "/cases/{}")),
    "scan": ("_certificate", "/certificates/{}/scan"),
    "review_no": ("_review", "/reviews/{}"),
    "draw_no": ("_draw", "/reviews/draws/{}"),
}
"""Where a cell leads by its column, and by which other cell of its row."""
_SHARED_S: Final = 30.0
_LEADING: Final = frozenset({*_LEADS, "unit_code", "unit_name", "point", "parent_point"})


@lru_cache(4096)
def unit_href(unit: str, tab: str = "", **more: str) -> str:
    """Address of a unit's page."""
    return f"/unit{'/' + tab if tab else ''}?{urlencode({'unit': unit, **more})}"


@lru_cache(4096)
def point_href(unit: str, point: str, tab: str = "", **more: str) -> str:
    """Address of a metering point's page."""
    return f"/point{'/' + tab if tab else ''}?{urlencode({'unit': unit, 'point': point, **more})}"


def panels_of(board: str, *names: str) -> list[Panel]:
    """Panels of a board by their questions, in the order asked for."""
    [found] = [one for one in BOARDS if one.name == board]
    known = {panel.query: panel for panel in found.panels}
    return [known[name] for name in names]


class Remembered:
    """Rows of a few questions that are the same for all staff, for half a minute; asked once at a time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rows: dict[str, tuple[float, list[dict[str, Any]]]] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def lock(self, name: str) -> asyncio.Lock:
        """Held by who asks, so that others wait for what it finds."""
        return self._locks[name]

    def rows(self, name: str) -> list[dict[str, Any]] | None:
        """What was found, None where that is too long ago."""
        at, found = self._rows.get(name, (-math.inf, []))
        return found if self._clock() - at < _SHARED_S else None

    def keep(self, name: str, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Remember rows."""
        self._rows[name] = self._clock(), found
        return found


class Questions:
    """Questions of one page.

    Parameters
    ----------
    connection
        As the role of who opens the page.
    visit : Visit
        Its count of questions goes up.
    zone : tzinfo
        Of local times.
    """

    def __init__(self, connection: psycopg.AsyncConnection, visit: Visit, request: Request) -> None:
        self._connection = connection
        self._visit = visit
        self.zone = request.app.state.config.alerts.zone
        self._remembered: Remembered = request.app.state.remembered
        self._known: dict[str, list[dict[str, Any]]] = {}

    async def rows(self, text: str, facts: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Rows of a statement; one without facts is asked once a page."""
        if text in self._known:
            return self._known[text]
        self._visit.questions += 1
        found = await rows(self._connection, text, facts)
        if "%(" not in text:
            self._known[text] = found
        return found

    async def own(self, name: str, **facts: Any) -> list[dict[str, Any]]:
        """Rows of one of the pages' own questions."""
        return await self.rows(question(name), facts)

    async def shared(self, name: str) -> list[dict[str, Any]]:
        """Rows of one of the pages' own questions without facts, as they were within the last half minute.

        For those who see all units alone: what it gives is the same for all of them.
        """
        assert self._visit.person.role != "enterprise", "an enterprise's rows are its own"
        async with self._remembered.lock(name):
            if (known := self._remembered.rows(name)) is not None:
                return known
            return self._remembered.keep(name, await self.own(name))

    async def of_board(self, name: str, **facts: Any) -> list[dict[str, Any]]:
        """Rows of one of the boards' questions that has no range."""
        return await self.rows(statement(query(name)), facts)

    async def table(self, name: str, hidden: Sequence[str] = (), **facts: Any) -> Table | None:
        """One of the pages' own questions as a table."""
        return self.tabled(await self.own(name, **facts), hidden)

    async def evidence(self, name: str, columns: Sequence[str], **facts: Any) -> Table | None:
        """What alerts and detections rest on, in words."""
        found = await self.own(name, **facts)
        language = self._visit.language
        return self.tabled(evidence_rows(found, columns, language=language, zone=self.zone))

    async def strange(self, unit: str | None = None) -> Table | None:
        """Meters of which only registers came that nobody knows, of a unit or of all; None where there are none."""
        mine = self._visit.person.role == "enterprise"
        found = await (self.own if mine else self.shared)("strange_registers")
        rows = [
            row | {"registers": ", ".join(names)}
            for row in found
            if unit in {None, row["_unit"]}
            for names in [[name for name in row["registers"] if not is_apart(name)]]
            if names
        ]
        return self.tabled(rows, ("unit_name",) if unit else ())

    def tabled(self, found: Sequence[Mapping[str, Any]], hidden: Sequence[str] = (), unit: str = "") -> Table | None:
        """Rows as a table whose cells lead on."""
        other = ("title_en", "what_en") if self._visit.language == "zh" else ("title_zh", "what")
        return table_of(
            found,
            language=self._visit.language,
            zone=self.zone,
            href=lambda column, row: _href(column, row, unit),
            hidden=(*hidden, *other),
        )

    async def unit(self, code: str) -> dict[str, Any]:
        """The unit of a page; raises `NotFound` where it is not there for this person."""
        found = await self.own("unit_named", unit=code)
        if not found:
            raise NotFound(f"a unit must be one that is there, and yours to see (got {code!r})")
        return found[0]

    async def panels(
        self, panels: Sequence[Panel], span: Span, *, words: Mapping[str, str] | None = None, **facts: str
    ) -> list[Shown]:
        """Panels of a board with what is found for them."""
        done = []
        for panel in panels:
            assert panel.query is not None, "a panel of a page has a question"
            step = span.step(panel)
            found = await self.rows(statement(query(panel.query)), {**span.facts(step), **facts})
            done.append(
                shown(
                    panel,
                    found,
                    span=span,
                    step=step,
                    language=self._visit.language,
                    zone=self.zone,
                    href=lambda column, row: _href(column, row, facts.get("unit", "")),
                    words=words,
                )
            )
        return done


@asynccontextmanager
async def asking(request: Request, visit: Visit) -> AsyncIterator[Questions]:
    """Questions in the name of the person: an enterprise's by its own database role, all others by the staff's."""
    person = visit.person
    connections = request.app.state.questions
    if person.role == "enterprise":
        assert person.unit_id is not None, "the table says so"
        opened = as_unit(connections, person.unit_id)
    else:
        opened = as_staff(connections)
    async with opened as connection:
        yield Questions(connection, visit, request)


def span_of(word: str, default: str) -> tuple[str, Span]:
    """The range of a page by its word in the address; the default for any other word."""
    chosen = word if word in RANGES else default
    until = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    return chosen, Span(since=until - RANGES[chosen], until=until)


def _href(column: str, row: Mapping[str, Any], unit: str) -> str:
    if column not in _LEADING:
        return ""
    unit = str(row.get("unit_code") or row.get("_unit") or unit)
    match column:
        case "unit_code" | "unit_name" if unit:
            return unit_href(unit)
        case "point" | "parent_point" if unit and row[column]:
            return point_href(unit, str(row[column]))
    key, where = _LEADS.get(column, ("", ""))
    key = "case_id" if key == "_case" and key not in row else key  # as boards have it
    return where.format(row[key]) if row.get(key) and row[column] else ""
