"""A unit's energy by month and sub-unit: metered, allocated, and the remainder.

For each month and energy the sub-units' metered and assigned amounts and the rest add up to the unit's total. What is
metered for the unit alone belongs to a sub-unit only where somebody entered so; assigned amounts stand apart from
metered ones, and the rest (losses, common use, what nobody assigned) is shown, never spread.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from analytics.standards.energy import CarrierEnergy, UnitEnergy
from analytics.standards.facts.allocations import Allocation

__all__ = ["MonthPart", "month_parts"]


class MonthPart(NamedTuple):
    """Energy of the unit, a sub-unit or the remainder in one month.

    Attributes
    ----------
    kind : str
        ``unit``, ``metered`` or ``assigned`` (of `sub_unit`), or ``rest``.
    amount : float
        [`symbol`]
    tce : float or None
        Equivalent value; None where it is not known. [tce]
    completeness : float or None
        Of what is metered; None of what follows from it. [1]
    """

    month: str
    kind: str
    sub_unit: str
    carrier: str
    symbol: str
    amount: float
    tce: float | None
    completeness: float | None


def month_parts(
    month: str,
    whole: UnitEnergy,
    sub_units: Mapping[str, UnitEnergy],
    allocations: Mapping[tuple[str, str], Allocation],
) -> Sequence[MonthPart]:
    """The parts of a month, by energy.

    Parameters
    ----------
    whole : UnitEnergy
        Of the unit in the month.
    sub_units : mapping of name to UnitEnergy
    allocations : mapping of (energy, sub-unit) to Allocation
        In force in the month. Nothing is assigned where sub-units meter more than the unit: then meters contradict.
    """
    made: list[MonthPart] = []
    for one in whole.carriers:
        made.append(_part(month, "unit", "", one, one.amount, one.completeness))
        rest = one.amount
        for name, energy in sub_units.items():
            for own in energy.carriers:
                if (own.carrier, own.symbol) == (one.carrier, one.symbol):
                    made.append(_part(month, "metered", name, own, own.amount, own.completeness))
                    rest -= own.amount
        assigned = {name: share for (carrier, name), share in allocations.items() if carrier == one.carrier}
        left = rest
        for name, allocation in assigned.items() if rest > 0 else ():
            amount = rest * allocation.share / 100
            left -= amount
            made.append(_part(month, "assigned", name, one, amount, None))
        made.append(_part(month, "rest", "", one, 0.0 if abs(left) < 1e-9 * abs(one.amount) else left, None))
    return made + _strangers(month, whole, sub_units)


def _part(
    month: str, kind: str, sub_unit: str, one: CarrierEnergy, amount: float, completeness: float | None
) -> MonthPart:
    if amount == one.amount:
        tce = one.tce
    else:
        tce = None if one.tce is None or not one.amount else one.tce * amount / one.amount
    return MonthPart(month, kind, sub_unit, one.carrier, one.symbol, amount, tce, completeness)


def _strangers(month: str, whole: UnitEnergy, sub_units: Mapping[str, UnitEnergy]) -> list[MonthPart]:
    """Energies metered at sub-units only."""
    known = {(one.carrier, one.symbol) for one in whole.carriers}
    return [
        _part(month, "metered", name, own, own.amount, own.completeness)
        for name, energy in sub_units.items()
        for own in energy.carriers
        if (own.carrier, own.symbol) not in known
    ]
