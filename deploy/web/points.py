"""A metering point's pages: its data, and what is known about its errors."""

from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from analytics.domain.words import Phrase
from dashboards.panels import Panel
from dashboards.web.asking import Span
from deploy.web.answers import answer
from deploy.web.asking import asking, panels_of, point_href, span_of, unit_href
from deploy.web.doors import Viewer, Visit
from deploy.web.units import Code, Range, here_of, own_code, ranges_of, tabs_of
from streams.alerts.people import NotFound

__all__ = ["Point", "point_tabs", "router"]

router = APIRouter()
_DATA: Final = panels_of(
    "point", "point_facts", "point_last", "point_quality", "point_hours", "point_readings", "point_balance"
)
_DIAL: Final = timedelta(days=90)
"""The dial of a year is 35,000 readings, each of them unpacked: it is drawn of so many days at most."""
_EVIDENCE: Final = (
    "kind",
    "severity",
    "state",
    "started_at",
    "ended_at",
    "energy_affected",
    "energy_unit",
    "confidence",
    "meter_no",
)
_HEALTH: Final = panels_of("point", "point_observability", "point_verifications", "point_cases")
Point = Annotated[str, Query(max_length=200, pattern=r"^[^\x00]+$")]


@router.get("/point")
async def data(request: Request, visit: Viewer, point: Point, unit: Code = "", span: Range = "") -> Response:
    """Readings, consumption with its quality, and the balance that the point stands in."""
    code = own_code(visit, unit)
    chosen, shown = span_of(span, "7d")
    async with asking(request, visit) as ask:
        found = await ask.unit(code)
        measure = await ask.of_board("choose_measure", unit=code, point=point)
        _require(measure, point)
        words = {"measure": str(measure[0]["unit"] or "")}
        panels = []
        for panel in _DATA:
            drawn, asked = _at_most(panel, shown)
            panels += await ask.panels([drawn], asked, unit=code, point=point, words=words)
    return answer(
        request,
        "point",
        visit=visit,
        here=here_of(visit),
        unit=found,
        unit_href=unit_href(code),
        point=point,
        tabs=point_tabs(visit, code, point, "data"),
        ranges=ranges_of(visit, chosen, point_href(code, point)),
        panels=panels,
    )


@router.get("/point/health")
async def health(request: Request, visit: Viewer, point: Point, unit: Code = "") -> Response:
    """Detections with their evidence, what could be seen at all, certificates, alerts and cases."""
    code = own_code(visit, unit)
    _, shown = span_of("", "30d")
    async with asking(request, visit) as ask:
        found = await ask.unit(code)
        _require(await ask.of_board("choose_measure", unit=code, point=point), point)
        alerts = await ask.table("point_alerts", unit=code, point=point)
        evidence = await ask.evidence("point_evidence", _EVIDENCE, unit=code, point=point)
        panels = await ask.panels(_HEALTH, shown, unit=code, point=point)
    return answer(
        request,
        "point",
        visit=visit,
        here=here_of(visit),
        unit=found,
        unit_href=unit_href(code),
        point=point,
        tabs=point_tabs(visit, code, point, "health"),
        ranges=(),
        panels=panels,
        alerts=alerts,
        evidence=evidence,
    )


def _at_most(panel: Panel, span: Span) -> tuple[Panel, Span]:
    """A panel and what it shows of a range: of the dial the last days alone where that is longer, which it says."""
    if panel.query != "point_readings" or span.until - span.since <= _DIAL:
        return panel, span
    said = panel.description
    more = Phrase(zh=f"{said.zh}只画最近{_DIAL.days}天。", en=f"{said.en} The last {_DIAL.days} days alone are drawn.")
    return replace(panel, description=more), Span(since=span.until - _DIAL, until=span.until)


def _require(found: list[dict[str, Any]], point: str) -> None:
    if not found:
        raise NotFound(f"a metering point must be one that is there, and yours to see (got {point!r})")


def point_tabs(visit: Visit, code: str, point: str, here: str) -> list[dict[str, Any]]:
    """Parts of a point's page."""
    hrefs = {"data": point_href(code, point)} | {name: point_href(code, point, name) for name in ("health", "work")}
    return tabs_of(visit, "point", here, hrefs)
