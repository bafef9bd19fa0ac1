import csv
import tomllib
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.columns.intervals import day_index
from analytics.domain.errors import ConfigurationError
from analytics.domain.units import CARRIERS
from analytics.standards.coal import FactorTable, coal_equivalent, load_factors
from analytics.standards.factor_tables import read_reference

SHIPPED: dict[str, Any] = tomllib.loads(
    (files("analytics.standards") / "gbt2589_2020.toml").read_text(encoding="utf-8")
)
GOLDEN = Path(__file__).parents[2] / "golden" / "gbt2589_factors.csv"
TODAY = day_index(2026, 11, 22)


def golden_rows() -> list[dict[str, str]]:
    lines = [line for line in GOLDEN.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


def entered(*rows: dict[str, object]) -> dict[str, object]:
    return {"factor": list(rows)}


def factor_on(table: FactorTable, carrier: str, unit: str, day: int = TODAY, unit_code: str = "") -> tuple[float, str]:
    series = table.series(carrier, unit, unit_code)
    piece = int(np.searchsorted(series.first_day, day, side="right")) - 1
    return float(series.tce_per_unit[piece]), series.text[piece]


@pytest.mark.parametrize("row", golden_rows(), ids=lambda row: row["fuel"])
def test_a_listed_factor_is_the_one_typed_by_hand(row: dict[str, str]) -> None:
    fuel = read_reference(SHIPPED).fuels[row["fuel"]]
    low, _, high = row["kgce"].partition("-")
    assert fuel.kgce == (None if row["kgce"] == "none" else (float(low), float(high or low)))
    assert (fuel.per.symbol, " ".join(fuel.sources)) == (row["per"], row["sources"])


def test_nothing_is_listed_that_was_not_typed_by_hand() -> None:
    assert set(read_reference(SHIPPED).fuels) == {row["fuel"] for row in golden_rows()}


@pytest.mark.parametrize("row", SHIPPED["fuel"], ids=lambda row: row["energy"])
def test_a_fuel_factor_is_its_calorific_value_over_seven_thousand(row: dict[str, Any]) -> None:
    for end in ("min", "max"):
        assert row[f"kgce_{end}"] == pytest.approx(row[f"ncv_kcal_{end}"] / 7000, abs=1.01e-4)


@pytest.mark.parametrize(
    ("carrier", "unit", "tce_per_unit"),
    [
        ("electricity", "kWh", 0.0001229),  # 0.1229 kgce/kWh, equivalent value
        ("steam", "GJ", 0.03412),  # 0.03412 kgce/MJ
        ("hot_water", "GJ", 0.03412),
        ("coke", "t", 0.9714),
        ("crude_oil", "t", 1.4286),
        ("residual_oil", "t", 1.4286),
        ("lpg", "t", 1.7143),
    ],
)
def test_a_carrier_of_one_fuel_and_one_number_has_a_default(carrier: str, unit: str, tce_per_unit: float) -> None:
    value, text = factor_on(load_factors(SHIPPED), carrier, unit)
    assert value == tce_per_unit
    assert "GB/T 2589-2020" in text
    assert "seen in" in text


@pytest.mark.parametrize(
    ("carrier", "unit", "why"),
    [
        ("natural_gas", "Nm3", "1.1 to 1.33"),
        ("natural_gas", "m3", "no factor"),
        ("natural_gas", "t", "LNG"),
        ("natural_gas", "GJ", "calorific"),
        ("refined_oil", "t", "gasoline, kerosene, diesel"),
        ("refined_oil", "m3", "no factor"),
        ("heavy_oil", "t", "fuel_oil, residual_oil"),
        ("coal", "t", "raw_coal, washed_coal"),
        ("coal_gas", "Nm3", "coke_oven_gas"),
        ("steam", "t", "pressure and temperature"),
        ("water", "m3", "making consumes energy"),
        ("recoverable_residual_energy", "GJ", "recovered"),
        ("other", "GJ", "does not say"),
    ],
)
def test_a_carrier_without_a_certain_factor_is_unknown_and_says_why(carrier: str, unit: str, why: str) -> None:
    value, text = factor_on(load_factors(SHIPPED), carrier, unit)
    assert np.isnan(value)
    assert text.startswith("unknown: ")
    assert why in text


def test_every_carrier_and_unit_has_a_text() -> None:
    table = load_factors(SHIPPED)
    for carrier, units in CARRIERS.items():
        for unit in units:
            assert all(table.series(carrier, unit.symbol).text)


def test_days_before_the_edition_say_that_it_stands_in() -> None:
    table = load_factors(SHIPPED)
    before, text_before = factor_on(table, "electricity", "kWh", day_index(2021, 3, 31))
    after, text_after = factor_on(table, "electricity", "kWh", day_index(2021, 4, 1))
    assert before == after
    assert "stands in for days before 2021-04-01" in text_before
    assert "stands in" not in text_after


def test_an_entered_calorific_value_is_divided_by_that_of_standard_coal() -> None:
    row = {"carrier": "natural_gas", "per": "Nm3", "ncv_kj": 35169, "source": "certificate 2026-01"}
    value, text = factor_on(load_factors(SHIPPED, entered(row)), "natural_gas", "Nm3")
    assert value == pytest.approx(1.20002e-3, rel=1e-5)  # 35169 / 29307 = 1.20002 kgce/Nm3
    assert "certificate 2026-01" in text


def test_the_fuel_named_for_a_unit_makes_its_refined_oil_known_and_no_other() -> None:
    table = load_factors(SHIPPED, entered({"carrier": "refined_oil", "fuel": "diesel", "unit_code": "A"}))
    value, text = factor_on(table, "refined_oil", "t", unit_code="A")
    assert value == 1.4571
    assert "fuel as entered" in text
    assert np.isnan(factor_on(table, "refined_oil", "t", unit_code="B")[0])


def test_a_factor_of_the_unit_comes_before_one_for_all_and_both_before_the_edition() -> None:
    for_all = {"carrier": "coke", "per": "kg", "kgce": 0.95, "source": "office"}
    of_unit = {"carrier": "coke", "per": "t", "kgce": 960.0, "source": "laboratory", "unit_code": "A"}
    of_unit |= {"valid_from": date(2026, 1, 1), "valid_to": date(2026, 7, 1)}
    table = load_factors(SHIPPED, entered(for_all), entered(of_unit))
    assert factor_on(table, "coke", "t", day_index(2025, 12, 31), "A")[0] == 0.95
    assert factor_on(table, "coke", "t", day_index(2026, 1, 1), "A")[0] == 0.96
    assert factor_on(table, "coke", "t", day_index(2026, 6, 30), "A")[0] == 0.96
    assert factor_on(table, "coke", "t", day_index(2026, 7, 1), "A")[0] == 0.95
    assert factor_on(table, "coke", "t", day_index(2026, 1, 1), "B")[0] == 0.95


def test_water_counts_only_by_an_entered_factor() -> None:
    row = {"carrier": "water", "per": "m3", "kgce": 0.2571, "source": "own pumping station", "unit_code": "A"}
    table = load_factors(SHIPPED, entered(row))
    assert factor_on(table, "water", "m3", unit_code="A")[0] == 0.0002571
    assert np.isnan(factor_on(table, "water", "m3", unit_code="B")[0])


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"carrier": "gas", "per": "Nm3", "kgce": 1.2, "source": "s"}, "carrier must be one of"),
        ({"carrier": "natural_gas", "per": "Nm3", "source": "s"}, "exactly one of"),
        ({"carrier": "natural_gas", "per": "Nm3", "kgce": 1.2, "ncv_kj": 1.0, "source": "s"}, "exactly one of"),
        ({"carrier": "natural_gas", "per": "kWx", "kgce": 1.2, "source": "s"}, "kWx"),
        ({"carrier": "natural_gas", "per": "kW", "kgce": 1.2, "source": "s"}, "kW"),
        ({"carrier": "natural_gas", "per": "°C", "kgce": 1.2, "source": "s"}, "cannot be per"),
        ({"carrier": "natural_gas", "per": "Nm3", "kgce": -1.2, "source": "s"}, "above 0"),
        ({"carrier": "natural_gas", "per": "Nm3", "kgce": True, "source": "s"}, "above 0"),
        ({"carrier": "natural_gas", "per": "Nm3", "kgce": 1.2, "source": ""}, "where the value comes from"),
        ({"carrier": "natural_gas", "per": "Nm3", "kgce": 1.2}, "source"),
        ({"carrier": "natural_gas", "fuel": "natural_gas"}, "single factor"),
        ({"carrier": "coal", "fuel": "diesel"}, "fuel of coal"),
        ({"carrier": "electricity", "fuel": "diesel"}, "does not fit"),
        ({"carrier": "coke", "fuel": "coke", "valid_until": date(2026, 1, 1)}, "valid_until"),
        ({"carrier": "coke", "fuel": "coke", "valid_from": "2026-01-01"}, "must be a date"),
        (
            {"carrier": "coke", "fuel": "coke", "valid_from": date(2026, 1, 1), "valid_to": date(2026, 1, 1)},
            "after valid_from",
        ),
    ],
)
def test_a_faulty_entered_factor_is_refused_with_the_reason(row: dict[str, object], fault: str) -> None:
    with pytest.raises(ConfigurationError, match=fault):
        load_factors(SHIPPED, entered(row))


def test_two_factors_for_the_same_days_are_refused() -> None:
    one = {"carrier": "coke", "fuel": "coke", "valid_from": date(2026, 1, 1)}
    other = {"carrier": "coke", "per": "kg", "kgce": 0.9, "source": "s", "valid_from": date(2026, 5, 1)}
    with pytest.raises(ConfigurationError, match="same day"):
        load_factors(SHIPPED, entered(one, other))


def test_all_faults_are_told_at_once() -> None:
    document: dict[str, object] = {
        "standard": {"number": 5},
        "sources": [],
        "fuel": [
            {
                "energy": "x",
                "per": "kg",
                "kgce_min": 2.0,
                "kgce_max": 1.0,
                "factor_confidence": "sure",
                "sources": ["S9"],
            },
            {"energy": "x", "per": "kg", "kgce": 1.0, "factor_confidence": "one"},
        ],
        "carrier": [
            {"energy": "warmth", "unit": "GJ", "fuels": ["y"]},
            {"energy": "coke", "unit": "GJ", "fuels": "x"},
            {"energy": "electricity", "unit": "kWh", "fuels": ["x"]},
        ],
        "medium": 3,
    }
    with pytest.raises(ConfigurationError) as caught:
        load_factors(document)
    told = str(caught.value)
    for fault in (
        "number must be text",
        "in_force_from must be a date",
        "[sources]: must be a table",
        "kgce_min must not be above",
        "factor_confidence",
        "S9",
        "listed twice",
        "carrier of the ledger",
        "'y' is not in the tables",
        "one in which coke is kept",
        "fuels must be a list",
        "does not convert to kWh",
        "[[medium]]: must be a list",
    ):
        assert fault in told, fault


@given(st.lists(st.tuples(st.integers(-(10**15), 10**15), st.integers(10_957, 47_481), st.integers(0, 2)), max_size=40))
def test_columns_are_converted_as_each_amount_alone(rows: list[tuple[int, int, int]]) -> None:
    table = load_factors(SHIPPED)
    carriers = [("electricity", "kWh"), ("natural_gas", "Nm3"), ("steam", "GJ")]
    amounts, days, series = (
        (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
        if rows
        else [np.empty(0, np.int64)] * 3
    )
    converted = coal_equivalent(amounts, days, series, [table.series(*carrier) for carrier in carriers])
    for i, (amount, day, which) in enumerate(rows):
        value, text = factor_on(table, *carriers[which], day)
        np.testing.assert_equal(converted.tce[i], amount / 1e6 * value)
        assert converted.texts[converted.factor[i]] == text


def test_no_series_and_no_amounts_give_nothing() -> None:
    nothing = np.empty(0, np.int64)
    assert coal_equivalent(nothing, nothing, nothing, []).tce.size == 0
