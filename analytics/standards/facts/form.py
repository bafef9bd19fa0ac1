"""Data of the review's forms that neither ledger nor meters contain, as people enter them.

Staff (B.1), instruments at no metering point (B.7), purchases and stocks (B.10).
"""

from dataclasses import dataclass
from typing import Final

from analytics.domain.units import CARRIERS
from analytics.standards.tables import TableRow

__all__ = ["INSTRUMENT_KINDS", "Instrument", "Person", "Stock", "instrument_of", "person_of", "stock_of"]

INSTRUMENT_KINDS: Final = ("standard", "portable", "residual_heat", "analysis")
_STATUSES: Final = ("qualified", "limited", "out_of_use")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One of the metering staff.

    Attributes
    ----------
    certificate_until : int or None
        Last day on which the certificate holds. [d since 1970-01-01]
    """

    name: str
    position: str
    duties: str
    trained_day: int | None
    certificate: str
    certificate_until: int | None

    def certified(self, day: int) -> bool:
        """Whether a certificate was entered that holds on a day, or names no end."""
        return bool(self.certificate) and (self.certificate_until is None or self.certificate_until >= day)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """An instrument that stands at no metering point.

    Attributes
    ----------
    kind : str
        One of `INSTRUMENT_KINDS`.
    verified_day, due_day : int or None
        First and last day of its certificate. [d since 1970-01-01]
    """

    kind: str
    name: str
    model: str
    accuracy: str
    range: str
    manufacturer: str
    serial_no: str
    place: str
    cycle_months: float | None
    verified_day: int | None
    due_day: int | None
    status: str

    def overdue(self, day: int) -> bool:
        """Whether it is in use past its certificate."""
        return self.status != "out_of_use" and self.due_day is not None and self.due_day < day


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """A year's purchase and stock of one energy. [`unit`]

    Attributes
    ----------
    consumed : float or None
        As it was booked, None where nobody entered it.
    """

    unit: str
    opening: float
    purchased: float
    produced: float
    supplied: float
    closing: float
    consumed: float | None
    source: str

    @property
    def used_up(self) -> float:
        """Amount used: opening stock + purchase + own production - supply to others - closing stock."""
        return self.opening + self.purchased + self.produced - self.supplied - self.closing


def person_of(row: TableRow) -> tuple[tuple[str, str], Person]:
    """A row of the table ``staff``; its faults go to the row."""
    row.only("unit_code", "name", "position", "duties", "trained_on", "certificate", "certificate_until", "source")
    made = Person(
        name=row.name("name"),
        position=row.name("position"),
        duties=row.text("duties", ""),
        trained_day=row.day("trained_on"),
        certificate=row.text("certificate", ""),
        certificate_until=row.day("certificate_until"),
    )
    if made.certificate_until is not None and not made.certificate:
        row.fault("certificate must name the one that certificate_until speaks of")
    return (row.name("unit_code"), made.name), made


def instrument_of(row: TableRow) -> tuple[tuple[str, str], Instrument]:
    """A row of the table ``instrument``; its faults go to the row."""
    texts = ("model", "accuracy", "range", "manufacturer", "serial_no", "place")
    dates = ("cycle_months", "verified_on", "verification_due")
    row.only("unit_code", "kind", "own_no", "name", *texts, *dates, "status", "source")
    made = Instrument(
        kind=row.choice("kind", INSTRUMENT_KINDS),
        name=row.name("name"),
        **{name: row.text(name, "") for name in texts},
        cycle_months=row.optional_number("cycle_months"),
        verified_day=row.day("verified_on"),
        due_day=row.day("verification_due"),
        status=row.choice("status", _STATUSES, "qualified"),
    )
    if made.verified_day is not None and made.due_day is not None and made.due_day < made.verified_day:
        row.fault("verification_due must not lie before verified_on")
    return (row.name("unit_code"), row.name("own_no")), made


def stock_of(row: TableRow) -> tuple[tuple[str, str, int], Stock]:
    """A row of the table ``stock``; its faults go to the row."""
    amounts = ("opening", "purchased", "produced", "supplied", "closing", "consumed")
    row.only("unit_code", "energy", "year", "unit", *amounts, "source")
    energy = row.choice("energy", tuple(CARRIERS))
    year = row.count("year")
    if not 1900 <= year <= 9999:
        row.fault(f"year must be one such as 2025 (got {year})")
    unit, symbols = row.name("unit"), [one.symbol for one in CARRIERS[energy]]
    if unit and row.values.get("energy") == energy and unit not in symbols:  # the wrong energy is reported already
        row.fault(f"unit of {energy} must be one of {', '.join(symbols)} (got {unit!r})")
    made = Stock(
        unit=unit,
        opening=row.amount("opening"),
        purchased=row.amount("purchased"),
        produced=row.amount("produced") if row.has("produced") else 0.0,
        supplied=row.amount("supplied") if row.has("supplied") else 0.0,
        closing=row.amount("closing"),
        consumed=row.amount("consumed") if row.has("consumed") else None,
        source=row.name("source"),
    )
    if made.used_up < 0:
        row.fault(f"opening + purchased + produced - supplied - closing must not be below 0 (it is {made.used_up:g})")
    return (row.name("unit_code"), energy, year), made
