"""Entered assignment of a unit's energy to products: sub-units and points, and a share of the remainder."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from analytics.standards.tables import TableRow

__all__ = ["Assignment", "assignment_of", "assignments_in", "share_faults"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Energy of one product, from a month on.

    Attributes
    ----------
    sub_units, points : tuple of str
        Whose energy is wholly this product's.
    share : float
        Of the unit's energy that is no product's by itself. [%]
    """

    sub_units: tuple[str, ...]
    points: tuple[str, ...]
    share: float
    source: str


def assignment_of(row: TableRow) -> tuple[tuple[str, str, str], Assignment]:
    """A row of the table ``assignment``; its faults go to the row."""
    row.only("unit_code", "product", "from", "sub_units", "points", "share", "source")
    made = Assignment(
        sub_units=row.texts("sub_units"),
        points=row.texts("points"),
        share=row.share("share", 0),
        source=row.name("source"),
    )
    if not made.sub_units and not made.points and not made.share:
        row.fault("sub_units, points or share must say which energy it is")
    return (row.name("unit_code"), row.name("product"), row.month("from")), made


def assignments_in(
    month: str, unit_code: str, assignments: Mapping[tuple[str, str, str], Assignment]
) -> Mapping[str, Assignment]:
    """Assignments in force in a month, by product: the latest of each."""
    found: dict[str, Assignment] = {}
    for (code, product, since), one in sorted(assignments.items(), key=lambda item: item[0]):
        if code == unit_code and since <= month:
            found[product] = one
    return found


def share_faults(assignments: Mapping[tuple[str, str, str], Assignment]) -> Iterator[str]:
    """Months from which more than the whole would be shared out, or a thing belongs to two products."""
    for code, month in sorted({(code, month) for code, _, month in assignments}):
        held = assignments_in(month, code, assignments)
        where = f"[[assignment]] of {code} from {month}"
        total = sum(one.share for one in held.values())
        if total > 100 + 1e-9:
            yield f"{where}: shares must not be above 100 % together (they are {total:g} %)"
        for what in ("sub_units", "points"):
            names = [name for one in held.values() for name in getattr(one, what)]
            for name in sorted({name for name in names if names.count(name) > 1}):
                yield f"{where}: {name} must belong to one product (it belongs to several)"
