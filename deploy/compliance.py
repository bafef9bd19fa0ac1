"""Compliance functions for commands and pages: loading standards, assessing units, output."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, tzinfo
from typing import Any, TypeVar

import psycopg

from analytics.domain.errors import RegistryError
from analytics.domain.words import Phrase
from analytics.standards.documents import Document
from analytics.standards.energy import key_unit
from analytics.standards.facts.factor_use import unused_factors
from ingest.standard_files import standards_from
from streams.compliance.evidence import Moment
from streams.compliance.judge import Judgement, judge, review_of
from streams.compliance.standards import StoredDocument, load_document, read_documents, read_standards
from streams.store.ledger import read_ledger
from streams.store.postgres.connections import connected

__all__ = ["as_json", "documents", "judged", "load", "today", "unused"]

_Result = TypeVar("_Result")


def today(zone: tzinfo) -> date:
    """Local day of now."""
    return datetime.now(zone).date()


def load(dsn: str, document: Document, text: str, source: str) -> int:
    """Put a document in force; its number, 0 where the one in force says the same.

    Raises
    ------
    ConfigurationError
        With every fault; nothing is loaded.
    StoreUnavailable
        If the database cannot be reached.
    """
    return _run(dsn, lambda connection: load_document(connection, document, text, source))


def documents(dsn: str) -> Sequence[StoredDocument]:
    """What was loaded, in that order."""
    return _run(dsn, read_documents)


def unused(dsn: str, document: Document) -> Sequence[Phrase]:
    """Messages about a document's factors that convert none, or not all, of their energy."""
    entered = standards_from([document]).factors.entered

    async def ask(connection: psycopg.AsyncConnection) -> Sequence[Phrase]:
        return list(unused_factors(entered, (await read_ledger(connection)).ledger))

    return _run(dsn, ask)


def judged(dsn: str, codes: Sequence[str] | None, day: date, zone: tzinfo) -> Judgement:
    """Judge units on a local day (all without codes); nothing is written.

    Raises
    ------
    RegistryError
        If the ledger does not have a unit.
    """
    wanted = None if codes is None else frozenset(codes)

    async def ask(connection: psycopg.AsyncConnection) -> Judgement:
        standards = await read_standards(connection)
        moment = Moment.of(day, now=datetime.now(UTC), zone=zone)
        return await judge(connection, standards, moment, None if wanted is None else wanted.__contains__)

    found = _run(dsn, ask)
    missing = sorted((wanted or frozenset()) - set(found.stored.ledger.unit_codes))
    if missing:
        raise RegistryError(f"the ledger must have the unit (it has none with the code {', '.join(missing)})")
    return found


def _run(dsn: str, ask: Callable[[psycopg.AsyncConnection], Awaitable[_Result]]) -> _Result:
    async def run() -> _Result:
        async with connected(dsn, "comply") as connection:
            await connection.execute("select set_config('timezone', 'UTC', false), set_config('jit', 'off', false)")
            return await ask(connection)

    return asyncio.run(run())


def as_json(judgement: Judgement, unit: int) -> dict[str, Any]:
    """Compliance state of a unit as JSON."""
    standing = judgement.assessment.standings[unit]
    ledger, verified = judgement.stored.ledger, standing.verification
    facts = judgement.standards.facts.of(ledger.unit_codes[unit])
    year = judgement.energy_year[unit]
    sheet = review_of(judgement, unit)
    return {
        "unit_code": ledger.unit_codes[unit],
        "unit_name": ledger.unit_names[unit],
        "as_of": judgement.moment.day.isoformat(),
        "at": judgement.moment.at.astimezone(judgement.moment.zone).isoformat(timespec="seconds"),
        "ledger_version": judgement.stored.version,
        "edition": standing.edition,
        "state": standing.state,
        "grade": standing.grade,
        "findings": {
            "failed": standing.failed,
            "serious": standing.serious,
            "warnings": standing.warnings,
            "person": standing.person,
        },
        "rates": [
            {
                "level": rate.level,
                "carrier": rate.carrier,
                "needed": rate.needed,
                "present": rate.present,
                "unknown": rate.unknown,
                "rate": None if rate.rate is None else float(rate.rate),
                "required": None if rate.required is None else float(rate.required),
                "verdict": rate.verdict.value,
                "missing": list(rate.missing),
            }
            for rate in judgement.assessment.rates
            if rate.unit == unit
        ],
        "verification": {**verified._asdict(), "rate": verified.rate},
        "completeness": standing.completeness,
        "energy_year": {
            "tce": year.tce,
            "tce_equal_value": year.tce_equal,
            "tce_known": year.tce_known,
            "unknown": list(year.unknown),
            "days": year.days,
            "key_unit": key_unit(judgement.standards.rules, year, named=facts.named),
        },
        "review": {
            "sheet": judgement.standards.review.number,
            "failed": sheet.failed,
            "open": sheet.open,
            "verdict": sheet.verdict.en,
            "verdict_zh": sheet.verdict.zh,
        },
        "clauses": [_finding(judgement, place) for place in _places(judgement, unit)],
    }


def _places(judgement: Judgement, unit: int) -> list[int]:
    return [i for i, finding in enumerate(judgement.assessment.findings) if finding.unit == unit]


def _finding(judgement: Judgement, place: int) -> dict[str, Any]:
    finding = judgement.assessment.findings[place]
    return {
        "clause": finding.clause,
        "rule": finding.rule,
        "mandatory": finding.mandatory,
        "edition": finding.edition,
        "level": finding.level,
        "carrier": finding.carrier,
        "point": finding.point or None,
        "meter_no": finding.meter_no or None,
        "verdict": finding.verdict.value,
        "severity": finding.severity.value,
        "required": finding.required.en,
        "found": finding.found.en,
        "next_step": finding.next_step.en,
        "required_zh": finding.required.zh,
        "found_zh": finding.found.zh,
        "next_step_zh": finding.next_step.zh,
        "meters": list(finding.meters),
        "points": list(finding.points),
        "evidence": dict(finding.evidence),
    }
