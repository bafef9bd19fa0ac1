"""Nobody is acquitted or accused wrongly: variants of what auditors found."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from analytics.domain.accuracy import parse_accuracy_class
from analytics.domain.finding import Verdict
from analytics.standards.exemptions import EXEMPTIONS, exemption_of
from analytics.standards.facts import Facts, UnitFacts
from analytics.standards.purpose import purpose_of
from tests.analytics.standards.judged import day_of, judge, metered, named, shipped_rules

BY_NOTE = {
    "表3注1": "heating",
    "表3 注2": "heating",
    "冬季采暖用热水": "heating",
    "seasonal heating steam, settled by area": "heating",
    "表3注3：辅助用电": "auxiliary",
    "辅助能源，低于表2限定值": "auxiliary",
    "表2注1": "assessable",
    "所在装置已配备计量器具": "assessable",
    "泵房集中管理": "group",
    "辅助能源（低于表2限定值）": "auxiliary",
    "由锅炉房总表计量": "group",
    "装置内已统一计量": "assessable",
    "功率低于限定值": "below_limit",
    "低于表1规定的限定值": "below_limit",
    "below the limit": "below_limit",
}
FREE_TEXT = (
    "季节性生产，每年停机三个月", "系统改造中，电表未到货", "非辅助能源，暂缓安装", "管理层同意",
    "采暖系统检修，表未到",
    "不低于限定值", "辅助", "装置", "锅炉房", "非采暖用蒸汽", "低于限定值，待核实", "seasonal production",
    "no auxiliary energy",
    "功率低于100kW", "暂不具备安装条件", "同意", "辅助能源（待核实）", "由锅炉房计划计量",
)  # fmt: skip


@pytest.mark.parametrize(("text", "code"), BY_NOTE.items())
def test_a_reason_is_chosen_by_its_code_its_note_or_its_words(text: str, code: str) -> None:
    found = exemption_of(text)
    assert found is not None
    assert found.code == code


@pytest.mark.parametrize("text", FREE_TEXT)
def test_free_text_is_no_reason(text: str) -> None:
    assert exemption_of(text) is None


@pytest.mark.parametrize("code", EXEMPTIONS)
def test_names_and_codes_can_stand_in_a_cell(code: str) -> None:
    one = EXEMPTIONS[code]
    for cell in (code, one.name.zh, one.name.en):
        found = exemption_of(cell)
        assert found is not None, cell
        assert found.code == code


def edge(carrier: str, reason: str) -> Mapping[str, object]:
    return {"point": "X", "carrier": carrier, "required": False, "exemption": reason}


@pytest.mark.parametrize(
    ("carrier", "reason", "verdict", "needed"),
    [
        ("electricity", "heating", Verdict.FAIL, 1),
        ("natural_gas", "管理层同意", Verdict.FAIL, 1),
        ("coal", "below_limit", Verdict.FAIL, 1),
        ("hot_water", "表3注1", None, 0),
        ("steam", "below_limit", Verdict.FAIL, 1),
        ("steam", "正在改造", Verdict.PERSON, 0),
    ],
)
def test_at_the_edge_only_heating_frees(carrier: str, reason: str, verdict: Verdict | None, needed: int) -> None:
    found = judge([edge(carrier, reason)])
    assert [one.verdict for one in named(found, "exemption")] == ([verdict] if verdict else [])
    assert sum(one.needed for one in found.rates) == needed
    assert found.standings[0].state != "compliant"


def sub(point: str, **facts: object) -> Mapping[str, object]:
    return {"point": point, "level": "sub_unit", "sub_unit": "甲"} | facts


def exempt(point: str, reason: str = "低于限定值", **facts: object) -> Mapping[str, object]:
    return sub(point, required=False, exemption=reason, **facts)


def test_feeders_of_a_sub_unit_are_added_whatever_they_are_called() -> None:
    lines = [exempt(f"L{i}", rated_power_kw=3.5) for i in range(3)]
    found = judge(lines)
    assert [(one.present, one.needed, one.verdict) for one in found.rates] == [(0, 3, Verdict.FAIL)]
    assert {one.verdict for one in named(found, "exemption")} == {Verdict.FAIL}


def test_devices_say_the_least_that_their_sub_unit_takes() -> None:
    devices = [
        metered(f"D{i}", level="equipment", sub_unit="甲", equipment=f"机{i}", rated_power_kw=6.0) for i in range(2)
    ]
    found = judge([exempt("L"), *devices])
    assert [one.verdict for one in named(found, "exemption")] == [Verdict.FAIL]


@pytest.mark.parametrize(
    ("carrier", "use", "limit"),
    [
        ("coal", 100.0, True),
        ("coal", 99.9, False),
        ("water", 5000.0, True),
        ("steam", 4999.0, False),
        ("lpg", 40.0, True),
    ],
)
def test_the_ledger_refutes_its_own_reason_for_every_energy(carrier: str, use: float, limit: bool) -> None:
    found = judge([exempt("L", carrier=carrier, annual_use=use)])
    assert [one.verdict for one in named(found, "exemption")] == ([Verdict.FAIL] if limit else [])


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({}, Verdict.PERSON),
        ({"annual_use": 50_000.0}, Verdict.PERSON),  # 5.7 kW in the mean says nothing of the most
        ({"annual_use": 87_600.0}, Verdict.FAIL),  # 10 kW in the mean
        ({"rated_power_kw": 9.99}, None),
        ({"rated_power_kw": 10.0}, Verdict.FAIL),
    ],
)
def test_who_lists_a_workshop_without_a_figure_is_asked_and_not_accused(
    facts: Mapping[str, object], verdict: Verdict | None
) -> None:
    bare = {"point": "L", "level": "sub_unit", "sub_unit": "甲", "carrier": "electricity", **facts}
    found = judge([metered("E"), bare])
    rates = [one.verdict for one in found.rates if one.level == "sub_unit"]
    assert rates == ([] if verdict is None else [verdict])
    assert [one.point for one in named(found, "main_unknown")] == (["L"] if verdict is Verdict.PERSON else [])
    assert found.standings[0].state == {None: "compliant", Verdict.PERSON: "unknown"}.get(verdict, "findings")


def test_use_is_not_rounded_up_to_a_limit_that_it_does_not_reach() -> None:
    found = judge([metered("E", annual_use=11_999_999.0, accuracy_class="1.0")])
    assert "月均用电 999,999.9 kWh" in named(found, "accuracy")[0].required.zh


def test_an_exempt_point_that_has_its_meter_lacks_nothing() -> None:
    said = {"level": "sub_unit", "sub_unit": "甲", "rated_power_kw": 50.0, "required": False, "exemption": "低于限定值"}
    found = judge([metered("E", purpose="dc"), metered("L", purpose="dc", **said)])
    assert not named(found, "exemption")
    assert [(one.present, one.needed) for one in found.rates if one.level == "sub_unit"] == [(1, 1)]
    assert found.standings[0].state == "compliant"
    bare = {name: value for name, value in metered("L", **said).items() if name in {"point", *said}}
    assert [one.verdict for one in named(judge([metered("E"), bare]), "exemption")] == [Verdict.FAIL]


def test_what_a_person_reads_in_chinese_has_no_english_in_it() -> None:
    gas = metered(
        "G", carrier="natural_gas", instrument="gas_flow", purpose="trade", accuracy_class="1", cycle_months=99.0
    )
    found = judge([gas])
    texts = [text.zh for one in found.findings for text in (one.required, one.found, one.next_step)]
    assert any("附录A、附录B" in text for text in texts)
    assert not [text for text in texts if "annex" in text or " a；" in text or " a;" in text]


def test_unknown_use_stays_unknown() -> None:
    found = judge([exempt("L", carrier="coal")])
    assert [one.verdict for one in named(found, "exemption")] == [Verdict.PERSON]
    assert found.rates[0].verdict is Verdict.PERSON
    assert found.standings[0].state != "compliant"


@pytest.mark.parametrize("said", [{}, {"required": False, "exemption": "低于限定值"}], ids=["empty", "exempt"])
def test_main_by_one_energy_is_asked_for_the_others(said: Mapping[str, object]) -> None:
    coal = sub("C", carrier="coal", annual_use=1000.0)
    found = judge([coal, sub("E", rated_power_kw=8.0, **said)])
    assert [(one.point, one.verdict) for one in named(found, "main_by_another")] == [("E", Verdict.PERSON)]
    assert not named(judge([sub("E", rated_power_kw=8.0, **said)]), "main_by_another")


def test_an_auxiliary_of_a_main_device_is_let_off_by_note_3() -> None:
    boiler = {"level": "equipment", "sub_unit": "甲", "equipment": "锅炉", "parent_point": ""}
    coal = {"point": "C", "carrier": "coal", "annual_use": 20_000.0, **boiler}
    pump = {"point": "E", "rated_power_kw": 40.0, "required": False, "exemption": "表3注3", **boiler}
    assert not named(judge([coal, pump]), "main_by_another")
    assert named(judge([coal, pump | {"exemption": "低于限定值"}]), "main_by_another")


def test_a_small_workshop_with_a_meter_counts_on_neither_side() -> None:
    small = metered("S", level="sub_unit", sub_unit="乙", rated_power_kw=5.0, accuracy_class="4.0")
    found = judge([small])
    assert not found.rates
    assert not named(found, "accuracy")


def category(kwh: float, capacity: float | None, installed: str) -> tuple[str, str]:
    row = metered("E", accuracy_class=installed, annual_use=12 * kwh)
    found = judge([row], facts=Facts(units={"U": UnitFacts(transformer_kva=capacity)}))
    failing = named(found, "accuracy")
    return ("pass", "") if failing[0].verdict is Verdict.PASS else (failing[0].verdict.value, failing[0].next_step.zh)


@pytest.mark.parametrize(
    ("kwh", "capacity", "installed", "verdict"),
    [
        (50_000.0, None, "2.0", "person"),
        (50_000.0, 200.0, "2.0", "pass"),
        (50_000.0, 400.0, "2.0", "fail"),
        (999_999.0, None, "1.0", "person"),
        (1_000_000.0, None, "1.0", "fail"),
        (1_000_000.0, None, "0.5", "person"),
        (5_000_000.0, None, "0.5", "fail"),
        (5_000_000.0, None, "0.5S", "pass"),
    ],
)
def test_rows_that_may_apply_are_asked(kwh: float, capacity: float | None, installed: str, verdict: str) -> None:
    assert category(kwh, capacity, installed)[0] == verdict


def test_advice_names_the_class_that_is_surely_needed() -> None:
    verdict, advice = category(50_000.0, None, "3.0")
    assert (verdict, "更换为 2 级" in advice, "变压器容量" in advice) == ("fail", True, True)


@pytest.mark.parametrize(
    ("text", "trade", "motion", "pipe"),
    [
        ("贸易结算 DN300", True, None, 300),
        ("DN 50/贸易结算", True, None, 50),
        ("trade, static", True, "static", None),
        ("非贸易结算，动态", False, "dynamic", None),
        ("静态/动态", False, None, None),
        ("250", False, None, 250),
        ("管径：251mm", False, None, 251),
    ],
)
def test_trade_and_purpose_are_two_facts(text: str, trade: bool, motion: str | None, pipe: int | None) -> None:
    found = purpose_of(text)
    assert (found.trade, found.motion, found.pipe_mm) == (trade, motion, pipe)


@pytest.mark.parametrize(("name", "instrument"), [("III", "weighing"), ("B", "electricity")])
def test_a_class_named_by_a_letter_is_for_a_person_until_data_say_its_number(name: str, instrument: str) -> None:
    carrier = "coal" if instrument == "weighing" else "electricity"
    row = metered("E", accuracy_class=name, instrument=instrument, purpose="static", carrier=carrier)
    assert named(judge([row]), "accuracy")[0].verdict is Verdict.PERSON
    rules = shipped_rules()
    stated = {("electricity", "B"): parse_accuracy_class("0.1"), ("weighing", "III"): parse_accuracy_class("0.1")}
    assert named(judge([row], rules=replace(rules, class_equivalents=stated)), "accuracy")[0].verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("instrument", "facts", "months", "found"),
    [
        ("electricity", {"accuracy_class": "0.2S"}, 73.0, True),
        ("electricity", {"accuracy_class": "0.2S"}, 72.0, False),
        ("electricity", {"accuracy_class": "2.0"}, 96.0, False),
        ("electricity", {"accuracy_class": "2.0"}, 97.0, True),
        ("water_flow", {"purpose": "DN25"}, 72.0, False),
        ("water_flow", {"purpose": "DN40"}, 72.0, True),
        ("water_flow", {"purpose": "DN51"}, 36.0, True),
        ("water_flow", {}, 72.0, False),
        ("weighing", {"purpose": "static"}, 13.0, True),
    ],
)
def test_cycles_by_class_and_size(instrument: str, facts: Mapping[str, object], months: float, found: bool) -> None:
    row = metered("E", instrument=instrument, cycle_months=months, verification_due=day_of("2026-12-31"), **facts)
    row = {**row, "verified_on": day_of("2026-06-01")}
    assert bool(named(judge([row]), "cycle")) is found


@pytest.mark.parametrize(("meters", "findings"), [(20, 20), (21, 1)])
def test_many_meters_with_one_long_cycle_are_one_question(meters: int, findings: int) -> None:
    rows = [
        metered(f"E{i}", meter_no=f"M{i}", cycle_months=99.0, verification_due=day_of("2026-12-31"))
        for i in range(meters)
    ]
    found = named(judge(rows), "cycle")
    assert len(found) == findings
    assert sorted(point for one in found for point in one.points) == sorted(f"E{i}" for i in range(meters))


def test_a_certificate_that_holds_too_long_is_found_without_a_cycle() -> None:
    row = metered("E", verified_on=day_of("2024-01-10"), verification_due=day_of("2034-01-09"))
    assert [one.point for one in named(judge([row]), "cycle")] == ["E"]


def test_a_verification_in_the_future_is_not_called_missing() -> None:
    row = metered("E", verified_on=day_of("2026-11-25"))
    found = named(judge([row]), "verification_unknown")
    assert [("2026-11-25" in one.found.zh, "不全" in one.found.zh) for one in found] == [(True, False)]
