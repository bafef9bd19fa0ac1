"""Missing hours evaluated by a written method, and refused where nothing carries it."""

import pytest

from analytics.review.gaps import GapRefused, like_days, neighbours


def test_a_straight_line_needs_both_ends_and_a_short_gap() -> None:
    one = neighbours({99: 10.0, 101: 30.0}, 100, 101)
    assert (one.amount, one.hours) == (20.0, 2)
    for measured, end in (({99: 10.0}, 101), ({101: 1.0}, 101), ({99: 1.0, 103: 1.0}, 103)):
        with pytest.raises(GapRefused):
            neighbours(measured, 100, end)


def test_like_days_are_those_of_the_week_and_else_of_the_days_before() -> None:
    start = 1000
    measured = {start - 168 * i: 10.0 * i for i in (1, 2, 3, 4)}  # the fourth week is too long ago
    measured |= {start + 1 - 24: 7.0, start + 1 - 48: 9.0}
    one = like_days(measured, start, start + 2)
    assert (one.amount, one.hours) == (20.0 + 8.0, 5)
    assert "22" in one.reliability.zh  # 30 - 10 and 9 - 7 apart
    with pytest.raises(GapRefused, match="hour 3 of the span"):
        like_days(measured, start, start + 3)
