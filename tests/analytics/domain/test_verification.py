"""Verification: the third fact from two, and which three agree."""

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.domain.ledger import NO_DAY
from analytics.domain.verification import add_months, completed, consistent


def days(*dates: str) -> NDArray[np.int32]:
    return np.array([NO_DAY if not date else int(np.datetime64(date, "D").astype(int)) for date in dates], np.int32)


def months(*values: float | None) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values])


@pytest.mark.parametrize(
    ("start", "count", "end"),
    [
        ("2024-03-15", 12, "2025-03-15"),
        ("2024-01-31", 1, "2024-02-29"),
        ("2023-01-31", 1, "2023-02-28"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2025-03-15", -12, "2024-03-15"),
        ("1969-12-31", 2, "1970-02-28"),
    ],
)
def test_months_end_on_the_same_day_or_the_months_last(start: str, count: int, end: str) -> None:
    assert add_months(days(start), months(count)).tolist() == days(end).tolist()


def test_each_missing_fact_follows_from_the_other_two() -> None:
    verified, cycle, due = completed(
        days("2024-03-15", "2024-03-15", "", "2024-03-15", ""),
        months(12, None, 12, None, None),
        days("", "2025-03-14", "2025-03-14", "", ""),
    )
    assert verified.tolist() == days("2024-03-15", "2024-03-15", "2024-03-15", "2024-03-15", "").tolist()
    assert np.array_equal(cycle, months(12, 12, 12, None, None), equal_nan=True)
    assert due.tolist() == days("2025-03-14", "2025-03-14", "2025-03-14", "", "").tolist()


def test_a_stretch_that_is_no_whole_number_of_months_has_no_cycle() -> None:
    _, cycle, due = completed(days("2024-03-15"), months(None), days("2025-01-01"))
    assert np.isnan(cycle[0])
    assert due.tolist() == days("2025-01-01").tolist()


@pytest.mark.parametrize(
    ("verified", "cycle", "due", "agrees"),
    [
        ("2024-03-15", 12, "2025-03-14", True),
        ("2024-03-15", 12, "2025-03-15", True),
        ("2024-03-15", 12, "2025-03-16", False),
        ("2024-03-15", 12, "2025-03-13", False),
        ("2024-03-15", None, "2024-03-14", False),
        ("2024-03-15", None, "2024-03-15", True),
        ("", 12, "2025-03-14", True),
        ("2024-03-15", 12, "", True),
    ],
)
def test_facts_agree_to_the_day_before(verified: str, cycle: float | None, due: str, agrees: bool) -> None:
    assert consistent(days(verified), months(cycle), days(due)).tolist() == [agrees]


def test_no_rows_are_no_trouble() -> None:
    verified, cycle, due = completed(days(), months(), days())
    assert len(verified) == len(cycle) == len(due) == 0
