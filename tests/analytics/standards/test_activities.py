"""4.3.6, 4.3.7 and 4.3.11: judged from what was entered, never guessed; test ids are clauses."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from analytics.domain.errors import ConfigurationError
from analytics.domain.finding import Finding, Verdict
from analytics.domain.ledger import NO_DAY
from analytics.domain.severity import Severity
from analytics.standards.assessment import Assessment
from analytics.standards.facts import Facts, load_facts
from tests.analytics.standards.judged import DAY, judge, metered, named

CLAUSES = {"conversion": "4.3.6", "production": "4.3.7", "raw_material": "4.3.11"}
BOILER: Mapping[str, Any] = {
    "unit_code": "U",
    "kind": "conversion",
    "name": "锅炉房",
    "sub_unit": "锅炉房",
    "inputs": ["natural_gas"],
    "outputs": ["steam"],
    "source": "能流图",
}
GAS = metered("G", level="sub_unit", sub_unit="锅炉房", carrier="natural_gas", unit="Nm3", instrument="gas_flow")
STEAM = metered(
    "S", level="sub_unit", sub_unit="锅炉房", carrier="steam", unit="GJ", instrument="steam_flow", direction="out"
)


def facts_of(*activities: Mapping[str, Any], **unit: Any) -> Facts:
    tables: dict[str, Any] = {"activity": list(activities)}
    if unit:
        tables["unit"] = [{"unit_code": "U", **unit}]
    return load_facts([tables])


def found_by(assessment: Assessment, question: str) -> list[Finding]:
    return [one for one in assessment.findings if one.clause == CLAUSES[question]]


def boiler(*rows: Mapping[str, object], **more: Any) -> Finding:
    found = found_by(judge([metered("E"), *rows], facts=facts_of({**BOILER, **more})), "conversion")
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("question", CLAUSES, ids=CLAUSES.values())
def test_nothing_entered_needs_a_person(question: str) -> None:
    found = found_by(judge([metered("A", purpose="dc")]), question)
    assert [(one.verdict, one.severity, one.mandatory) for one in found] == [(Verdict.PERSON, Severity.INFO, False)]
    assert "[[unit]]" in found[0].next_step.en


@pytest.mark.parametrize(
    ("question", "field"),
    [("conversion", "converts"), ("production", "produces"), ("raw_material", "raw_material")],
    ids=CLAUSES.values(),
)
def test_what_a_unit_says_of_itself(question: str, field: str) -> None:
    denied = found_by(judge([metered("A")], facts=facts_of(**{field: False})), question)
    assert [one.verdict for one in denied] == [Verdict.NOT_APPLICABLE]
    said = found_by(judge([metered("A")], facts=facts_of(**{field: True})), question)
    assert [(one.verdict, one.severity) for one in said] == [(Verdict.PERSON, Severity.WARNING)]
    assert "[[activity]]" in said[0].next_step.zh


@pytest.mark.parametrize(
    ("rows", "verdict", "points", "told"),
    [
        ([GAS, STEAM], Verdict.PASS, (), "both sides are metered"),
        ([GAS], Verdict.FAIL, (), "the ledger has no point for steam out"),
        ([GAS, {**STEAM, "direction": "in"}], Verdict.FAIL, (), "the ledger has no point for steam out"),
        ([GAS, {**STEAM, "direction": "own"}], Verdict.PASS, (), "both sides are metered"),
        ([GAS, {**STEAM, "sub_unit": "elsewhere"}], Verdict.FAIL, (), "the ledger has no point for steam out"),
        ([GAS, {**STEAM, "meter_no": ""}], Verdict.FAIL, ("S",), "no usable meter at S"),
        ([{**GAS, "status": "out_of_use"}, STEAM], Verdict.FAIL, ("G",), "no usable meter at G"),
        ([{**GAS, "verification_due": DAY - 1}, STEAM], Verdict.FAIL, ("G",), "no usable meter at G"),
        ([{**GAS, "verification_due": DAY}, STEAM], Verdict.PASS, (), "both sides are metered"),
        (
            [{**GAS, "verification_due": NO_DAY, "verified_on": NO_DAY}, STEAM],
            Verdict.PERSON,
            ("G",),
            "verification of the meters at G is unknown",
        ),
        ([GAS, STEAM, {**GAS, "point": "G2", "meter_no": ""}], Verdict.FAIL, ("G2",), "no usable meter at G2"),
        (
            [GAS, STEAM, {**GAS, "point": "G2", "meter_no": "", "parent_point": "G"}],
            Verdict.PASS,
            (),
            "both sides are metered",  # what lies below G is measured by G
        ),
    ],
)
def test_4_3_6(rows: Sequence[Mapping[str, object]], verdict: Verdict, points: tuple[str, ...], told: str) -> None:
    one = boiler(*rows)
    assert (one.verdict, one.points, one.found.en) == (verdict, points, told)
    assert bool(one.next_step.zh) == (verdict is not Verdict.PASS)


def test_4_3_6_transport_asks_for_both_ends() -> None:
    grid = {"unit_code": "U", "kind": "transport", "name": "配网", "carriers": ["electricity"], "source": "s"}
    one_end = found_by(judge([metered("A")], facts=facts_of(grid)), "conversion")[0]
    assert (one_end.verdict, one_end.found.en) == (Verdict.FAIL, "the ledger has no point for electricity out")
    both = judge([metered("A"), metered("B", direction="out")], facts=facts_of(grid))
    assert found_by(both, "conversion")[0].verdict is Verdict.PASS


MINE: Mapping[str, Any] = {
    "unit_code": "U",
    "kind": "production",
    "name": "采煤",
    "outputs": ["coal"],
    "own_use": ["electricity"],
    "product": "原煤",
    "source": "s",
}


def test_4_3_7_output_by_meters_or_as_entered() -> None:
    bare = found_by(judge([metered("A")], facts=facts_of(MINE)), "production")[0]
    assert (bare.verdict, bare.found.zh) == (Verdict.FAIL, "台账中没有以下计量点：煤炭（产出）")
    belt = metered("C", carrier="coal", unit="t", instrument="weighing", direction="own")
    assert found_by(judge([metered("A"), belt], facts=facts_of(MINE)), "production")[0].verdict is Verdict.PASS
    output = {"unit_code": "U", "product": "原煤", "month": "2026-10", "amount": 9, "unit": "t", "source": "s"}
    entered = load_facts([{"activity": [MINE], "output": [output]}])
    assert found_by(judge([metered("A")], facts=entered), "production")[0].verdict is Verdict.PASS
    idle = metered("A", status="out_of_use")
    assert found_by(judge([idle], facts=entered), "production")[0].points == ("A",)


FEED: Mapping[str, Any] = {
    "unit_code": "U",
    "kind": "raw_material",
    "name": "裂解原料",
    "points": ["F"],
    "class": "1.0",
    "source": "工艺规程",
}


@pytest.mark.parametrize(
    ("installed", "verdict"),
    [("0.5", Verdict.PASS), ("1", Verdict.PASS), ("1.5", Verdict.FAIL), ("", Verdict.PERSON), ("B", Verdict.PERSON)],
)
def test_4_3_11_the_class_follows_the_process(installed: str, verdict: Verdict) -> None:
    feed = metered("F", carrier="natural_gas", unit="Nm3", instrument="gas_flow", accuracy_class=installed)
    found = judge([feed], facts=facts_of(FEED))
    assert [one.verdict for one in found_by(found, "raw_material")] == [verdict]
    assert not named(found, "accuracy")  # table 4 does not ask about raw material


def test_4_3_11_without_a_class_or_a_meter() -> None:
    feed = metered("F", carrier="natural_gas", unit="Nm3", instrument="gas_flow")
    unsaid = {name: value for name, value in FEED.items() if name != "class"}
    one = found_by(judge([feed], facts=facts_of(unsaid)), "raw_material")[0]
    assert (one.verdict, one.points) == (Verdict.PERSON, ("F",))
    bare = found_by(judge([metered("A")], facts=facts_of(FEED)), "raw_material")[0]
    assert (bare.verdict, bare.points) == (Verdict.FAIL, ("F",))


def test_an_activity_of_another_unit_says_nothing_here() -> None:
    found = judge([metered("A")], facts=facts_of({**BOILER, "unit_code": "V"}))
    assert [one.verdict for one in found_by(found, "conversion")] == [Verdict.PERSON]


def test_two_activities_are_told_apart() -> None:
    second = {**BOILER, "name": "空压站", "outputs": ["other"]}
    found = found_by(judge([GAS, STEAM], facts=facts_of(BOILER, second)), "conversion")
    assert sorted(one.rule for one in found) == ["conversion 空压站", "conversion 锅炉房"]
    assert len({one.key for one in found}) == 2


def test_faulty_activities_tell_all_their_faults() -> None:
    bad = [
        {**BOILER, "inputs": ["gas"], "outputs": [], "points": ["P"]},
        {**FEED, "class": "fine", "points": []},
        {**BOILER, "name": "", "kind": "magic"},
    ]
    with pytest.raises(ConfigurationError) as caught:
        load_facts([{"activity": bad, "unit": [{"unit_code": "U", "converts": False}]}])
    told = str(caught.value)
    for fault in (
        "number 1: outputs must name one or more",
        "number 1: inputs must be of electricity",
        "number 1: points is none of",
        "number 2: points must name one or more",
        "number 2: class: accuracy class 'fine' is not known",
        "number 3: kind must be one of conversion, transport, production, raw_material (got 'magic')",
        "number 3: name must not be empty",
        "must not be there while [[unit]] U says converts = false",
    ):
        assert fault in told
