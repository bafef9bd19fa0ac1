"""Papers of supervision, made from what is judged today: order to correct, record of a visit, report, self-check."""

import asyncio
import tempfile
from datetime import date
from pathlib import Path
from typing import Final
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from analytics.alerting.case import CaseRefused
from dashboards.reports.gathering import unit_report
from dashboards.reports.papers import PAPERS, PaperFacts, write_paper
from deploy.web.asking import asking
from deploy.web.doors import ActingViewer, NotAllowed, Now
from deploy.web.units import own_code

__all__ = ["router"]

router = APIRouter()
_OWN: Final = frozenset({"self-check"})
_DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_AT_ONCE: Final = asyncio.Semaphore(2)


@router.post("/unit/paper")
async def paper(request: Request, visit: ActingViewer, at: Now) -> Response:
    """A paper as .docx; of an enterprise's, its own self-check alone."""
    kind = visit.field("kind", 20)
    if kind not in PAPERS:
        raise CaseRefused(f"a paper must be one of {', '.join(PAPERS)} (got {kind!r})")
    if visit.person.role == "enterprise" and kind not in _OWN:
        raise NotAllowed
    async with asking(request, visit) as ask:
        code = str((await ask.unit(own_code(visit, visit.field("unit", 200))))["unit_code"])
    config = request.app.state.config
    day = at.astimezone(config.alerts.zone).date()
    facts = PaperFacts(
        number=visit.field("number", 100),
        authority=visit.field("authority", 200),
        day=day,
        due=_due(visit.field("due", 20), day),
        basis=visit.field("basis", 1000),
        people=[one for one in visit.field("people", 400).replace("，", ",").replace("、", ",").split(",") if one],
    )

    def written() -> bytes:
        report = unit_report(config.dsn, code, f"{day:%Y-%m}", config.alerts.zone)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "paper.docx"
            try:
                write_paper(kind, report, facts, path)
            except ValueError as error:
                raise CaseRefused(str(error)) from None
            return path.read_bytes()

    async with _AT_ONCE:
        content = await asyncio.to_thread(written)
    name = quote(f"{PAPERS[kind][0]} {code} {day}.docx", safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}", "Cache-Control": "no-store"}
    return Response(content, media_type=_DOCX, headers=headers)


def _due(text: str, today: date) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise CaseRefused(f"due must be a day, YYYY-MM-DD (got {text!r})") from None
    if day <= today:
        raise CaseRefused(f"due must lie after today, {today} (got {day})")
    return day
