"""The course of a review: each step from the state that allows it, each term in working days; draws come out again."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from analytics.alerting.workdays import Calendar
from analytics.review.draw import drawn
from analytics.review.process import (
    Recorded,
    Review,
    ReviewRefused,
    Terms,
    concluded,
    corrected,
    handed_over,
    opened,
    rechecked,
)

TERMS = Terms(correction=30, recheck=15)
CALENDAR = Calendar(years=frozenset({2026}), holidays=frozenset({date(2026, 10, day) for day in range(1, 8)}))
ITEMS = {number: number in {3, 4} for number in range(1, 11)}
VISIT = date(2026, 9, 21)
OPEN = opened(Review(), "王审查员", ["李审查员"], VISIT)


def refused(error: type[Exception], *steps: Callable[[], object]) -> None:
    for step in steps:
        with pytest.raises(error, match="must"):
            step()


def found(*failed: int, **more: Recorded) -> dict[int, Recorded]:
    said = {number: Recorded(result="fail" if number in failed else "pass", remark="看过") for number in ITEMS}
    return said | {int(name.removeprefix("item")): one for name, one in more.items()}


def conclusion(items: dict[int, Recorded], refuted: tuple[int, ...] = (), day: date = VISIT) -> Review:
    return concluded(OPEN, ITEMS, items, refuted, basic_up_to=5, day=day, terms=TERMS, calendar=CALENDAR)


@pytest.mark.parametrize(
    ("failed", "said", "state"),
    [((), "meets", "closed"), ((1,), "basic", "correcting"), ((1, 2, 5, 6, 7), "basic", "correcting"),
     ((1, 2, 5, 6, 7, 8), "fails", "correcting")],
)  # fmt: skip
def test_the_conclusion_counts_what_does_not_conform(failed: tuple[int, ...], said: str, state: str) -> None:
    after = conclusion(found(*failed))
    assert (after.conclusion, after.state, after.failed) == (said, state, len(failed))


def test_terms_are_working_days() -> None:
    after = conclusion(found(1))
    assert (after.due, after.due_certain) == (date(2026, 11, 9), True)  # 30 of them, and the holidays of October
    back = corrected(after, date(2026, 10, 30), TERMS, CALENDAR)
    assert (back.state, back.due) == ("recheck", date(2026, 11, 20))
    again = rechecked(back, passed=False, day=date(2026, 11, 20), terms=TERMS, calendar=CALENDAR)
    assert (again.state, again.due, again.due_certain) == ("correcting", date(2027, 1, 1), False)
    done = rechecked(back, passed=True, day=date(2026, 11, 20), terms=TERMS, calendar=CALENDAR)
    assert (done.state, done.due, done.closed_on) == ("closed", None, date(2026, 11, 20))
    assert handed_over(again, "逾期未改", date(2027, 2, 1)).state == "handed_over"


@pytest.mark.parametrize(
    ("items", "refuted", "fault"),
    [
        ({1: Recorded(result="pass")}, (), "missing: 2, 3, 4"),
        (found(item1=Recorded(result="not_applicable")), (), "item 1 must not be 'not applicable'"),
        (found(item1=Recorded(result="pass")), (1,), "item 1 must have a remark: data show that it does not"),
        (found(item1=Recorded(result="fail")), (), "item 1 must have a remark on what does not conform"),
    ],
)
def test_what_is_not_finished_is_not_concluded(
    items: dict[int, Recorded], refuted: tuple[int, ...], fault: str
) -> None:
    with pytest.raises(ReviewRefused, match=fault):
        conclusion(items, refuted)


def test_not_applicable_where_the_sheet_allows_it() -> None:
    assert conclusion(found(item3=Recorded(result="not_applicable"))).conclusion == "meets"


def test_steps_out_of_order_are_refused() -> None:
    closed = conclusion(found())
    refused(
        ReviewRefused,
        lambda: opened(closed, "a", ["b"], VISIT),
        lambda: corrected(closed, VISIT, TERMS, CALENDAR),
        lambda: rechecked(closed, passed=True, day=VISIT, terms=TERMS, calendar=CALENDAR),
        lambda: handed_over(closed, "x", VISIT),
        lambda: conclusion(found(), day=date(2026, 9, 20)),
        lambda: handed_over(OPEN, " ", VISIT),
        lambda: opened(Review(), "a", [], VISIT),
        lambda: opened(Review(), "a", ["a"], VISIT),
    )
    assert replace(OPEN, state="planned").state == "planned"


def test_a_draw_comes_out_again_and_every_unit_has_its_chance() -> None:
    codes = [f"U{i}" for i in range(40)]
    first = drawn(codes, 5, "seed")
    assert first == drawn(reversed(codes), 5, "seed")  # type: ignore[arg-type]  # any order of any collection
    assert first != drawn(codes, 5, "other")
    times = dict.fromkeys(codes, 0)
    for seed in range(2000):
        for code in drawn(codes, 4, str(seed)):
            times[code] += 1
    assert 140 < min(times.values()) <= max(times.values()) < 265  # 200 each, 13.4 at one sigma
    refused(
        ValueError,
        lambda: drawn(codes, 41, "s"),
        lambda: drawn(codes, 0, "s"),
        lambda: drawn(codes, 1, ""),
    )
