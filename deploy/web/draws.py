"""Draws by lot (随机抽查) that anybody can repeat, and the year's summary of reviews."""

import asyncio
import re
import secrets
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as PathField

from analytics.review.process import ReviewRefused
from dashboards.reports.review_sheets import write_year
from dashboards.web.values import cell, heading
from deploy.web.answers import answer, go
from deploy.web.asking import asking, unit_href
from deploy.web.doors import ActingStaff, Inspector, Now, Writing
from streams.alerts.people import NotFound, rows
from streams.store.review import reviews

__all__ = ["router"]

router = APIRouter()
Identity = Annotated[int, PathField(ge=1, lt=2**31)]
_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_DRAWN: Final = """
select r.id as review_no, r.id as _review, u.code as unit_code, u.name as unit_name, r.state as review_state
from review r join unit u on u.id = r.unit_id where r.draw_id = %(draw)s order by r.id
"""
_FACTS: Final = ("year", "drawn_at", "drawn_by", "reason", "seed", "drawn_of")


@router.post("/reviews/draw")
async def draw(visit: ActingStaff, connection: Writing) -> Response:
    """Draw units by lot among those without a review of the year, into its plan."""
    year, count = _number(visit.field("year", 4), "year"), _number(visit.field("count", 6), "count")
    grade, seed = visit.field("grade", 10), visit.field("seed", 200) or secrets.token_hex(16)
    pool = await reviews.without_review(connection, year, [grade] if grade else [])
    by, why = visit.person.name, visit.field("reason", 500)
    identity, _ = await reviews.draw(connection, pool, count, seed, year, by, reason=why)
    return go(f"/reviews/draws/{identity}")


@router.get("/reviews/draws/{draw_id}")
async def drawn(request: Request, visit: Inspector, draw_id: Identity, connection: Writing) -> Response:
    """A draw as it was made, and whether it comes out the same again."""
    if not await reviews.draws(connection, draw_id):
        raise NotFound(f"a draw must be one that was made (got {draw_id})")
    made = await reviews.verify_draw(connection, draw_id)
    visit.questions += 3
    found = await rows(connection, _DRAWN, {"draw": draw_id})
    async with asking(request, visit) as ask:
        table = ask.tabled(found)
        zone = ask.zone
    language = visit.language
    shown = {**made, "drawn_of": f"{len(made['drawn'])} / {len(made['pool'])}"}
    facts = [(heading(name, language), cell(name, shown[name], language=language, zone=zone)) for name in _FACTS]
    pool = [(code, unit_href(code)) for code in made["pool"]]
    return answer(
        request, "draw", visit=visit, here="reviews", draw=made, facts=facts, table=table, pool=pool, words="draw"
    )


@router.get("/reviews/year.xlsx")
async def summary(
    request: Request, visit: Inspector, connection: Writing, at: Now, year: Annotated[int, Query(ge=2000, le=2199)]
) -> Response:
    """The year's summary of the region, and the register of who was reviewed."""
    found = await (await connection.execute("select count(*) from unit")).fetchone()
    assert found is not None, "a count gives a row"
    visit.questions += 2
    content = await asyncio.to_thread(
        _written, year, await reviews.of_year(connection, year), int(found[0]), _day(request, at)
    )
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(f'能源计量审查-{year}.xlsx')}"}
    return Response(content, media_type=_XLSX, headers=headers)


def _written(year: int, rows: list[dict[str, Any]], units: int, day: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "year.xlsx"
        write_year(path, year, rows, units, day)
        return path.read_bytes()


def _day(request: Request, at: datetime) -> Any:
    return at.astimezone(request.app.state.config.alerts.zone).date()


def _number(text: str, name: str) -> int:
    pattern, wanted = {"year": (r"2[01]\d\d", "of 2000 to 2199"), "count": (r"[1-9]\d*", "a whole number")}[name]
    if not re.fullmatch(pattern, text, re.ASCII):
        raise ReviewRefused(f"{name} must be {wanted} (got {text!r})")
    return int(text)
