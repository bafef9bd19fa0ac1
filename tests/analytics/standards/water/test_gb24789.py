"""GB 24789-2009: equipping rate, metering rate and class of water meters; numbers typed from the standard's text."""

import tomllib
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from analytics.domain.errors import ConfigurationError
from analytics.domain.finding import Finding, Verdict
from analytics.standards.assessment import assess
from analytics.standards.facts import Facts
from analytics.standards.scene import Evidence, Use, UseKey
from analytics.standards.water.gb24789 import load_water
from dashboards.text import VALUES
from tests.analytics.standards.conftest import SHIPPED
from tests.analytics.standards.judged import DAY, ZONE, day_of, metered, shipped_book, shipped_rules
from tests.ledgers import ledger_of

DOCUMENT = tomllib.loads((SHIPPED / "water" / "gb24789_2009.toml").read_text(encoding="utf-8"))
STANDARD = load_water(DOCUMENT)


def found(rows: Sequence[Mapping[str, object]], rule: str, uses: Mapping[UseKey, Use] | None = None) -> list[Finding]:
    ledger = ledger_of(*rows)
    nothing = Evidence.none(ledger)
    made = assess(
        ledger,
        book=shipped_book(),
        rules=shipped_rules(),
        facts=Facts(),
        evidence=Evidence(
            uses=uses or {},
            completeness=nothing.completeness,
            start_deviation_s=nothing.start_deviation_s,
            month_deviation_d=nothing.month_deviation_d,
            in_time=nothing.in_time,
            silent_since=nothing.silent_since,
            fault_since=nothing.fault_since,
            at_risk=nothing.at_risk,
        ),
        day=DAY,
        at_us=DAY * 86_400_000_000,
        zone=ZONE,
        water=STANDARD,
    )
    return [one for one in made.findings if one.rule.startswith(rule)]


def water(point: str, **facts: object) -> Mapping[str, object]:
    return metered(point, carrier="water", unit="m3", instrument="water_flow", **{"accuracy_class": "2", **facts})


def bare(point: str, **facts: object) -> Mapping[str, object]:
    return {"point": point, "carrier": "water", "unit": "m3", **facts}


@pytest.mark.parametrize(
    ("level", "equipping", "metering"),
    [("unit", 100, 100), ("sub_unit", 95, 95), ("equipment", 80, 85)],
    ids=["unit", "sub-unit", "main equipment"],
)
def test_the_printed_rates(level: str, equipping: int, metering: int) -> None:
    assert (STANDARD.equipping[level], STANDARD.metering[level]) == (Fraction(equipping), Fraction(metering))
    assert (STANDARD.required.text, STANDARD.confidence) == ("2", "one")


@pytest.mark.parametrize(("bare_points", "verdict"), [(1, Verdict.PASS), (2, Verdict.FAIL)])
def test_the_equipping_rate_at_its_limit(bare_points: int, verdict: Verdict) -> None:
    place = {"level": "sub_unit", "sub_unit": "S"}
    rows = [water(f"W{i}", **place) for i in range(20 - bare_points)]
    rows += [bare(f"X{i}", annual_use=6000.0, **place) for i in range(bare_points)]  # 19 of 20 are 95 %
    one = found(rows, "water_rate")[0]
    assert (one.clause, one.verdict) == ("GB 24789-2009 Rp", verdict)
    assert one.edition == "GB 24789-2009 (stands in for GB/T 24789-2022, which has replaced it)"
    assert "GB/T 24789-2022" in one.required.zh


def test_the_standard_held_until_it_was_replaced() -> None:
    assert STANDARD.named_on(day_of("2022-10-31")) == "GB 24789-2009"
    assert "2022" in STANDARD.named_on(day_of("2022-11-01"))


@pytest.mark.parametrize("day", ["2022-10-31", "2022-11-01"])
def test_it_is_named_in_chinese_where_pages_and_reports_are(day: str) -> None:
    word = VALUES["edition"][STANDARD.named_on(day_of(day))]
    assert "stands in" not in word.of("zh")
    assert word.of("en") == STANDARD.named_on(day_of(day))


def use(amount: float, days: int = 365, scope: str = "unit") -> Mapping[UseKey, Use]:
    part = "" if scope == "unit" else "S"
    return {UseKey(0, scope, part, part, "water"): Use(amount=amount, days=days, most_in_an_hour=np.nan, symbol="m3")}


@pytest.mark.parametrize(
    ("metered_m3", "declared", "verdict", "told"),
    [
        (95.0, 5.0, Verdict.PASS, "95 %"),
        (94.999, 5.001, Verdict.FAIL, "94.999 %"),
        (95.0, 5.0001, Verdict.FAIL, "94.9999 %"),
        (1000.0, np.nan, Verdict.PERSON, "at most 100 %"),
    ],
)
def test_the_metering_rate_at_its_limit(metered_m3: float, declared: float, verdict: Verdict, told: str) -> None:
    place = {"level": "sub_unit", "sub_unit": "S"}
    rows = [water("W", **place), bare("X", annual_use=declared, **place)]
    one = found(rows, "water_metering", use(metered_m3, scope="sub_unit"))[0]
    assert (one.clause, one.verdict, one.found.en, one.points) == ("GB 24789-2009 Km", verdict, told, ("X",))


def test_an_unknown_use_cannot_mend_a_rate_that_is_too_low() -> None:
    rows = [water("W"), bare("X", annual_use=100.0), bare("Y")]
    one = found(rows, "water_metering", use(900.0))[0]
    assert (one.verdict, one.found.en) == (Verdict.FAIL, "at most 90 %")


def test_declared_use_counts_for_the_days_that_were_measured() -> None:
    rows = [water("W"), bare("X", annual_use=365.0)]
    one = found(rows, "water_metering", use(70.0, days=30))[0]
    assert (one.found.en, one.evidence["declared_m3"]) == ("70 %", 30.0)
    assert found(rows, "water_metering", use(70.0, days=27)) == []  # too short to speak of
    assert found(rows, "water_metering") == []


def test_what_a_meter_above_measures_is_metered() -> None:
    rows = [water("W"), bare("X", annual_use=100.0, parent_point="W")]
    assert found(rows, "water_metering", use(900.0))[0].verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("installed", "rule"),
    [("1.5", "water_class_met"), ("2", "water_class_met"), ("2.5", "water_class"), ("B", "water_class_unknown")],
)
def test_the_class_of_water_meters(installed: str, rule: str) -> None:
    assert [one.rule for one in found([water("W", accuracy_class=installed)], "water_class")] == [rule]


def test_waste_water_has_no_class_and_other_energies_no_water() -> None:
    assert found([water("W", direction="out", accuracy_class="5")], "water_class") == []
    assert found([metered("E")], "water") == []


def test_a_faulty_standard_tells_all_its_faults() -> None:
    bad: dict[str, Any] = {
        "water": {**DOCUMENT["water"], "number": "", "metering": {"unit": 101}, "accuracy": {"class": "good"}},
        "wine": {},
    }
    with pytest.raises(ConfigurationError) as caught:
        load_water(bad)
    told = str(caught.value)
    for fault in (
        "[wine]: must be [water]",
        "number must not be empty",
        "unit must be a number from 0 to 100 (got 101)",
        "main_equipment must be a number from 0 to 100 (got None)",
        "class: accuracy class 'good'",
    ):
        assert fault in told
