"""Reviews of energy metering and yearly self-checks: the list, the sheet of items with photos, and the steps.

An enterprise fills in and signs its own self-check. Of the authority's review it reads the conclusion and what did not
conform, and says when it has corrected.
"""

import asyncio
import re
import tempfile
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import psycopg
from fastapi import APIRouter, Request, Response
from fastapi import Path as PathField

from analytics.domain.words import VERDICTS
from analytics.review import process
from analytics.review.process import RESULTS, STATES, Recorded, Review, ReviewRefused
from dashboards.reports.review_sheets import write_handover, write_items
from dashboards.web.rendering import WORKING_POLICY, asset_path, script
from dashboards.web.values import cell, heading
from dashboards.web.work_words import HANDED_IN
from deploy.web.answers import answer, failed, go
from deploy.web.asking import asking, unit_href
from deploy.web.doors import Acting, ActingFields, ActingInspector, ActingStaff, NotAllowed, Now, Viewer, Visit, Writing
from streams.alerts.people import NotFound, rows
from streams.compliance.reviewing import PAPERS, conclude, judged, open_self_check, record_items, sign, terms
from streams.compliance.standards import read_standards
from streams.store.review import reviews
from streams.store.review.attachments import LARGEST_FILE

__all__ = ["router"]

router = APIRouter()
Identity = Annotated[int, PathField(ge=1, lt=2**63)]
_PHOTO: Final = "select name, media_type, content from review_photo where id = %s and review_id = %s"
_GRADES: Final = "select distinct grade from compliance_day where day > current_date - 7 and grade <> '' order by 1"
_BOTH: Final = frozenset({"staff", "inspector"})
_FACTS: Final = ("visited_on", "review_conclusion", "failed", "concluded_on", "due_on", "corrected_on", "closed_on")
_DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_STEPS: Final[Mapping[str, tuple[str, ...]]] = {
    "planned": ("open",),
    "open": ("papers", "conclude", "hand_over"),
    "correcting": ("corrected", "hand_over"),
    "recheck": ("recheck", "hand_over"),
}


@router.get("/reviews")
async def listed(request: Request, visit: Viewer, connection: Writing, at: Now) -> Response:
    """Reviews and self-checks, and which units have signed none this year."""
    year = _day(request, at).year
    async with asking(request, visit) as ask:
        tables = {name: await ask.table("reviews", own=name == "self_checks", year=None) for name in _LISTS}
        zone = ask.zone
    missing: dict[str, Any] | None = None
    drawn: list[dict[str, Any]] = []
    grades: list[str] = []
    if visit.person.role != "enterprise":
        visit.questions += 3
        grades = [row["grade"] for row in await rows(connection, _GRADES)]
        drawn = [
            {"draw_no": one["id"], "_draw": one["id"], "year": one["year"], "drawn_at": one["drawn_at"]}
            | {"drawn_by": one["drawn_by"], "drawn_of": f"{one['drawn']} / {one['pool']}", "reason": one["reason"]}
            for one in await reviews.draws(connection)
        ]
        found = await reviews.without_self_check(connection, year)
        names = ("unit_code", "unit_name", "this_year", "last_signed")
        missing = {
            "headings": [heading(name, visit.language) for name in names],
            "rows": [[cell(n, row[n], language=visit.language, zone=zone) for n in names] for row in found[:200]],
            "count": len(found),
        }
    return answer(
        request,
        "reviews",
        visit=visit,
        here="reviews",
        tables=tables,
        missing=missing,
        year=year,
        draws=ask.tabled(drawn) if drawn else None,
        grades=grades,
    )


_LISTS: Final = ("reviews", "self_checks")


@router.post("/reviews")
async def plan(visit: ActingStaff, connection: Writing) -> Response:
    """Put a unit into the plan of a year, or beside it."""
    year, origin = _year(visit), "other" if visit.field("other", 10) else "plan"
    [identity] = await reviews.plan(connection, [visit.field("unit", 200)], year, visit.person.name, origin=origin)
    return go(f"/reviews/{identity}")


@router.post("/self-checks")
async def open_one(request: Request, visit: Acting, connection: Writing) -> Response:
    """Begin the self-check of a year with the answers of the last one; an enterprise its own alone."""
    if visit.person.role not in {"staff", "enterprise"}:
        raise NotAllowed
    code = visit.person.unit_code if visit.person.role == "enterprise" else visit.field("unit", 200)
    async with asking(request, visit) as ask:
        await ask.unit(code)
    identity, _ = await open_self_check(connection, code, _year(visit), visit.person.name)
    return go(f"/reviews/{identity}")


@router.get("/reviews/worker.js")
async def worker() -> Response:
    """The script that keeps a visit's page on the phone; a page of ours asks for it under this path alone."""
    headers = {"Content-Security-Policy": WORKING_POLICY, "Cache-Control": "no-cache"}
    return Response(script("worker.js"), media_type="text/javascript; charset=utf-8", headers=headers)


@router.get("/reviews/{review}")
async def read(request: Request, visit: Viewer, review: Identity, connection: Writing, at: Now) -> Response:
    """A review: how it stands, its items, what can be done, and its steps so far."""
    return await _shown(request, visit, connection, review, at, "review")


@router.get("/reviews/{review}/visit")
async def on_site(request: Request, visit: Viewer, review: Identity, connection: Writing, at: Now) -> Response:
    """The items alone, for a phone without a net: a small script of ours keeps what is filled in until it is sent."""
    shown = await _shown(request, visit, connection, review, at, "visit", kept=asset_path("visit.js"))
    shown.headers["Content-Security-Policy"] = WORKING_POLICY
    return shown


@router.post("/reviews/{review}/items")
async def record(request: Request, visit: ActingFields, review: Identity, connection: Writing) -> Response:
    """Keep what was found of items; what a form leaves out stays as it is, and a remark needs a result beside it."""
    found = await _owned(request, visit, review)
    _require_fills(visit, found)
    items = _items(visit)
    await record_items(connection, review, items, visit.person.name)
    unkept = _without_result(visit, items)
    if unkept:  # the others are kept: the remarks are shown, so that nobody writes them twice
        said = "; ".join(f"{number}: {remark}" for number, remark in unkept.items())
        detail = f"a remark must have a result beside it; the rest was kept, these were not ({said})"
        return failed(request, "refused", 409, detail)
    return go(f"/reviews/{review}#items")


@router.post("/reviews/{review}/photos")
async def add_photo(request: Request, visit: Acting, review: Identity, connection: Writing) -> Response:
    """Keep a photo of an item; the same photo again, of a phone that heard no answer, is kept once."""
    found = await _owned(request, visit, review)
    _require_fills(visit, found)
    given, item = await visit.file("photo", LARGEST_FILE), visit.field("item", 4)
    if given is None or not item.isascii() or not item.isdigit():
        raise ReviewRefused("a photo must be a file, of an item (got none)")
    name, content = given
    await record_items(connection, review, {}, visit.person.name, also=int(item))
    await reviews.attach_photo(connection, review, int(item), name, content, visit.person.name, once=True)
    return go(f"/reviews/{review}#item-{int(item)}")


@router.get("/reviews/{review}/photos/{photo}")
async def photo_of(request: Request, visit: Viewer, review: Identity, photo: Identity, connection: Writing) -> Response:
    """A photo as it was taken."""
    found = await _owned(request, visit, review)
    _require_sheet(visit, found)
    kept = await rows(connection, _PHOTO, (photo, review))
    if not kept:
        raise NotFound(f"a photo must be one of this review (got {photo})")
    return _download(kept[0]["name"], kept[0]["content"], kept[0]["media_type"])


@router.get("/reviews/{review}/sheet.xlsx")
async def sheet(request: Request, visit: Viewer, review: Identity, connection: Writing, at: Now) -> Response:
    """The sheet of items as a workbook."""
    found = await _owned(request, visit, review)
    _require_sheet(visit, found)
    of = await judged(connection, found["unit_code"], at, _zone(request))
    said, taken = await reviews.recorded(connection, review), await reviews.photos(connection, review)
    before, _ = await reviews.read(connection, review, lock=False)
    team = "、".join(filter(None, (before.leader, *before.members))) or "________"
    foot = f"审查组：{team}    审查日期：{before.visited_on or '________'}    被审查单位（盖章）：________"
    title = f"{found['unit_name']} 能源计量现场审查表"
    content = await _written(lambda path: write_items(path, title, of, said, taken, foot), "sheet.xlsx")
    return _download(f"review-{review}.xlsx", content, _XLSX)


@router.get("/reviews/{review}/hand-over.docx")
async def handed(request: Request, visit: Viewer, review: Identity, connection: Writing) -> Response:
    """What is handed over with a unit that did not correct, once it is."""
    if visit.person.role not in _BOTH:
        raise NotAllowed
    await _owned(request, visit, review)
    after, facts = await reviews.read(connection, review, lock=False)
    if after.state != "handed_over":
        raise NotFound(f"a review must be handed over for that (it is {STATES[after.state].en})")
    subjects = {one.number: one.subject for one in (await read_standards(connection)).review.items}
    said, taken = await reviews.recorded(connection, review), await reviews.photos(connection, review)
    steps, zone = await reviews.history(connection, review), _zone(request)
    content = await _written(
        lambda path: write_handover(path, after, facts, said, subjects, taken, steps, zone), "hand.docx"
    )
    return _download(f"review-{review}.docx", content, _DOCX)


@router.post("/reviews/{review}/sign")
async def sign_it(request: Request, visit: Acting, review: Identity, connection: Writing, at: Now) -> Response:
    """Sign a self-check."""
    found = await _owned(request, visit, review)
    if found["origin"] != "self_check" or visit.person.role != "enterprise":
        raise NotAllowed
    await sign(connection, review, by=visit.person.name, day=_day(request, at))
    return go(f"/reviews/{review}")


@router.post("/reviews/{review}/corrected")
async def corrected(request: Request, visit: Acting, review: Identity, connection: Writing, at: Now) -> Response:
    """The unit has corrected, as it reports here or to the authority; the re-check is due within the term."""
    if visit.person.role not in {*_BOTH, "enterprise"}:
        raise NotAllowed
    await _owned(request, visit, review)
    before, _ = await reviews.read(connection, review)
    calendar = request.app.state.config.alerts.calendar
    after = process.corrected(before, _day(request, at), await terms(connection), calendar)
    return await _kept(connection, visit, review, after, "corrected")


@router.post("/reviews/{review}/{step}")
async def take(
    request: Request, visit: ActingInspector, review: Identity, step: str, connection: Writing, at: Now
) -> Response:
    """A step of the authority's review."""
    found = await _owned(request, visit, review)
    if found["origin"] == "self_check" or step not in {one for steps in _STEPS.values() for one in steps}:
        raise NotFound(f"a step must be one of a review's (got {step[:40]!r})")
    if step == "conclude":
        config, by = request.app.state.config.alerts, visit.person.name
        facts = {"day": _day(request, at), "at": at, "zone": config.zone, "calendar": config.calendar}
        await conclude(connection, review, by=by, note=visit.field("note"), **facts)
        return go(f"/reviews/{review}")
    if step == "papers":
        names = dict.fromkeys((one for one in PAPERS if visit.field(f"paper_{one}", 4)), _day(request, at))
        await reviews.add_papers(connection, review, names, visit.person.name)
        return go(f"/reviews/{review}")
    before, _ = await reviews.read(connection, review)
    return await _kept(connection, visit, review, await _after(request, visit, connection, before, step, at), step)


async def _after(
    request: Request, visit: Visit, connection: psycopg.AsyncConnection, before: Review, step: str, at: datetime
) -> Review:
    day = _day(request, at)
    if step == "open":
        members = [one for one in re.split(r"[,，、;；\s]+", visit.field("members", 400)) if one]
        return process.opened(before, visit.field("leader", 100), members, _given_day(visit, "visited_on"))
    if step == "hand_over":
        return process.handed_over(before, visit.field("note"), day)
    calendar, passed = request.app.state.config.alerts.calendar, visit.field("result", 10)
    if passed not in {"passed", "failed"}:
        raise ReviewRefused(f"result must be passed or failed (got {passed!r})")
    of = await terms(connection)
    return process.rechecked(before, passed=passed == "passed", day=day, terms=of, calendar=calendar)


async def _kept(connection: psycopg.AsyncConnection, visit: Visit, review: int, after: Review, action: str) -> Response:
    await reviews.keep(connection, review, after, visit.person.name, action, note=visit.field("note"))
    return go(f"/reviews/{review}")


async def _shown(
    request: Request,
    visit: Visit,
    connection: psycopg.AsyncConnection,
    review: int,
    at: datetime,
    template: str,
    **more: Any,
) -> Response:
    zone, language = _zone(request), visit.language
    async with asking(request, visit) as ask:
        found = await _one(ask, review)
        faults = ask.tabled(await ask.own("review_faults", review=review))
    own, staff = found["origin"] == "self_check", visit.person.role in _BOTH
    whole = staff or own
    if template == "visit":
        _require_sheet(visit, found)
    values = {**found, "due_on": found["due"], "review_conclusion": found["conclusion"]}
    facts = [(heading(name, language), cell(name, values[name], language=language, zone=zone)) for name in _FACTS]
    items, history = [], None
    stored: dict[str, Any] = {}
    if whole:
        visit.questions += 4
        row, stored = await reviews.read(connection, review, lock=False)
        found |= {"leader": row.leader, "members": "、".join(row.members), "reason": row.reason}
        items = await _sheet(connection, visit, found, at, zone)
        history = ask.tabled(
            [
                {"at": one["at"], "by_name": one["by_name"], "review_action": one["action"], "note": one["note"]}
                for one in await reviews.history(connection, review)
            ]
        )
    return answer(
        request,
        template,
        visit=visit,
        here="reviews",
        words="review",
        review=found,
        unit_href=unit_href(found["unit_code"]),
        state_text=STATES[found["state"]].of(language),
        facts=facts,
        faults=faults,
        whole=whole,
        fills=_fills(visit, found),
        items=items,
        results=[(code, text.of(language)) for code, text in RESULTS.items()],
        history=history,
        papers=[(one, HANDED_IN[one].of(language), one in stored.get("papers", ())) for one in PAPERS],
        steps=_STEPS.get(found["state"], ()) if staff and not own else (),
        **more,
    )


async def _sheet(
    connection: psycopg.AsyncConnection, visit: Visit, found: dict[str, Any], at: datetime, zone: Any
) -> list[dict[str, Any]]:
    """The items with what data say of them while the review is under way, and what people found."""
    review, language = found["id"], visit.language
    said = await reviews.recorded(connection, review)
    photos: dict[int, list[dict[str, Any]]] = {}
    for photo in await reviews.photos(connection, review):
        photos.setdefault(photo["item"], []).append(photo)
    by_data = await judged(connection, found["unit_code"], at, zone) if found["state"] == "open" else None
    if by_data is not None:
        items = [one.item for one in by_data.results]
    else:
        items = list((await read_standards(connection)).review.items)
    data = {one.item.number: one for one in by_data.results} if by_data is not None else {}
    return [
        {
            "number": item.number,
            "clause": item.clause,
            "subject": item.subject.of(language),
            "how": item.how.of(language),
            "may_not_apply": item.may_not_apply,
            "by_data": VERDICTS[data[item.number].verdict].of(language) if item.number in data else "",
            "why": data[item.number].why.of(language) if item.number in data else "",
            "said": said.get(item.number, Recorded(result="")),
            "photos": photos.get(item.number, []),
        }
        for item in items
    ]


def _items(visit: Visit) -> dict[int, Recorded]:
    """Items of a form: ``item_7`` with its result, ``remark_7`` beside it."""
    found = {}
    for name in visit.form or {}:
        number = re.fullmatch(r"item_(\d{1,3})", name)
        if number is None:
            continue
        result = visit.field(name, 20)
        if result not in RESULTS:
            raise ReviewRefused(f"a result must be one of {', '.join(RESULTS)} (got {result[:40]!r})")
        found[int(number[1])] = Recorded(result=result, remark=visit.field(f"remark_{number[1]}"))
    return found


def _without_result(visit: Visit, items: Mapping[int, Recorded]) -> dict[int, str]:
    """Remarks of a form whose items have no result, by item."""
    numbers = [int(name[7:]) for name in visit.form or {} if re.fullmatch(r"remark_\d{1,3}", name)]
    said = {number: visit.field(f"remark_{number}") for number in numbers if number not in items}
    return {number: remark for number, remark in said.items() if remark}


def _fills(visit: Visit, found: Mapping[str, Any]) -> bool:
    """Whether this person fills in the sheet: the authority its reviews, an enterprise its self-checks."""
    own = found["origin"] == "self_check"
    return found["state"] == "open" and (visit.person.role == "enterprise" if own else visit.person.role in _BOTH)


def _require_fills(visit: Visit, found: Mapping[str, Any]) -> None:
    own = found["origin"] == "self_check"
    if not (visit.person.role == "enterprise" if own else visit.person.role in _BOTH):
        raise NotAllowed


def _require_sheet(visit: Visit, found: Mapping[str, Any]) -> None:
    if visit.person.role not in _BOTH and found["origin"] != "self_check":
        raise NotAllowed


async def _owned(request: Request, visit: Visit, review: int) -> dict[str, Any]:
    """A review that this person may see, asked as their role; raises `NotFound`."""
    async with asking(request, visit) as ask:
        return await _one(ask, review)


async def _one(ask: Any, review: int) -> dict[str, Any]:
    found = await ask.own("review", review=review)
    if not found:
        raise NotFound(f"a review must be one that is there, and yours to see (got {review})")
    return dict(found[0])


async def _written(write: Any, name: str) -> bytes:
    def work() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            write(path)
            return path.read_bytes()

    return await asyncio.to_thread(work)


def _download(name: str, content: bytes, kind: str) -> Response:
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}
    return Response(bytes(content), media_type=kind, headers=headers)


def _year(visit: Visit) -> int:
    text = visit.field("year", 4)
    if not re.fullmatch(r"2[01]\d\d", text, re.ASCII):
        raise ReviewRefused(f"a year must be of 2000 to 2199 (got {text!r})")
    return int(text)


def _given_day(visit: Visit, name: str) -> date:
    try:
        return date.fromisoformat(visit.field(name, 20))
    except ValueError:
        raise ReviewRefused(f"{name} must be a day, YYYY-MM-DD (got {visit.field(name, 20)!r})") from None


def _zone(request: Request) -> Any:
    return request.app.state.config.alerts.zone


def _day(request: Request, at: datetime) -> date:
    return at.astimezone(_zone(request)).date()
