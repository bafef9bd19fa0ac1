"""Verification by law: which instruments it is about, how far it is, and what may serve only for so long."""

import tomllib
from collections.abc import Mapping

import pytest

from analytics.domain.errors import ConfigurationError
from analytics.domain.finding import Verdict
from analytics.standards.facts import load_facts
from analytics.standards.mandatory import Coverage, coverage, mandatory_basis, mandatory_points
from analytics.standards.rules import load_rules
from tests.analytics.standards.conftest import SHIPPED
from tests.analytics.standards.judged import DAY, day_of, judge, metered, named

RULES = tomllib.loads((SHIPPED / "supervision.toml").read_text(encoding="utf-8"))


def test_rules_facts_and_purposes_say_what_is_verified_by_law() -> None:
    rules = load_rules(RULES | {"by_law": [{"instrument": "heat", "source": "某目录第 3 项"}]})
    facts = load_facts([{
        "mandatory": [
            {"unit_code": "U", "meters": ["M-A"], "by_law": False, "source": "备案表"},
            {"unit_code": "U", "meters": ["M-B"], "source": "备案表"},
            {"unit_code": "OTHER", "meters": ["M-D"], "source": "备案表"},
        ]
    }])  # fmt: skip
    rows = [
        metered("A", purpose="贸易结算"), metered("B"), metered("C", purpose="trade"), metered("D"),
        metered("E", instrument="heat", carrier="hot_water", unit="GJ"),
    ]  # fmt: skip
    scene = judge(rows, rules=rules, facts=facts).scene
    points = scene.ledger.point_codes
    assert [points[p] for p in mandatory_points(scene).nonzero()[0].tolist()] == ["B", "C", "E"]
    assert [mandatory_basis(scene, points.index(one)).zh for one in "BCE"] == [
        "备案表",
        "监管规则：用于贸易结算",
        "某目录第 3 项",
    ]


def test_coverage_is_counted_by_energy_and_body() -> None:
    rows = [
        metered("A", purpose="trade"), metered("B", purpose="trade", verification_due=DAY - 1),
        metered("C", purpose="trade", status="out_of_use"), metered("D"),
        metered("G", purpose="trade", carrier="natural_gas", instrument="gas_flow", unit="Nm3"),
    ]  # fmt: skip
    found = coverage(judge(rows).scene, {("U", "M-A"): "市院", ("U", "M-B"): "市院", ("U", "M-D"): "省院"})
    assert found == [Coverage("electricity", "市院", 2, 1), Coverage("natural_gas", "", 1, 1)]
    assert found[0].rate == 50.0


def at(day: str) -> int:
    return day_of(day) * 86_400_000_000


def water(**facts: object) -> Mapping[str, object]:
    plain = {"carrier": "water", "instrument": "water_flow", "unit": "m3", "accuracy_class": "2"}
    return metered("W", **(plain | {"verification_due": day_of("2035-12-31")} | facts))


@pytest.mark.parametrize(
    ("facts", "verdicts"),
    [
        ({"purpose": "贸易结算 DN20", "verified_on": day_of("2020-11-22")}, [Verdict.FAIL]),  # six years to the day
        ({"purpose": "贸易结算 DN20", "verified_on": day_of("2020-11-23")}, []),
        ({"purpose": "DN20", "verified_on": day_of("2010-01-01")}, []),  # nothing says that it settles
        ({"purpose": "贸易结算", "verified_on": day_of("2010-01-01")}, []),  # nor how wide its pipe is
        ({"purpose": "贸易结算 DN40", "verified_on": day_of("2022-01-01")}, [Verdict.PERSON]),
        ({"purpose": "贸易结算 DN80", "verified_on": day_of("2010-01-01")}, []),
    ],
)
def test_service_life(facts: dict[str, object], verdicts: list[Verdict]) -> None:
    found = named(judge([water(installed_from=at("2024-01-01"), **facts)]), "service_life")
    assert [one.verdict for one in found] == verdicts


def test_a_new_certificate_does_not_make_it_younger() -> None:
    row = water(purpose="贸易结算 DN20", verified_on=day_of("2026-01-01"), installed_from=at("2018-05-01"))
    found = named(judge([row]), "service_life")
    assert [one.found.zh for one in found] == ["已知自 2018-05-01 起使用，使用期限已于 2024-04-30 届满"]


def test_diaphragm_gas_meters_are_asked_about() -> None:
    row = metered(
        "G", purpose="trade", carrier="natural_gas", instrument="gas_flow", unit="Nm3", name="膜式燃气表",
        verified_on=day_of("2015-01-01"), verification_due=day_of("2030-01-01"),
    )  # fmt: skip
    assert [one.verdict for one in named(judge([row]), "service_life")] == [Verdict.PERSON]
    assert not named(judge([{**row, "name": "涡轮流量计"}]), "service_life")


def test_a_fact_needs_its_source_and_its_meters() -> None:
    with pytest.raises(ConfigurationError, match=r"source must be text(?s:.)*meters must name"):
        load_facts([{"mandatory": [{"unit_code": "U", "meters": []}]}])
