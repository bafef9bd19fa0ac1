"""Factors that convert nothing are named, with what would help."""

from analytics.standards.facts.factor_use import unused_factors
from ingest.standard_files import parse_standard, standards_from
from tests.analytics.standards.judged import judge, metered

ROWS = (
    metered("E0"),
    metered("G0", carrier="natural_gas", instrument="gas_flow", unit="m3", accuracy_class="1.5"),
)


def told(text: str, rows: tuple[object, ...] = ROWS) -> list[str]:
    document = parse_standard(text, source="f.toml")
    ledger = judge([dict(row) for row in rows]).scene.ledger  # type: ignore[call-overload]  # mappings
    return [phrase.en for phrase in unused_factors(standards_from([document]).factors.entered, ledger)]


def factor(carrier: str, per: str, more: str = "") -> str:
    return f'[[factor]]\ncarrier = "{carrier}"\nper = "{per}"\nkgce = 1.2\nsource = "s"\n{more}\n'


def test_a_factor_that_converts_something_is_not_named() -> None:
    assert told(factor("electricity", "kWh")) == []
    assert told(factor("natural_gas", "m3")) == []
    assert told(factor("natural_gas", "Nm3") + factor("natural_gas", "m3")) == []


def test_a_factor_per_standard_volume_for_a_meter_of_operating_volume_is_told() -> None:
    (line,) = told(factor("natural_gas", "Nm3"))
    assert "per Nm3 is not used: 1 metering point(s) count in m3 (U G0)" in line


def test_a_factor_used_in_part_is_told() -> None:
    both = (*ROWS, metered("G1", carrier="natural_gas", instrument="gas_flow", unit="Nm3", accuracy_class="1.5"))
    (line,) = told(factor("natural_gas", "Nm3"), both)
    assert "not used for all of them: 1 metering point(s) count in m3 (U G0)" in line


def test_a_factor_of_what_nobody_meters_or_of_no_unit_is_told() -> None:
    assert told(factor("coke", "t")) == ["the factor of coke per t is not used: no metering point is of coke"]
    (line,) = told(factor("electricity", "kWh", 'unit_code = "X"'))
    assert line.endswith("is not used: the ledger has no unit X")


def test_what_has_no_factor_says_that_one_was_entered_per_another_unit() -> None:
    table = standards_from([parse_standard(factor("natural_gas", "Nm3"), source="f.toml")]).factors
    assert table.series("natural_gas", "m3").text == (
        "unknown: meters count natural_gas in m3, the factor entered is per Nm3",
    )
