"""Comprehensive energy consumption per unit of product; with several products only by entered assignments.

A unit's only product has all its energy. With several, each has the energy of the sub-units and points that were
assigned to it and its entered share of the rest; where that was not entered, or is not known, it has no figure and says
why.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from analytics.domain.words import Phrase
from analytics.standards.energy import UnitEnergy
from analytics.standards.facts.products import Assignment
from analytics.standards.words import listing

__all__ = ["Parts", "ProductEnergy", "product_energy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductEnergy:
    """Energy of a product over a month.

    Attributes
    ----------
    amount : float
        Output. [`unit`]
    tce : float or None
        Its energy, equivalent value; None where it is not known. [tce]
    why : Phrase
        Method of calculation, or what is missing.
    month : str
        ``2026-10``.
    """

    product: str
    amount: float
    unit: str
    tce: float | None
    why: Phrase
    month: str = ""

    @property
    def per_unit(self) -> float | None:
        """[tce/`unit`]"""
        return None if self.tce is None else self.tce / self.amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Energies that assignments refer to.

    Attributes
    ----------
    whole : UnitEnergy
    sub_units, points : mapping of name to UnitEnergy
    point_sub_unit : mapping of point to sub-unit
        Of the points that are assigned.
    nested : frozenset of str
        Assigned points that lie below another one, which measures them as well.
    """

    whole: UnitEnergy
    sub_units: Mapping[str, UnitEnergy]
    points: Mapping[str, UnitEnergy]
    point_sub_unit: Mapping[str, str]
    nested: frozenset[str] = frozenset()


def product_energy(
    outputs: Mapping[str, tuple[float, str]], assignments: Mapping[str, Assignment], parts: Parts
) -> tuple[ProductEnergy, ...]:
    """Energy of each product with an output.

    Parameters
    ----------
    outputs : mapping of product to (amount, unit)
    assignments : mapping of product to Assignment
        In force; also of products without an output, for their energy is not the others'.
    parts : Parts
    """
    own = {product: _own(one, assignments, parts) for product, one in assignments.items()}
    return tuple(
        ProductEnergy(product=product, amount=amount, unit=unit, tce=tce, why=why)
        for product, (amount, unit) in sorted(outputs.items())
        for tce, why in [_of(product, len(outputs) == 1, assignments, own, parts.whole)]
    )


def _of(
    product: str,
    only: bool,
    assignments: Mapping[str, Assignment],
    own: Mapping[str, tuple[float | None, Phrase]],
    whole: UnitEnergy,
) -> tuple[float | None, Phrase]:
    if only and not assignments:
        return (whole.tce, _ONLY) if whole.tce is not None else (None, _NOT_WHOLE)
    if product not in assignments:
        return None, _NOBODY
    direct, why = own[product]
    share = assignments[product].share
    if direct is None or not share:
        return direct, why
    rest, lacking = _rest(own, whole)
    if rest is None:
        return None, lacking
    shared = Phrase(en=f"{share:g} % of the rest", zh=f"其余能耗的 {share:g} %")
    joined = Phrase(en=f"{why.en}, {shared.en}", zh=f"{why.zh}，{shared.zh}") if why.en else shared
    return direct + rest * share / 100, joined


def _rest(own: Mapping[str, tuple[float | None, Phrase]], whole: UnitEnergy) -> tuple[float | None, Phrase]:
    """Remainder not assigned to any product, or why it is unknown."""
    if whole.tce is None or any(tce is None for tce, _ in own.values()):
        return None, Phrase(en="the energy to be shared is not known in full", zh="待分摊的能耗不完整")
    rest = whole.tce - sum(tce or 0.0 for tce, _ in own.values())
    if rest < 0:
        return None, Phrase(
            en="what is assigned is more than the unit has used: its meters do not agree",
            zh="已归属的能耗大于本单位总能耗，计量数据不一致",
        )
    return rest, Phrase(en="", zh="")


_ONLY: Final = Phrase(en="the unit's only product", zh="唯一产品，计入全部能耗")
_NOT_WHOLE: Final = Phrase(en="the unit's energy is not known in full", zh="本单位综合能耗不完整")
_NOBODY: Final = Phrase(
    en="not recorded: which energy is this product's ([[assignment]])",
    zh="未录入该产品的能耗归属（事实文件的 [[assignment]]）",
)


def _own(one: Assignment, assignments: Mapping[str, Assignment], parts: Parts) -> tuple[float | None, Phrase]:
    """Energy assigned wholly to a product, and its sources."""
    assigned = {name for other in assignments.values() for name in other.sub_units}
    inside = [point for point in one.points if parts.point_sub_unit.get(point) in assigned or point in parts.nested]
    if inside:
        return None, Phrase(
            en=f"{listing(inside)} lie in what is assigned as well",
            zh=f"{listing(inside, chinese=True)} 所在的次级用能单位或上级计量点也已归属",
        )
    found = [(name, parts.sub_units.get(name)) for name in one.sub_units]
    found += [(name, parts.points.get(name)) for name in one.points]
    unknown = [name for name, energy in found if energy is None or energy.tce is None]
    if unknown:
        return None, Phrase(
            en=f"the energy of {listing(unknown)} is not known", zh=f"{listing(unknown, chinese=True)} 的能耗未知"
        )
    return _sum([energy for _, energy in found if energy is not None]), _names([name for name, _ in found])


def _sum(energies: Sequence[UnitEnergy]) -> float:
    return sum(energy.tce or 0.0 for energy in energies)


def _names(names: Sequence[str]) -> Phrase:
    return Phrase(en=listing(names), zh=listing(names, chinese=True)) if names else Phrase(en="", zh="")
