"""The four tables of GB 17167-2006, typed by hand from the standard's facts; each test is named by its clause."""

import csv
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from analytics.domain.accuracy import parse_accuracy_class
from analytics.domain.finding import Verdict
from analytics.domain.words import Phrase
from analytics.standards.accuracy import Category, accuracy_verdict, requirement, user_category
from analytics.standards.editions import Edition
from analytics.standards.equipping import rate_verdict
from analytics.standards.facts import UnitFacts
from analytics.standards.main_users import main_use
from analytics.standards.rules import Rules
from analytics.standards.scene import Use, UseKey
from tests.analytics.standards.judged import scene_of

GOLDEN = Path(__file__).parents[2] / "golden"


def rows(table: str) -> list[dict[str, str]]:
    with (GOLDEN / f"gb17167_2006_{table}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def named_by_clause(table: str, *fields: str) -> list[object]:
    return [
        pytest.param(row, id=" ".join([row["clause"], *(row[field] or "-" for field in fields)])) for row in rows(table)
    ]


MEASURED_UNIT = {
    "kW": "kWh",
    "t/a": "t",
    "t/h": "t",
    "m3/a": "Nm3",
    "m3/h": "Nm3",
    "GJ/a": "GJ",
    "GJ/h": "GJ",
    "MW": "GJ",
}


@pytest.mark.parametrize("row", named_by_clause("limits", "energy", "level"))
def test_a_limit_is_reached_at_its_value_and_not_below(row: dict[str, str]) -> None:
    value, unit = float(row["value"]), row["unit"]
    hourly = value * 3.6 if unit == "MW" else value  # 7 MW are 25.2 GJ/h
    symbol = "m3" if row["energy"] == "water" else MEASURED_UNIT[unit]
    verdicts = []
    for amount in (hourly, np.nextafter(hourly, 0), hourly * 1.5):
        key = UseKey(0, row["level"], "S", "E" if row["level"] == "equipment" else "S", row["energy"])
        yearly = unit.endswith("/a")
        use = Use(amount=amount if yearly else 1e9, days=365, most_in_an_hour=1e9 if yearly else amount, symbol=symbol)
        point = {"point": "P", "level": row["level"], "sub_unit": "S", "carrier": row["energy"]}
        if row["level"] == "equipment":
            point["equipment"] = "E"
        main = main_use(scene_of(point, uses={key: use}))
        verdicts.append(int(main.measured[0]))
    assert verdicts == [1, 0, 1]


@pytest.mark.parametrize("row", named_by_clause("limits", "energy", "level"))
def test_the_limit_is_the_printed_one(row: dict[str, str], edition: Edition) -> None:
    limit = edition.limit_of(row["energy"], row["level"])
    assert limit is not None
    assert (limit.value, limit.unit) == (float(row["value"]), row["unit"])


@pytest.mark.parametrize("level", ["unit", "sub_unit", "equipment"])
@pytest.mark.parametrize("row", named_by_clause("rates", "energy"))
def test_a_rate_holds_at_its_requirement_and_not_just_below(row: dict[str, str], level: str, edition: Edition) -> None:
    required = edition.rates[row["energy"], level]
    if not row[level]:
        assert required is None
        assert rate_verdict(0, 0, 7, required) is Verdict.NOT_APPLICABLE
        return
    percent = int(row[level])
    assert required == percent
    assert rate_verdict(percent, 0, 100, required) is Verdict.PASS
    assert rate_verdict(percent - 1, 0, 100, required) is Verdict.FAIL
    million = 10**6
    assert rate_verdict(percent * million - 1, 0, 100 * million, required) is Verdict.FAIL  # 94.999999 is below 95


def test_table_3_has_no_other_rows(edition: Edition) -> None:
    assert {energy for energy, _ in edition.rates} == {row["energy"] for row in rows("rates")}


@pytest.mark.parametrize("row", named_by_clause("accuracy", "level", "instrument", "carrier", "purpose", "user"))
def test_a_class_is_enough_and_the_next_is_too_coarse(row: dict[str, str], edition: Edition, rules: Rules) -> None:
    nothing = Phrase(zh="", en="")
    chosen = tuple(one for one in edition.accuracy.categories if one.id == row["user"])
    category = Category(chosen, nothing, nothing) if chosen else None
    asked = requirement(
        edition,
        rules,
        instrument=row["instrument"],
        carrier=row["carrier"],
        purpose=row["purpose"],
        level=row["level"],
        category=category,
    )
    assert [one.number for one in asked.classes] == [Decimal(row["class"].rstrip("S"))]
    assert [one.special for one in asked.classes] == [row["class"].endswith("S")]
    assert accuracy_verdict(parse_accuracy_class(row["class"]), asked.classes) is Verdict.PASS
    assert accuracy_verdict(parse_accuracy_class(row["just_too_coarse"]), asked.classes) is Verdict.FAIL


def test_refined_oil_in_trade_by_the_review_rules(edition: Edition, rules: Rules) -> None:
    by_review = replace(rules, refined_oil_by_review=True)
    asked = requirement(
        edition, by_review, instrument="oil_flow", carrier="refined_oil", purpose="trade", level="unit", category=None
    )
    assert [str(one) for one in asked.classes] == ["0.3"]


def test_natural_gas_in_trade_asks_for_more_than_the_table(edition: Edition, rules: Rules) -> None:
    asked = requirement(
        edition, rules, instrument="gas_flow", carrier="natural_gas", purpose="trade", level="unit", category=None
    )
    assert ([str(one) for one in asked.classes], asked.further) == (["2"], "GB/T 18603-2001 annexes A and B")


@pytest.mark.parametrize(
    "row", named_by_clause("users", "monthly_kwh", "transformer_kva", "single_phase", "high_voltage", "review")
)
def test_a_user_has_the_highest_category_it_reaches(row: dict[str, str], edition: Edition, rules: Rules) -> None:
    said = {"yes": True, "no": False, "": None}
    facts = UnitFacts(
        transformer_kva=float(row["transformer_kva"]) if row["transformer_kva"] else None,
        single_phase=said[row["single_phase"]],
        high_voltage=said[row["high_voltage"]],
    )
    chosen = replace(rules, category_iv_by_review=row["review"] == "jjf1356")
    found = user_category(edition.accuracy, chosen, facts, float(row["monthly_kwh"] or "nan"))
    possible = [one.id for one in found.possible]
    if row["category"] and (row["transformer_kva"] or row["single_phase"]):
        assert possible == [row["category"]]
    elif row["category"]:  # use alone names the lowest that it can be: its capacity may make it any higher one
        lowest = [one for one in possible if one != "V"][-1]
        higher = [
            one.id for one in edition.accuracy.categories if not (facts.high_voltage is False and one.high_voltage)
        ]
        assert (lowest, possible[: higher.index(lowest)]) == (row["category"], higher[: higher.index(lowest)])
    else:
        assert len(possible) > 1


def test_mandatory_clauses(edition: Edition) -> None:
    assert edition.mandatory == {"4.3.2", "4.3.3", "4.3.4", "4.3.5", "4.3.8"}


def test_rates_are_exact(edition: Edition) -> None:
    assert edition.rates["electricity", "equipment"] == Fraction(95)
