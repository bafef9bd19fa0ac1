import tomllib
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.alerting.case import ACTIONS, Action, Case, CaseRefused, Terms, act, allowed, opened
from analytics.alerting.workdays import Calendar, parse_calendar

TODAY = date(2026, 11, 23)
CALENDAR, FAULTS = parse_calendar(tomllib.loads((files("analytics.alerting") / "calendar.toml").read_text("utf-8")))
TERMS = Terms()
GOOD: dict[str, dict[str, Any]] = {
    "dispatch": {"assignee": "li.na"},
    "hand_over": {"assignee": "wang"},
    "verdict": {"verdict": "faulty"},
}


def action(name: str, *, day: date = TODAY, note: str = "", **facts: Any) -> Action:
    at = datetime(day.year, day.month, day.day, 2, tzinfo=UTC)
    return Action(name=name, at=at, today=day, facts=GOOD.get(name, {}) | facts, note=note)


def walked(*names: str) -> Case:
    case = opened(TODAY, CALENDAR, TERMS)
    for name in names:
        case = act(case, action(name), calendar=CALENDAR, terms=TERMS)
    return case


def test_the_whole_way_of_a_faulty_meter() -> None:
    case = walked("dispatch", "arrive", "verdict", "order", "corrected", "fail", "corrected", "pass")
    assert (case.state, case.verdict, case.assignee, case.due) == ("closed", "faulty", "li.na", None)


def test_the_calendar_that_ships_has_no_faults_and_knows_worked_weekends() -> None:
    assert FAULTS == ()
    assert CALENDAR.works(date(2026, 10, 10))
    assert not CALENDAR.works(date(2026, 10, 7))
    assert CALENDAR.after(date(2026, 9, 30), 1).day == date(2026, 10, 8)
    assert CALENDAR.after(date(2026, 2, 13), 2).day == date(2026, 2, 24)  # 14 is worked, then the festival


def test_thirty_working_days_run_into_a_year_that_is_not_known_and_say_so() -> None:
    due = walked("verdict", "order").due
    assert due is not None
    assert (due.day, due.certain) == (date(2027, 1, 4), False)


@pytest.mark.parametrize(
    ("names", "bad", "message"),
    [
        ((), action("pass"), "a case that is open must be given one of dispatch, arrive, verdict"),
        ((), action("verdict", verdict="broken"), "verdict must be one of faulty, sound, load_changed, data_path"),
        ((), action("verdict", verdict=3), r"verdict must be one of .* \(got 3\)"),
        ((), action("verdict", found_on=TODAY + timedelta(days=1)), "found_on must be a day up to 2026-11-23"),
        ((), action("verdict", found_on="2026"), "found_on must be a day"),
        ((), action("dispatch", assignee=""), "assignee must be the login"),
        ((), action("burn"), "a step must be one of dispatch"),
        (("verdict",), action("close"), "a faulty meter must be ordered to be corrected, or closed with a note"),
        (("verdict",), action("order", days=0), "days must be a whole number from 1 to 365"),
        (
            ("verdict", "order", "corrected"),
            action("pass", energy_recovered=-1),
            "energy_recovered must be an amount of 0 or more",
        ),
    ],
)
def test_what_does_not_fit_is_refused_and_says_what_would(names: tuple[str, ...], bad: Action, message: str) -> None:
    case = walked(*names)
    with pytest.raises(CaseRefused, match=message):
        act(case, bad, calendar=CALENDAR, terms=TERMS)


@given(st.lists(st.sampled_from(ACTIONS), max_size=30))
def test_any_steps_lead_only_where_the_state_allows(names: list[str]) -> None:
    case = opened(TODAY, CALENDAR, TERMS)
    for name in names:
        fits = name in allowed(case.state)
        try:
            case = act(case, action(name, note="why"), calendar=CALENDAR, terms=TERMS)
        except CaseRefused:
            assert not fits
        else:
            assert fits
        assert (case.state == "closed") == (case.closed_at is not None)
        assert (case.due is None) == (case.state == "closed")


@given(st.dates(date(2025, 1, 1), date(2027, 12, 31)), st.integers(0, 60))
def test_a_deadline_is_a_working_day_and_so_many_days_away(day: date, count: int) -> None:
    due = CALENDAR.after(day, count)
    assert CALENDAR.left(day, due.day) == count
    assert count == 0 or CALENDAR.works(due.day)
    assert due.certain == (day.year == due.day.year == 2026)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("years = 3", "years must be the table year"),
        ("[year.2026]\nholiday = []", "year.2026.holiday must be holidays or workdays"),
        ('[year.2026]\nholidays = ["2027-01-01"]', "must be days of 2026"),
        ('[year.2026]\nholidays = ["soon"]', "(got 'soon')"),
        ('[year.2026]\nholidays = ["2026-05-01"]\nworkdays = ["2026-05-01"]', "got both"),
        ("[year.next]\nholidays = []", "year.next must be a table named after a year"),
    ],
)
def test_a_bad_calendar_is_told(text: str, fault: str) -> None:
    assert any(fault in one for one in parse_calendar(tomllib.loads(text))[1])


def test_weekends_alone_where_nothing_is_known() -> None:
    assert Calendar().after(date(2026, 9, 30), 1).day == date(2026, 10, 1)
