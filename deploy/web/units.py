"""A unit's pages: what stands, energy, compliance, meters, reports. An enterprise opens its own alone."""

import asyncio
import re
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from analytics.domain.words import CARRIERS, name_of
from dashboards.reports import unit_page, unit_workbook
from dashboards.reports.gathering import unit_products, unit_report
from dashboards.reports.papers import PAPERS
from dashboards.web.asking import RANGES
from dashboards.web.flow import flow
from dashboards.web.panels import table_of
from dashboards.web.qr import qr_code
from dashboards.web.rendering import texts
from deploy.web.answers import answer
from deploy.web.asking import asking, panels_of, point_href, span_of, unit_href
from deploy.web.doors import Viewer, Visit

__all__ = ["here_of", "own_code", "ranges_of", "router", "tabs_of", "unit_tabs"]

router = APIRouter()
Code = Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")]
Range = Annotated[str, Query(alias="range", max_length=10)]
Month = Annotated[str, Query(pattern=r"^(19|20)\d\d-(0[1-9]|1[0-2])$")]
MonthOrNone = Annotated[str, Query(pattern=r"^((19|20)\d\d-(0[1-9]|1[0-2]))?$")]
_LABELS: Final = """
select distinct on (point) point, meter_no, serial_no, place from ledger_meter
where unit_code = %(unit)s and (%(point)s::text is null or point = %(point)s)
order by point, installed_from desc offset %(before)s limit %(most)s
"""
_LABELLED: Final = 60
"""Labels of a page: two milliseconds each."""
_TABS: Final = ("overview", "energy", "compliance", "meters", "certificates", "products", "reports")
_OVERVIEW: Final = panels_of(
    "enterprise", "unit_state", "unit_tce", "unit_left_out", "unit_alerts", "unit_tce_days", "unit_months"
)
_ENERGY: Final = panels_of(
    "enterprise", "unit_hours", "unit_days_year", "unit_completeness_days", "unit_parts", "unit_cost"
)
_COMPLIANCE: Final = panels_of("enterprise", "unit_state", "unit_findings", "unit_equipping", "unit_clauses")
_METERS: Final = panels_of("enterprise", "unit_meters", "unit_alerts")
_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_REPORT_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"
_REPORTS: Final = asyncio.Semaphore(2)


def own_code(visit: Visit, code: str) -> str:
    """The unit that is asked for; an enterprise that names none means its own."""
    return code or visit.person.unit_code


def tabs_of(visit: Visit, page: str, here: str, hrefs: dict[str, str]) -> list[dict[str, Any]]:
    """Parts of a page to go to, by the names of its texts."""
    text = texts(page, visit.language)
    return [{"name": text(name), "href": href, "here": name == here} for name, href in hrefs.items()]


def ranges_of(visit: Visit, here: str, path: str) -> list[dict[str, Any]]:
    """Ranges to choose from; `path` has its other parameters already."""
    text = texts("common", visit.language)
    return [{"name": text(f"last_{name}"), "href": f"{path}&range={name}", "here": name == here} for name in RANGES]


def unit_tabs(visit: Visit, code: str, here: str) -> list[dict[str, Any]]:
    """Parts of a unit's page."""
    return tabs_of(visit, "unit", here, {name: unit_href(code, "" if name == "overview" else name) for name in _TABS})


@router.get("/unit")
async def overview(request: Request, visit: Viewer, unit: Code = "", span: Range = "") -> Response:
    """How a unit stands."""
    code = own_code(visit, unit)
    chosen, shown = span_of(span, "30d")
    async with asking(request, visit) as ask:
        found = await ask.unit(code)
        panels = await ask.panels(_OVERVIEW, shown, unit=code)
    return answer(
        request,
        "unit",
        visit=visit,
        here=here_of(visit),
        unit=found,
        tabs=unit_tabs(visit, code, "overview"),
        ranges=ranges_of(visit, chosen, unit_href(code)),
        carriers=(),
        panels=panels,
        labels_href="",
    )


@router.get("/unit/energy")
async def energy(request: Request, visit: Viewer, unit: Code = "", span: Range = "", carrier: Code = "") -> Response:
    """What a unit used, by carrier, workshop and equipment, against last year, and what is not counted."""
    code = own_code(visit, unit)
    chosen, shown = span_of(span, "30d")
    async with asking(request, visit) as ask:
        found = await ask.unit(code)
        known = [row["carrier"] for row in await ask.of_board("choose_carrier", unit=code)]
        one = carrier if carrier in known else (known[0] if known else "electricity")
        name = name_of(CARRIERS, one).of(visit.language)
        panels = await ask.panels(_ENERGY, shown, unit=code, carrier=one, words={"carrier": name})
        asked = {"since__": shown.since, "until__": shown.until}
        points = await ask.own("unit_flow", unit=code, carrier=one, **asked)
        unexplained = ask.tabled(await ask.own("unit_unexplained", unit=code), unit=code)
    carriers = [
        {
            "name": name_of(CARRIERS, each).of(visit.language),
            "href": unit_href(code, "energy", carrier=each, range=chosen),
            "here": each == one,
        }
        for each in known
    ]
    return answer(
        request,
        "unit",
        visit=visit,
        here=here_of(visit),
        unit=found,
        tabs=unit_tabs(visit, code, "energy"),
        ranges=ranges_of(visit, chosen, unit_href(code, "energy", carrier=one)),
        carriers=carriers,
        panels=panels,
        labels_href="",
        unexplained=unexplained,
        flow=flow(points, title=name, language=visit.language),
    )


@router.get("/unit/compliance")
async def compliance(request: Request, visit: Viewer, unit: Code = "") -> Response:
    """Clause by clause, with the next step."""
    return await _plain(request, visit, own_code(visit, unit), "compliance")


@router.get("/unit/meters")
async def meters(request: Request, visit: Viewer, unit: Code = "") -> Response:
    """Meters and their state."""
    return await _plain(request, visit, own_code(visit, unit), "meters")


async def _plain(request: Request, visit: Visit, code: str, tab: str) -> Response:
    _, shown = span_of("", "30d")
    async with asking(request, visit) as ask:
        found = await ask.unit(code)
        panels = await ask.panels(_COMPLIANCE if tab == "compliance" else _METERS, shown, unit=code)
        strange = await ask.strange(code) if tab == "meters" else None
    return answer(
        request,
        "unit",
        visit=visit,
        here=here_of(visit),
        unit=found,
        tabs=unit_tabs(visit, code, tab),
        ranges=(),
        carriers=(),
        panels=panels,
        labels_href=unit_href(code, "labels") if tab == "meters" else "",
        strange=strange,
    )


@router.get("/unit/reports")
async def reports(request: Request, visit: Viewer, unit: Code = "") -> Response:
    """Months to download."""
    code = own_code(visit, unit)
    async with asking(request, visit) as ask:
        found = await ask.unit(code)
        there = [row["month"] for row in await ask.own("unit_months_there", unit=code)]
    months = [{"name": month} | {kind: _report_href(kind, code, month) for kind in ("xlsx", "html")} for month in there]
    return answer(
        request,
        "unit",
        visit=visit,
        here=here_of(visit),
        unit=found,
        tabs=unit_tabs(visit, code, "reports"),
        ranges=(),
        carriers=(),
        panels=(),
        labels_href="",
        months=months,
        papers=[
            (kind, title)
            for kind, (title, _) in PAPERS.items()
            if visit.person.role != "enterprise" or kind == "self-check"
        ],
    )


@router.get("/unit/products")
async def products(request: Request, visit: Viewer, unit: Code = "", month: MonthOrNone = "") -> Response:
    """Energy for each unit of product, month by month: of the month that is over last, or of another."""
    code = own_code(visit, unit)
    async with asking(request, visit) as ask:
        found = await ask.unit(code)
        there = [row["month"] for row in await ask.own("unit_months_there", unit=code)]
        zone = ask.zone
    chosen = month or (there[1] if len(there) > 1 else there[0])
    code = str(found["unit_code"])  # the person's to see: what follows is read as the API's role
    async with request.app.state.questions.connection() as connection:
        made = await unit_products(connection, code, chosen, datetime.now(zone).date())
    rows = [
        {
            "product": one.product,
            "output": one.amount,
            "output_unit": one.unit,
            "product_tce": one.tce,
            "intensity": None if one.per_unit is None else 1000 * one.per_unit,
            "how": one.why.of(visit.language),
        }
        for one in made
    ]
    return answer(
        request,
        "products",
        visit=visit,
        here=here_of(visit),
        unit=found,
        tabs=unit_tabs(visit, code, "products"),
        month=chosen,
        months=[(one, unit_href(code, "products", month=one)) for one in there],
        table=table_of(rows, language=visit.language, zone=zone, href=lambda _column, _row: ""),
    )


@router.get("/unit/labels")
async def labels(
    request: Request,
    visit: Viewer,
    unit: Code = "",
    point: Code = "",
    number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
) -> Response:
    """Labels to print and stick to meters, some sheets of them: a QR code that opens the point's page."""
    code, before = own_code(visit, unit), (number - 1) * _LABELLED
    async with asking(request, visit) as ask:
        found = await ask.unit(code)
        facts = {"unit": code, "point": point or None, "before": before, "most": _LABELLED + 1}
        meters = await ask.rows(_LABELS, facts)
    here = str(request.base_url).rstrip("/")
    made = await asyncio.to_thread(_labelled, meters[:_LABELLED], here, code)  # nobody else waits for it meanwhile
    return answer(
        request,
        "labels",
        visit=visit,
        here=here_of(visit),
        unit=found,
        labels=made,
        words="labels",
        first=before + 1,
        earlier=unit_href(code, "labels", page=str(number - 1)) if number > 1 else "",
        later=unit_href(code, "labels", page=str(number + 1)) if len(meters) > _LABELLED else "",
    )


def _labelled(meters: Sequence[Mapping[str, Any]], here: str, code: str) -> list[dict[str, Any]]:
    return [{**row, "code": qr_code(f"{here}{point_href(code, row['point'])}")} for row in meters]


@router.get("/report.html")
async def report_page(request: Request, visit: Viewer, month: Month, unit: Code = "") -> Response:
    """A month as a page."""
    code = await _owned(request, visit, own_code(visit, unit))
    report = await _gathered(request, code, month)
    headers = {"Content-Security-Policy": _REPORT_POLICY}
    return HTMLResponse(await asyncio.to_thread(unit_page, report, language=visit.language), headers=headers)


@router.get("/report.xlsx")
async def report_workbook(request: Request, visit: Viewer, month: Month, unit: Code = "") -> Response:
    """A month as a workbook in the forms' columns."""
    code = await _owned(request, visit, own_code(visit, unit))
    report = await _gathered(request, code, month)

    def written() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "report.xlsx"
            unit_workbook(report, path, language=visit.language)
            return path.read_bytes()

    name = f"{re.sub(r'[^0-9A-Za-z_-]', '_', code)}-{month}.xlsx"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(await asyncio.to_thread(written), media_type=_XLSX, headers=headers)


async def _owned(request: Request, visit: Visit, code: str) -> str:
    """The code of a unit that is this person's to see: asked as their role before anything is gathered as the API's."""
    async with asking(request, visit) as ask:
        return str((await ask.unit(code))["unit_code"])


async def _gathered(request: Request, code: str, month: str) -> Any:
    config = request.app.state.config
    async with _REPORTS:
        return await asyncio.to_thread(unit_report, config.dsn, code, month, config.alerts.zone)


def _report_href(kind: str, code: str, month: str) -> str:
    return unit_href(code, month=month).replace("/unit?", f"/report.{kind}?")


def here_of(visit: Visit) -> str:
    """Where a unit stands in the menu."""
    return "mine" if visit.person.role == "enterprise" else "units"
