"""Rules of supervision as data: conflicts settled, severities, verification, data quality, key units, grades."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

from analytics.domain.accuracy import AccuracyClass, AccuracyClassError, parse_accuracy_class
from analytics.domain.ledger.vocabulary import INSTRUMENT_WORDS, LEVEL_WORDS
from analytics.domain.severity import Severity
from analytics.standards.tables import TableRow, mapping, raise_faults, table_rows

__all__ = ["ByLaw", "Cycle", "DataQualityRules", "Grade", "Rules", "ServiceLife", "load_rules"]

_QUESTIONS: Final = ("rate", "accuracy", "overdue", "silent", "other")
_FURTHER: Final = {"overdue_mandatory": "overdue", "fault": "other"}
"""Optional severities, and the check whose severity applies if they are not given."""
_READINGS: Final = ("gb17167", "jjf1356")
_SEVERITIES: Final = tuple(severity.value for severity in Severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataQualityRules:
    """Requirements on collected data; see ``supervision.toml``.

    Attributes
    ----------
    upload_delay_min : float or None
        From a reading to its receipt; None where nobody has entered the figure, which then is not judged. [min]
    upload_delay_share : float
        Of a day's readings that must be as quick. [%]
    """

    basis: str
    basis_zh: str
    window_days: int
    completeness: float
    consistency: float
    day_start_min: float
    month_start_days: float
    interval_min: float
    tolerated_interval_min: float
    fault_working_days: int
    holidays: frozenset[int]
    upload_delay_min: float | None
    upload_delay_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """Longest cycle of a kind of instrument, of some classes or sizes of it.

    Attributes
    ----------
    months : float
        [months]
    classes : frozenset of str
        Classes that it is for; all where empty.
    pipe_over_mm, pipe_to_mm : float
        Pipe diameters that it is for, above one and up to the other. [mm]
    """

    instrument: str
    months: float
    source: str
    confidence: str
    classes: frozenset[str]
    pipe_over_mm: float
    pipe_to_mm: float

    def fits(self, accuracy_class: str, pipe_mm: float | None) -> bool:
        """Whether it may apply to an instrument; unknown facts do not exclude it."""
        if self.classes and accuracy_class and accuracy_class not in self.classes:
            return False
        return pipe_mm is None or self.pipe_over_mm < pipe_mm <= self.pipe_to_mm


@dataclass(frozen=True, slots=True, kw_only=True)
class ByLaw:
    """A kind of instrument that is verified by law.

    Attributes
    ----------
    purposes : frozenset of str
        For which it is; whatever it is used for where empty.
    source : str
        Source of the requirement.
    """

    instrument: str
    purposes: frozenset[str]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLife:
    """How long an instrument may serve that is verified once, before it is installed (首检限期使用).

    Attributes
    ----------
    months : float
        [months]
    pipe_over_mm, pipe_to_mm : float or None
        Pipe diameters that it is for; where they are given, a pipe that is not known is not of it. [mm]
    names : tuple of str
        Words of the instrument's name, one of which must be in it; none where empty.
    trade_only : bool
        Whether it is for trade settlement alone.
    sure : bool
        Whether what fits is such an instrument; else a person is asked.
    """

    instrument: str
    months: float
    pipe_over_mm: float | None
    pipe_to_mm: float | None
    names: tuple[str, ...]
    trade_only: bool
    sure: bool
    source: str

    def fits(self, instrument: str, name: str, pipe_mm: float | None, *, trade: bool) -> bool:
        """Whether it is that of an instrument."""
        if instrument != self.instrument or (self.trade_only and not trade):
            return False
        if self.names and not any(word in name for word in self.names):
            return False
        if self.pipe_over_mm is None and self.pipe_to_mm is None:
            return True
        return pipe_mm is not None and (self.pipe_over_mm or 0.0) < pipe_mm <= (self.pipe_to_mm or float("inf"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """A grade and its minimum requirements; None means no requirement.

    Attributes
    ----------
    serious, warnings, person : int or None
        Largest permitted numbers of findings.
    share : float
        As many warnings, and open questions, as this share of the points that need a meter are allowed in any case: a
        large unit always has something to mend. [%]
    completeness, verified : float or None
        [%]
    """

    name: str
    serious: int | None
    warnings: int | None
    person: int | None
    share: float
    completeness: float | None
    verified: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What `load_rules` has checked.

    Attributes
    ----------
    refined_oil_by_review, category_iv_by_review : bool
        Whether the review rules' (JJF 1356) reading of a conflict counts, and not the standard's.
    severity : mapping of (question, level) to Severity
    due_soon_days, due_now_days : int
    mandatory_purposes : frozenset of str
    by_law : tuple of ByLaw
        Instruments that are verified by law, beside those of `mandatory_purposes`.
    mandatory_rate : float
        [%]
    service_lives : tuple of ServiceLife
    cycles : tuple of Cycle
    class_equivalents : mapping of (instrument, letter) to AccuracyClass
        Number for which a class that is named by a letter or a roman number stands.
    data_quality : DataQualityRules
    key_unit_tce : tuple of two float
        A key unit in any case, and one where an authority names it. [tce/a]
    review_terms : tuple of two int
        To correct what a review found, and to check it again. [working days]
    grades : tuple of Grade
        The best first.
    """

    name: str
    refined_oil_by_review: bool
    category_iv_by_review: bool
    severity: Mapping[tuple[str, str], Severity]
    due_soon_days: int
    due_now_days: int
    mandatory_purposes: frozenset[str]
    by_law: tuple[ByLaw, ...]
    mandatory_rate: float
    service_lives: tuple[ServiceLife, ...]
    cycles: tuple[Cycle, ...]
    class_equivalents: Mapping[tuple[str, str], AccuracyClass]
    data_quality: DataQualityRules
    key_unit_tce: tuple[float, float]
    review_terms: tuple[int, int]
    grades: tuple[Grade, ...]


def load_rules(document: Mapping[str, object]) -> Rules:
    """Check rules of supervision.

    Parameters
    ----------
    document : mapping
        Parsed file in the form of ``analytics/standards/supervision.toml``.

    Raises
    ------
    ConfigurationError
        With every fault.
    """
    faults: list[str] = []

    def table(name: str) -> TableRow:
        if name not in document:
            faults.append(f"[{name}]: must be there")
        return TableRow(f"[{name}]", mapping(document.get(name, {}), f"[{name}]", faults), faults)

    conflict, verification, key_unit = table("conflict"), table("verification"), table("key_unit")
    rules = Rules(
        name=table("rules").name("name"),
        refined_oil_by_review=conflict.choice("refined_oil_trade", _READINGS) == "jjf1356",
        category_iv_by_review=conflict.choice("category_iv_at_315_kva", _READINGS) == "jjf1356",
        severity=_severity(table("severity")),
        due_soon_days=verification.count("due_soon_days"),
        due_now_days=verification.count("due_now_days"),
        mandatory_purposes=frozenset(verification.texts("mandatory_purposes")),
        by_law=tuple(_by_law(row) for row in table_rows(document, "by_law", faults)),
        mandatory_rate=verification.share("mandatory_rate"),
        service_lives=tuple(_service_life(row) for row in table_rows(document, "service_life", faults)),
        cycles=tuple(_cycle(row) for row in table_rows(document, "cycle", faults)),
        class_equivalents=dict(_equivalent(row) for row in table_rows(document, "class_equivalent", faults)),
        data_quality=_data_quality(table("data_quality")),
        key_unit_tce=(key_unit.number("over_tce"), key_unit.number("named_tce")),
        review_terms=_review_terms(document, faults),
        grades=tuple(_grade(row) for row in table_rows(document, "grade", faults)),
    )
    if rules.due_now_days > rules.due_soon_days:
        verification.fault(f"due_now_days must not be above due_soon_days (got {rules.due_now_days})")
    if not rules.grades:
        faults.append("[[grade]]: one grade or more must be there")
    raise_faults(faults, f"the rules {rules.name}")
    return rules


def _review_terms(document: Mapping[str, object], faults: list[str]) -> tuple[int, int]:
    table = TableRow("[review_terms]", mapping(document.get("review_terms", {}), "[review_terms]", faults), faults)
    table.only("correction_working_days", "recheck_working_days", "confidence")
    correction = table.count("correction_working_days") if table.has("correction_working_days") else 30
    return correction, table.count("recheck_working_days") if table.has("recheck_working_days") else 15


def _severity(table: TableRow) -> Mapping[tuple[str, str], Severity]:
    table.only(*_QUESTIONS, *_FURTHER)
    taken = {question: question for question in _QUESTIONS}
    taken |= {question: question if table.has(question) else other for question, other in _FURTHER.items()}
    return {
        (question, level): Severity(table.table(source).choice(level, _SEVERITIES))
        for question, source in taken.items()
        for level in LEVEL_WORDS
    }


def _cycle(row: TableRow) -> Cycle:
    row.only("instrument", "months", "source", "confidence", "classes", "pipe_over_mm", "pipe_to_mm")
    return Cycle(
        instrument=row.choice("instrument", tuple(INSTRUMENT_WORDS)),
        months=row.number("months"),
        source=row.name("source"),
        confidence=row.text("confidence"),
        classes=frozenset(str(_class(row, text)) for text in row.texts("classes"))
        if row.has("classes")
        else frozenset(),
        pipe_over_mm=row.number("pipe_over_mm") if row.has("pipe_over_mm") else 0.0,
        pipe_to_mm=row.number("pipe_to_mm") if row.has("pipe_to_mm") else float("inf"),
    )


def _by_law(row: TableRow) -> ByLaw:
    row.only("instrument", "purposes", "source", "confidence")
    return ByLaw(
        instrument=row.choice("instrument", tuple(INSTRUMENT_WORDS)),
        purposes=frozenset(row.texts("purposes")),
        source=row.name("source"),
    )


def _service_life(row: TableRow) -> ServiceLife:
    row.only(
        *("instrument", "months", "pipe_over_mm", "pipe_to_mm", "names", "trade_only", "sure", "source", "confidence")
    )
    return ServiceLife(
        instrument=row.choice("instrument", tuple(INSTRUMENT_WORDS)),
        months=row.number("months"),
        pipe_over_mm=row.optional_number("pipe_over_mm"),
        pipe_to_mm=row.optional_number("pipe_to_mm"),
        names=row.texts("names"),
        trade_only=row.flag("trade_only", default=False),
        sure=row.flag("sure", default=False),
        source=row.name("source"),
    )


def _class(row: TableRow, text: str) -> AccuracyClass:
    try:
        return parse_accuracy_class(text)
    except AccuracyClassError as error:
        row.fault(str(error))
        return parse_accuracy_class("1")


def _equivalent(row: TableRow) -> tuple[tuple[str, str], AccuracyClass]:
    row.only("instrument", "class", "number", "source", "confidence")
    row.name("source")
    row.text("confidence")
    number = _class(row, row.name("number"))
    if number.number is None:
        row.fault(f"number must be a class with a number (got {number})")
    return (row.choice("instrument", tuple(INSTRUMENT_WORDS)), str(_class(row, row.name("class")))), number


def _data_quality(table: TableRow) -> DataQualityRules:
    table.only(*(field.name for field in fields(DataQualityRules)), "confidence")
    return DataQualityRules(
        basis=table.name("basis"),
        basis_zh=table.name("basis_zh"),
        window_days=max(table.count("window_days"), 1),
        completeness=table.share("completeness"),
        consistency=table.share("consistency"),
        day_start_min=table.number("day_start_min"),
        month_start_days=table.number("month_start_days"),
        interval_min=table.number("interval_min"),
        tolerated_interval_min=table.number("tolerated_interval_min"),
        fault_working_days=table.count("fault_working_days"),
        holidays=frozenset(_holidays(table)),
        upload_delay_min=table.optional_number("upload_delay_min"),
        upload_delay_share=table.share("upload_delay_share", 100),
    )


def _holidays(table: TableRow) -> list[int]:
    value = table.values.get("holidays", [])
    if not isinstance(value, list):
        table.fault(f"holidays must be a list of dates (got {value!r})")
        return []
    days = (TableRow(f"{table.where}.holidays", {"day": item}, table.faults).day("day") for item in value)
    return [day for day in days if day is not None]


def _grade(row: TableRow) -> Grade:
    row.only("name", "serious", "warnings", "person", "share", "completeness", "verified")
    return Grade(
        name=row.name("name"),
        serious=row.count("serious") if row.has("serious") else None,
        warnings=row.count("warnings") if row.has("warnings") else None,
        person=row.count("person") if row.has("person") else None,
        share=row.share("share", 0),
        completeness=row.share("completeness") if row.has("completeness") else None,
        verified=row.share("verified") if row.has("verified") else None,
    )
