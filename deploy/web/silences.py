"""Planned work, without alerts, and the rules of alerts with what they would have sent."""

from datetime import datetime, timedelta
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from analytics.domain.errors import ConfigurationError
from analytics.domain.words import KINDS, name_of
from dashboards.web.panels import table_of
from deploy.web.acting import alert_tabs
from deploy.web.answers import answer, go
from deploy.web.doors import ActingInspector, ActingStaff, Inspector, Now, Visit, Writing
from streams.alerts.config import read_rules, shipped_rules
from streams.alerts.people import SilenceRefused, rows, silence
from streams.alerts.rehearsing import rehearsed

__all__ = ["router"]

router = APIRouter()
_SILENCES: Final = """
select s.id, coalesce(u.code, '') as unit_code, u.name as unit_name, coalesce(p.code, '') as point,
       coalesce(s.kind, '') as kind, s.starts_at, s.ends_at, s.reason, q.name as by_name
from alert_silence s left join unit u on u.id = s.unit_id left join metering_point p on p.id = s.point_id
left join person q on q.id = s.person_id
where s.ends_at > %s order by s.starts_at, s.id limit 500
"""
_END: Final = """
update alert_silence set ends_at = greatest(%(at)s, starts_at + interval '1 microsecond')
where id = %(id)s and ends_at > %(at)s
"""
_RULES: Final = "select body, source, loaded_by, loaded_at from alert_rules order by id desc limit 1"
_LOAD: Final = "insert into alert_rules (source, body, loaded_by) values (%s, %s, %s)"
_MOST: Final = 200
_LONGEST: Final = 40_000
_DAYS: Final = 90


@router.get("/silences")
async def list_silences(request: Request, visit: Inspector, connection: Writing, at: Now) -> Response:
    """What is planned, and a form for more."""
    found = await rows(connection, _SILENCES, (at,))
    shown = [{name: value for name, value in row.items() if name != "id"} for row in found]
    return answer(
        request,
        "silences",
        visit=visit,
        here="alerts",
        tabs=alert_tabs(visit, "silences"),
        table=_table(request, visit, shown),
        standing=[(row["id"], f"{row['unit_code'] or '*'} {row['point']} · {row['reason']}") for row in found],
        kinds=[(code, name_of(KINDS, code).of(visit.language)) for code in KINDS],
    )


@router.post("/silences")
async def plan(request: Request, visit: ActingInspector, connection: Writing, at: Now) -> Response:
    """Plan work: no alert is sent of what it covers in that time."""
    zone = request.app.state.config.alerts.zone
    starts_at = _instant(visit.field("starts_at", 40), zone) if visit.field("starts_at", 40) else at
    kind = visit.field("kind", 60)
    if kind and kind not in KINDS:
        raise SilenceRefused(f"a kind must be one of alerts (got {kind!r})")
    facts = {"unit": visit.field("unit", 200), "point": visit.field("point", 200), "kind": kind}
    reason = visit.field("reason", 500)
    if not reason:
        raise SilenceRefused("a reason must be given (got nothing)")
    ends_at = _instant(visit.field("ends_at", 40), zone)
    await silence(connection, visit.person, starts_at=starts_at, ends_at=ends_at, reason=reason, **facts)
    return go("/silences")


@router.post("/silences/{silence_id}/end")
async def end(_: ActingInspector, silence_id: int, connection: Writing, at: Now) -> Response:
    """End it now: alerts that still stand are sent."""
    await connection.execute(_END, {"at": at, "id": silence_id})
    return go("/silences")


@router.get("/rules")
async def show_rules(request: Request, visit: Inspector, connection: Writing) -> Response:
    """The rules in force, to be read or changed."""
    return await _rules(request, visit, connection)


@router.post("/rules/try")
async def try_rules(request: Request, visit: ActingInspector, connection: Writing, at: Now) -> Response:
    """What other rules would have sent, of the days that are over; nothing is sent, kept or in force."""
    text, days = _text(visit), visit.field("days", 3)
    if not days.isdecimal() or not 1 <= int(days) <= _DAYS:
        raise ConfigurationError(f"days must be 1 to {_DAYS} (got {days!r})")
    try:
        given = read_rules(text, "rules")
    except ConfigurationError as error:
        return await _rules(request, visit, connection, text=text, fault=str(error), status=422)
    zone = request.app.state.config.alerts.zone
    sent, signals = await rehearsed(connection, given, since=at - timedelta(days=int(days)), until=at, zone=zone)
    return await _rules(request, visit, connection, text=text, days=days, tried=(sent, signals))


@router.post("/rules")
async def load_rules(request: Request, visit: ActingStaff, connection: Writing) -> Response:
    """Put rules in force: all of them, or nothing where they have a fault."""
    text = _text(visit)
    try:
        read_rules(text, "rules")
    except ConfigurationError as error:
        return await _rules(request, visit, connection, text=text, fault=str(error), status=422)
    await connection.execute(_LOAD, ("page", text, visit.person.login))
    return go("/rules")


async def _rules(
    request: Request,
    visit: Visit,
    connection: Any,
    *,
    text: str = "",
    days: str = "7",
    fault: str = "",
    tried: tuple[list[Any], int] | None = None,
    status: int = 200,
) -> Response:
    found = await rows(connection, _RULES)
    loaded = [{name: row[name] for name in ("source", "loaded_by", "loaded_at")} for row in found]
    messages, counts = None, []
    if tried is not None:
        facts = [{"at": one.at, "recipient": one.recipient, "title": one.title} for one in tried[0][:_MOST]]
        messages = _table(request, visit, facts)
        recipients = sorted({one.recipient for one in tried[0]})
        counts = [(name, sum(one.recipient == name for one in tried[0])) for name in recipients]
    return answer(
        request,
        "rules",
        visit=visit,
        here="alerts",
        status=status,
        tabs=alert_tabs(visit, "rules"),
        text=text or (found[0]["body"] if found else shipped_rules()),
        loaded=_table(request, visit, loaded),
        fault=fault,
        days=days,
        tried=tried is not None,
        sent=len(tried[0]) if tried else 0,
        signals=tried[1] if tried else 0,
        counts=counts,
        messages=messages,
        most=_DAYS,
    )


def _text(visit: Visit) -> str:
    """Rules of a form; a browser ends lines by CR LF."""
    return visit.field("rules", _LONGEST).replace("\r\n", "\n") + "\n"


def _instant(text: str, zone: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SilenceRefused(f"a time must be YYYY-MM-DDTHH:MM (got {text!r})") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def _table(request: Request, visit: Visit, found: list[dict[str, Any]]) -> Any:
    zone = request.app.state.config.alerts.zone
    return table_of(found, language=visit.language, zone=zone, href=lambda _column, _row: "")
