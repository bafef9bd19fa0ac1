"""Facts about units that no ledger column and no meter tells, entered by people: each with its source and day.

A file of facts has tables ``[[unit]]`` (transformer capacity, supply, sector, whether an authority named it),
``[[assembly]]`` (classes of a sensor and its secondary instrument), ``[[output]]`` (products), ``[[month]]`` (monthly
figures that were reported), ``[[self_check]]`` and ``[[answer]]`` (an item of the review sheet). What is entered later
about the same thing replaces what was entered before.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from analytics.domain.accuracy import AccuracyClass, AccuracyClassError, parse_accuracy_class
from analytics.domain.units import CARRIERS
from analytics.standards.tables import TableRow, raise_faults, table_rows

__all__ = ["FACT_TABLES", "Answer", "Facts", "MonthFigure", "Output", "SelfCheck", "UnitFacts", "load_facts"]

FACT_TABLES: Final = ("unit", "assembly", "output", "month", "self_check", "answer")
_ANSWERS: Final = ("pass", "fail", "not_applicable")
_MONTH_LENGTH: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitFacts:
    """What was entered about a unit; None where nothing was.

    Attributes
    ----------
    transformer_kva : float or None
        Capacity of its transformers. [kVA]
    single_phase, high_voltage, named : bool or None
        Supplied by one phase; billed at high voltage; named a key unit by an authority.
    sector : str
        Decides which sector standard it is judged by.
    """

    transformer_kva: float | None = None
    single_phase: bool | None = None
    high_voltage: bool | None = None
    named: bool | None = None
    sector: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a unit made in a month. [unit of the product]"""

    amount: float
    unit: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthFigure:
    """What a unit reported for a month. [canonical unit of the carrier]"""

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
    """What a person decided on an item of the review sheet."""

    verdict: str
    note: str
    by: str
    day: int | None


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
    """

    units: Mapping[str, UnitFacts] = field(default_factory=dict)
    assemblies: Mapping[tuple[str, str], tuple[AccuracyClass, ...]] = field(default_factory=dict)
    outputs: Mapping[tuple[str, str, str], Output] = field(default_factory=dict)
    months: Mapping[tuple[str, str, str], MonthFigure] = field(default_factory=dict)
    self_checks: Mapping[tuple[str, int], SelfCheck] = field(default_factory=dict)
    answers: Mapping[tuple[str, int], Answer] = field(default_factory=dict)

    def of(self, unit_code: str) -> UnitFacts:
        """Facts of a unit, empty where nothing was entered."""
        return self.units.get(unit_code, _NOTHING)


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
    )
    raise_faults(faults, "the facts")
    return facts


_ALLOWED: Final = (*FACT_TABLES, "name")


def _unit(row: TableRow) -> tuple[str, UnitFacts]:
    row.only("unit_code", "transformer_kva", "single_phase", "high_voltage", "named", "sector", "source")
    return row.name("unit_code"), UnitFacts(
        transformer_kva=row.optional_number("transformer_kva"),
        single_phase=row.flag("single_phase", default=False) if row.has("single_phase") else None,
        high_voltage=row.flag("high_voltage", default=False) if row.has("high_voltage") else None,
        named=row.flag("named", default=False) if row.has("named") else None,
        sector=row.text("sector", ""),
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


def _month_name(row: TableRow) -> str:
    month = row.text("month")
    year, dash, number = month.partition("-")
    whole = len(month) == _MONTH_LENGTH and dash == "-" and year.isdigit() and number.isdigit()
    if not whole or not 1 <= int(number) <= 12:
        row.fault(f"month must be one such as 2026-10 (got {month!r})")
    return month


def _output(row: TableRow) -> tuple[tuple[str, str, str], Output]:
    row.only("unit_code", "product", "month", "amount", "unit", "source")
    key = row.name("unit_code"), row.name("product"), _month_name(row)
    return key, Output(amount=row.number("amount"), unit=row.name("unit"), source=row.name("source"))


def _month(row: TableRow) -> tuple[tuple[str, str, str], MonthFigure]:
    row.only("unit_code", "carrier", "month", "amount", "source")
    carrier = row.choice("carrier", tuple(CARRIERS))
    amount = row.values.get("amount")
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not math.isfinite(amount) or amount < 0:
        row.fault(f"amount must be a number, 0 or more (got {amount!r})")
        amount = 0.0
    key = row.name("unit_code"), carrier, _month_name(row)
    return key, MonthFigure(amount=float(amount), source=row.name("source"))


def _self_check(row: TableRow) -> tuple[tuple[str, int], SelfCheck]:
    row.only("unit_code", "year", "done_on", "by", "result", "corrected_on")
    return (row.name("unit_code"), row.count("year")), SelfCheck(
        done_day=row.day("done_on", required=True) or 0,
        by=row.name("by"),
        result=row.name("result"),
        corrected_day=row.day("corrected_on"),
    )


def _answer(row: TableRow) -> tuple[tuple[str, int], Answer]:
    row.only("unit_code", "item", "verdict", "note", "by", "on")
    verdict = row.choice("verdict", _ANSWERS)
    return (row.name("unit_code"), row.count("item")), Answer(
        verdict=verdict, note=row.text("note", ""), by=row.name("by"), day=row.day("on")
    )
