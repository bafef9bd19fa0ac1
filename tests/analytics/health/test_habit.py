"""Whether a stuck dial would be seen: by how long a jam could hide, with the reason why not sooner."""

import numpy as np
import pytest

from analytics.drift.observability import PointVerdict, Question, Reason, Verdict
from analytics.health.arrival import HABIT_ROW
from analytics.health.habit import newest_habits, stuck_verdict, what_decides, with_habits

DAY_US = 86_400_000_000


def habit(**fields: object) -> np.void:
    row = np.zeros(1, HABIT_ROW)
    for name, value in {"days": 60, "typical_h": 15.9, "worst_h": 16.0, **fields}.items():
        row[name] = value
    one: np.void = row[0]
    return one


@pytest.mark.parametrize(
    ("fields", "verdict", "reason"),
    [
        ({}, Verdict.OBSERVABLE, Reason.MOVES),
        ({"worst_h": 24.0}, Verdict.OBSERVABLE, Reason.MOVES),
        ({"worst_h": 24.2, "rested": True}, Verdict.WEAK, Reason.RESTED),
        ({"worst_h": 90.0}, Verdict.WEAK, Reason.SELDOM),
        ({"worst_h": 140.0, "away": 130.0, "rested": True}, Verdict.WEAK, Reason.ABSENCE),
        ({"worst_h": 169.0}, Verdict.NOT_OBSERVABLE, Reason.SELDOM),
        ({"worst_h": 674.0, "away": 672.0}, Verdict.NOT_OBSERVABLE, Reason.ABSENCE),
        ({"worst_h": 40.0, "days": 13}, Verdict.WEAK, Reason.LEARNING),
        ({"worst_h": 20.0, "days": 13}, Verdict.OBSERVABLE, Reason.MOVES),
        ({"worst_h": np.inf, "typical_h": np.inf, "days": 0}, Verdict.NOT_OBSERVABLE, Reason.LEARNING),
    ],
)
def test_the_hours_decide_and_the_reason_says_what_takes_so_long(
    fields: dict[str, object], verdict: Verdict, reason: Reason
) -> None:
    one = stuck_verdict(habit(**fields))
    assert (one.question, one.verdict, one.reason) == (Question.STUCK, verdict, reason)
    assert np.isnan(one.smallest_30d)


def test_hours_are_said_whole_and_only_where_they_are_known() -> None:
    one = stuck_verdict(habit(typical_h=15.1, worst_h=16.4))
    assert (one.hours_typical, one.hours_worst) == (16.0, 17.0)
    never = stuck_verdict(habit(typical_h=np.inf, worst_h=np.inf))
    assert np.isnan([never.hours_typical, never.hours_worst]).all()


def test_what_is_the_same_in_what_decides_has_the_same_verdict() -> None:
    rng = np.random.default_rng(2)
    rows = np.zeros(3000, HABIT_ROW)
    rows["days"] = rng.integers(10, 18, rows.size)
    rows["worst_h"] = rng.choice([15.2, 15.8, 24.0, 24.4, 100.0, 168.0, 700.0, np.inf], rows.size)
    rows["typical_h"] = rows["worst_h"]
    rows["away"] = rng.choice([0.0, 20.0, 30.0, 672.0], rows.size)
    rows["rested"] = rng.random(rows.size) < 0.5
    said: dict[bytes, str] = {}
    for row, key in zip(rows, what_decides(rows), strict=True):
        one = str(stuck_verdict(row))
        assert said.setdefault(key.tobytes(), one) == one
    assert len(set(said.values())) > 10


def test_the_last_habit_of_each_point_counts_unless_it_is_old() -> None:
    rows = np.concatenate(
        [[habit(point=p, at=at * DAY_US, worst_h=h)] for p, at, h in ((1, 1, 90), (0, 2, 16), (1, 3, 16))]
    )
    assert newest_habits(rows)["at"].tolist() == [2 * DAY_US, 3 * DAY_US]
    assert len(newest_habits(rows[:0])) == 0
    before = tuple(
        PointVerdict(point=p, question=question, verdict=Verdict.NOT_OBSERVABLE, reason=Reason.UNREAD)
        for p in range(3)
        for question in Question
    )
    after = with_habits(before, rows, until_us=10 * DAY_US)
    changed = {(one.point, one.question) for one, old in zip(after, before, strict=True) if one != old}
    assert {(p, q) for p, q in changed if q is not Question.STUCK} == set()
    stuck = [one.verdict for one in after if one.question is Question.STUCK]
    assert stuck == [Verdict.NOT_OBSERVABLE, Verdict.OBSERVABLE, Verdict.NOT_OBSERVABLE]  # two days are too long ago
    assert [one.verdict for one in with_habits(before, rows) if one.question is Question.STUCK] == [
        Verdict.OBSERVABLE,
        Verdict.OBSERVABLE,
        Verdict.NOT_OBSERVABLE,
    ]
