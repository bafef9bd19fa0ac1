"""Entered allocation of energy metered for the unit alone to sub-units, as shares of the remainder."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from analytics.domain.units import CARRIERS
from analytics.standards.tables import TableRow

__all__ = ["Allocation", "AllocationKey", "allocation_faults", "allocation_of", "allocations_in"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """A sub-unit's share, from a month on.

    Attributes
    ----------
    share : float
        Of the unit's total of the energy less what is metered at sub-units. [%]
    """

    share: float
    source: str


AllocationKey = tuple[str, str, str, str]
"""Unit code, energy, sub-unit, first month."""


def allocation_of(row: TableRow) -> tuple[AllocationKey, Allocation]:
    """A row of the table ``allocation``; its faults go to the row."""
    row.only("unit_code", "carrier", "sub_unit", "share", "from", "source")
    key = row.name("unit_code"), row.choice("carrier", tuple(CARRIERS)), row.name("sub_unit"), row.month("from")
    return key, Allocation(share=row.share("share", 100), source=row.name("source"))


def allocations_in(
    month: str, unit_code: str, allocations: Mapping[AllocationKey, Allocation]
) -> Mapping[tuple[str, str], Allocation]:
    """Allocations in force in a month, by (energy, sub-unit): the latest of each."""
    found: dict[tuple[str, str], Allocation] = {}
    for (code, carrier, sub_unit, since), one in sorted(allocations.items(), key=lambda item: item[0]):
        if code == unit_code and since <= month:
            found[carrier, sub_unit] = one
    return {key: one for key, one in found.items() if one.share}


def allocation_faults(allocations: Mapping[AllocationKey, Allocation]) -> Iterator[str]:
    """Months from which more than the whole would be shared out."""
    for code, month in sorted({(code, month) for code, _, _, month in allocations}):
        held = allocations_in(month, code, allocations)
        for carrier in sorted({carrier for carrier, _ in held}):
            total = sum(one.share for (of_carrier, _), one in held.items() if of_carrier == carrier)
            if total > 100 + 1e-9:
                yield (
                    f"[[allocation]] of {carrier} of {code} from {month}: "
                    f"shares must not be above 100 % together (they are {total:g} %)"
                )
