"""Units: sizes typed by hand from the definitions, spellings as plates and ledgers have them."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.domain.units import (
    CARRIERS,
    CODE_COUNT,
    FACTOR_TABLE,
    KIND_TABLE,
    NO_UNIT,
    UNITS,
    QuantityKind,
    UnitError,
    canonical_unit,
    conversion_factor,
    convert,
    default_unit,
    find_unit,
    parse_unit,
    unit_codes,
    unit_of,
)

CODES = {
    "kWh": 1, "Wh": 2, "MWh": 3, "GWh": 4, "J": 5, "kJ": 6, "MJ": 7, "GJ": 8, "TJ": 9,
    "kvarh": 20, "varh": 21, "Mvarh": 22, "kVAh": 25, "VAh": 26, "MVAh": 27,
    "m3": 30, "L": 31, "Nm3": 40, "t": 50, "kg": 51, "g": 52, "kW": 60, "W": 61, "MW": 62,
    "kvar": 65, "var": 66,
    "°C": 70, "MPa": 80, "kPa": 81, "Pa": 82, "bar": 83, "1": 90, "%": 91, "tce": 100, "kgce": 101,
    "m3/h": 110, "L/h": 111, "L/min": 112, "L/s": 113, "s": 114, "h": 115, "V": 116, "kV": 117, "A": 118, "Hz": 119,
    "kVA": 120, "VA": 121,
}  # fmt: skip
"""Codes as they are in databases: this table is only ever added to."""


def test_codes_of_units_are_the_ones_in_databases() -> None:
    assert {symbol: unit.code for symbol, unit in UNITS.items()} == CODES
    assert parse_unit("10^1 kWh").code == 129
    assert parse_unit("10^2 L").code == 415
    assert parse_unit("10^-1 Nm3").code == 296


@pytest.mark.parametrize(
    ("source", "target", "factor"),
    [
        ("kWh", "MJ", Fraction(36, 10)),
        ("MWh", "kWh", 1000),
        ("GWh", "kWh", 1_000_000),
        ("Wh", "kWh", Fraction(1, 1000)),
        ("GJ", "kWh", Fraction(2500, 9)),
        ("kWh", "GJ", Fraction(36, 10_000)),
        ("kJ", "GJ", Fraction(1, 1_000_000)),
        ("TJ", "GJ", 1000),
        ("L", "m3", Fraction(1, 1000)),
        ("×100 L", "m3", Fraction(1, 10)),
        ("×10 m3", "m3", 10),
        ("kg", "t", Fraction(1, 1000)),
        ("MPa", "bar", 10),
        ("varh", "kvarh", Fraction(1, 1000)),
        ("kgce", "tce", Fraction(1, 1000)),
        ("×10 Nm3", "Nm3", 10),
    ],
)
def test_factor_is_the_definitions(source: str, target: str, factor: Fraction) -> None:
    assert conversion_factor(parse_unit(source), parse_unit(target)) == float(factor)
    assert conversion_factor(parse_unit(target), parse_unit(source)) == float(1 / Fraction(factor))


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("kWh", "kWh"), ("KWH", "kWh"), ("kwh", "kWh"), (" kWh ", "kWh"), ("ｋＷｈ", "kWh"), ("kW·h", "kWh"),
        ("kW.h", "kWh"), ("kW*h", "kWh"), ("千瓦时", "kWh"), ("度", "kWh"), ("MWh", "MWh"), ("MWH", "MWh"),
        ("Mwh", "MWh"), ("gwh", "GWh"), ("GJ", "GJ"), ("gj", "GJ"), ("吉焦", "GJ"), ("百万千焦", "GJ"), ("MJ", "MJ"),
        ("m³", "m3"), ("M3", "m3"), ("㎥", "m3"), ("m^3", "m3"), ("立方米", "m3"), ("千升", "m3"), ("升", "L"),
        ("l", "L"), ("Nm³", "Nm3"), ("NM3", "Nm3"), ("标方", "Nm3"), ("标准立方米", "Nm3"), ("m3（标准状态）", "Nm3"),
        ("吨", "t"), ("T", "t"), ("公斤", "kg"), ("KG", "kg"), ("℃", "°C"), ("MPA", "MPa"), ("kVarh", "kvarh"),
        ("×10 kWh", "10^1 kWh"), ("x10kWh", "10^1 kWh"), ("10 kWh", "10^1 kWh"), ("kWh*10", "10^1 kWh"),
        ("kWh×10", "10^1 kWh"), ("kWh (×10)", "10^1 kWh"), ("10^3 m3", "10^3 m3"), ("10³ m³", "10^3 m3"),
        ("×１００ L", "10^2 L"), ("x100 L", "10^2 L"), ("万立方米", "10^4 m3"), ("万千瓦时", "10^4 kWh"),
        ("×0.01 m³", "10^-2 m3"), ("10⁻² m³", "10^-2 m3"), ("×1,000 kWh", "MWh"), ("1e3 kWh", "MWh"),
        ("1 kWh", "kWh"), ("×0.001 m3", "L"), ("10**2 L", "10^2 L"),
    ],
)  # fmt: skip
def test_spelling_is_understood(text: str, symbol: str) -> None:
    assert parse_unit(text).symbol == symbol
    assert find_unit(text) is parse_unit(text)


@pytest.mark.parametrize(
    "text", ["mWh", "mwh", "mj", "mJ", "mW", "mpa", "mPa", "mvarh", "103 m3", "×25 kWh", "10E3 kWh"]
)
def test_what_could_be_two_units_is_refused_and_says_so(text: str) -> None:
    with pytest.raises(UnitError, match="ambiguous"):
        parse_unit(text)
    assert find_unit(text) is None


@pytest.mark.parametrize(
    "text",
    ["", " ", "kcal", "therm", "G", "Sm3", "furlong", "×10", "10 °C", "10^99 kWh", "kW kWh", "3", "\x00", "kWh\n10"],
)
def test_what_is_no_unit_is_refused(text: str) -> None:
    with pytest.raises(UnitError, match="not known"):
        parse_unit(text)


@pytest.mark.parametrize(
    "text", ["万" * 5000 + "kWh", "x1" * 50_000, "1" * 100_000, "kWh" * 30_000, "万万立方米", "10万 m3"]
)
def test_endless_and_doubled_multipliers_are_refused(text: str) -> None:
    assert find_unit(text) is None


@given(st.text(st.sampled_from("kKwWhHmM3³lLtTgGjJnN℃度万千百十亿瓦时焦立方米升吨标x×*^ 01.,⁻²e()"), max_size=12))
def test_any_pieces_of_units_are_a_unit_or_refused(text: str) -> None:
    unit = find_unit(text)
    if unit is not None:
        assert parse_unit(unit.symbol) == unit == unit_of(unit.code)


@given(st.text())
def test_any_text_is_a_unit_or_refused(text: str) -> None:
    unit = find_unit(text)
    if unit is not None:
        assert parse_unit(unit.symbol) == unit


def test_every_unit_with_and_without_prefix_is_read_back_from_its_symbol() -> None:
    codes = np.flatnonzero(KIND_TABLE)
    assert len(codes) > len(UNITS)
    for code in codes.tolist():
        unit = unit_of(code)
        assert unit.code == code < 2**15
        assert parse_unit(unit.symbol) == unit


def test_tables_say_what_the_units_say() -> None:
    assert len(FACTOR_TABLE) == len(KIND_TABLE) == CODE_COUNT
    for unit in (*UNITS.values(), parse_unit("×100 L")):
        assert FACTOR_TABLE[unit.code] == float(unit.factor)
        assert KIND_TABLE[unit.code] == unit.kind
    assert np.isnan(FACTOR_TABLE[NO_UNIT])
    assert KIND_TABLE[NO_UNIT] == QuantityKind.NONE
    assert not FACTOR_TABLE.flags.writeable
    assert not KIND_TABLE.flags.writeable


def test_a_column_of_texts_becomes_codes() -> None:
    assert unit_codes(["度", "mWh", "GJ", "tea"]).tolist() == [1, NO_UNIT, 8, NO_UNIT]
    assert unit_codes([]).dtype == np.int16


def test_a_code_that_no_unit_has_is_refused() -> None:
    with pytest.raises(UnitError, match="no unit has the code 99"):
        unit_of(99)


@pytest.mark.parametrize(
    ("source", "target"), [("m3", "Nm3"), ("kWh", "kvarh"), ("t", "tce"), ("kW", "kWh"), ("t", "m3")]
)
def test_different_quantities_never_convert(source: str, target: str) -> None:
    with pytest.raises(UnitError, match="no conversion"):
        convert(1.0, parse_unit(source), parse_unit(target))


@pytest.mark.parametrize(
    ("carrier", "register", "canonical"),
    [
        ("electricity", "MWh", "kWh"),
        ("electricity", "GJ", "kWh"),
        ("steam", "kWh", "GJ"),
        ("steam", "kg", "t"),
        ("hot_water", "×10 kWh", "GJ"),
        ("hot_water", "L", "m3"),
        ("water", "L", "m3"),
        ("water", "t", "t"),
        ("natural_gas", "标方", "Nm3"),
        ("natural_gas", "m3", "m3"),
        ("coal", "kg", "t"),
        ("refined_oil", "L", "m3"),
        ("steam", "°C", "°C"),
        ("coal_gas", "bar", "MPa"),
    ],
)
def test_canonical_unit_depends_on_carrier_and_register(carrier: str, register: str, canonical: str) -> None:
    assert canonical_unit(carrier, parse_unit(register)).symbol == canonical


@pytest.mark.parametrize(
    ("carrier", "register"), [("electricity", "m3"), ("water", "kWh"), ("coal", "m3"), ("electricity", "kvarh")]
)
def test_a_register_that_does_not_fit_its_carrier_is_refused(carrier: str, register: str) -> None:
    with pytest.raises(UnitError, match="does not fit"):
        canonical_unit(carrier, parse_unit(register))


def test_an_unknown_carrier_is_refused() -> None:
    with pytest.raises(UnitError, match="carrier 'tea' is not known"):
        canonical_unit("tea", UNITS["t"])
    with pytest.raises(UnitError, match="carrier 'tea' is not known"):
        default_unit("tea")


def test_canonical_units_of_every_carrier_are_their_own() -> None:
    for carrier, units in CARRIERS.items():
        assert default_unit(carrier) is units[0]
        assert all(canonical_unit(carrier, unit) is unit for unit in units)
        assert all(unit.kind.is_counted for unit in units)


def test_only_what_a_register_counts_up_is_counted() -> None:
    assert not any(kind.is_counted for kind in (QuantityKind.POWER, QuantityKind.TEMPERATURE, QuantityKind.PRESSURE))
    assert QuantityKind.STANDARD_VOLUME.is_counted
