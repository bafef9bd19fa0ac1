"""Compliance assessment of a ledger on one day: all findings, equipping rates, and the state of each unit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo

import numpy as np

from analytics.columns.intervals import hour_of, local_day
from analytics.domain.finding import Finding, Verdict
from analytics.domain.ledger import NO_INSTANT, Ledger
from analytics.domain.severity import Severity
from analytics.standards.accuracy import accuracy_findings
from analytics.standards.activities import activity_findings, raw_material_points
from analytics.standards.data_quality import data_quality_findings
from analytics.standards.editions import EditionBook
from analytics.standards.equipping import Rate, equipping_rates, rate_findings
from analytics.standards.facts import Facts
from analytics.standards.main_users import main_use
from analytics.standards.rules import Grade, Rules
from analytics.standards.scene import Evidence, Scene
from analytics.standards.verification import VerificationCount, verification_counts, verification_findings
from analytics.standards.water.gb24789 import WaterStandard, water_findings

__all__ = ["Assessment", "Standing", "assess", "grade_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Compliance state of a unit.

    Attributes
    ----------
    unit : int
        Index into the ledger's units.
    edition, edition_zh : str
    state : str
        ``serious`` or ``findings`` if something fails, ``unknown`` if a person must decide first, else ``compliant``.
    grade : str
        Empty if the rules cannot decide for lack of data.
    failed, serious, warnings, person : int
        Numbers of failures, serious ones and warnings among them, and of questions that a person must decide.
    points_needed, points_present : int
        Nl and Ns of all levels and energies.
    verification : VerificationCount
    completeness : float or None
        Mean over the meters that are required. [1]
    """

    unit: int
    edition: str
    edition_zh: str
    state: str
    grade: str
    failed: int
    serious: int
    warnings: int
    person: int
    points_needed: int
    points_present: int
    verification: VerificationCount
    completeness: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Assessment:
    """Result of an assessment.

    Attributes
    ----------
    scene : Scene
        The ledger as it stood, and what it was judged from.
    day : int
        Local day. [d since 1970-01-01]
    findings : tuple of Finding
        By unit; failures first, the most serious first.
    rates : tuple of Rate
    standings : tuple of Standing
        One for each unit of the ledger.
    """

    scene: Scene
    day: int
    findings: tuple[Finding, ...]
    rates: tuple[Rate, ...]
    standings: tuple[Standing, ...]


_VERDICTS = {Verdict.FAIL: 0, Verdict.PERSON: 1, Verdict.PASS: 2, Verdict.NOT_APPLICABLE: 3}
_SEVERITIES = {Severity.SERIOUS: 0, Severity.WARNING: 1, Severity.INFO: 2}


def assess(
    ledger: Ledger,
    *,
    book: EditionBook,
    rules: Rules,
    facts: Facts,
    evidence: Evidence,
    day: int,
    at_us: int,
    zone: tzinfo,
    water: WaterStandard | None = None,
) -> Assessment:
    """Judge every unit of a ledger on a local day.

    Parameters
    ----------
    ledger : Ledger
    book : EditionBook
        The edition in force on the day counts, a sector's own before the general one.
    rules : Rules
    facts : Facts
    evidence : Evidence
        Of the ledger's points; `Evidence.none` where there are no data.
    day : int
        [d since 1970-01-01]
    at_us : int
        Instant of that day at which meters are counted. [us since 1970-01-01 UTC]
    zone : tzinfo
        Of local days.
    water : WaterStandard or None
        By which water metering is judged as well; not at all without it.
    """
    applied = tuple(book.applied(day, facts.of(code).sector) for code in ledger.unit_codes)
    scene = Scene.of(ledger, applied=applied, rules=rules, facts=facts, evidence=evidence, day=day, at_us=at_us)
    main = main_use(scene)
    rates = equipping_rates(scene, main.counted, main.undecided)
    findings = [*rate_findings(scene, rates), *main.findings]
    findings += accuracy_findings(scene, raw_material_points(scene) | ~(main.counted | main.undecided))
    findings += activity_findings(scene)
    if water is not None:
        findings += water_findings(scene, rates, water)
    findings += verification_findings(scene)
    findings += data_quality_findings(scene, _fault_day(evidence, zone))
    findings.sort(key=_order)
    return Assessment(
        scene=scene,
        day=day,
        findings=tuple(findings),
        rates=rates,
        standings=tuple(_standings(scene, findings, rates)),
    )


def _fault_day(evidence: Evidence, zone: tzinfo) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    known = evidence.fault_since != NO_INSTANT
    days = np.zeros(len(known), np.int64)
    if known.any():
        days[known] = local_day(hour_of(evidence.fault_since[known]), zone)
    return days


def _order(finding: Finding) -> tuple[object, ...]:
    return finding.unit, _VERDICTS[finding.verdict], _SEVERITIES[finding.severity], finding.clause, finding.point


def _standings(scene: Scene, findings: Sequence[Finding], rates: Sequence[Rate]) -> Iterator[Standing]:
    units = len(scene.ledger.unit_codes)
    counts = np.zeros((units, 6), np.int64)  # failed, serious, warnings, person, mandatory questions, weighty ones
    for finding in findings:
        failed = finding.verdict is Verdict.FAIL
        person = finding.verdict is Verdict.PERSON
        if failed:
            counts[finding.unit, 0] += 1
            counts[finding.unit, 1] += finding.severity is Severity.SERIOUS
            counts[finding.unit, 2] += finding.severity is Severity.WARNING
        elif person:
            counts[finding.unit, 3] += 1
            urgent = finding.severity is not Severity.INFO
            counts[finding.unit, 4] += finding.mandatory
            counts[finding.unit, 5] += urgent or finding.mandatory
    needed, present = np.zeros(units, np.int64), np.zeros(units, np.int64)
    for rate in rates:
        needed[rate.unit] += rate.needed
        present[rate.unit] += rate.present
    completeness = _completeness(scene)
    for unit, verified in enumerate(verification_counts(scene)):
        failed_count, serious, warnings, person_count, mandatory, weighty = counts[unit].tolist()
        share = None if np.isnan(completeness[unit]) else float(completeness[unit])
        yield Standing(
            unit=unit,
            edition=scene.applied[unit].text,
            edition_zh=scene.applied[unit].text_zh,
            state=_state(failed_count, serious, weighty),
            grade=grade_of(
                scene.rules.grades,
                serious=serious,
                undecided=mandatory,
                warnings=warnings,
                person=weighty,
                needed=int(needed[unit]),
                completeness=share,
                verified=verified,
            ),
            failed=failed_count,
            serious=serious,
            warnings=warnings,
            person=person_count,
            points_needed=int(needed[unit]),
            points_present=int(present[unit]),
            verification=verified,
            completeness=share,
        )


def _completeness(scene: Scene) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    units = len(scene.ledger.unit_codes)
    known = scene.in_use & scene.ledger.point_required & ~np.isnan(scene.evidence.completeness)
    unit = scene.ledger.point_unit[known]
    count = np.bincount(unit, minlength=units)
    total = np.bincount(unit, scene.evidence.completeness[known], minlength=units)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _state(failed: int, serious: int, open_questions: int) -> str:
    if serious:
        return "serious"
    if failed:
        return "findings"
    return "unknown" if open_questions else "compliant"


def grade_of(
    grades: Sequence[Grade],
    *,
    serious: int,
    undecided: int = 0,
    warnings: int,
    person: int,
    needed: int,
    completeness: float | None,
    verified: VerificationCount,
) -> str:
    """The best grade whose limits all hold; empty if that depends on unknown facts.

    Parameters
    ----------
    undecided : int
        Questions about mandatory clauses that are open: each may turn out a serious finding, so a grade that allows
        none of these hangs on them.
    needed : int
        Points that need a meter.
    completeness : float or None
        [1]
    """
    least, most = _verified_share(verified)
    for grade in grades:
        allowed = int(grade.share * needed / 100)
        held: list[bool | None] = [_at_most(serious, serious + undecided, grade.serious)]
        held += [
            limit is None or value <= max(limit, allowed)
            for limit, value in ((grade.warnings, warnings), (grade.person, person))
        ]
        held.append(_at_least(None if completeness is None else 100.0 * completeness, grade.completeness))
        held.append(_between(least, most, grade.verified))
        if False in held:
            continue
        return "" if None in held else grade.name
    return ""


def _verified_share(verified: VerificationCount) -> tuple[float | None, float | None]:
    """Share of the meters within their verification, at least and at most: of some nothing is known. [%]"""
    if not verified.meters:
        return None, None
    return 100.0 * verified.valid / verified.meters, 100.0 * (verified.valid + verified.unknown) / verified.meters


def _between(least: float | None, most: float | None, limit: float | None) -> bool | None:
    if limit is None or (least is not None and least >= limit):
        return True
    return False if most is not None and most < limit else None


def _at_most(least: int, most: int, limit: int | None) -> bool | None:
    if limit is None or most <= limit:
        return True
    return False if least > limit else None


def _at_least(value: float | None, limit: float | None) -> bool | None:
    if limit is None:
        return True
    return None if value is None else value >= limit
