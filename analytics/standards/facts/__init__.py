"""Facts about units that neither ledger nor meters contain, entered by people, each with its source and day.

A file of facts has tables ``[[unit]]`` (transformer capacity, supply, sector, whether an authority named it, whether it
converts, produces or works up energy), ``[[activity]]`` (which energy it does this with), ``[[assembly]]`` (classes of
a sensor and its secondary instrument), ``[[output]]`` (products), ``[[assignment]]`` (which energy is a product's),
``[[allocation]]`` (which sub-unit uses what is metered for the unit alone), ``[[month]]`` (monthly figures that were
reported), ``[[self_check]]``, ``[[answer]]`` (an item of the review sheet), and what the review's forms ask for:
``[[staff]]``, ``[[instrument]]``, ``[[stock]]``, and ``[[tariff]]`` (prices by hours of the day). What is entered later
about the same thing replaces what was entered before.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from analytics.domain.accuracy import AccuracyClass, AccuracyClassError, parse_accuracy_class
from analytics.domain.units import CARRIERS
from analytics.standards.facts.activities import Activity, ActivityKey, activity_of
from analytics.standards.facts.allocations import Allocation, AllocationKey, allocation_faults, allocation_of
from analytics.standards.facts.form import Instrument, Person, Stock, instrument_of, person_of, stock_of
from analytics.standards.facts.products import Assignment, assignment_of, share_faults
from analytics.standards.facts.tariffs import Tariff, TariffKey, tariff_faults, tariff_of
from analytics.standards.tables import TableRow, raise_faults, table_rows

__all__ = [
    "FACT_TABLES",
    "Answer",
    "ByLawFact",
    "Facts",
    "MonthFigure",
    "Output",
    "SelfCheck",
    "UnitFacts",
    "load_facts",
]

FACT_TABLES: Final = (
    "unit",
    "activity",
    "assembly",
    "output",
    "assignment",
    "allocation",
    "month",
    "self_check",
    "answer",
    "staff",
    "instrument",
    "stock",
    "mandatory",
    "tariff",
)
_ANSWERS: Final = ("pass", "fail", "not_applicable")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitFacts:
    """Facts entered about a unit; None where nothing was.

    Attributes
    ----------
    transformer_kva : float or None
        Capacity of its transformers. [kVA]
    single_phase, high_voltage, named : bool or None
        Supplied by one phase; billed at high voltage; named a key unit by an authority.
    sector : str
        Decides which sector standard it is judged by.
    converts, produces, raw_material : bool or None
        Converts or passes on energy, produces energy, uses energy as raw material.
    """

    transformer_kva: float | None = None
    single_phase: bool | None = None
    high_voltage: bool | None = None
    named: bool | None = None
    sector: str = ""
    converts: bool | None = None
    produces: bool | None = None
    raw_material: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Output of a product in a month. [unit of the product]"""

    amount: float
    unit: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthFigure:
    """Consumption that a unit reported for a month. [canonical unit of the carrier]"""

    amount: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfCheck:
    """A yearly self-check as it was recorded."""

    done_day: int
    by: str
    result: str
    corrected_day: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A person's decision on an item of the review sheet."""

    verdict: str
    note: str
    by: str
    day: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ByLawFact:
    """Whether one instrument is subject to mandatory verification, and the source."""

    by_law: bool
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything entered.

    Attributes
    ----------
    units : mapping of unit code to UnitFacts
    assemblies : mapping of (unit code, meter number) to tuple of AccuracyClass
        Classes of the parts of an instrument.
    outputs : mapping of (unit code, product, month) to Output
        Months as ``2026-10``.
    months : mapping of (unit code, carrier, month) to MonthFigure
    self_checks : mapping of (unit code, year) to SelfCheck
    answers : mapping of (unit code, item) to Answer
    activities : mapping of ActivityKey to Activity
    assignments : mapping of (unit code, product, first month) to Assignment
    allocations : mapping of (unit code, energy, sub-unit, first month) to Allocation
    staff : mapping of (unit code, name) to Person
    instruments : mapping of (unit code, management number) to Instrument
        Those that stand at no metering point.
    stocks : mapping of (unit code, energy, year) to Stock
    mandatory : mapping of (unit code, management number) to ByLawFact
    tariffs : mapping of TariffKey to Tariff
    """

    units: Mapping[str, UnitFacts] = field(default_factory=dict)
    assemblies: Mapping[tuple[str, str], tuple[AccuracyClass, ...]] = field(default_factory=dict)
    outputs: Mapping[tuple[str, str, str], Output] = field(default_factory=dict)
    months: Mapping[tuple[str, str, str], MonthFigure] = field(default_factory=dict)
    self_checks: Mapping[tuple[str, int], SelfCheck] = field(default_factory=dict)
    answers: Mapping[tuple[str, int], Answer] = field(default_factory=dict)
    activities: Mapping[ActivityKey, Activity] = field(default_factory=dict)
    assignments: Mapping[tuple[str, str, str], Assignment] = field(default_factory=dict)
    allocations: Mapping[AllocationKey, Allocation] = field(default_factory=dict)
    staff: Mapping[tuple[str, str], Person] = field(default_factory=dict)
    instruments: Mapping[tuple[str, str], Instrument] = field(default_factory=dict)
    stocks: Mapping[tuple[str, str, int], Stock] = field(default_factory=dict)
    mandatory: Mapping[tuple[str, str], ByLawFact] = field(default_factory=dict)
    tariffs: Mapping[TariffKey, Tariff] = field(default_factory=dict)

    def of(self, unit_code: str) -> UnitFacts:
        """Facts of a unit, empty where nothing was entered."""
        return self.units.get(unit_code, _NOTHING)

    def staff_of(self, unit_code: str) -> Sequence[Person]:
        """Metering staff of a unit, in the order in which they were entered."""
        return [one for (code, _), one in self.staff.items() if code == unit_code]

    def instruments_of(self, unit_code: str) -> Mapping[str, Instrument]:
        """Instruments of a unit that stand at no metering point, by management number."""
        return {number: one for (code, number), one in self.instruments.items() if code == unit_code}


_NOTHING: Final = UnitFacts()


def load_facts(documents: Iterable[Mapping[str, object]]) -> Facts:
    """Check facts that were entered, in the order in which they were.

    Raises
    ------
    ConfigurationError
        With every fault of all files.
    """
    faults: list[str] = []
    tables: dict[str, list[TableRow]] = {name: [] for name in FACT_TABLES}
    for document in documents:
        faults += [f"[{key}]: must be one of {', '.join(FACT_TABLES)}" for key in document if key not in _ALLOWED]
        for name, rows in tables.items():
            rows.extend(table_rows(document, name, faults))
    facts = Facts(
        units=dict(map(_unit, tables["unit"])),
        assemblies=dict(map(_assembly, tables["assembly"])),
        outputs=dict(map(_output, tables["output"])),
        months=dict(map(_month, tables["month"])),
        self_checks=dict(map(_self_check, tables["self_check"])),
        answers=dict(map(_answer, tables["answer"])),
        activities=dict(map(activity_of, tables["activity"])),
        assignments=dict(map(assignment_of, tables["assignment"])),
        allocations=dict(map(allocation_of, tables["allocation"])),
        staff=dict(map(person_of, tables["staff"])),
        instruments=dict(map(instrument_of, tables["instrument"])),
        stocks=dict(map(stock_of, tables["stock"])),
        mandatory=dict(one for row in tables["mandatory"] for one in _mandatory(row)),
        tariffs=dict(map(tariff_of, tables["tariff"])),
    )
    faults += _contradictions(facts)
    faults += share_faults(facts.assignments)
    faults += allocation_faults(facts.allocations)
    faults += tariff_faults(facts.tariffs)
    raise_faults(faults, "the facts")
    return facts


def _contradictions(facts: Facts) -> Iterator[str]:
    """Activities of units of which it is entered that they have none."""
    denied = {"conversion": "converts", "transport": "converts", "production": "produces"}
    for code, kind, name in facts.activities:
        field_name = denied.get(kind, kind)
        if getattr(facts.of(code), field_name) is False:
            yield f"[[activity]] {name}: must not be there while [[unit]] {code} says {field_name} = false"


_ALLOWED: Final = (*FACT_TABLES, "name")


_FLAGS: Final = ("single_phase", "high_voltage", "named", "converts", "produces", "raw_material")


def _unit(row: TableRow) -> tuple[str, UnitFacts]:
    row.only("unit_code", "transformer_kva", *_FLAGS, "sector", "source")
    return row.name("unit_code"), UnitFacts(
        transformer_kva=row.optional_number("transformer_kva"),
        sector=row.text("sector", ""),
        **{name: row.flag(name, default=False) if row.has(name) else None for name in _FLAGS},
    )


def _assembly(row: TableRow) -> tuple[tuple[str, str], tuple[AccuracyClass, ...]]:
    row.only("unit_code", "meter_no", "classes", "source")
    texts = row.texts("classes")
    if not texts:
        row.fault("classes must name the class of each part")
    return (row.name("unit_code"), row.name("meter_no")), tuple(_class(row, text) for text in texts)


def _class(row: TableRow, text: str) -> AccuracyClass:
    try:
        found = parse_accuracy_class(text)
    except AccuracyClassError as error:
        row.fault(str(error))
        return parse_accuracy_class("1")
    if found.number is None:
        row.fault(f"a part's class must be a number, or it cannot be combined (got {text!r})")
    return found


def _output(row: TableRow) -> tuple[tuple[str, str, str], Output]:
    row.only("unit_code", "product", "month", "amount", "unit", "source")
    key = row.name("unit_code"), row.name("product"), row.month("month")
    return key, Output(amount=row.number("amount"), unit=row.name("unit"), source=row.name("source"))


def _month(row: TableRow) -> tuple[tuple[str, str, str], MonthFigure]:
    row.only("unit_code", "carrier", "month", "amount", "source")
    carrier = row.choice("carrier", tuple(CARRIERS))
    key = row.name("unit_code"), carrier, row.month("month")
    return key, MonthFigure(amount=row.amount("amount"), source=row.name("source"))


def _self_check(row: TableRow) -> tuple[tuple[str, int], SelfCheck]:
    row.only("unit_code", "year", "done_on", "by", "result", "corrected_on")
    return (row.name("unit_code"), row.count("year")), SelfCheck(
        done_day=row.day("done_on", required=True) or 0,
        by=row.name("by"),
        result=row.name("result"),
        corrected_day=row.day("corrected_on"),
    )


def _mandatory(row: TableRow) -> Iterator[tuple[tuple[str, str], ByLawFact]]:
    row.only("unit_code", "meters", "by_law", "source")
    code, meters = row.name("unit_code"), row.texts("meters")
    fact = ByLawFact(by_law=row.flag("by_law", default=True), source=row.name("source"))
    if not meters:
        row.fault("meters must name one management number or more (got none)")
    for meter in meters:
        yield (code, meter), fact


def _answer(row: TableRow) -> tuple[tuple[str, int], Answer]:
    row.only("unit_code", "item", "verdict", "note", "by", "on")
    verdict = row.choice("verdict", _ANSWERS)
    return (row.name("unit_code"), row.count("item")), Answer(
        verdict=verdict, note=row.text("note", ""), by=row.name("by"), day=row.day("on")
    )
