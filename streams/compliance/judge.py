"""Units judged from what is stored: ledger and evidence out of the database, the pure core in a thread."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import psycopg

from analytics.standards.assessment import Assessment, assess
from analytics.standards.documents import Standards
from analytics.standards.energy import EnergyDays, UnitEnergy, unit_energy
from analytics.standards.factors import EPOCH_ORDINAL
from analytics.standards.review import Entered, ReviewResult, review
from analytics.standards.scene import Scene
from streams.compliance.evidence import Moment, read_energy, read_evidence
from streams.compliance.ledger_past import read_past
from streams.rows.layout import StoredLedger
from streams.store.ledger import read_ledger

__all__ = ["Judgement", "judge", "review_of"]

_YEAR = 365


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judgement:
    """Result of an assessment with what it was based on.

    Attributes
    ----------
    energy_day, energy_year : tuple of UnitEnergy
        Of each unit of the ledger: the last whole day, and the 365 days that end with it.
    """

    moment: Moment
    standards: Standards
    stored: StoredLedger
    assessment: Assessment
    energy_day: tuple[UnitEnergy, ...]
    energy_year: tuple[UnitEnergy, ...]


async def judge(
    connection: psycopg.AsyncConnection,
    standards: Standards,
    moment: Moment,
    units: Callable[[str], bool] | None = None,
    *,
    stored: StoredLedger | None = None,
) -> Judgement:
    """Judge units on a day; nothing is written.

    The newest ledger counts, with what was true on that day: a correction of the past corrects what was. A day that is
    over is judged by the status and class that its meters had at its end.

    Parameters
    ----------
    connection : AsyncConnection
    standards : Standards
    moment : Moment
    units : callable
        Takes a code; all units without it.
    stored : StoredLedger
        The newest ledger of these units, where it is at hand.
    """
    if stored is None:
        stored = await read_ledger(connection, units=units)
    if moment.over:
        stored = await read_past(connection, stored, moment.at)
    codes = set(stored.ledger.unit_codes)
    months = sorted({month for code, _, month in standards.facts.months if code in codes})
    evidence = await read_evidence(connection, stored, moment, rules=standards.rules.data_quality, months=months)
    assessment = await asyncio.to_thread(
        assess,
        stored.ledger,
        book=standards.book,
        rules=standards.rules,
        facts=standards.facts,
        evidence=evidence,
        day=moment.number,
        at_us=moment.at_us,
        zone=moment.zone,
        water=standards.water,
    )
    last = moment.last_whole_day
    series = await read_energy(connection, stored.unit_ids.tolist(), last - timedelta(days=_YEAR - 1), last)
    last_day = last.toordinal() - EPOCH_ORDINAL
    return Judgement(
        moment=moment,
        standards=standards,
        stored=stored,
        assessment=assessment,
        energy_day=_energy(stored, series, standards, last_day, last_day),
        energy_year=_energy(stored, series, standards, last_day - _YEAR + 1, last_day),
    )


def _energy(
    stored: StoredLedger,
    series: Mapping[tuple[int, str, str, str], tuple[EnergyDays, ...]],
    standards: Standards,
    first_day: int,
    last_day: int,
) -> tuple[UnitEnergy, ...]:
    return tuple(
        unit_energy(
            series.get((unit_id, "unit", "", ""), ()),
            first_day=first_day,
            last_day=last_day,
            unit_code=code,
            factors=standards.factors,
            equal_value=standards.equal_value,
        )
        for unit_id, code in zip(stored.unit_ids.tolist(), stored.ledger.unit_codes, strict=True)
    )


def review_of(judgement: Judgement, unit: int) -> ReviewResult:
    """The review sheet of a unit, as far as data and entered answers fill it."""
    code, facts = judgement.stored.ledger.unit_codes[unit], judgement.standards.facts
    year = judgement.moment.day.year
    checks = {of for of_code, of in facts.self_checks if of_code == code}
    return review(
        judgement.standards.review,
        [finding for finding in judgement.assessment.findings if finding.unit == unit],
        Entered(
            answers={item: answer for (of_code, item), answer in facts.answers.items() if of_code == code},
            sector=facts.of(code).sector,
            self_checked=bool(checks & {year, year - 1}) if checks else None,
            staff=facts.staff_of(code),
            instruments=facts.instruments_of(code),
            certificates=_certificates(judgement.assessment.scene, unit),
        ),
        judgement.moment.number,
    )


def _certificates(scene: Scene, unit: int) -> Sequence[int]:
    """Of each meter of a unit that is in use, how many verifications up to the day are on record."""
    start, end = scene.ledger.unit_point_start[unit : unit + 2].tolist()
    meters = scene.meter[start:end][scene.in_use[start:end]]
    known = scene.evidence.certificates
    if known is None:
        return [0] * len(meters)
    held = np.bincount(known.meter[known.verified_on <= scene.day], minlength=len(scene.ledger.meter_nos))
    return [int(count) for count in held[meters]]
