"""Contents of reports, independent of their form."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Final, NamedTuple

from analytics.domain.finding import Finding, Verdict
from analytics.domain.severity import Severity
from analytics.domain.words import Phrase
from analytics.standards.assessment import Standing
from analytics.standards.change import Change
from analytics.standards.energy import EnergyDays, UnitEnergy
from analytics.standards.equipping import Rate
from analytics.standards.factors import EPOCH_ORDINAL
from analytics.standards.facts import SelfCheck
from analytics.standards.facts.form import Instrument, Person, Stock
from analytics.standards.mandatory import Coverage
from analytics.standards.months import MonthPart
from analytics.standards.products import ProductEnergy
from analytics.standards.review import ReviewResult
from analytics.standards.words import listing
from dashboards.text import VALUES
from streams.compliance.judge import Judgement

__all__ = [
    "Difference", "FilledGap", "MeterRow", "OwnEnergy", "RegionReport", "RegionRow", "StockRow", "UnitReport",
]  # fmt: skip

_WORST: Final = 10


class Step(NamedTuple):
    """What to do next, and the findings that it mends."""

    todo: Phrase
    findings: Sequence[Finding]

    @classmethod
    def of(cls, findings: Sequence[Finding]) -> "Step":
        """One step for findings that differ only in their meters."""
        first, names = findings[0], list(dict.fromkeys(name for one in findings for name in _meters(one)))
        if len(findings) == 1 or not names:
            return cls(first.next_step, findings)
        en = first.next_step.en.replace(listing(_meters(first)), listing(names))
        zh = first.next_step.zh.replace(listing(_meters(first), chinese=True), listing(names, chinese=True))
        return cls(Phrase(en=en, zh=zh), findings)


def _meters(finding: Finding) -> Sequence[str]:
    return [finding.meter_no] if finding.meter_no else finding.meters


def _errand(finding: Finding) -> str:
    """Text of a next step without its meters."""
    names = _meters(finding)
    return finding.next_step.zh.replace(listing(names, chinese=True), "") if names else finding.next_step.zh


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterRow:
    """A line of the ledger forms (B.3 to B.6), as it stands on the report's day.

    Attributes
    ----------
    mandatory : bool
        Verified by law.
    """

    level: str
    point: str
    carrier: str
    sub_unit: str
    equipment: str
    required: bool
    exemption: str
    meter_no: str
    serial_no: str
    name: str
    model: str
    accuracy_class: str
    range: str
    manufacturer: str
    place: str
    instrument: str
    purpose: str
    cycle_months: float | None
    verified_on: date | None
    verification_due: date | None
    state: str
    status: str
    mandatory: bool
    completeness: float | None
    annual_use: float | None
    hourly_use: float | None
    rated_power_kw: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StockRow:
    """A year's purchase and stock of an energy beside what meters say of that year.

    Attributes
    ----------
    metered : float or None
        In the stock's unit; None where no meter counts in it. [`stock.unit`]
    days : int
        Days of the year with a total.
    """

    energy: str
    year: int
    stock: Stock
    metered: float | None
    days: int


class FilledGap(NamedTuple):
    """An evaluation of a span without evidence: beside the totals, in none of them. [`symbol`]"""

    point: str
    carrier: str
    started_at: datetime
    ended_at: datetime
    amount: float
    symbol: str
    method: str
    state: str
    evaluated_by: str
    approved_by: str
    procedure: str
    reliability: str


class OwnEnergy(NamedTuple):
    """Own production of one energy, used inside the unit and not part of its totals. [`symbol`]"""

    carrier: str
    symbol: str
    amount: float
    points: Sequence[str]


class Difference(NamedTuple):
    """Unexplained rise of a register, reported beside the totals until a person decides.

    Attributes
    ----------
    amount : float
        [`symbol`]
    dial_before, dial_after : float
        [unit of the dial]
    """

    day: date
    point: str
    meter_no: str
    carrier: str
    symbol: str
    amount: float
    dial_before: float | None
    dial_after: float | None


@dataclass(frozen=True, kw_only=True)
class UnitReport:
    """A unit's month, or several months in a row.

    Attributes
    ----------
    judgement : Judgement
        Of this unit alone, on the month's last day or today.
    month : str
        ``2026-10``, or of several months the first and the last: ``2026-05/2026-10``.
    energy : UnitEnergy
        Of the months, or of as much of them as is over.
    days : sequence of EnergyDays
        The same day by day.
    sub_units : mapping of name to UnitEnergy
    products : sequence of ProductEnergy
        With an output of the month.
    changes : sequence of Change
        Since a month before.
    meters : sequence of MeterRow
        Every point, with its meter where it has one.
    review : ReviewResult
    self_checks : mapping of year to SelfCheck
    staff : sequence of Person
    instruments : mapping of management number to Instrument
        That stand at no metering point.
    stocks : sequence of StockRow
    coverage : sequence of Coverage
        Verification by law, by energy and body.
    own : sequence of OwnEnergy
        Own production of the month, beside the totals.
    gaps : sequence of FilledGap
        Evaluations of missing data that stand and begin in the month, beside the totals.
    parts : sequence of MonthPart
        Month by month: the unit, its sub-units, what is assigned to them, and the rest.
    differences : sequence of Difference
        That wait for a decision, of the months.
    """

    judgement: Judgement
    month: str
    first_day: date
    last_day: date
    energy: UnitEnergy
    days: Sequence[EnergyDays]
    sub_units: Mapping[str, UnitEnergy]
    products: Sequence[ProductEnergy]
    changes: Sequence[Change]
    meters: Sequence[MeterRow]
    review: ReviewResult
    self_checks: Mapping[int, SelfCheck]
    staff: Sequence[Person] = ()
    instruments: Mapping[str, Instrument] = field(default_factory=dict)
    stocks: Sequence[StockRow] = ()
    coverage: Sequence[Coverage] = ()
    own: Sequence[OwnEnergy] = ()
    gaps: Sequence[FilledGap] = ()
    parts: Sequence[MonthPart] = ()
    differences: Sequence[Difference] = ()

    @property
    def several(self) -> bool:
        """Whether it is of more than one month."""
        return "/" in self.month

    def unexplained(self, carrier: str, symbol: str) -> float | None:
        """Sum of the unexplained differences of an energy, None without any. [`symbol`]"""
        found = [one.amount for one in self.differences if (one.carrier, one.symbol) == (carrier, symbol)]
        return sum(found) if found else None

    def edition_of(self, finding: Finding, say: Callable[[Phrase], str]) -> str:
        """What a finding was judged by; in Chinese where it has a Chinese text."""
        standing, data = self.standing, self.judgement.standards.rules.data_quality
        chinese = {standing.edition: standing.edition_zh, data.basis: data.basis_zh}
        if finding.edition in chinese:
            return say(Phrase(en=finding.edition, zh=chinese[finding.edition]))
        known = VALUES["edition"].get(finding.edition)
        return finding.edition if known is None else say(known.text)

    @property
    def code(self) -> str:
        """Of the unit."""
        return self.judgement.stored.ledger.unit_codes[0]

    @property
    def name(self) -> str:
        """Of the unit."""
        return self.judgement.stored.ledger.unit_names[0]

    @property
    def standing(self) -> Standing:
        """Its compliance state."""
        return self.judgement.assessment.standings[0]

    @property
    def rates(self) -> Sequence[Rate]:
        """Its equipping rates, from the unit's edge downwards."""
        order = {"unit": 0, "sub_unit": 1, "equipment": 2}
        return sorted(self.judgement.assessment.rates, key=lambda rate: (order[rate.level], rate.carrier))

    @property
    def findings(self) -> Sequence[Finding]:
        """All of them."""
        return self.judgement.assessment.findings

    @cached_property
    def open_findings(self) -> Sequence[Finding]:
        """What fails or waits for a person."""
        return [one for one in self.findings if one.verdict in {Verdict.FAIL, Verdict.PERSON}]

    @cached_property
    def steps(self) -> Sequence[Step]:
        """All that is to be done, the most urgent first: one line for what one errand mends."""
        due = [one for one in self.findings if one.rule == "verification_due" and one.severity is Severity.WARNING]
        errands: dict[str, list[Finding]] = {}
        overdue = {one.meter_no for one in self.open_findings if one.rule == "verification"}
        for one in [*self.open_findings, *due]:
            if one.next_step.zh and one.severity is not Severity.INFO and not _told_by_meter(one, overdue):
                errands.setdefault(_errand(one), []).append(one)
        return [Step.of(found) for found in errands.values()]

    @cached_property
    def worst(self) -> Sequence[tuple[MeterRow, Sequence[Finding]]]:
        """Meters with the most that fails, the serious first."""
        by_meter: dict[str, list[Finding]] = {}
        for one in self.findings:
            if one.verdict is Verdict.FAIL and one.meter_no:
                by_meter.setdefault(one.meter_no, []).append(one)
        rows = {row.meter_no: row for row in self.meters if row.meter_no}
        ranked = sorted(
            ((rows[meter], found) for meter, found in by_meter.items() if meter in rows),
            key=lambda pair: (
                -sum(one.severity is Severity.SERIOUS for one in pair[1]),
                -len(pair[1]),
                pair[0].meter_no,
            ),
        )
        return ranked[:_WORST]

    @property
    def as_of(self) -> date:
        """The day that was judged."""
        return date.fromordinal(self.judgement.assessment.day + EPOCH_ORDINAL)


def _told_by_meter(finding: Finding, overdue: Collection[str]) -> bool:
    """Whether a rate is low only for meters past their verification, each of which has an errand of its own."""
    bare = len(finding.points) > len(finding.meters)
    return finding.rule.endswith("rate") and not bare and set(finding.meters) <= set(overdue)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionRow:
    """A unit in the regional summary."""

    code: str
    name: str
    standing: Standing
    key_unit: str
    tce_year: float | None
    tce_month: float | None
    first_step: Phrase


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionReport:
    """All units on a day.

    Attributes
    ----------
    month : str
        As of a `UnitReport`.
    mandatory_target : float
        Of the region's mandatory instruments within their verification. [%]
    coverage : sequence of Coverage
        Verification by law, by energy and body.
    """

    as_of: date
    month: str
    edition: Phrase
    rows: Sequence[RegionRow]
    mandatory_target: float
    coverage: Sequence[Coverage] = ()

    @property
    def several(self) -> bool:
        """Whether it is of more than one month."""
        return "/" in self.month

    @property
    def mandatory(self) -> tuple[int, int]:
        """Mandatory instruments within their verification, and all of them."""
        verified = [row.standing.verification for row in self.rows]
        return sum(one.mandatory_valid for one in verified), sum(one.mandatory for one in verified)

    def count(self, state: str) -> int:
        """Units of a state."""
        return sum(row.standing.state == state for row in self.rows)

    def graded(self, grade: str) -> int:
        """Units of a grade."""
        return sum(row.standing.grade == grade for row in self.rows)
