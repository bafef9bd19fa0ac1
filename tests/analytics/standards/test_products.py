"""Energy for each unit of product: one product, several, and what is not recorded."""

from collections.abc import Mapping
from typing import Any

import pytest

from analytics.domain.errors import ConfigurationError
from analytics.standards.energy import UnitEnergy
from analytics.standards.facts import load_facts
from analytics.standards.facts.products import Assignment, assignments_in
from analytics.standards.products import Parts, ProductEnergy, product_energy


def energy(tce: float | None) -> UnitEnergy:
    return UnitEnergy(carriers=(), tce=tce, tce_equal=None, tce_known=tce or 0.0, unknown=(), days=30)


def assigned(*sub_units: str, points: tuple[str, ...] = (), share: float = 0.0) -> Assignment:
    return Assignment(sub_units=sub_units, points=points, share=share, source="record")


PARTS = Parts(
    whole=energy(100.0),
    sub_units={"mill": energy(40.0), "kiln": energy(30.0), "dark": energy(None)},
    points={"P1": energy(10.0), "P2": energy(5.0), "P3": energy(1.0)},
    point_sub_unit={"P1": "", "P2": "mill", "P3": ""},
    nested=frozenset({"P3"}),
)


def per(
    outputs: Mapping[str, tuple[float, str]], assignments: Mapping[str, Assignment], parts: Parts = PARTS
) -> dict[str, float | None]:
    return {one.product: one.per_unit for one in product_energy(outputs, assignments, parts)}


def test_an_only_product_has_all_energy() -> None:
    assert per({"cement": (50.0, "t")}, {}) == {"cement": 2.0}
    assert per({"cement": (50.0, "t")}, {}, Parts(whole=energy(None), sub_units={}, points={}, point_sub_unit={})) == {
        "cement": None
    }


def test_several_products_without_an_assignment_are_not_split() -> None:
    found = product_energy({"cement": (50.0, "t"), "clinker": (20.0, "t")}, {}, PARTS)
    assert [one.tce for one in found] == [None, None]
    assert all("not recorded" in one.why.en for one in found)


def test_sub_units_points_and_a_share_of_the_rest() -> None:
    outputs = {"cement": (10.0, "t"), "clinker": (20.0, "t")}
    # 100 - 40 - (30 + 10) = 20 are left: a quarter and a half of them; a quarter is nobody's
    assignments = {"cement": assigned("mill", share=25.0), "clinker": assigned("kiln", points=("P1",), share=50.0)}
    assert per(outputs, assignments) == {"cement": 4.5, "clinker": 2.5}
    why = {one.product: one.why.en for one in product_energy(outputs, assignments, PARTS)}
    assert why["cement"] == "mill, 25 % of the rest"
    # what belongs to a product without an output this month is not the others'
    assert per({"cement": (10.0, "t")}, assignments) == {"cement": 4.5}


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (assigned("dark"), "the energy of dark is not known"),
        (assigned("nowhere"), "the energy of nowhere is not known"),
        (assigned(points=("P2",)), "P2 lie in what is assigned as well"),
        (assigned(points=("P3",)), "P3 lie in what is assigned as well"),
    ],
)
def test_what_is_not_known_gives_no_figure(one: Assignment, why: str) -> None:
    assignments = {"cement": assigned("mill", share=10.0), "clinker": one}
    found: dict[str, ProductEnergy] = {
        one.product: one for one in product_energy({"cement": (1.0, "t"), "clinker": (1.0, "t")}, assignments, PARTS)
    }
    assert (found["clinker"].tce, found["clinker"].why.en) == (None, why)
    assert (found["cement"].tce, found["cement"].why.en) == (None, "the energy to be shared is not known in full")


def test_parts_above_the_whole_are_told() -> None:
    parts = Parts(whole=energy(60.0), sub_units=PARTS.sub_units, points={}, point_sub_unit={})
    assignments = {"cement": assigned("mill", share=100.0), "clinker": assigned("kiln")}
    found = product_energy({"cement": (1.0, "t")}, assignments, parts)[0]
    assert (found.tce, found.why.zh) == (None, "已归属的能耗大于本单位总能耗，计量数据不一致")


def row(product: str, since: str, **more: Any) -> Mapping[str, object]:
    return {"unit_code": "U", "product": product, "from": since, "source": "record", **more}


def test_the_assignment_of_a_month_is_the_one_that_began_last() -> None:
    rows = [row("a", "2026-01", share=100), row("a", "2026-07", share=40), row("b", "2026-07", share=60)]
    facts = load_facts([{"assignment": rows}])
    for month, expected in (("2025-12", {}), ("2026-06", {"a": 100.0}), ("2026-07", {"a": 40.0, "b": 60.0})):
        assert {name: one.share for name, one in assignments_in(month, "U", facts.assignments).items()} == expected
    assert assignments_in("2026-07", "V", facts.assignments) == {}


def test_more_than_the_whole_and_things_of_two_products_are_refused() -> None:
    rows = [
        row("a", "2026-01", share=60, sub_units=["mill"], points=["P1"]),
        row("b", "2026-02", share=40.5, sub_units=["mill"]),
        row("c", "2026-02"),
    ]
    with pytest.raises(ConfigurationError) as caught:
        load_facts([{"assignment": rows}])
    told = str(caught.value)
    assert "from 2026-02: shares must not be above 100 % together (they are 100.5 %)" in told
    assert "mill must belong to one product" in told
    assert "number 3: sub_units, points or share must say which energy it is" in told
    assert "from 2026-01:" not in told
