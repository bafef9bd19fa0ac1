"""Pages of alerts and cases. Access is checked with the person's own database role before anything is written."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.datastructures import UploadFile

from analytics.alerting.case import Action, CaseRefused, allowed
from analytics.alerting.vocabulary import advice_on
from analytics.domain.words import CASE_ACTIONS, SITE_VERDICTS, name_of
from dashboards.web.asking import Span
from dashboards.web.values import Cell, cell, heading
from deploy.web.answers import answer, go
from deploy.web.asking import asking, panels_of, point_href
from deploy.web.doors import ActingInspector, ActingViewer, NotAllowed, Now, Viewer, Visit, Writing
from deploy.web.units import tabs_of
from streams.alerts.cases import LARGEST_FILE, attach, open_case, take_step
from streams.alerts.people import NotFound, acknowledge, comment, give_verdict, rows

__all__ = ["alert_tabs", "router"]

router = APIRouter()
Identity = Annotated[int, Path(ge=1, lt=2**63)]
Which = Annotated[Literal["", "all"], Query()]
_AROUND: Final = timedelta(days=3)
_CHARTS: Final = panels_of("point", "point_hours", "point_readings")
_ENTERPRISE: Final = frozenset({"corrected", "comment"})
_HIDDEN: Final = ("assignee_name",)
_EVIDENCE_OF_ONE: Final = ("started_at", "ended_at", "kind", "severity")
_EVIDENCE: Final = ("point", "meter_no", *_EVIDENCE_OF_ONE)
_FILES: Final = """
select id, name, media_type, bytes, stored_at from attachment_list
where case_id = %(case)s and (shared or %(all)s) order by id
"""
_FILE: Final = """
select f.name, f.media_type, f.content from case_attachment f
where f.id = (select id from attachment_list where case_id = %(case)s and id = %(file)s and (shared or %(all)s))
"""


@router.get("/alerts")
async def list_alerts(
    request: Request, visit: Viewer, state: Which = "", severity: Literal["", "serious", "warning", "info"] = ""
) -> Response:
    """Alerts, those that stand first."""
    async with asking(request, visit) as ask:
        table = await ask.table("alerts", state=state, severity=severity or None)
    here = "serious" if severity == "serious" else "every" if state == "all" else "standing"
    return answer(
        request, "list", visit=visit, here="alerts", table=table, tabs=alert_tabs(visit, here), words="alerts"
    )


def alert_tabs(visit: Visit, here: str) -> list[dict[str, Any]]:
    """Lists of alerts, and what is planned and by which rules they are sent, which is the authority's."""
    tabs = {"standing": "/alerts", "serious": "/alerts?severity=serious", "every": "/alerts?state=all"}
    if visit.person.role != "enterprise":
        tabs |= {"silences": "/silences", "rules": "/rules"}
    return tabs_of(visit, "alerts", here, tabs)


@router.get("/alerts/{alert}")
async def read_alert(request: Request, visit: Viewer, alert: Identity) -> Response:
    """An alert with the point that it is about, what it rests on, and what can be done."""
    async with asking(request, visit) as ask:
        found = await _one(ask, "alert", alert=alert)
        history = await ask.table("alert_history", alert=alert)
        evidence = await ask.evidence("alert_evidence", _EVIDENCE_OF_ONE if found["point"] else _EVIDENCE, alert=alert)
        panels = []
        if found["point"]:
            measure = await ask.of_board("choose_measure", unit=found["unit_code"], point=found["point"])
            words = {"measure": str(measure[0]["unit"] or "")} if measure else {}
            facts = {"unit": found["unit_code"], "point": found["point"]}
            panels = await ask.panels(_CHARTS, _around(found), words=words, **facts)
        zone = ask.zone
    names = ("unit_name", "point", "meter_no", "kind", "severity", "state", "raised_at", "energy_affected")
    shown = [
        (heading(name, visit.language), cell(name, found[name], language=visit.language, zone=zone)) for name in names
    ]
    return answer(
        request,
        "alert",
        visit=visit,
        here="alerts",
        alert=found,
        title_text=found[f"title_{visit.language}"],
        facts=[*shown[:-1], (shown[-1][0], _with_unit(shown[-1][1], found["energy_unit"]))],
        history=history,
        evidence=evidence,
        advice=_advice(found["kind"], found["carrier"] or "", visit),
        panels=panels,
        point_href=point_href(found["unit_code"], found["point"]) if found["point"] else "",
        verdicts=_choices(SITE_VERDICTS, visit),
        stands=found["state"] in {"open", "acknowledged", "clearing"},
    )


@router.post("/alerts/{alert}/acknowledge")
async def acknowledge_alert(
    request: Request, visit: ActingInspector, alert: Identity, connection: Writing, at: Now
) -> Response:
    """Take care of an alert: it is not escalated further."""
    alerts = request.app.state.config.alerts
    await acknowledge(connection, alert, visit.person, at, alerts, visit.field("note"), internal=_internal(visit))
    return go(f"/alerts/{alert}")


@router.post("/alerts/{alert}/comment")
async def comment_alert(
    request: Request, visit: ActingViewer, alert: Identity, connection: Writing, at: Now
) -> Response:
    """Comment on an alert."""
    await _owned(request, visit, "alert", alert)
    if visit.field("note"):
        await comment(connection, alert, visit.person, at, visit.field("note"), internal=_internal(visit))
    return go(f"/alerts/{alert}")


@router.post("/alerts/{alert}/case")
async def open_case_of_alert(
    request: Request, visit: ActingInspector, alert: Identity, connection: Writing, at: Now
) -> Response:
    """Open the case of an alert, or the one that there is."""
    await _owned(request, visit, "alert", alert)
    case = await open_case(connection, alert, visit.person.actor, at, request.app.state.config.alerts)
    return go(f"/cases/{case}")


@router.post("/alerts/{alert}/verdict")
async def give_verdict_of_alert(
    request: Request, visit: ActingInspector, alert: Identity, connection: Writing, at: Now
) -> Response:
    """Record what was found on site; a case is opened where there was none."""
    case = await give_verdict(
        connection,
        alert,
        visit.person,
        at,
        request.app.state.config.alerts,
        verdict=visit.field("verdict", 40),
        note=visit.field("note"),
        internal=_internal(visit),
    )
    return go(f"/cases/{case}")


@router.get("/cases")
async def list_cases(request: Request, visit: Viewer, state: Which = "") -> Response:
    """Cases, those that are open and late first."""
    async with asking(request, visit) as ask:
        table = await ask.table("cases", _HIDDEN if visit.person.role == "enterprise" else (), state=state)
    tabs = {"standing": "/cases", "every": "/cases?state=all"}
    tabs_ = tabs_of(visit, "cases", "every" if state == "all" else "standing", tabs)
    return answer(request, "list", visit=visit, here="cases", table=table, tabs=tabs_, words="cases")


@router.get("/cases/{case}")
async def read_case(request: Request, visit: Viewer, case: Identity, connection: Writing) -> Response:
    """A case: how it stands, its steps so far, its files, and the next step."""
    found = await _owned(request, visit, "case", case)
    async with asking(request, visit) as ask:
        history = await ask.table("case_history", case=case)
        zone = ask.zone
    files = await rows(connection, _FILES, {"case": case, "all": visit.person.role != "enterprise"})
    people: list[dict[str, Any]] = []
    if visit.person.role != "enterprise":
        query = "select login, name from person where active and role in ('staff', 'inspector') order by name"
        people = await rows(connection, query)
    names = ["number", "unit_name", "point", "kind", "case_state", "due_on", "verdict_on_site", "assignee_name"]
    values = {**found, "case_state": found["state"], "verdict_on_site": found["verdict"]}
    shown = names[:-1] if visit.person.role == "enterprise" else names
    facts = [
        (heading(name, visit.language), cell(name, values[name], language=visit.language, zone=zone)) for name in shown
    ]
    steps = [name for name in allowed(found["state"]) if name != "attach" and _may(visit, name)]
    return answer(
        request,
        "case",
        visit=visit,
        here="cases",
        case=found,
        facts=facts,
        history=history,
        files=files,
        people=people,
        steps=[{"name": name, "text": name_of(CASE_ACTIONS, name).of(visit.language)} for name in steps],
        verdicts=_choices(SITE_VERDICTS, visit),
        point_href=point_href(found["unit_code"], found["point"]) if found["point"] else "",
    )


@router.post("/cases/{case}/files")
async def add_file(request: Request, visit: ActingViewer, case: Identity, connection: Writing, at: Now) -> Response:
    """Attach a photo or a certificate."""
    await _owned(request, visit, "case", case)
    given = visit.form.get("file") if visit.form is not None else None
    if not isinstance(given, UploadFile):
        raise CaseRefused("a file must be chosen (got none)")
    content = await given.read(LARGEST_FILE + 1)
    name = "".join(letter for letter in (given.filename or "file")[:200] if letter.isprintable()) or "file"
    alerts = request.app.state.config.alerts
    action = Action(name="attach", at=at, today=at.astimezone(alerts.zone).date(), note=visit.field("note"))
    await attach(connection, case, name, content, action, visit.person.actor, alerts, internal=_internal(visit))
    return go(f"/cases/{case}")


@router.get("/cases/{case}/files/{file}")
async def read_file(request: Request, visit: Viewer, case: Identity, file: Identity, connection: Writing) -> Response:
    """A file as it was attached."""
    await _owned(request, visit, "case", case)
    facts = {"case": case, "file": file, "all": visit.person.role != "enterprise"}
    found = await rows(connection, _FILE, facts)
    if not found:
        raise NotFound(f"a file must be one of this case (got {file})")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(found[0]['name'], safe='')}"}
    return Response(found[0]["content"], media_type=found[0]["media_type"], headers=headers)


@router.post("/cases/{case}/{step}")
async def step_case(
    request: Request, visit: ActingViewer, case: Identity, step: str, connection: Writing, at: Now
) -> Response:
    """Take a step of a case."""
    if step not in CASE_ACTIONS or step in {"open", "attach"}:
        raise NotFound(f"a step must be one of a case's (got {step[:40]!r})")
    if not _may(visit, step):
        raise NotAllowed
    await _owned(request, visit, "case", case)
    alerts = request.app.state.config.alerts
    today = at.astimezone(alerts.zone).date()
    action = Action(name=step, at=at, today=today, facts=_facts(visit, step), note=visit.field("note"))
    await take_step(connection, case, action, visit.person.actor, alerts, internal=_internal(visit))
    return go(f"/cases/{case}")


def _facts(visit: Visit, step: str) -> dict[str, Any]:
    """What a step needs beside its note, out of the form; what is left empty is left out."""
    wanted = {
        "dispatch": ("assignee",),
        "hand_over": ("assignee",),
        "verdict": ("verdict", "found_on"),
        "order": ("days",),
        "fail": ("days",),
        "pass": ("energy_recovered",),
        "close": ("energy_recovered",),
    }.get(step, ())
    given = {name: text for name in wanted if (text := visit.field(name, 100))}
    try:
        facts: dict[str, Any] = dict(given)
        if "found_on" in given:
            facts["found_on"] = date.fromisoformat(given["found_on"])
        if "days" in given:
            facts["days"] = int(given["days"])
        if "energy_recovered" in given:
            facts["energy_recovered"] = float(given["energy_recovered"])
    except ValueError:
        raise CaseRefused(f"days and amounts must be numbers, and a day must be YYYY-MM-DD (got {given})") from None
    return facts


def _may(visit: Visit, step: str) -> bool:
    return visit.person.role in {"staff", "inspector"} or (visit.person.role == "enterprise" and step in _ENTERPRISE)


def _internal(visit: Visit) -> bool:
    return visit.field("shared", 10) != "yes"


async def _owned(request: Request, visit: Visit, what: str, identity: int) -> dict[str, Any]:
    """An alert or case that this person may see, asked as their role; raises `NotFound`."""
    async with asking(request, visit) as ask:
        return await _one(ask, what, **{what: identity})


async def _one(ask: Any, what: str, **facts: int) -> dict[str, Any]:
    found = await ask.own(what, **facts)
    if not found:
        raise NotFound(f"it must be one that is there, and yours to see (got {facts})")
    return dict(found[0])


def _around(alert: dict[str, Any]) -> Span:
    """The days around an alert: from before it began until it was seen last, a month at most."""
    until = min(alert["updated_at"] + _AROUND, datetime.now(UTC))
    return Span(since=max(alert["since"] - _AROUND, until - timedelta(days=31)), until=until)


def _choices(table: Any, visit: Visit) -> list[tuple[str, str]]:
    return [(code, text.of(visit.language)) for code, text in table.items()]


def _advice(kind: str, carrier: str, visit: Visit) -> str:
    """What to check, and of an enterprise what it is asked, as the message says it."""
    advice = advice_on(kind, carrier)
    return (advice.ask if visit.person.role == "enterprise" else advice.check).of(visit.language)


def _with_unit(shown: Cell, unit: str | None) -> Cell:
    return Cell(text=f"{shown.text} {unit}") if unit and shown.right else shown
