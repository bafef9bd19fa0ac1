"""Signals out of the database: detections, findings and verifications as alerts see them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import psycopg

from analytics.alerting.evidence import evidence_of_detection, evidence_of_finding
from analytics.alerting.signal import FINDING, KINDS, VERIFICATION, Signal, Source
from analytics.domain.severity import Severity
from streams.alerts.aside import Aside
from streams.store.postgres.reading import rows_of

__all__ = ["LocatedSignal", "detections", "findings", "history", "verifications", "verified"]

_DETECTIONS: Final = """
select d.id, u.code as unit_code, u.name as unit_name, p.code as point, coalesce(m.meter_no, '') as meter_no,
       coalesce(i.place, '') as place, p.carrier, d.kind, d.severity, d.started_at, d.ended_at, d.state, d.magnitude,
       d.confidence, d.energy_affected as energy, coalesce(s.symbol, '') as energy_unit, d.evidence, d.unit_id,
       d.point_id, d.meter_id, n.meters, d.detected_at, d.magnitude_low, d.magnitude_high
from detection d
join unit u on u.id = d.unit_id
join metering_point p on p.id = d.point_id
left join meter m on m.id = d.meter_id
left join measure_unit s on s.code = p.amount_unit
left join lateral (
    select place from installation i where i.point_id = d.point_id order by i.installed_from desc limit 1
) i on true
left join (
    select unit_id, count(*) as meters from installation where installed_to > now() group by unit_id
) n on n.unit_id = d.unit_id
where d.kind = any(%(kinds)s)
"""
_FINDINGS: Final = """
select f.id, f.unit_code, f.unit_name, coalesce(f.point, '') as point,
       coalesce(f.meter_no, array_to_string(f.meters[1:3], ' ')) as meter_no, f.carrier, f.severity, f.opened_at,
       f.closed_at, f.verdict, f.edition, f.clause, f.required, f.found, f.required_zh, f.found_zh, f.unit_id,
       f.point_id, f.meter_id
from finding_list f
where true
"""
_VERIFICATIONS: Final = """
select distinct on (meter_id) meter_id, unit_id, unit_code, unit_name, point_id, point, meter_no, place, carrier, state,
       verification_due, days_left, (verification_due - 30)::timestamp at time zone local_zone() as started_at
from verification_state
where state in ('due_30', 'overdue') and status <> 'out_of_use'
order by meter_id, point_id
"""
_VERIFIED: Final = """
select m.id, m.unit_id, u.code as unit_code, u.name as unit_name, m.meter_no, s.started_at
from alert_source s join meter m on m.id = s.source_id join unit u on u.id = m.unit_id
where s.source = 'verification' and s.source_id = any(%(ids)s)
"""


class LocatedSignal(NamedTuple):
    """A signal and the ids of what it is about."""

    signal: Signal
    unit_id: int
    point_id: int | None
    meter_id: int | None


async def detections(
    connection: psycopg.AsyncConnection,
    ids: Sequence[int],
    now: datetime,
    severities: Mapping[str, Severity],
    aside: Aside | None = None,
) -> list[LocatedSignal]:
    """Detections of these ids that can make an alert."""
    parameters = {"kinds": sorted(KINDS), "ids": list(ids)}
    rows = await rows_of(connection, _DETECTIONS + "and d.id = any(%(ids)s) order by d.started_at, d.id", parameters)
    return (aside or Aside()).each("detection", rows, lambda row: _detection(row, now, severities), _id)


async def findings(
    connection: psycopg.AsyncConnection, ids: Sequence[int], now: datetime, aside: Aside | None = None
) -> list[LocatedSignal]:
    """Findings of these ids; one that does not fail (any more) stands no longer."""
    rows = await rows_of(
        connection, _FINDINGS + "and f.id = any(%(ids)s) order by f.opened_at, f.id", {"ids": list(ids)}
    )
    return (aside or Aside()).each("finding", rows, lambda row: _finding(row, now), _id)


async def verifications(
    connection: psycopg.AsyncConnection, now: datetime, aside: Aside | None = None
) -> list[LocatedSignal]:
    """Meters whose verification is over or has 30 days left at most."""
    rows = await rows_of(connection, _VERIFICATIONS, {})
    return (aside or Aside()).each(
        "verification_state", rows, lambda row: _verification(row, now), lambda row: row["meter_id"]
    )


async def history(
    connection: psycopg.AsyncConnection, since: datetime, severities: Mapping[str, Severity]
) -> list[LocatedSignal]:
    """Detections and findings that were open or seen at `since` or later, as they are known now."""
    parameters = {"kinds": sorted(KINDS), "since": since}
    seen = await rows_of(
        connection,
        _DETECTIONS + "and (d.detected_at >= %(since)s or d.ended_at >= %(since)s or d.state = 'open') order by d.id",
        parameters,
    )
    judged = await rows_of(
        connection,
        _FINDINGS + "and (f.closed_at is null or f.closed_at >= %(since)s or f.opened_at >= %(since)s) order by f.id",
        parameters,
    )
    return [_detection(row, row["detected_at"], severities) for row in seen] + [
        _finding(row, row["opened_at"]) for row in judged
    ]


def _id(row: Mapping[str, Any]) -> object:
    return row["id"]


def _detection(row: Mapping[str, Any], now: datetime, severities: Mapping[str, Severity]) -> LocatedSignal:
    signal = Signal(
        source=Source.DETECTION,
        source_id=row["id"],
        unit_code=row["unit_code"],
        unit_name=row["unit_name"],
        point=row["point"],
        meter_no=row["meter_no"],
        place=row["place"],
        carrier=row["carrier"],
        kind=row["kind"],
        severity=severities.get(row["kind"], Severity(row["severity"])),
        started_at=row["started_at"],
        seen_at=now,
        ended_at=row["ended_at"],
        standing=row["state"] == "open",
        withdrawn=row["state"] == "withdrawn" or _only_watched(row["evidence"]),
        magnitude=row["magnitude"],
        confidence=row["confidence"],
        energy=row["energy"],
        energy_unit=row["energy_unit"] if row["energy"] is not None else "",
        evidence=evidence_of_detection(row),
        unit_meters=row["meters"] or 0,
    )
    return LocatedSignal(signal, row["unit_id"], row["point_id"], row["meter_id"])


def _only_watched(evidence: object) -> bool:
    """Whether the meter may still hold its class, or what was found came to nothing: no alert, and none any more."""
    return isinstance(evidence, dict) and (evidence.get("watched") is True or evidence.get("ending") == "withdrawn")


def _finding(row: Mapping[str, Any], now: datetime) -> LocatedSignal:
    fails = row["verdict"] == "fail"
    signal = Signal(
        source=Source.FINDING,
        source_id=row["id"],
        unit_code=row["unit_code"],
        unit_name=row["unit_name"],
        point=row["point"],
        meter_no=row["meter_no"] or "",
        carrier=row["carrier"],
        kind=FINDING,
        severity=Severity(row["severity"]),
        started_at=row["opened_at"],
        seen_at=now,
        ended_at=row["closed_at"],
        standing=fails and row["closed_at"] is None,
        withdrawn=not fails,
        evidence=evidence_of_finding(row),
    )
    return LocatedSignal(signal, row["unit_id"], row["point_id"], row["meter_id"])


def _verification(row: Mapping[str, Any], now: datetime) -> LocatedSignal:
    signal = Signal(
        source=Source.VERIFICATION,
        source_id=row["meter_id"],
        unit_code=row["unit_code"],
        unit_name=row["unit_name"],
        point=row["point"],
        meter_no=row["meter_no"],
        place=row["place"],
        carrier=row["carrier"],
        kind=VERIFICATION,
        severity=Severity.WARNING if row["state"] == "overdue" else Severity.INFO,
        started_at=min(row["started_at"], now),
        seen_at=now,
        evidence={"verification_due": row["verification_due"].isoformat(), "days_left": row["days_left"]},
    )
    return LocatedSignal(signal, row["unit_id"], row["point_id"], row["meter_id"])


async def verified(
    connection: psycopg.AsyncConnection, meter_ids: Sequence[int], now: datetime, aside: Aside | None = None
) -> list[LocatedSignal]:
    """Verifications that were due and are no longer, or whose meter is gone."""
    if not meter_ids:
        return []
    rows = await rows_of(connection, _VERIFIED, {"ids": list(meter_ids)})
    return (aside or Aside()).each("alert_source", rows, lambda row: _no_longer_due(row, now), _id)


def _no_longer_due(row: Mapping[str, Any], now: datetime) -> LocatedSignal:
    signal = Signal(
        source=Source.VERIFICATION,
        source_id=row["id"],
        unit_code=row["unit_code"],
        unit_name=row["unit_name"],
        meter_no=row["meter_no"],
        kind=VERIFICATION,
        severity=Severity.INFO,
        started_at=row["started_at"],
        seen_at=now,
        ended_at=now,
        standing=False,
    )
    return LocatedSignal(signal, row["unit_id"], None, row["id"])
