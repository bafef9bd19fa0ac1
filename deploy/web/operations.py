"""Pages on the state of the pipeline."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from dashboards.web.panels import Figure
from dashboards.web.values import Cell, cell, heading, number
from deploy.web.answers import answer
from deploy.web.asking import asking, panels_of, span_of
from deploy.web.doors import Operator, Writing
from deploy.web.units import Range, ranges_of, tabs_of
from deploy.web.watched import Watched, gateway_headings, upload_headings, watched_gateways, watched_uploads
from streams.alerts.people import rows
from streams.alerts.raiser import rules_of

__all__ = ["router"]

router = APIRouter()
_FLOW: Final = panels_of("operations", "ops_now", "ops_backlog", "ops_lag", "ops_rate", "ops_partitions", "ops_outbox")
_STORE: Final = panels_of(
    "operations", "ops_rejected", "ops_rejected_units", "ops_transaction", "ops_database_size", "ops_tables"
)
_UPKEEP: Final = """
select g.bytes_a_second, g.seen, b.made_at, b.kept_s, r.source, r.body
from (
    select regr_slope(database_bytes, extract(epoch from at)) as bytes_a_second, max(at) - min(at) as seen
    from worker_samples where at > now() - interval '7 days'
) g
left join (select made_at, kept_s from backup_made order by made_at desc limit 1) b on true
left join (select source, body from alert_rules order by id desc limit 1) r on true
"""
_FEW_DAYS: Final = 14
_SEEN_DAYS: Final = 1
"""A growth that was watched for less says nothing. [d]"""
_LATE_S: Final = 300.0
"""A reading that is not stored for so long, or a worker that says nothing for so long, is not well. [s]"""


@router.get("/operations")
async def flow(request: Request, visit: Operator, connection: Writing, span: Range = "") -> Response:
    """What waits, how fast it goes, where each partition stands, how gateways are, the disk, and the last backup."""
    return await _shown(request, visit, connection, span, "flow")


@router.get("/operations/store")
async def store(request: Request, visit: Operator, connection: Writing, span: Range = "") -> Response:
    """What is refused, transactions, and the size of the database."""
    return await _shown(request, visit, connection, span, "store")


async def _shown(request: Request, visit: Any, connection: Any, span: str, tab: str) -> Response:
    chosen, shown = span_of(span, "1d")
    async with asking(request, visit) as ask:
        verdict, tone = _verdict(await ask.of_board("ops_now"), await ask.of_board("ops_backlog"))
        panels = await ask.panels(_FLOW if tab == "flow" else _STORE, shown)
        zone = ask.zone
    upkeep: list[Figure] = []
    gateways: list[Watched] = []
    uploads: list[Watched] = []
    if tab == "flow":
        visit.questions += 1
        [found] = await rows(connection, _UPKEEP)
        rules = rules_of(found["source"], found["body"])
        upkeep = _upkeep(request.app.state.config.home, found, visit.language, zone)
        gateways = await watched_gateways(connection, rules, visit, zone)
        uploads = await watched_uploads(connection, rules, visit, zone)
        if verdict == "well" and any(one.stage for one in (*gateways, *uploads)):
            verdict, tone = "not_well", "bad"
    path = "/operations" if tab == "flow" else "/operations/store"
    return answer(
        request,
        "operations",
        visit=visit,
        here="operations",
        verdict=verdict,
        tone=tone,
        tabs=tabs_of(visit, "operations", tab, {"flow": "/operations", "store": "/operations/store"}),
        ranges=ranges_of(visit, chosen, f"{path}?"),
        panels=panels,
        upkeep=upkeep,
        gateway_headings=gateway_headings(visit),
        gateways=gateways,
        upload_headings=upload_headings(visit),
        uploads=uploads,
    )


def _upkeep(home: Path | None, found: dict[str, Any], language: Any, zone: Any) -> list[Figure]:
    """Room on the disk, for how many days it lasts as the database grows, and the last backup."""
    figures = []
    if home is not None:
        free = shutil.disk_usage(next(place for place in (home, *home.parents) if place.exists())).free
        figures.append(Figure(heading("disk_free", language), cell("bytes", free, language=language, zone=zone)))
        figures.append(Figure(heading("disk_days", language), _lasting(free, found, language)))
    shown = cell("last_backup", found["made_at"], language=language, zone=zone)
    figures.append(Figure(heading("last_backup", language), Cell(text=shown.text, tone=_backup_tone(found))))
    return figures


def _lasting(free: int, found: dict[str, Any], language: Any) -> Cell:
    """Days until the disk is full; unknown where the database was not watched for a day."""
    slope, seen = found["bytes_a_second"], found["seen"]
    if slope is None or seen is None or seen.days < _SEEN_DAYS:
        return cell("disk_days", None, language=language, zone=UTC)
    days = free / (slope * 86_400) if slope > 0 else float("inf")
    if days > 3650:
        return Cell(text="> 3,650", tone="good")
    return Cell(text=number(days, 0), tone="bad" if days < _FEW_DAYS else "good")


def _backup_tone(backup: dict[str, Any]) -> str:
    """A backup that is older than half of what Kafka keeps is late: a restore would have a gap soon."""
    if backup["made_at"] is None:
        return "warn"
    if backup["kept_s"] is None:
        return ""
    age_s = (datetime.now(UTC) - backup["made_at"]).total_seconds()
    return "bad" if age_s > backup["kept_s"] else "warn" if age_s > backup["kept_s"] / 2 else "good"


def _verdict(now: list[dict[str, Any]], backlog: list[dict[str, Any]]) -> tuple[str, str]:
    if not now:
        return "unknown", "unknown"
    late = (now[0]["fence_age"] or 0.0) > _LATE_S or (now[0]["sample_age"] or 0.0) > _LATE_S
    failed = bool(backlog and backlog[0].get("messages_failed"))
    return ("not_well", "bad") if late or failed else ("well", "good")
