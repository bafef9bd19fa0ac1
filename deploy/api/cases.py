"""Cases: every step with who and when, files, and deadlines as a calendar."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Query, Request, Response, UploadFile

from analytics.alerting.case import Action
from analytics.domain.words import CASE_STATES
from deploy.api.alerts import REFUSALS
from deploy.api.doors import Connection, Inspector, Me, Now, own_case, seen
from deploy.api.shapes import (
    Ask,
    AttachmentOut,
    CaseOut,
    CloseIn,
    EventOut,
    GivenAssignee,
    GivenDays,
    Identity,
    Limit,
    NoteIn,
    Page,
    Stored,
    VerdictIn,
)
from streams.alerts.cases import LARGEST_FILE, attach, take_step
from streams.alerts.people import Who, rows

__all__ = ["router"]

router = APIRouter(tags=["cases"], responses=REFUSALS)

_CASES = """
select * from {seen}
where (%(state)s::text is null or state = %(state)s)
    and (%(unit)s::text is null or unit_code = %(unit)s)
    and (%(assignee)s::text is null or assignee = %(assignee)s)
    and (not %(overdue)s::boolean or overdue) and (%(before)s::int8 is null or id < %(before)s)
order by id desc limit %(limit)s
"""
_HISTORY = """
select at, coalesce(by_name, shared_by) as by, action, state, coalesce(note, shared_note) as note,
       coalesce(facts, shared_facts) as facts
from {seen} where case_id = %s order by id
"""
_FILES = """
select id, name, media_type, bytes, sha256, stored_at from attachment_list
where case_id = %(case)s and (shared or %(all)s) order by id
"""
_FILE = """
select f.name, f.media_type, f.content from case_attachment f
where f.id = (select id from attachment_list where case_id = %(case)s and id = %(file)s and (shared or %(all)s))
"""
CaseState = Literal["open", "dispatched", "on_site", "verdict", "ordered", "recheck", "closed"]


@router.get("/cases")
async def list_cases(
    person: Me,
    connection: Connection,
    state: Annotated[CaseState | None, Query()] = None,
    unit: Ask = None,
    assignee: Ask = None,
    overdue: Annotated[bool, Query()] = False,
    before: Page = None,
    limit: Limit = 100,
) -> list[CaseOut]:
    """Cases, the newest first; an enterprise's person sees its own unit's."""
    found = await rows(
        connection,
        _CASES.format(seen=await seen(connection, "case_list", person)),
        {
            "state": state,
            "unit": unit,
            "assignee": assignee,
            "overdue": overdue,
            "before": before,
            "limit": limit,
        },
    )
    return [CaseOut.model_validate(row) for row in found]


@router.get("/cases/{case_id}")
async def read_case(case_id: Identity, person: Me, connection: Connection) -> CaseOut:
    """One case."""
    return CaseOut.model_validate(await own_case(connection, person, case_id))


@router.get("/cases/{case_id}/history")
async def read_case_history(case_id: Identity, person: Me, connection: Connection) -> list[EventOut]:
    """Every step, with who and when."""
    await own_case(connection, person, case_id)
    query = _HISTORY.format(seen=await seen(connection, "case_history", person))
    return [EventOut.model_validate(row) for row in await rows(connection, query, (case_id,))]


@router.post("/cases/{case_id}/dispatch")
async def dispatch(
    case_id: Identity, given: GivenAssignee, person: Inspector, connection: Connection, at: Now, request: Request
) -> CaseOut:
    """Send somebody there."""
    return await _step(connection, case_id, person, "dispatch", at, request, given, {"assignee": given.assignee})


@router.post("/cases/{case_id}/hand-over")
async def hand_over(
    case_id: Identity, given: GivenAssignee, person: Inspector, connection: Connection, at: Now, request: Request
) -> CaseOut:
    """Give the case to somebody else; its deadline stays."""
    return await _step(connection, case_id, person, "hand_over", at, request, given, {"assignee": given.assignee})


@router.post("/cases/{case_id}/arrive")
async def arrive(
    case_id: Identity, given: NoteIn, person: Inspector, connection: Connection, at: Now, request: Request
) -> CaseOut:
    """Be on site."""
    return await _step(connection, case_id, person, "arrive", at, request, given, {})


@router.post("/cases/{case_id}/verdict")
async def verdict(
    case_id: Identity, given: VerdictIn, person: Inspector, connection: Connection, at: Now, request: Request
) -> CaseOut:
    """Record what was found; it goes back to meter health."""
    facts: dict[str, Any] = {"verdict": given.verdict}
    if given.found_on is not None:
        facts["found_on"] = given.found_on
    return await _step(connection, case_id, person, "verdict", at, request, given, facts)


@router.post("/cases/{case_id}/order")
async def order(
    case_id: Identity, given: GivenDays, person: Inspector, connection: Connection, at: Now, request: Request
) -> CaseOut:
    """Order the enterprise to correct it, within 30 working days unless another term is given."""
    facts = {} if given.days is None else {"days": given.days}
    return await _step(connection, case_id, person, "order", at, request, given, facts)


@router.post("/cases/{case_id}/corrected")
async def corrected(
    case_id: Identity, given: NoteIn, person: Me, connection: Connection, at: Now, request: Request
) -> CaseOut:
    """Report that it is corrected: the enterprise itself may; a re-check follows within 15 working days."""
    return await _step(connection, case_id, person, "corrected", at, request, given, {})


@router.post("/cases/{case_id}/pass")
async def pass_recheck(
    case_id: Identity, given: CloseIn, person: Inspector, connection: Connection, at: Now, request: Request
) -> CaseOut:
    """The re-check found it corrected: the case is closed."""
    facts = {} if given.energy_recovered is None else {"energy_recovered": given.energy_recovered}
    return await _step(connection, case_id, person, "pass", at, request, given, facts)


@router.post("/cases/{case_id}/fail")
async def fail_recheck(
    case_id: Identity, given: GivenDays, person: Inspector, connection: Connection, at: Now, request: Request
) -> CaseOut:
    """The re-check found it not corrected: it is ordered again."""
    facts = {} if given.days is None else {"days": given.days}
    return await _step(connection, case_id, person, "fail", at, request, given, facts)


@router.post("/cases/{case_id}/close")
async def close(
    case_id: Identity, given: CloseIn, person: Inspector, connection: Connection, at: Now, request: Request
) -> CaseOut:
    """Close it after the verdict; that of a faulty meter only with a note why nothing was ordered."""
    facts = {} if given.energy_recovered is None else {"energy_recovered": given.energy_recovered}
    return await _step(connection, case_id, person, "close", at, request, given, facts)


@router.post("/cases/{case_id}/comment")
async def comment(
    case_id: Identity, given: NoteIn, person: Me, connection: Connection, at: Now, request: Request
) -> CaseOut:
    """Comment on a case; an enterprise on its own."""
    return await _step(connection, case_id, person, "comment", at, request, given, {})


@router.get("/cases/{case_id}/files")
async def list_files(case_id: Identity, person: Me, connection: Connection) -> list[AttachmentOut]:
    """Photos and certificates of a case."""
    await own_case(connection, person, case_id)
    parameters = {"case": case_id, "all": person.role != "enterprise"}
    return [AttachmentOut.model_validate(row) for row in await rows(connection, _FILES, parameters)]


@router.post("/cases/{case_id}/files", status_code=201)
async def add_file(
    case_id: Identity,
    file: UploadFile,
    person: Me,
    connection: Connection,
    at: Now,
    request: Request,
    internal: Annotated[bool, Query(description="For the authority alone; an enterprise's own never are.")] = True,
) -> Stored:
    """Attach a JPEG, PNG or PDF of at most 20 MiB."""
    await own_case(connection, person, case_id)
    content = await file.read(LARGEST_FILE + 1)
    name = "".join(letter for letter in (file.filename or "file")[:200] if letter.isprintable()) or "file"
    config = request.app.state.config.alerts
    action = Action(name="attach", at=at, today=at.astimezone(config.zone).date())
    identity = await attach(connection, case_id, name, content, action, person.actor, config, internal=internal)
    return Stored(id=identity)


@router.get("/cases/{case_id}/files/{file_id}", response_class=Response)
async def read_file(case_id: Identity, file_id: Identity, person: Me, connection: Connection) -> Response:
    """A file as it was attached."""
    await own_case(connection, person, case_id)
    parameters = {"case": case_id, "file": file_id, "all": person.role != "enterprise"}
    found = await rows(connection, _FILE, parameters)
    if not found:
        raise HTTPException(404, f"a file must be one of this case (got {file_id})")
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(found[0]['name'], safe='')}",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(found[0]["content"], media_type=found[0]["media_type"], headers=headers)


@router.get("/cases/{case_id}/deadline.ics", response_class=Response)
async def read_deadline(case_id: Identity, person: Me, connection: Connection, at: Now) -> Response:
    """The case's deadline, for a calendar."""
    return Response(_calendar(await own_case(connection, person, case_id), at), media_type="text/calendar")


def _calendar(case: Mapping[str, Any], at: datetime) -> str:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//meterwarden//case//ZH"]
    if case["due_on"] is not None:
        words = f"{case['number']} {CASE_STATES[case['state']].zh} {case['unit_name']} {case['point'] or ''}"
        lines += [
            "BEGIN:VEVENT",
            f"UID:{case['number']}@meterwarden",
            f"DTSTAMP:{at:%Y%m%dT%H%M%SZ}",
            f"DTSTART;VALUE=DATE:{case['due_on']:%Y%m%d}",
            f"DTEND;VALUE=DATE:{case['due_on'] + timedelta(days=1):%Y%m%d}",
            "SUMMARY:"
            + "".join(f"\\{letter}" if letter in "\\;," else letter for letter in words if letter.isprintable()),
            "END:VEVENT",
        ]
    return "\r\n".join([*lines, "END:VCALENDAR", ""])


async def _step(
    connection: Connection,
    case_id: int,
    person: Who,
    name: str,
    at: datetime,
    request: Request,
    given: NoteIn,
    facts: Mapping[str, Any],
) -> CaseOut:
    await own_case(connection, person, case_id)
    config = request.app.state.config.alerts
    action = Action(name=name, at=at, today=at.astimezone(config.zone).date(), facts=facts, note=given.note)
    await take_step(connection, case_id, action, person.actor, config, internal=given.internal)
    return CaseOut.model_validate(await own_case(connection, person, case_id))
