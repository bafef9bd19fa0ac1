"""Conversion factors to standard coal: those of an edition, and which of them apply by default."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from analytics.domain.units import Unit, parse_unit

__all__ = ["CONFIDENCE", "EPOCH_ORDINAL", "KJ_PER_KGCE", "Factor", "Fuel", "Reference", "tce_per_unit"]

KJ_PER_KGCE = 29307
"""Net calorific value of standard coal; JJF 1356-2012 table B.10 note 3. [kJ/kgce]"""

EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
CONFIDENCE = {
    "two": "seen in two or more sources",
    "one": "seen in one source",
    "general": "general knowledge, no source seen",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fuel:
    """One line of an edition's tables.

    Attributes
    ----------
    name : str
    per : Unit
        Unit of which the factor is the coal equivalent.
    kgce : tuple of two float, or None
        Least and greatest reference value, equal where it is one number; None without a fixed number. [kgce/per]
    confidence : str
        ``two``, ``one`` or ``general``.
    sources : tuple of str
        Ids of the edition's source list.
    """

    name: str
    per: Unit
    kgce: tuple[float, float] | None
    confidence: str
    sources: tuple[str, ...]

    @property
    def number(self) -> float | None:
        """The one reference value, None where there is a range or nothing. [kgce/per]"""
        return self.kgce[0] if self.kgce is not None and self.kgce[0] == self.kgce[1] else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """A factor in force for a carrier's amounts.

    Attributes
    ----------
    carrier, unit : str
        Energy name of the ledger, and symbol of the canonical unit of the amounts.
    unit_code : str
        Energy-using unit it was entered for, empty for all.
    tce_per_unit : float
        [tce per canonical unit]
    first_day, end_day : int or None
        Local days, half open; None since or for ever. [d since 1970-01-01]
    text : str
        What it is and where it comes from.
    """

    carrier: str
    unit: str
    unit_code: str
    tce_per_unit: float
    first_day: int | None
    end_day: int | None
    text: str

    def holds_on(self, day: int) -> bool:
        """Whether it is in force on a day."""
        return (self.first_day is None or self.first_day <= day) and (self.end_day is None or day < self.end_day)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An edition's factors, checked.

    Attributes
    ----------
    edition : str
    in_force_day : int
        First day in force; before it the edition is a substitute, and results are marked so. [d since 1970-01-01]
    fuels : mapping of str to Fuel
    carriers : mapping of (carrier, unit) to (fuel names, reason)
        Fuels that a carrier can be; a nonempty reason forbids a default.
    """

    edition: str
    in_force_day: int
    fuels: Mapping[str, Fuel]
    carriers: Mapping[tuple[str, str], tuple[tuple[str, ...], str]]

    def defaults(self, carrier: str, unit: str) -> list[Factor]:
        """Reference factors that apply by default: the carrier is one fuel with one number; before and in force."""
        fuels, reason = self.carriers.get((carrier, unit), ((), ""))
        if reason or len(fuels) != 1 or self.fuels[fuels[0]].number is None:
            return []
        now = self.factor_of(self.fuels[fuels[0]], carrier, unit, first_day=self.in_force_day)
        before = self.factor_of(self.fuels[fuels[0]], carrier, unit, end_day=self.in_force_day)
        return [now, before]

    def factor_of(
        self,
        fuel: Fuel,
        carrier: str,
        unit: str,
        *,
        first_day: int | None = None,
        end_day: int | None = None,
        unit_code: str = "",
        entered: bool = False,
    ) -> Factor:
        """Factor of a listed fuel that has one number."""
        number = fuel.number
        assert number is not None
        text = f"{fuel.name} {number:g} kgce/{fuel.per}; {self.edition}; {CONFIDENCE[fuel.confidence]}"
        if entered:
            text = f"{text}; fuel as entered"
        elif end_day is not None:
            text = f"{text}; stands in for days before {_date(end_day)}, when it came into force"
        return Factor(
            carrier=carrier,
            unit=unit,
            unit_code=unit_code,
            tce_per_unit=tce_per_unit(number, fuel.per, parse_unit(unit)),
            first_day=first_day,
            end_day=end_day,
            text=text,
        )

    def why_unknown(self, carrier: str, unit: str) -> str:
        """Why a carrier has no default factor, and what to enter."""
        fuels, reason = self.carriers.get((carrier, unit), ((), ""))
        if reason:
            return f"unknown: {reason}; enter a factor"
        if not fuels:
            return f"unknown: {self.edition} names no factor for {carrier} in {unit}; enter one"
        if len(fuels) > 1:
            return f"unknown: {carrier} may be {', '.join(fuels)}; enter the fuel or a factor"
        fuel = self.fuels[fuels[0]]
        if fuel.kgce is None:
            return f"unknown: {fuel.name} has no fixed number in {self.edition}; enter the year's"
        low, high = fuel.kgce
        return (
            f"unknown: {fuel.name} is {low:g} to {high:g} kgce/{fuel.per} in {self.edition}; "
            f"enter the measured calorific value or a factor"
        )


def tce_per_unit(kgce: float, per: Unit, canonical: Unit) -> float:
    """Tonnes of coal equivalent of one canonical unit, computed exactly and rounded once."""
    return float(Fraction(repr(kgce)) * canonical.factor / per.factor / 1000)


def _date(day: int) -> date:
    return date.fromordinal(day + EPOCH_ORDINAL)
