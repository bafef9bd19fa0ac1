"""What comes in and goes out as pages show it: gateways with their spools, uploads to official platforms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

import psycopg

from analytics.alerting.gateway import gateway_stage
from analytics.alerting.rules import GatewayRule, Rules, UploadRule
from analytics.alerting.upload import upload_stage
from analytics.domain.words import GATEWAY_STAGES, OFFICIAL_UPLOADS
from dashboards.web.values import Cell, cell, heading
from deploy.web.doors import Visit
from streams.alerts.gateways import facts_of
from streams.alerts.uploads import upload_facts, upload_states
from streams.store.access.gateway_state import gateway_states

__all__ = ["Watched", "gateway_headings", "upload_headings", "watched_gateways", "watched_uploads"]

_COLUMNS: Final = (
    "gateway", "gateway_stage", "last_delivery", "gateway_told", "waiting_readings", "oldest_waiting", "spool_used",
    "given_up", "gateway_fault",
)  # fmt: skip


_UPLOAD_COLUMNS: Final = (
    "unit_code", "platform", "upload_stage", "tried_at", "acknowledged_at", "refused_data", "waiting_data",
    "corrected_data", "platform_answer",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Watched:
    """A gateway or an upload, how it stands ('' for well), and its row."""

    stage: str
    cells: Sequence[Cell]


def gateway_headings(visit: Visit) -> list[str]:
    """Heads of the columns."""
    return [heading(name, visit.language) for name in _COLUMNS]


def upload_headings(visit: Visit) -> list[str]:
    """Heads of the columns of uploads."""
    return [heading(name, visit.language) for name in _UPLOAD_COLUMNS]


async def watched_uploads(
    connection: psycopg.AsyncConnection, rules: Rules, visit: Visit, zone: tzinfo
) -> list[Watched]:
    """Uploads to official platforms."""
    visit.questions += 1
    return [_upload(row, rules.uploads, visit, zone) for row in await upload_states(connection)]


def _upload(row: Mapping[str, Any], rule: UploadRule, visit: Visit, zone: tzinfo) -> Watched:
    stage = upload_stage(upload_facts(row), datetime.now(UTC), rule)
    shown = {
        "unit_code": row["unit_code"],
        "platform": row["platform"],
        "tried_at": row["tried_at"],
        "acknowledged_at": row["done_at"],
        "refused_data": row["refused"],
        "waiting_data": row["waiting"],
        "corrected_data": row["corrected"],
        "platform_answer": row["answer"],
    }
    cells = {name: cell(name, value, language=visit.language, zone=zone) for name, value in shown.items()}
    cells["upload_stage"] = Cell(
        text=OFFICIAL_UPLOADS[stage or "well"].of(visit.language), tone="bad" if stage else "good"
    )
    return Watched(stage, [cells[name] for name in _UPLOAD_COLUMNS])


async def watched_gateways(
    connection: psycopg.AsyncConnection, rules: Rules, visit: Visit, zone: tzinfo
) -> list[Watched]:
    """All gateways of which something is known."""
    visit.questions += 1
    return [_watched(row, rules.gateways, visit, zone) for row in await gateway_states(connection)]


def _watched(row: dict[str, Any], rule: GatewayRule, visit: Visit, zone: tzinfo) -> Watched:
    facts, now = facts_of(row), datetime.now(UTC)
    stage = gateway_stage(facts, now, rule)
    age_s = max((now - facts.oldest_at).total_seconds(), 0.0) if facts.oldest_at else None
    shown = {
        "gateway": facts.name,
        "last_delivery": facts.delivered_at,
        "gateway_told": facts.told_at,
        "waiting_readings": row["waiting_readings"],
        "oldest_waiting": age_s,
        "spool_used": facts.waiting_bytes / facts.max_bytes if facts.max_bytes else None,
        "given_up": row["dropped_readings"],
        "gateway_fault": facts.fault,
    }
    cells = {name: cell(name, value, language=visit.language, zone=zone) for name, value in shown.items()}
    cells["gateway_stage"] = Cell(
        text=GATEWAY_STAGES[stage or "well"].of(visit.language),
        tone="bad" if stage == "silent" else "warn" if stage else "good",
    )
    return Watched(stage, [cells[name] for name in _COLUMNS])
