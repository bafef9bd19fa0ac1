"""The start by role, today's work, and the list of units."""

from typing import Annotated, Final
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Query, Request, Response

from dashboards.web.panels import Figure
from dashboards.web.places import places
from dashboards.web.rendering import texts
from dashboards.web.values import cell, heading
from deploy.web.answers import answer, go
from deploy.web.asking import asking, point_href, unit_href
from deploy.web.doors import Inspector, Reader, Writing
from deploy.web.watched import gateway_headings, upload_headings, watched_gateways, watched_uploads
from streams.alerts.raiser import rules_in_force

__all__ = ["router"]

router = APIRouter()
_HOME: Final = {"staff": "/today", "inspector": "/today", "enterprise": "/unit", "operator": "/operations"}
_LISTS: Final = ("today_alerts", "today_cases", "today_silent", "today_overdue", "today_new")
_SHARED: Final = frozenset({"today_overdue"})
"""Changes by a ledger or a certificate alone, and looks through all meters."""
_COUNTS: Final = ("unanswered", "standing", "cases_late", "meters_overdue", "new_today")
_LEADS: Final = {
    "unanswered": "/alerts?severity=serious",
    "standing": "/alerts",
    "cases_late": "/cases",
    "meters_overdue": "#today_overdue",
    "new_today": "#today_new",
}
_TONES: Final = {"unanswered": "bad", "cases_late": "bad", "meters_overdue": "warn"}


@router.get("/")
async def start(visit: Reader) -> Response:
    """Where the day begins, by role."""
    return go(_HOME[visit.person.role])


@router.get("/today")
async def today(request: Request, visit: Inspector, connection: Writing) -> Response:
    """What is to be done now; each line leads to where it is done."""
    async with asking(request, visit) as ask:
        [counts] = await ask.own("today_counts")
        found = {name: await (ask.shared if name in _SHARED else ask.own)(name) for name in _LISTS}
        lists = [{"name": name, "table": ask.tabled(rows)} for name, rows in found.items()]
    overdue = found["today_overdue"]
    counts = {**counts, "meters_overdue": overdue[0]["_meters"] if overdue else 0}
    figures = []
    for name in _COUNTS:
        value = counts[name]
        shown = cell(name, int(value), language=visit.language, zone=ask.zone, href=_LEADS.get(name, ""))
        tone = _TONES.get(name, "") if value else "good" if name in _TONES else ""
        figures.append(Figure(heading(name, visit.language), type(shown)(text=shown.text, tone=tone, href=shown.href)))
    visit.questions += 1
    _, rules = await rules_in_force(connection)
    gateways = [one for one in await watched_gateways(connection, rules, visit, ask.zone) if one.stage]
    uploads = [one for one in await watched_uploads(connection, rules, visit, ask.zone) if one.stage]
    return answer(
        request,
        "today",
        visit=visit,
        here="today",
        figures=figures,
        lists=lists,
        gateways=gateways,
        gateway_headings=gateway_headings(visit),
        uploads=uploads,
        upload_headings=upload_headings(visit),
    )


@router.get("/units")
async def units(request: Request, visit: Inspector, q: Annotated[str, Query(max_length=400)] = "") -> Response:
    """Units with their state, or those that a text finds: name, code, number of a meter, or all that a plate says."""
    text = q.replace("\0", "").strip() or None
    labelled = _labelled(text or "")
    if labelled is not None:
        return go(point_href(*labelled))
    like = None if text is None else f"%{_escaped(text)}%"
    async with asking(request, visit) as ask:
        hidden = ("meter_no", "point") if text is None else ()
        table = await ask.table("units_found", hidden, text=text, like=like)
        there = await ask.of_board("region_places") if text is None else ()
        strange = await ask.strange() if text is None else None
    title = texts("units", visit.language)("places")
    picture = places(there, title=title, language=visit.language, href=unit_href)
    return answer(
        request, "units", visit=visit, here="units", table=table, q=text or "", places=picture, strange=strange
    )


def _labelled(text: str) -> tuple[str, str] | None:
    """Unit and point of a label of ours, whose code is the address of the point's page."""
    address = urlsplit(text)
    if address.scheme not in {"http", "https"} or address.path != "/point":
        return None
    said = parse_qs(address.query)
    found = said.get("unit", [""])[0], said.get("point", [""])[0]
    return found if all(found) else None


def _escaped(text: str) -> str:
    """A text without the meaning that a pattern gives to some letters."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
