"""Alerts, silences, the outbox and statistics."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request, Response

from deploy.api.doors import Connection, Inspector, Me, Now, Staff, own_alert, seen
from deploy.api.shapes import (
    AlertOut,
    Ask,
    CaseOut,
    EventOut,
    Identity,
    Limit,
    MessageOut,
    NoteIn,
    Page,
    PersonOut,
    Problem,
    SilenceIn,
    SilenceOut,
    State,
    StatisticsOut,
    Stored,
)
from streams.alerts.cases import open_case
from streams.alerts.people import acknowledge, comment, rows, silence

__all__ = ["REFUSALS", "router"]

_REFUSED_WITH = (400, 401, 403, 404, 408, 409, 413, 429, 503)
REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in _REFUSED_WITH}
router = APIRouter(responses=REFUSALS)

_ALERTS = """
select * from {seen}
where (%(state)s::text is null or state = %(state)s)
    and (%(unit)s::text is null or unit_code = %(unit)s) and (%(severity)s::text is null or severity = %(severity)s)
    and (%(kind)s::text is null or kind = %(kind)s) and (%(before)s::int8 is null or id < %(before)s)
order by id desc limit %(limit)s
"""
_EVENTS = """
select at, coalesce(by_name, shared_by) as by, action, coalesce(note, shared_note) as note
from {seen} where alert_id = %s order by id
"""
_SILENCES = """
select s.id, u.code as unit_code, p.code as point, s.kind, s.starts_at, s.ends_at, s.reason
from alert_silence s left join unit u on u.id = s.unit_id left join metering_point p on p.id = s.point_id
where s.ends_at > %s order by s.starts_at, s.id
"""


@router.get("/me", tags=["people"])
async def read_me(person: Me) -> PersonOut:
    """Whose token this is."""
    return PersonOut(login=person.login, name=person.name, role=person.role, unit_code=person.unit_code)


@router.get("/alerts", tags=["alerts"])
async def list_alerts(
    person: Me,
    connection: Connection,
    state: Annotated[State | None, Query()] = None,
    severity: Annotated[Literal["info", "warning", "serious"] | None, Query()] = None,
    unit: Ask = None,
    kind: Ask = None,
    before: Page = None,
    limit: Limit = 100,
) -> list[AlertOut]:
    """Alerts, the newest first; an enterprise's person sees its own unit's."""
    found = await rows(
        connection,
        _ALERTS.format(seen=await seen(connection, "alert_list", person)),
        {
            "state": state,
            "severity": severity,
            "unit": unit,
            "kind": kind,
            "before": before,
            "limit": limit,
        },
    )
    return [AlertOut.model_validate(row) for row in found]


@router.get("/alerts/{alert_id}", tags=["alerts"])
async def read_alert(alert_id: Identity, person: Me, connection: Connection) -> AlertOut:
    """One alert."""
    return AlertOut.model_validate(await own_alert(connection, person, alert_id))


@router.get("/alerts/{alert_id}/history", tags=["alerts"])
async def read_alert_history(alert_id: Identity, person: Me, connection: Connection) -> list[EventOut]:
    """What happened to an alert, and who commented what."""
    await own_alert(connection, person, alert_id)
    query = _EVENTS.format(seen=await seen(connection, "alert_history", person))
    return [EventOut.model_validate(row) for row in await rows(connection, query, (alert_id,))]


@router.post("/alerts/{alert_id}/acknowledge", tags=["alerts"], status_code=204, response_class=Response)
async def acknowledge_alert(
    alert_id: Identity, given: NoteIn, person: Inspector, connection: Connection, at: Now, request: Request
) -> None:
    """Take care of an alert: it is not escalated further."""
    alerts = request.app.state.config.alerts
    await acknowledge(connection, alert_id, person, at, alerts, given.note, internal=given.internal)


@router.post("/alerts/{alert_id}/comment", tags=["alerts"], status_code=204, response_class=Response)
async def comment_alert(alert_id: Identity, given: NoteIn, person: Me, connection: Connection, at: Now) -> None:
    """Comment on an alert; an enterprise on its own."""
    await own_alert(connection, person, alert_id)
    await comment(connection, alert_id, person, at, given.note, internal=given.internal)


@router.post("/alerts/{alert_id}/case", tags=["cases"])
async def open_case_of_alert(
    alert_id: Identity, person: Inspector, connection: Connection, at: Now, request: Request
) -> CaseOut:
    """The case of an alert, opened where there was none."""
    await own_alert(connection, person, alert_id)
    case = await open_case(connection, alert_id, person.actor, at, request.app.state.config.alerts)
    [found] = await rows(connection, "select * from case_list where id = %s", (case,))
    return CaseOut.model_validate(found)


@router.get("/silences", tags=["silences"])
async def list_silences(_: Inspector, connection: Connection, at: Now) -> list[SilenceOut]:
    """Planned work, now and to come."""
    return [SilenceOut.model_validate(row) for row in await rows(connection, _SILENCES, (at,))]


@router.post("/silences", tags=["silences"], status_code=201)
async def add_silence(given: SilenceIn, person: Inspector, connection: Connection) -> Stored:
    """Plan work: no alert is sent for what it covers; alerts that still stand afterwards are."""
    if given.point and not given.unit:
        raise HTTPException(409, f"a point must come with its unit (got point {given.point!r} alone)")
    identity = await silence(connection, person, **given.model_dump())
    return Stored(id=identity)


@router.delete("/silences/{silence_id}", tags=["silences"], status_code=204, response_class=Response)
async def end_silence(silence_id: Identity, _: Inspector, connection: Connection, at: Now) -> None:
    """End planned work now, or before it begins."""
    query = """
    update alert_silence set ends_at = greatest(%(at)s, starts_at + interval '1 microsecond')
    where id = %(id)s and ends_at > %(at)s returning id
    """
    if not await rows(connection, query, {"at": at, "id": silence_id}):
        raise HTTPException(404, f"a silence must be one that is not over (got {silence_id})")


@router.get("/outbox", tags=["operation"])
async def read_outbox(_: Staff, connection: Connection) -> list[MessageOut]:
    """How many messages wait, went and failed, by channel."""
    query = "select * from outbox_state order by channel, state"
    return [MessageOut.model_validate(row) for row in await rows(connection, query)]


@router.get("/statistics", tags=["cases"])
async def read_statistics(_: Inspector, connection: Connection) -> list[StatisticsOut]:
    """How right each detector was, as found on site."""
    query = "select * from case_statistics order by kind, energy_unit"
    return [StatisticsOut.model_validate(row) for row in await rows(connection, query)]
