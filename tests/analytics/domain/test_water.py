"""Water's properties against the verification values of the release, and what is said of their use."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from analytics.domain.water import DENSITY, ENTHALPY, HOTTEST, density, enthalpy, heat_of_a_cubic_metre

STATES = tomllib.loads((Path(__file__).parents[2] / "golden" / "water.toml").read_text("utf-8"))["state"]


@pytest.mark.parametrize("state", STATES, ids=lambda state: f"{state['kelvin']:g} K, {state['mpa']:g} MPa")
def test_region_1_of_the_industrial_formulation_to_its_nine_digits(state: dict[str, float]) -> None:
    celsius = state["kelvin"] - 273.15
    assert 1.0 / density(celsius, state["mpa"]) == pytest.approx(state["volume"], rel=1e-8)
    assert enthalpy(celsius, state["mpa"]) == pytest.approx(state["enthalpy"], rel=1e-8)


@pytest.mark.parametrize(("supply", "back"), [(90.0, 50.0), (50.0, 30.0), (130.0, 70.0)])
def test_the_pressure_of_a_heating_circuit_hardly_matters(supply: float, back: float) -> None:
    low = density(back, 0.3) * (enthalpy(supply, 0.3) - enthalpy(back, 0.3)) / 3600.0
    assert heat_of_a_cubic_metre(supply, back) == pytest.approx(low, rel=2e-4)


def test_water_in_the_supply_is_lighter_than_in_the_return() -> None:
    there = heat_of_a_cubic_metre(90.0, 50.0, sensor_in_supply=True)
    assert 0.97 < there / heat_of_a_cubic_metre(90.0, 50.0) < 0.98


def test_a_warmer_return_gives_negative_heat() -> None:
    assert heat_of_a_cubic_metre(40.0, 60.0) < 0.0


def test_tables_are_the_formula_at_whole_degrees() -> None:
    degrees = np.arange(HOTTEST + 1.0)
    assert (density(degrees) == DENSITY).all()
    assert (enthalpy(degrees) == ENTHALPY).all()
    between = np.interp(63.5, degrees, ENTHALPY)
    assert between == pytest.approx(float(enthalpy(63.5)), rel=1e-6)
