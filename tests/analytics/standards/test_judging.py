"""Edges of the judgement: what counts in Ns and Nl, what nobody knows, what the data say."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.domain.errors import ConfigurationError, RegistryError
from analytics.domain.finding import Verdict
from analytics.domain.ledger import NO_DAY, NO_INSTANT
from analytics.domain.severity import Severity
from analytics.standards.assessment import grade_of
from analytics.standards.change import changes
from analytics.standards.data_quality import working_days
from analytics.standards.edition_tables import load_edition
from analytics.standards.editions import EditionBook
from analytics.standards.equipping import equipping_rate, rate_verdict
from analytics.standards.exemptions import EXEMPTIONS
from analytics.standards.facts import load_facts
from analytics.standards.rules import Rules, load_rules
from analytics.standards.scene import Certificates, Use, UseKey
from analytics.standards.verification import VerificationCount
from tests.analytics.standards.judged import DAY, day_of, judge, metered, named, shipped_rules

BARE = {"point": "B"}


def rate(rows: list[Mapping[str, object]], **more: Any) -> tuple[int, int, int, str]:
    found = judge(rows, **more).rates
    assert len(found) == 1
    return found[0].needed, found[0].present, found[0].unknown, found[0].verdict.value


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, (1, 1, 0, "pass")),
        ({"status": "limited"}, (1, 1, 0, "pass")),
        ({"status": "out_of_use"}, (1, 0, 0, "fail")),
        ({"verification_due": DAY}, (1, 1, 0, "pass")),
        ({"verification_due": DAY - 1}, (1, 1, 0, "pass")),
        ({"verified_on": NO_DAY, "verification_due": NO_DAY}, (1, 1, 0, "pass")),
        ({"verified_on": DAY + 1}, (1, 1, 0, "pass")),
        ({"installed_from": (DAY + 1) * 86_400_000_000}, (1, 0, 0, "fail")),
        ({"installed_to": DAY * 86_400_000_000}, (1, 0, 0, "fail")),
        ({"installed_to": DAY * 86_400_000_000 + 1}, (1, 1, 0, "pass")),
    ],
    ids=["plain", "limited", "out", "last day", "over", "unknown", "later", "not yet", "gone", "still there"],
)
def test_what_counts_in_ns(facts: Mapping[str, object], expected: tuple[int, int, int, str]) -> None:
    assert rate([metered("A", **facts)]) == expected


def test_a_point_without_a_meter_counts_in_nl_alone() -> None:
    found = judge([metered("A"), BARE]).rates[0]
    assert (found.needed, found.present, found.missing, found.bare) == (2, 1, ("B",), ("B",))
    assert found.verdict is Verdict.FAIL


def test_more_meters_than_points_are_refused() -> None:
    with pytest.raises(RegistryError, match="Ns = 3, Nl = 2"):
        equipping_rate(3, 2)


@given(st.integers(1, 10**9), st.data())
def test_rounding_never_decides(needed: int, data: st.DataObject) -> None:
    present = data.draw(st.integers(0, needed))
    verdict = rate_verdict(present, 0, needed, Fraction(95))
    assert (verdict is Verdict.PASS) == (present * 100 >= 95 * needed)


def test_a_shown_rate_stands_on_its_side_of_the_requirement() -> None:
    rows = [metered(f"E{i}", level="equipment", sub_unit="S", equipment=f"E{i}") for i in range(94)]
    bare = {"level": "equipment", "sub_unit": "S", "rated_power_kw": 150.0}
    rows += [{"point": f"X{i}", "equipment": f"X{i}", **bare} for i in range(5)]
    found = named(judge(rows), "rate")[0]
    assert found.found.en == "94.9 % (94 of 99)"  # 94.9494…, and not 95


def test_the_edition_says_for_which_it_stands_in() -> None:
    assert judge([metered("A")]).standings[0].edition == "GB 17167-2006 (stands in for GB 17167-2025)"
    assert judge([metered("A")], day=day_of("2026-01-31")).standings[0].edition == "GB 17167-2006"


def test_a_loaded_edition_is_in_force_from_its_day(edition_document: Mapping[str, Any]) -> None:
    standard = {
        "number": "GB 17167-2025",
        "in_force_from": date(2026, 2, 1),
        "mandatory_clauses": [],
    }
    rows = [
        {**row, "main_equipment": 60} if row["energy"] == "electricity" else row
        for row in edition_document["rates"]["row"]
    ]
    newer = load_edition(
        {**edition_document, "standard": standard, "rates": {**edition_document["rates"], "row": rows}}
    )
    book = EditionBook([load_edition(edition_document), newer])
    device = metered("A", level="equipment", sub_unit="S", equipment="E")
    bare = {"point": "B", "level": "equipment", "sub_unit": "S", "equipment": "F", "rated_power_kw": 150.0}
    third = metered("C", level="equipment", sub_unit="S", equipment="G")
    before = judge([device, bare, third], day=day_of("2026-01-31"), book=book)
    after = judge([device, bare, third], day=day_of("2026-02-01"), book=book)
    assert (before.rates[0].verdict, before.rates[0].required) == (Verdict.FAIL, Fraction(95))
    assert (after.rates[0].verdict, after.rates[0].required) == (Verdict.PASS, Fraction(60))
    assert after.standings[0].edition == "GB 17167-2025"


def without(rows: list[Any], **facts: object) -> list[Any]:
    return [row for row in rows if any(row.get(name) != value for name, value in facts.items())]


def spoiled(document: Mapping[str, Any], table: str, **more: object) -> Mapping[str, Any]:
    return {**document, table: {**document[table], **more}}


def test_a_faulty_edition_tells_all_its_faults(edition_document: Mapping[str, Any]) -> None:
    rates, accuracy = edition_document["rates"]["row"], edition_document["accuracy"]["row"]
    bad = spoiled(edition_document, "rates", row=[*without(rates, energy="coke"), {"energy": "steem", "unit": 101}])
    bad = spoiled(
        bad,
        "accuracy",
        row=[*without(accuracy, key="user_II"), {"instrument": "pressure", "key": "x", "class": "0.5Z"}],
    )
    with pytest.raises(ConfigurationError) as caught:
        load_edition(bad)
    text = str(caught.value)
    for expected in (
        "a row for coke must be there",
        "(got 'steem')",
        "unit must be a number from 0 to 100 (got 101)",
        "main_equipment must be a number from 0 to 100 (got None)",
        "a row for electricity_meter user_II must be there",
        "accuracy class '0.5Z' is not known",
    ):
        assert expected in text


@pytest.mark.parametrize("table", ["standard", "clauses", "limits", "rates", "accuracy"])
def test_an_edition_without_a_table_is_refused(edition_document: Mapping[str, Any], table: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"\[{table}\]: must be there"):
        load_edition({name: value for name, value in edition_document.items() if name != table})


def test_a_missing_limit_row_is_refused(edition_document: Mapping[str, Any]) -> None:
    limits = edition_document["limits"]
    rows = [row for row in limits["main_equipment"]["row"] if "other" not in row["energies"]]
    bad = {**edition_document, "limits": {**limits, "main_equipment": {**limits["main_equipment"], "row": rows}}}
    with pytest.raises(ConfigurationError, match="recoverable_residual_energy, other, or one for other"):
        load_edition(bad)


def device(**facts: object) -> Mapping[str, object]:
    return {"point": "E", "level": "equipment", "sub_unit": "S", "equipment": "E", "required": False} | facts


@pytest.mark.parametrize(
    ("facts", "reason", "counted", "finding"),
    [
        ({"rated_power_kw": 99.9}, "whatever", 0, None),
        ({"rated_power_kw": 100.0}, "表3注3：辅助用电", 1, Verdict.FAIL),
        ({"rated_power_kw": 40.0}, "表3注3：辅助用电", 0, None),
        ({"rated_power_kw": 200.0}, "装置已计量", 1, Verdict.FAIL),
        ({"rated_power_kw": 200.0}, "because", 0, Verdict.PERSON),
        ({"carrier": "steam", "level": "unit", "equipment": "", "sub_unit": ""}, "季节性供暖", 0, None),
    ],
    ids=["below", "auxiliary refuted", "auxiliary", "nothing above", "no such note", "heating"],
)
def test_an_exemption_holds_only_with_its_reason(
    facts: Mapping[str, object], reason: str, counted: int, finding: Verdict | None
) -> None:
    found = judge([device(exemption=reason, **facts)])
    assert sum(one.needed for one in found.rates) == counted
    assert [one.verdict for one in named(found, "exemption")] == ([] if finding is None else [finding])


def test_a_group_that_is_metered_covers_its_devices() -> None:
    group = metered("S", level="sub_unit", sub_unit="S")
    inside = device(rated_power_kw=200.0, exemption="锅炉房集中计量", parent_point="S")
    assert not named(judge([group, inside]), "exemption")
    overdue = metered("S", level="sub_unit", sub_unit="S", verification_due=DAY - 1)
    assert not named(judge([overdue, inside]), "exemption")  # it is installed; that it is overdue is a fault of its own
    stopped = metered("S", level="sub_unit", sub_unit="S", status="out_of_use")
    assert named(judge([stopped, inside]), "exemption")[0].verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("facts", "needed", "asked"),
    [
        ({"hourly_use": 1.0}, 1, 0),  # t/h: the limit itself
        ({"hourly_use": 0.99}, 0, 0),
        ({"annual_use": 100.0}, 0, 1),  # a mean says nothing of the most: a person has to
        ({"annual_use": 9000.0, "hourly_use": 0.5}, 0, 0),  # what is said of the hour counts before the year
    ],
)
def test_the_most_in_an_hour_decides_table_2(facts: Mapping[str, object], needed: int, asked: int) -> None:
    row = {"point": "B", "level": "equipment", "sub_unit": "S", "equipment": "锅炉", "carrier": "coal", **facts}
    rates = judge([row]).rates
    assert (sum(one.needed for one in rates), sum(one.unknown for one in rates)) == (needed, asked)


def test_declared_below_and_measured_above_is_found() -> None:
    key = UseKey(0, "equipment", "S", "E", "electricity")
    use = Use(amount=1e5, days=30, most_in_an_hour=120.0, symbol="kWh")
    row = metered("E", level="equipment", sub_unit="S", equipment="E", rated_power_kw=80.0)
    found = named(judge([row], uses={key: use}), "main")
    assert [(one.verdict, one.points, one.evidence["measured"]) for one in found] == [(Verdict.FAIL, ("E",), [120.0])]


def test_two_certificates_of_one_day_are_told() -> None:
    extra = Certificates(
        meter=np.zeros(1, np.int32),
        verified_on=np.array([day_of("2025-01-01")], np.int32),
        due=np.array([day_of("2029-12-31")], np.int32),
        failed=np.zeros(1, np.bool_),
    )
    found = judge([metered("A")], certificates=extra)
    assert [one.verdict for one in named(found, "certificates")] == [Verdict.PERSON]
    renewed = replace(extra, verified_on=np.array([day_of("2026-01-01")], np.int32))
    assert not named(judge([metered("A")], certificates=renewed), "certificates")


def test_the_certificate_of_the_day_counts_and_not_a_later_one() -> None:
    row = metered("A", verified_on=day_of("2026-06-01"), verification_due=day_of("2032-05-31"))
    old = Certificates(
        meter=np.zeros(1, np.int32),
        verified_on=np.array([day_of("2020-01-01")], np.int32),
        due=np.array([day_of("2025-12-31")], np.int32),
        failed=np.zeros(1, np.bool_),
    )
    then = judge([row], day=day_of("2026-03-01"), certificates=old)
    assert named(then, "verification", point="A")[0].found.en == "verification ran out on 2025-12-31"
    assert not [one for one in named(judge([row], certificates=old), "verification") if one.verdict is Verdict.FAIL]


def test_a_failure_ends_what_was_certified_before_until_the_meter_passes_again() -> None:
    row = metered("A", verified_on=day_of("2026-01-01"), verification_due=day_of("2031-12-31"))
    failed = Certificates(
        meter=np.zeros(1, np.int32),
        verified_on=np.array([day_of("2026-11-10")], np.int32),
        due=np.array([day_of("2026-11-09")], np.int32),
        failed=np.ones(1, np.bool_),
    )
    found = named(judge([row], certificates=failed), "verification", point="A")[0]
    assert (found.verdict, found.found.zh) == (Verdict.FAIL, "2026-11-10 检定/校准不合格，仍在使用")
    before = judge([row], day=day_of("2026-11-09"), certificates=failed)
    assert not [one for one in named(before, "verification") if one.verdict is Verdict.FAIL]
    passed = replace(
        failed, verified_on=np.array([day_of("2026-11-20")], np.int32), due=np.array([day_of("2027-11-19")], np.int32),
        failed=np.zeros(1, np.bool_),
    )  # fmt: skip
    again = named(judge([row], certificates=failed.joined(passed)), "verification")
    assert [one.verdict for one in again] == [Verdict.PASS]


def test_what_is_at_risk_stands_in_the_finding() -> None:
    row = metered("A", verification_due=DAY - 10)
    found = named(judge([row], at_risk=np.array([1234.5])), "verification", point="A")[0]
    assert found.evidence == {"due": "2026-11-12", "at_risk": 1234.5, "unit": "kWh"}
    assert found.severity is Severity.SERIOUS


@pytest.mark.parametrize(
    ("days", "severity"), [(29, Severity.WARNING), (30, Severity.INFO), (89, Severity.INFO), (90, None)]
)
def test_verification_that_ends_soon_is_told(days: int, severity: Severity | None) -> None:
    found = named(judge([metered("A", verification_due=DAY + days)]), "verification_due")
    assert [one.severity for one in found] == ([] if severity is None else [severity])


@pytest.mark.parametrize(("share", "fails"), [(0.9, False), (np.nextafter(0.9, 0), True), (np.nan, False), (0.0, True)])
def test_completeness_at_its_limit(share: float, *, fails: bool) -> None:
    found = named(judge([metered("A")], completeness=np.array([share])), "completeness", verdict=Verdict.FAIL)
    assert bool(found) == fails
    if fails and share:
        assert float(found[0].found.en.removesuffix(" %")) < 90


@pytest.mark.parametrize(
    ("interval_s", "verdict"),
    [
        (900.0, None),
        (901.0, Verdict.PERSON),
        (3600.0, Verdict.PERSON),
        (3601.0, Verdict.FAIL),
        (86_399.0, Verdict.FAIL),
        (86_400.0, Verdict.PERSON),
        (30 * 86_400.0, Verdict.PERSON),
    ],
)
def test_intervals(interval_s: float, verdict: Verdict | None) -> None:
    found = judge([metered("A", interval_s=interval_s)])
    every = [one for one in found.findings if one.rule.startswith("interval")]
    assert [one.verdict for one in every] == ([] if verdict is None else [verdict])


def test_the_start_of_the_day() -> None:
    rows = [metered("A"), metered("B")]
    found = named(judge(rows, start_deviation_s=np.array([60.0, 60.1])), "day_start")
    assert [one.meters for one in found] == [("M-B",)]


def test_a_meter_out_of_use_is_not_asked_for_data() -> None:
    rows = [metered("A"), metered("B", status="out_of_use")]
    nothing = np.array([1.0, 0.0])
    since = np.array([NO_INSTANT, DAY * 86_400_000_000 - 30 * 86_400_000_000])
    found = judge(rows, completeness=nothing, silent_since=since, fault_since=since, start_deviation_s=nothing * 0 + 99)
    told = {one.rule: one.meters for one in found.findings if one.verdict is Verdict.FAIL}
    assert told == {"rate": ("M-B",), "day_start": ("M-A",)}
    assert found.standings[0].completeness == 1.0


def test_the_start_of_the_month() -> None:
    rows = [metered("A"), metered("B"), metered("C")]
    found = named(judge(rows, month_deviation_d=np.array([1.0, 1.0001, np.nan])), "month_start")
    assert [(one.meters, one.verdict) for one in found] == [(("M-B",), Verdict.FAIL)]


def with_delay(rules_document: Mapping[str, Any], **more: Any) -> Rules:
    return load_rules(spoiled(rules_document, "data_quality", **more))


def test_an_upload_delay_is_judged_once_somebody_knows_it(rules_document: Mapping[str, Any]) -> None:
    rows = [metered("A"), metered("B"), metered("C")]
    in_time = np.array([1.0, 0.999, np.nan])
    unknown = judge(rows, in_time=in_time)
    assert shipped_rules().data_quality.upload_delay_min is None  # no number ships
    assert not named(unknown, "upload_delay") + named(unknown, "upload_in_time")
    entered = judge(rows, rules=with_delay(rules_document, upload_delay_min=60), in_time=in_time)
    assert [one.meters for one in named(entered, "upload_delay")] == [("M-B",)]
    assert [one.verdict for one in named(entered, "upload_in_time")] == [Verdict.PASS]
    loose = with_delay(rules_document, upload_delay_min=60, upload_delay_share=99)
    assert not named(judge(rows, rules=loose, in_time=in_time), "upload_delay")


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"upload_delay_min": 0}, "upload_delay_min must be a number above 0"),
        ({"upload_delay_min": 5, "upload_delay_share": 101}, "upload_delay_share must be a number from 0 to 100"),
        ({"upload_delay": 5}, "upload_delay is none of"),
    ],
)
def test_a_faulty_upload_delay_is_refused(
    rules_document: Mapping[str, Any], more: Mapping[str, Any], fault: str
) -> None:
    with pytest.raises(ConfigurationError, match=fault):
        with_delay(rules_document, **more)


def test_a_mandatory_instrument_past_its_day_is_serious_wherever_it_stands(rules_document: Mapping[str, Any]) -> None:
    place = {"level": "equipment", "sub_unit": "S", "equipment": "E", "verification_due": DAY - 1}
    rows = [metered("A", **place), metered("B", **{**place, "equipment": "F"}, purpose="trade")]
    found = {one.point: one.severity for one in named(judge(rows), "verification", verdict=Verdict.FAIL)}
    assert found == {"A": Severity.WARNING, "B": Severity.SERIOUS}
    severity = {name: row for name, row in rules_document["severity"].items() if name != "overdue_mandatory"}
    older = load_rules({**rules_document, "severity": severity})  # a file of before the question
    found = {one.point: one.severity for one in named(judge(rows, rules=older), "verification", verdict=Verdict.FAIL)}
    assert found == {"A": Severity.WARNING, "B": Severity.WARNING}


def test_silence_and_a_fault_left_open() -> None:
    since = (day_of("2026-11-17") * 24 - 2) * 3_600_000_000  # Tuesday 2026-11-17 06:00 in Shanghai
    silent = np.array([since, NO_INSTANT])
    found = judge([metered("A"), metered("B")], silent_since=silent, fault_since=silent)
    assert [one.point for one in named(found, "silent")] == ["A"]
    assert not named(found, "fault_open")  # Wednesday, Thursday, Friday: the three that there are
    late = judge([metered("A"), metered("B")], day=day_of("2026-11-23"), silent_since=silent, fault_since=silent)
    assert [one.point for one in named(late, "fault_open")] == ["A"]


def test_holidays_are_no_working_days() -> None:
    assert working_days(day_of("2026-09-30"), day_of("2026-10-08"), frozenset()) == 6
    holidays = frozenset(range(day_of("2026-10-01"), day_of("2026-10-08")))
    assert working_days(day_of("2026-09-30"), day_of("2026-10-08"), holidays) == 1


@pytest.mark.parametrize(("days", "verdict"), [(95.0, Verdict.PASS), (94.99, Verdict.FAIL), (105.0, Verdict.PASS)])
def test_a_monthly_figure_against_its_days(days: float, verdict: Verdict) -> None:
    table = {"unit_code": "U", "carrier": "electricity", "month": "2026-10", "amount": 100, "source": "form"}
    facts = load_facts([{"month": [table]}])
    found = judge([metered("A")], facts=facts, month_days={(0, "electricity", "2026-10"): days})
    assert [one.verdict for one in named(found, "consistency 2026-10")] == [verdict]


def test_an_assembly_without_a_stated_class_is_combined() -> None:
    facts = load_facts([{"assembly": [{"unit_code": "U", "meter_no": "M-A", "classes": ["1.5", "1.5"]}]}])
    row = metered("A", carrier="natural_gas", instrument="gas_flow", unit="Nm3", accuracy_class="")
    found = named(judge([row], facts=facts), "accuracy")[0]
    assert (found.verdict, found.evidence["installed"]) == (Verdict.FAIL, "2.13")  # √(1.5² + 1.5²)
    assert named(judge([row]), "accuracy")[0].verdict is Verdict.PERSON


def test_parts_that_cannot_be_combined_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"must be a number.*'B'"):
        load_facts([{"assembly": [{"unit_code": "U", "meter_no": "M", "classes": ["B"]}]}])


def test_a_faulty_file_of_facts_tells_all_its_faults() -> None:
    rows = [{"unit_code": "", "transformer_kva": -1, "colour": "red"}]
    with pytest.raises(ConfigurationError) as caught:
        load_facts([{"unit": rows, "month": [{"unit_code": "U", "carrier": "x", "month": "2026-13"}], "words": []}])
    for expected in ("unit_code must not be empty", "above 0", "colour is none of", "such as 2026-10", "[words]"):
        assert expected in str(caught.value)


COUNT = VerificationCount(meters=10, valid=10, due_90=0, due_30=0, overdue=0, unknown=0, mandatory=0, mandatory_valid=0)


@pytest.mark.parametrize(
    ("more", "grade"),
    [
        ({}, "A"),
        ({"warnings": 1}, "B"),
        ({"serious": 1}, "C"),
        ({"completeness": 0.9499}, "B"),
        ({"completeness": None}, ""),
        ({"completeness": None, "serious": 1}, "C"),
        ({"verified": COUNT._replace(valid=9)}, "C"),
        ({"verified": COUNT._replace(valid=9, unknown=1)}, ""),  # of one nothing is known
        ({"warnings": 1, "needed": 99}, "B"),
        ({"warnings": 1, "needed": 100}, "A"),  # one in a hundred
        ({"warnings": 6, "needed": 119}, "C"),
        ({"warnings": 6, "needed": 120}, "B"),
        ({"person": 3}, "A"),
        ({"person": 4}, "B"),
        ({"serious": 1, "needed": 10_000}, "C"),  # no size excuses it
    ],
)
def test_grades(more: Mapping[str, Any], grade: str) -> None:
    plain: dict[str, Any] = {"serious": 0, "warnings": 0, "person": 0, "needed": 10, "completeness": 0.95}
    plain["verified"] = COUNT
    assert grade_of(shipped_rules().grades, **{**plain, **more}) == grade


def test_states() -> None:
    assert judge([metered("A", purpose="dc")]).standings[0].state == "compliant"
    assert judge([metered("A", purpose="dc", verification_due=NO_DAY)]).standings[0].state == "unknown"
    assert judge([metered("A", purpose="dc", interval_s=7200.0)]).standings[0].state == "findings"
    assert judge([metered("A", purpose="dc", status="out_of_use")]).standings[0].state == "serious"


def test_what_changed_and_because_of_which_meter() -> None:
    rows = [metered("A", verification_due=DAY), metered("B", verification_due=DAY - 40)]
    before, after = judge(rows), judge(rows, day=DAY + 1)
    found = {(one.finding.rule, one.better, one.meters) for one in changes(before.findings, after.findings)}
    assert ("verification", False, ("M-A",)) in found
    assert "rate" not in {rule for rule, _, _ in found}  # one overdue meter is one fault
    assert {better for _, better, _ in found} == {False}
    back = changes(after.findings, before.findings)
    assert {(one.finding.rule, one.better) for one in back if one.meters == ("M-A",)} >= {("verification", True)}


def test_units_are_judged_apart() -> None:
    rows = [metered("A", unit_code="U1"), metered("A", unit_code="U2", verification_due=DAY - 1)]
    found = judge(rows)
    assert [one.failed > 0 for one in found.standings] == [False, True]
    alone = judge([rows[1]])
    assert [(one.rule, one.found.en) for one in alone.findings] == [
        (one.rule, one.found.en) for one in found.findings if one.unit == 1
    ]


def test_an_empty_ledger_has_nothing_to_say() -> None:
    found = judge([])
    assert (found.findings, found.rates, found.standings) == ((), (), ())


def test_nobody_looked_is_no_finding() -> None:
    found = judge([metered("A", purpose="dc")])
    assert {one.rule for one in found.findings} == {
        *("rate", "equipped", "accuracy", "verification", "ledger"),
        *("conversion", "production", "raw_material"),
    }


@pytest.mark.parametrize("said", [{"required": True}, {}])
def test_a_listed_device_without_figures_and_without_a_meter_is_a_question_whatever_the_ledger_says(
    said: Mapping[str, object],
) -> None:
    listed = {"point": "E", "level": "equipment", "sub_unit": "S", "equipment": "E", "carrier": "electricity", **said}
    fitted = [
        metered(f"F{i}", level="equipment", sub_unit="S", equipment=f"F{i}", rated_power_kw=150.0) for i in (1, 2)
    ]
    whole = judge([metered("U1"), *fitted, listed])
    [rate] = [one for one in whole.rates if one.level == "equipment"]
    assert (rate.needed, rate.present, rate.unknown, rate.verdict) == (2, 2, 1, Verdict.PERSON)
    assert whole.standings[0].state == "unknown" or whole.standings[0].failed
    small = judge([metered("U1"), *fitted, {**listed, "rated_power_kw": 99.0}])
    [rate] = [one for one in small.rates if one.level == "equipment"]
    assert (rate.needed, rate.present, rate.unknown, rate.verdict) == (2, 2, 0, Verdict.PASS)
    large = judge([metered("U1"), *fitted, {**listed, "rated_power_kw": 100.0}])
    [rate] = [one for one in large.rates if one.level == "equipment"]
    assert (rate.needed, rate.present, rate.unknown, rate.verdict) == (3, 2, 0, Verdict.FAIL)


@pytest.mark.parametrize(("carrier", "level"), [("natural_gas", "unit"), ("electricity", "equipment")])
def test_a_refuted_exemption_is_named_in_words_and_not_by_its_code(carrier: str, level: str) -> None:
    inside = {} if level == "unit" else {"sub_unit": "S", "equipment": "P", "rated_power_kw": 150.0}
    reason = "heating" if level == "unit" else "auxiliary"
    point = {"point": "G", "carrier": carrier, "level": level, "required": False, "exemption": reason, **inside}
    [one] = [one for one in judge([metered("U1"), point]).findings if one.rule == "exemption"]
    assert one.verdict is Verdict.FAIL
    assert EXEMPTIONS[reason].name.zh in one.found.zh
    assert reason not in one.found.zh
