"""Findings and how units stand: written so that a row lasts while it says the same, and history is kept.

A finding that says another verdict or severity than the standing row of its key closes that row and opens another;
other words replace those of the standing row. What is not found any more is closed.
"""

import asyncio
import json
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import numpy as np
import psycopg
from psycopg import sql

from analytics.domain.finding import Finding
from analytics.standards.assessment import Standing
from analytics.standards.energy import UnitEnergy, key_unit
from analytics.standards.equipping import Rate
from analytics.standards.mandatory import mandatory_basis, mandatory_points
from analytics.standards.scene import VerificationState
from streams.compliance.judge import Judgement

__all__ = ["Written", "write_judgement"]

_STAGE: Final = """
create temporary table if not exists finding_in (
    unit_id int4, edition text, clause text, rule text, mandatory boolean, level text, carrier text, point_id int4,
    meter_id int4, verdict text, severity text, required text, found text, required_zh text, found_zh text,
    meters text[], points text[], next_step_zh text, next_step_en text, evidence jsonb
) on commit delete rows
"""
_FILL: Final = """
insert into finding_in select * from jsonb_to_recordset(%s::jsonb) as f (
    unit_id int4, edition text, clause text, rule text, mandatory boolean, level text, carrier text, point_id int4,
    meter_id int4, verdict text, severity text, required text, found text, required_zh text, found_zh text,
    meters text[], points text[], next_step_zh text, next_step_en text, evidence jsonb
)
"""
_MANY: Final = "set local enable_nestloop = off"
"""The planner takes the staged findings for a few, and would compare each with each standing one of its units."""
_KEY: Final = sql.SQL("""
(f.unit_id, f.rule, f.clause, f.level, f.carrier, coalesce(f.point_id, 0), coalesce(f.meter_id, 0))
    = (n.unit_id, n.rule, n.clause, n.level, n.carrier, coalesce(n.point_id, 0), coalesce(n.meter_id, 0))
""")
_SAID: Final = (
    "edition",
    "mandatory",
    "required",
    "found",
    "required_zh",
    "found_zh",
    "meters",
    "points",
    "next_step_zh",
    "next_step_en",
    "evidence",
)
_PARTS: Final = {
    "key": _KEY,
    "said": sql.SQL(", ").join(map(sql.Identifier, _SAID)),
    "old": sql.SQL(", ").join(sql.Identifier("f", name) for name in _SAID),
    "new": sql.SQL(", ").join(sql.Identifier("n", name) for name in _SAID),
}
_CLOSE: Final = sql.SQL("""
update finding f set closed_at = clock_timestamp()
where f.closed_at is null and f.unit_id = any(%(units)s) and not exists (
    select from finding_in n where {key} and (n.verdict, n.severity) = (f.verdict, f.severity)
)
""").format(**_PARTS)
_REPLACE: Final = sql.SQL("""
update finding f set ({said}, as_of) = ({new}, %(day)s)
from finding_in n
where f.closed_at is null and f.unit_id = any(%(units)s) and {key}
    and (f.as_of, {old}) is distinct from (%(day)s, {new})
""").format(**_PARTS)
_OPEN: Final = sql.SQL("""
insert into finding (unit_id, clause, rule, level, carrier, point_id, meter_id, verdict, severity, {said}, as_of)
select unit_id, clause, rule, level, carrier, point_id, meter_id, verdict, severity, {said}, %(day)s from finding_in n
where not exists (select from finding f where f.closed_at is null and f.unit_id = any(%(units)s) and {key})
""").format(**_PARTS)
_DAYS: Final = """
insert into compliance_day as d (unit_id, day, edition, state, grade, findings, serious, warnings, person,
    points_needed, points_present, meters, meters_valid, meters_overdue, meters_unknown, verification_rate,
    completeness, tce, tce_year, tce_year_days, key_unit)
select * from jsonb_to_recordset(%s::jsonb) as n (unit_id int4, day date, edition text, state text, grade text,
    findings int4, serious int4, warnings int4, person int4, points_needed int4, points_present int4, meters int4,
    meters_valid int4, meters_overdue int4, meters_unknown int4, verification_rate float8, completeness float8,
    tce float8, tce_year float8, tce_year_days int4, key_unit text)
on conflict (unit_id, day) do update set
    (edition, state, grade, findings, serious, warnings, person, points_needed, points_present, meters, meters_valid,
     meters_overdue, meters_unknown, verification_rate, completeness, tce, tce_year, tce_year_days, key_unit, judged_at)
    = (excluded.edition, excluded.state, excluded.grade, excluded.findings, excluded.serious, excluded.warnings,
       excluded.person, excluded.points_needed, excluded.points_present, excluded.meters, excluded.meters_valid,
       excluded.meters_overdue, excluded.meters_unknown, excluded.verification_rate, excluded.completeness,
       excluded.tce, excluded.tce_year, excluded.tce_year_days, excluded.key_unit, clock_timestamp())
"""
_FORGET_RATES: Final = "delete from equipping_rate where unit_id = any(%(units)s) and day = %(day)s"
_RATES: Final = """
insert into equipping_rate (unit_id, day, carrier, level, needed, present, unknown, rate, required, verdict, edition,
                            missing)
select * from jsonb_to_recordset(%s::jsonb) as n (unit_id int4, day date, carrier text, level text, needed int4,
    present int4, unknown int4, rate float8, required float8, verdict text, edition text, missing text[])
"""


_FORGET_MANDATORY: Final = "delete from mandatory_instrument where unit_id = any(%(units)s)"
_MANDATORY: Final = """
insert into mandatory_instrument (meter_id, unit_id, point_id, carrier, valid, basis_zh, basis_en, as_of)
select * from jsonb_to_recordset(%s::jsonb) as n (meter_id int4, unit_id int4, point_id int4, carrier text,
    valid boolean, basis_zh text, basis_en text, as_of date)
on conflict (meter_id) do nothing
"""


class Written:
    """Rows that a judgement changed."""

    __slots__ = ("changed", "closed", "opened")

    def __init__(self, *, opened: int, closed: int, changed: int) -> None:
        self.opened = opened
        self.closed = closed
        self.changed = changed


async def write_judgement(connection: psycopg.AsyncConnection, judgement: Judgement) -> Written:
    """Write what was judged, inside the caller's transaction; safe to repeat."""
    assessment, units = judgement.assessment, judgement.stored.unit_ids.tolist()
    about = {"units": units, "day": judgement.moment.day}
    rows = await asyncio.to_thread(lambda: _json(_finding_rows(judgement)))
    await connection.execute(_STAGE)
    await connection.execute("delete from finding_in")
    await connection.execute(_FILL, (rows,))
    await connection.execute(_MANY)
    closed = (await connection.execute(_CLOSE, about)).rowcount
    changed = (await connection.execute(_REPLACE, about)).rowcount
    opened = (await connection.execute(_OPEN, about)).rowcount
    await connection.execute(_DAYS, (_json([_day_row(judgement, one) for one in assessment.standings]),))
    await connection.execute(_FORGET_RATES, about)
    editions = [standing.edition for standing in assessment.standings]
    rates = [_rate_row(one, units[one.unit], editions[one.unit], judgement.moment.day) for one in assessment.rates]
    await connection.execute(_RATES, (_json(rates),))
    await connection.execute(_FORGET_MANDATORY, about)
    await connection.execute(_MANDATORY, (await asyncio.to_thread(lambda: _json(_mandatory_rows(judgement))),))
    return Written(opened=opened, closed=closed, changed=changed)


def _json(rows: Sequence[dict[str, Any]]) -> str:
    return json.dumps(rows, ensure_ascii=False).replace("\\u0000", "")  # which PostgreSQL's text cannot hold


def _mandatory_rows(judgement: Judgement) -> list[dict[str, Any]]:
    stored, scene = judgement.stored, judgement.assessment.scene
    holds = (scene.verification != VerificationState.UNKNOWN) & (scene.verification != VerificationState.OVERDUE)
    units = stored.unit_ids.tolist()
    rows = []
    for point in np.flatnonzero(mandatory_points(scene) & scene.in_use).tolist():
        basis = mandatory_basis(scene, point)
        rows.append({
            "meter_id": int(stored.meter_ids[scene.meter[point]]),
            "unit_id": units[stored.ledger.point_unit[point]],
            "point_id": int(stored.point_ids[point]),
            "carrier": stored.ledger.point_carrier[point],
            "valid": bool(holds[point]),
            "basis_zh": basis.zh,
            "basis_en": basis.en,
            "as_of": judgement.moment.day.isoformat(),
        })  # fmt: skip
    return rows


def _finding_rows(judgement: Judgement) -> list[dict[str, Any]]:
    stored, assessment = judgement.stored, judgement.assessment
    unit_ids = stored.unit_ids.tolist()
    points = _ids(stored.ledger.point_unit, stored.ledger.point_codes, stored.point_ids)
    meters = _ids(stored.ledger.meter_unit, stored.ledger.meter_nos, stored.meter_ids)
    return [
        _finding_row(
            one,
            unit_ids[one.unit],
            points.get((one.unit, one.point)),
            meters.get((one.unit, one.meter_no)),
        )
        for one in assessment.findings
    ]


def _ids(unit: np.ndarray[Any, Any], names: Sequence[str], ids: np.ndarray[Any, Any]) -> dict[tuple[int, str], int]:
    """Ids of points or meters by unit and name."""
    return dict(zip(zip(unit.tolist(), names, strict=True), ids.tolist(), strict=True))


def _finding_row(finding: Finding, unit_id: int, point_id: int | None, meter_id: int | None) -> dict[str, Any]:
    return {
        "unit_id": unit_id,
        "edition": finding.edition,
        "clause": finding.clause,
        "rule": finding.rule,
        "mandatory": finding.mandatory,
        "level": finding.level,
        "carrier": finding.carrier,
        "point_id": point_id,
        "meter_id": meter_id,
        "verdict": finding.verdict.value,
        "severity": finding.severity.value,
        "required": finding.required.en,
        "found": finding.found.en,
        "required_zh": finding.required.zh,
        "found_zh": finding.found.zh,
        "meters": list(finding.meters),
        "points": list(finding.points),
        "next_step_zh": finding.next_step.zh,
        "next_step_en": finding.next_step.en,
        "evidence": dict(finding.evidence),
    }


def _day_row(judgement: Judgement, standing: Standing) -> dict[str, Any]:
    day: UnitEnergy = judgement.energy_day[standing.unit]
    year: UnitEnergy = judgement.energy_year[standing.unit]
    facts = judgement.standards.facts.of(judgement.stored.ledger.unit_codes[standing.unit])
    verified = standing.verification
    return {
        "unit_id": int(judgement.stored.unit_ids[standing.unit]),
        "day": judgement.moment.day.isoformat(),
        "edition": standing.edition,
        "state": standing.state,
        "grade": standing.grade,
        "findings": standing.failed,
        "serious": standing.serious,
        "warnings": standing.warnings,
        "person": standing.person,
        "points_needed": standing.points_needed,
        "points_present": standing.points_present,
        "meters": verified.meters,
        "meters_valid": verified.valid,
        "meters_overdue": verified.overdue,
        "meters_unknown": verified.unknown,
        "verification_rate": verified.rate,
        "completeness": standing.completeness,
        "tce": day.tce,
        "tce_year": year.tce,
        "tce_year_days": year.days,
        "key_unit": key_unit(judgement.standards.rules, year, named=facts.named),
    }


def _rate_row(rate: Rate, unit_id: int, edition: str, day: date) -> dict[str, Any]:
    return {
        "unit_id": unit_id,
        "day": day.isoformat(),
        "carrier": rate.carrier,
        "level": rate.level,
        "needed": rate.needed,
        "present": rate.present,
        "unknown": rate.unknown,
        "rate": None if rate.rate is None else float(rate.rate),
        "required": None if rate.required is None else float(rate.required),
        "verdict": rate.verdict.value,
        "edition": edition,
        "missing": list(rate.missing),
    }
