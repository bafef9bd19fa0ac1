"""A unit's months: what is metered at sub-units, assigned to them and left over adds up, whatever the numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.domain.errors import ConfigurationError
from analytics.standards.energy import CarrierEnergy, UnitEnergy
from analytics.standards.facts import load_facts
from analytics.standards.facts.allocations import Allocation, allocations_in
from analytics.standards.months import month_parts


def energy(amount: float, carrier: str = "natural_gas", symbol: str = "Nm3", tce: float | None = None) -> UnitEnergy:
    one = CarrierEnergy(
        carrier=carrier, symbol=symbol, amount=amount, tce=tce, tce_equal=tce, factor="", factor_equal="", days=30,
        completeness=1.0,
    )  # fmt: skip
    return UnitEnergy(carriers=(one,), tce=tce, tce_equal=tce, tce_known=tce or 0.0, unknown=(), days=30)


AMOUNTS = st.floats(0, 1e9)


@given(AMOUNTS, st.lists(AMOUNTS, max_size=3), st.lists(st.floats(0, 33), max_size=3))
def test_parts_add_up_to_the_unit(whole: float, metered: list[float], shares: list[float]) -> None:
    parts = month_parts(
        "2026-10",
        energy(whole),
        {f"S{i}": energy(amount) for i, amount in enumerate(metered)},
        {("natural_gas", f"S{i}"): Allocation(share=share, source="s") for i, share in enumerate(shares) if share},
    )
    (unit,) = [part.amount for part in parts if part.kind == "unit"]
    assert sum(part.amount for part in parts if part.kind != "unit") == pytest.approx(unit, rel=1e-9, abs=1e-6)
    if sum(metered) > whole:
        assert "assigned" not in {part.kind for part in parts}, "meters contradict: nothing is assigned"


def test_what_is_assigned_carries_its_share_of_the_coal_equivalent() -> None:
    parts = month_parts(
        "2026-10", energy(100, tce=0.12), {}, {("natural_gas", "锅炉房"): Allocation(share=75, source="s")}
    )
    assert [(part.kind, part.sub_unit, part.amount) for part in parts] == [
        ("unit", "", 100), ("assigned", "锅炉房", 75), ("rest", "", 25),
    ]  # fmt: skip
    assert [part.tce for part in parts] == pytest.approx([0.12, 0.09, 0.03])


def test_other_energies_and_other_units_of_measurement_are_kept_apart() -> None:
    parts = month_parts(
        "2026-10", energy(100), {"S": energy(40, symbol="m3")}, {("steam", "S"): Allocation(share=1, source="s")}
    )
    assert [(part.kind, part.symbol, part.amount) for part in parts] == [
        ("unit", "Nm3", 100), ("rest", "Nm3", 100), ("metered", "m3", 40),
    ]  # fmt: skip


def facts(*rows: dict[str, object]) -> dict[str, object]:
    return {"allocation": [{"unit_code": "U", "carrier": "natural_gas", "source": "s", **row} for row in rows]}


def test_the_share_that_began_last_holds_and_nought_ends_it() -> None:
    made = load_facts(
        [facts({"sub_unit": "A", "from": "2026-01", "share": 40}, {"sub_unit": "A", "from": "2026-07", "share": 0})]
    ).allocations
    assert allocations_in("2025-12", "U", made) == {}
    assert allocations_in("2026-06", "U", made)["natural_gas", "A"].share == 40
    assert allocations_in("2026-07", "U", made) == {}


def test_more_than_the_whole_is_refused() -> None:
    rows = [{"sub_unit": name, "from": "2026-01", "share": 60} for name in "AB"]
    with pytest.raises(ConfigurationError, match="must not be above 100 % together"):
        load_facts([facts(*rows)])
