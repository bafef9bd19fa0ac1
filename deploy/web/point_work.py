"""What is done at a metering point: notes, a word on a difference that nobody could explain, a replacement declared.

A replacement becomes a ledger that is looked at and loaded, or submitted, like one that was uploaded.
"""

import asyncio
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import psycopg
from fastapi import APIRouter, Request, Response

from analytics.domain.errors import LedgerError
from analytics.domain.ledger import Ledger
from analytics.domain.ledger.replacement import Replacement, replaced
from deploy.web.answers import answer, go
from deploy.web.asking import Questions, asking, point_href, unit_href
from deploy.web.doors import Acting, ActingStaff, ActingViewer, NotAllowed, Now, Viewer, Visit, Writing
from deploy.web.ledgers import keep_upload
from deploy.web.points import Point, point_tabs
from deploy.web.units import Code, here_of, own_code
from ingest.ledgers.writing import write_ledger_csv
from streams.alerts.people import NotFound, rows
from streams.store.ledger import read_ledger
from streams.store.ledger.differences import Decision, decide, decisions
from streams.store.postgres.connections import connected

__all__ = ["router"]

router = APIRouter()
_POINT: Final = "select distinct unit_code, point from ledger_point where unit_code = %(unit)s and point = %(point)s"
_METERS: Final = """
select meter_no from ledger_meter where unit_code = %(unit)s and point = %(point)s order by installed_from desc
"""
_NOTES: Final = """
select n.at, n.by_name, n.note from point_note n
join metering_point p on p.id = n.point_id
join unit u on u.id = p.unit_id
where u.code = %(unit)s and p.code = %(point)s and (%(all)s or not n.internal or n.by_role = 'enterprise')
order by n.id desc limit 100
"""
_NOTE: Final = """
insert into point_note (unit_id, point_id, by_name, by_role, note, internal)
select p.unit_id, p.id, %(by)s, %(role)s, %(note)s, %(internal)s
from metering_point p join unit u on u.id = p.unit_id where u.code = %(unit)s and p.code = %(point)s
"""
_COUNT: Final = {"count": True, "leave": False, "undo": None}
_SAID: Final = {"count": "counted by", "leave": "left out by", "undo": "undone by"}


@router.get("/point/work")
async def work(request: Request, visit: Viewer, point: Point, connection: Writing, unit: Code = "") -> Response:
    """Notes, differences that wait for a word or were decided, and the form of a replacement."""
    code = own_code(visit, unit)
    async with asking(request, visit) as ask:
        found = await ask.unit(code)
        await _point(ask, code, point)
        waiting = await ask.own("point_work", unit=code, point=point)
        meters = await ask.rows(_METERS, {"unit": code, "point": point})
        visit.questions += 2
        numbers = {row["meter_no"] for row in meters}
        told = [one for one in await decisions(connection, code) if one.meter_no in numbers][:50]
        staff = visit.person.role != "enterprise"
        decided = ask.tabled([_row(one) for one in told]) if staff else None
        differences, zone = ask.tabled(waiting, unit=code), ask.zone
        facts = {"unit": code, "point": point, "all": visit.person.role != "enterprise"}
        notes = ask.tabled(await rows(connection, _NOTES, facts))
    return answer(
        request,
        "point_work",
        visit=visit,
        here=here_of(visit),
        unit=found,
        unit_href=unit_href(code),
        point=point,
        tabs=point_tabs(visit, code, point, "work"),
        notes=notes,
        differences=differences,
        waiting=[_which(one["started_at"], one["meter_no"], zone) for one in waiting],
        decided=decided,
        standing=[_which(one.at, one.meter_no, zone) for one in told if one.stands],
        meter_no=meters[0]["meter_no"] if meters else "",
    )


@router.post("/point/note")
async def note(request: Request, visit: ActingViewer, connection: Writing) -> Response:
    """Comment on a point; the authority for itself, unless it is shared."""
    code, point = await _asked(request, visit)
    text = visit.field("note")
    if text:
        internal = visit.person.role != "enterprise" and visit.field("shared", 10) != "yes"
        by = {"by": visit.person.name, "role": visit.person.role, "note": text, "internal": internal}
        await connection.execute(_NOTE, {"unit": code, "point": point, **by})
    return go(point_href(code, point, "work"))


@router.post("/point/difference")
async def difference(request: Request, visit: ActingStaff) -> Response:
    """Count a difference as used, leave it out, or take that back; what follows is worked out anew."""
    code, point = await _asked(request, visit)
    word, why = visit.field("word", 10), visit.field("note", 500)
    if word not in _COUNT or not why:
        raise LedgerError(f"a word must be one of {', '.join(_COUNT)}, with a reason (got {word!r}, {why!r})")
    text, _, meter = visit.field("which", 300).partition(" ")
    at, by = _instant(request, text), visit.person.login
    async with connected(request.app.state.config.dsn, "pages") as connection:
        await _require_meter(connection, code, point, meter)
        what = f"{_SAID[word]} {by}: {why}"
        report = await decide(connection, code, meter, at, what, count=_COUNT[word], by=by)
    for fault in report.faults:
        raise LedgerError(f"required: {fault.required}; got: {fault.got}")
    return go(point_href(code, point, "work"))


@router.post("/point/replacement")
async def replacement(request: Request, visit: Acting, connection: Writing, at: Now) -> Response:
    """Declare that a point has another meter: on to the ledger that says so, beside the one in force."""
    if visit.person.role not in {"staff", "enterprise"}:
        raise NotAllowed
    code, point = await _asked(request, visit)
    moment = _instant(request, visit.field("at", 40))
    if moment > at:
        raise LedgerError(f"a replacement must have been (got {moment:%Y-%m-%d %H:%M})")
    one = Replacement(
        unit_code=code,
        point=point,
        at_us=round(moment.timestamp()) * 1_000_000,
        last_reading=_number(visit, "last_reading") or 0.0,
        first_reading=_number(visit, "first_reading") or 0.0,
        meter_no=visit.field("meter_no", 200),
        serial_no=visit.field("serial_no", 200),
        multiplier=_number(visit, "multiplier", needed=False),
        accuracy_class=visit.field("accuracy_class", 40),
    )
    stored = await read_ledger(connection, None, lambda other: other == code)
    zone = request.app.state.config.alerts.zone
    content = await asyncio.to_thread(_written, Ledger.from_rows(replaced(stored.ledger.rows, one)), zone)
    name = f"换表 {point} {one.meter_no}.csv"
    return go(f"/ledger/{await keep_upload(request, visit, connection, content, name, {})}")


def _which(at: datetime, meter_no: str, zone: Any) -> tuple[str, str]:
    """A difference as a form names it, and as a person reads it."""
    return f"{at.isoformat()} {meter_no}", f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S} · {meter_no}"


def _row(one: Decision) -> dict[str, Any]:
    """A decision as a row: what was decided in a word, and who said so and why."""
    word = next(name for name, said in _SAID.items() if one.what.startswith(said))
    by, _, why = one.what.removeprefix(_SAID[word]).strip().partition(": ")
    return {
        "meter_no": one.meter_no,
        "started_at": one.at,
        "difference_word": word,
        "by_name": by,
        "note": why,
        "at": one.loaded_at,
    }


async def _asked(request: Request, visit: Visit) -> tuple[str, str]:
    """Unit and point of a form, as this person sees them; raises `NotFound`."""
    code, point = own_code(visit, visit.field("unit", 200)), visit.field("point", 200)
    async with asking(request, visit) as ask:
        await _point(ask, code, point)
    return code, point


async def _point(ask: Questions, code: str, point: str) -> None:
    if not await ask.rows(_POINT, {"unit": code, "point": point}):
        raise NotFound(f"a metering point must be one that is there, and yours to see (got {point!r})")


async def _require_meter(connection: psycopg.AsyncConnection, code: str, point: str, meter_no: str) -> None:
    query = "select from ledger_meter where unit_code = %s and point = %s and meter_no = %s limit 1"
    if await (await connection.execute(query, (code, point, meter_no))).fetchone() is None:
        raise NotFound(f"a meter must be one of the point (got {meter_no!r})")


def _instant(request: Request, text: str) -> datetime:
    """A time of a form, local where it has no offset."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise LedgerError(f"a time must be YYYY-MM-DDTHH:MM (got {text!r})") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=request.app.state.config.alerts.zone)


def _number(visit: Visit, name: str, *, needed: bool = True) -> float | None:
    text = visit.field(name, 40)
    if not text and not needed:
        return None
    try:
        return float(text)
    except ValueError:
        raise LedgerError(f"{name} must be a number (got {text!r})") from None


def _written(ledger: Ledger, zone: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.csv"
        write_ledger_csv(ledger, path, zone=zone)
        return path.read_bytes()
