from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.columns import intervals
from analytics.domain.errors import ConfigurationError
from analytics.domain.instants import US_PER_HOUR

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CIVIL_ZONES = [
    ZoneInfo(name)
    for name in (
        "Asia/Shanghai",
        "Europe/Berlin",
        "America/New_York",
        "America/Havana",  # back from 1:00 to midnight
        "America/Sao_Paulo",  # midnight that did not exist
        "Asia/Beirut",  # back from midnight to 23:00
        "Pacific/Apia",  # skipped 2011-12-30
        "Antarctica/Troll",  # two hours at once
        "UTC",
    )
]

hours = st.integers(intervals.FIRST_HOUR, intervals.END_HOUR - 1)
zones = st.sampled_from(CIVIL_ZONES)


def hour(year: int, month: int, day: int, hour_of_day: int = 0) -> int:
    return int((datetime(year, month, day, hour_of_day, tzinfo=UTC) - EPOCH).total_seconds()) // 3600


def date_by_zoneinfo(hour_index: int, zone: tzinfo) -> int:
    return (EPOCH + timedelta(hours=hour_index)).astimezone(zone).date().toordinal() - EPOCH.date().toordinal()


@given(hours, zones)
def test_a_local_day_is_the_date_that_zoneinfo_gives(hour_index: int, zone: tzinfo) -> None:
    assert intervals.local_day([hour_index], zone).tolist() == [date_by_zoneinfo(hour_index, zone)]


@given(st.integers(intervals.FIRST_HOUR // 24 + 1, intervals.END_HOUR // 24 - 2), zones)
def test_the_bounds_of_a_day_hold_exactly_its_hours(day: int, zone: tzinfo) -> None:
    start, end = (int(bound[0]) for bound in intervals.day_bounds([day], zone))
    around = np.arange(start - 3, end + 3)
    inside = (around >= start) & (around < end)
    assert ((intervals.local_day(around, zone) == day) == inside).all()


@given(st.lists(hours, min_size=1, max_size=50), zones)
def test_columns_of_hours_give_what_single_hours_give(many: list[int], zone: tzinfo) -> None:
    alone = [int(intervals.local_day([one], zone)[0]) for one in many]
    assert intervals.local_day(many, zone).tolist() == alone


@given(st.integers(intervals.FIRST_HOUR // 24 + 1, intervals.END_HOUR // 24 - 3), zones)
def test_days_follow_each_other_without_a_hole(day: int, zone: tzinfo) -> None:
    start, end = intervals.day_bounds([day, day + 1], zone)
    assert end[0] == start[1]


def test_real_zones_agree_with_zoneinfo_around_their_changes() -> None:
    admitted = 0
    for name in sorted(available_timezones())[::10]:
        zone = ZoneInfo(name)
        try:
            changes = intervals._calendar(zone).changed_at
        except ConfigurationError:
            continue
        admitted += 1
        for change in changes[1:40]:
            around = range(int(change) - 30, int(change) + 30)
            assert intervals.local_day(around, zone).tolist() == [date_by_zoneinfo(h, zone) for h in around], name
    assert admitted > 30


def test_a_shanghai_day_begins_at_sixteen_utc_of_the_day_before() -> None:
    start, end = intervals.day_bounds([intervals.day_index(2026, 11, 22)], SHANGHAI)
    assert (start[0], end[0]) == (hour(2026, 11, 21, 16), hour(2026, 11, 22, 16))


@pytest.mark.parametrize(("date", "length"), [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 6, 1), 24)])
def test_a_day_in_berlin_has_the_hours_its_clocks_show(date: tuple[int, int, int], length: int) -> None:
    start, end = intervals.day_bounds([intervals.day_index(*date)], BERLIN)
    assert end[0] - start[0] == length


def test_a_date_that_a_zone_skipped_has_no_hours() -> None:
    start, end = intervals.day_bounds([intervals.day_index(2011, 12, 30)], ZoneInfo("Pacific/Apia"))
    assert start[0] == end[0]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Asia/Kolkata", r"\+5\.50 h"),
        ("Asia/Pyongyang", r"\+8\.50 h"),
        ("America/Moncton", "inside the hour"),
        ("Antarctica/Casey", "went back over midnight|inside the hour"),
    ],
)
def test_a_zone_whose_days_are_not_whole_hours_is_refused_with_the_reason(name: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        intervals.local_day([hour(2026, 1, 1)], ZoneInfo(name))


def test_clocks_that_go_back_over_midnight_are_refused() -> None:
    class BackOverMidnight(tzinfo):
        def fromutc(self, at: datetime) -> datetime:
            shift = 2 if at.replace(tzinfo=UTC) < datetime(2020, 4, 30, 23, tzinfo=UTC) else 0
            return (at + timedelta(hours=shift)).replace(tzinfo=timezone(timedelta(hours=shift)))

        def utcoffset(self, _: datetime | None) -> timedelta | None:
            return None

        dst = utcoffset

        def tzname(self, _: datetime | None) -> str:
            return "back over midnight"

    with pytest.raises(ConfigurationError, match="went back over midnight"):
        intervals.local_day([hour(2026, 1, 1)], BackOverMidnight())


@pytest.mark.parametrize("outside", [intervals.FIRST_HOUR - 1, intervals.END_HOUR])
def test_an_hour_outside_the_known_years_is_an_error(outside: int) -> None:
    with pytest.raises(ValueError, match="years 2000 to 2099"):
        intervals.local_day([outside], SHANGHAI)


def test_no_hours_have_no_days() -> None:
    assert intervals.local_day([], SHANGHAI).size == 0
    assert intervals.day_bounds([], SHANGHAI)[0].size == 0


@given(st.integers(-(10**15), 10**15))
def test_an_instant_lies_inside_its_hour(instant_us: int) -> None:
    index = int(intervals.hour_of([instant_us])[0])
    assert index * US_PER_HOUR <= instant_us < (index + 1) * US_PER_HOUR


@given(st.integers(-1000, 1000), st.integers(0, 500), st.integers(1, 60))
def test_a_grid_covers_its_span_and_nothing_beside_it(start: int, length: int, step: int) -> None:
    starts = intervals.grid(start, start + length, step)
    if not length:
        assert starts.size == 0
        return
    assert (np.diff(starts) == step).all()
    assert starts[0] <= start < starts[0] + step
    assert starts[-1] < start + length <= starts[-1] + step


def test_a_grid_without_a_step_is_an_error() -> None:
    with pytest.raises(ValueError, match="above zero"):
        intervals.grid(0, 10, 0)


@given(st.lists(st.integers(-5, 45)), st.integers(0, 40), st.integers(0, 40))
def test_gaps_and_occupied_steps_share_out_the_span(occupied: list[int], start: int, end: int) -> None:
    gap_start, gap_end = intervals.gaps(occupied, start, end)
    holes = [step for a, b in zip(gap_start, gap_end, strict=True) for step in range(a, b)]
    assert holes == [step for step in range(start, end) if step not in occupied]
    assert (gap_end[:-1] < gap_start[1:]).all()
