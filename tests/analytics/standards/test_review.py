"""The review sheet: 52 items, what data answer, and the verdict rule at its edges."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from analytics.domain.errors import ConfigurationError
from analytics.domain.finding import Verdict
from analytics.standards.facts import Answer, load_facts
from analytics.standards.review import Entered, ReviewResult, ReviewSheet, load_review, review
from ingest.standard_files import standards_from
from tests.analytics.standards.judged import DAY, judge, metered

SHEET = standards_from().review
SOUND = judge([metered("A", purpose="dc")]).findings


def answered(verdict: str, *items: int) -> Mapping[int, Answer]:
    return {item: Answer(verdict=verdict, note="seen", by="Wang", day=None) for item in items}


def filled(answers: Mapping[int, Answer], sheet: ReviewSheet = SHEET, findings: Any = SOUND) -> ReviewResult:
    return review(sheet, findings, Entered(answers=answers, sector="", self_checked=True), DAY)


def test_there_are_52_items() -> None:
    assert [item.number for item in SHEET.items] == list(range(1, 53))
    assert [item.number for item in SHEET.items if item.may_not_apply] == [15, 18, 20, 30, 35, 43, 48]


@pytest.mark.parametrize(
    ("failed", "verdict"),
    [(0, "meets the requirements"), (1, "basically meets"), (5, "basically meets"), (6, "does not meet")],
)
def test_the_verdict_rule(failed: int, verdict: str) -> None:
    answers = {**answered("pass", *range(1, 53)), **answered("fail", *range(1, failed + 1))}
    result = filled(answers)
    assert (result.failed, result.open) == (failed, 0)
    assert result.verdict.en.startswith(verdict)


def test_open_items_leave_the_verdict_open() -> None:
    result = filled({})
    assert result.failed == 0
    assert result.open > 40
    assert result.verdict.en == f"at best: meets the requirements ({result.open} items are open)"


def test_data_answer_what_they_can() -> None:
    by_data = {one.item.number: one.verdict for one in filled({}).results if one.by == "data"}
    assert by_data == dict.fromkeys((17, 19, 26, 32, 50), Verdict.PASS)


def test_a_person_cannot_pass_what_data_show_to_be_wrong() -> None:
    overdue = judge([metered("A", verification_due=DAY - 1)]).findings
    verdicts = {one.item.number: one for one in filled(answered("pass", *range(1, 53)), findings=overdue).results}
    assert verdicts[32].verdict is Verdict.FAIL
    assert verdicts[36].verdict is Verdict.FAIL
    assert verdicts[33].verdict is Verdict.PASS


def test_not_applicable_only_where_the_sheet_allows_it() -> None:
    results = {one.item.number: one for one in filled(answered("not_applicable", 15, 16)).results}
    assert results[15].verdict is Verdict.NOT_APPLICABLE
    assert results[16].verdict is Verdict.PERSON


def test_self_checks() -> None:
    for checked, verdict in ((True, Verdict.PASS), (False, Verdict.FAIL), (None, Verdict.PERSON)):
        result = review(SHEET, SOUND, Entered(answers={}, sector="", self_checked=checked), DAY)
        assert result.results[49].verdict is verdict


FORMS = load_facts(
    [
        {
            "staff": [
                {"unit_code": "U", "name": "Wang", "position": "keeper", "certificate": "C1"},
                {
                    "unit_code": "U",
                    "name": "Li",
                    "position": "verifier",
                    "certificate": "C2",
                    "certificate_until": date(2026, 11, 21),
                },
                {"unit_code": "V", "name": "Zhao", "position": "keeper"},
            ],
            "instrument": [
                {
                    "unit_code": "U",
                    "kind": kind,
                    "own_no": f"{kind}-{status}",
                    "name": "钳形表",
                    "verification_due": date(2026, 11, 21),
                    "status": status,
                }
                for kind, status in (("portable", "out_of_use"), ("standard", "qualified"))
            ],
        }
    ]
)


def test_what_was_entered_for_the_forms_reaches_the_sheet() -> None:
    entered = Entered(
        answers={},
        sector="",
        self_checked=None,
        staff=FORMS.staff_of("U"),
        instruments=FORMS.instruments_of("U"),
        certificates=(2, 3, 1, 0),
    )
    by_item = {one.item.number: one for one in review(SHEET, SOUND, entered, DAY).results}
    assert {by_item[item].why.en for item in range(11, 17)} == {"2 people entered, 1 with a certificate that holds"}
    assert by_item[11].verdict is Verdict.PERSON
    assert (by_item[18].verdict, by_item[18].why.zh) == (Verdict.PERSON, "已录入 1 台，均未超期")  # it is out of use
    assert (by_item[30].verdict, by_item[30].why.en) == (Verdict.FAIL, "past their verification: standard-qualified")
    the_day_before = {one.item.number: one for one in review(SHEET, SOUND, entered, DAY - 1).results}
    assert the_day_before[30].verdict is Verdict.PERSON
    assert "2 with a certificate" in the_day_before[11].why.en
    archive = "在用 4 台：系统内有两个周期检定/校准记录的 2 台，仅一个周期的 1 台"
    assert (by_item[27].verdict, by_item[27].why.zh) == (Verdict.PERSON, archive)
    nothing = {one.item.number: one for one in filled({}).results}
    assert "(B.1)" in nothing[11].why.en
    assert "（B.7）" in nothing[18].why.zh
    assert nothing[27].why.zh == "系统内无检定/校准记录"


def test_a_sheet_with_a_hole_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="each once, in order"):
        load_review(
            {
                "review": {"number": "X", "items": 3, "basic_up_to": 1},
                "group": [
                    {"items": [1, 1], "clause": "4", "zh": "a", "en": "a"},
                    {"items": [3, 3], "clause": "4", "zh": "a", "en": "a"},
                ],
            }
        )
    assert replace(SHEET, basic_up_to=0).basic_up_to == 0
