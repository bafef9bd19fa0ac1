from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.wire.times import format_utc, parse_time, parse_times

SHANGHAI = ZoneInfo("Asia/Shanghai")
ZONES = [ZoneInfo(name) for name in ("Asia/Shanghai", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Monrovia", "UTC")]


def us(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()) * 1_000_000


SOUND = [
    ("2026-11-21T08:15:00+08:00", us(2026, 11, 21, 0, 15), False),
    ("2026-11-21 08:15:00+0800", us(2026, 11, 21, 0, 15), False),
    ("2026-11-21T08:15:00+08", us(2026, 11, 21, 0, 15), False),
    ("2026-11-21T08:15:00Z", us(2026, 11, 21, 8, 15), False),
    ("2026-11-21T08:15Z", us(2026, 11, 21, 8, 15), False),
    ("2026-11-20T20:15:00-03:30", us(2026, 11, 20, 23, 45), False),
    ("2026-11-21T08:15:00.5Z", us(2026, 11, 21, 8, 15) + 500_000, False),
    ("2026-11-21T08:15:00,25Z", us(2026, 11, 21, 8, 15) + 250_000, False),
    ("2026-11-21T08:15:00.1234567Z", us(2026, 11, 21, 8, 15) + 123_456, False),
    ("2026-11-21T08:15:00", us(2026, 11, 21, 0, 15), True),
    ("2026-11-21 08:15", us(2026, 11, 21, 0, 15), True),
    ("2024-02-29T00:00:00Z", us(2024, 2, 29), False),
    ("1969-12-31T23:59:59Z", -1_000_000, False),
    ("0001-01-01T00:00:00Z", -62_135_596_800_000_000, False),
    ("9999-12-31T23:59:59-23:59", us(9999, 12, 31, 23, 59) + 59_000_000 + (23 * 60 + 59) * 60_000_000, False),
]
UNSOUND = [
    "", "noon", "1763000000", "1763000000000", "20261121T081500Z", "2026-11-21", "2026-11-21T08",
    "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-00-10T00:00:00Z",
    "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z",
    "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+01:60", "2026-01-01T00:00:00 +08:00",
    " 2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z\n", "2026-01-01T00:00:00.Z", "２０２６-01-01T00:00:00Z",
    "-026-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "2026-01-01T00:00:00z", "2026/01/01 00:00:00",
]  # fmt: skip


@pytest.mark.parametrize(("text", "instant", "assumed"), SOUND)
def test_time_is_read_as_iso_8601_says(text: str, instant: int, assumed: bool) -> None:
    assert parse_time(text, SHANGHAI) == (instant, assumed)


@pytest.mark.parametrize("text", UNSOUND)
def test_what_is_no_iso_8601_time_is_refused(text: str) -> None:
    assert parse_time(text, SHANGHAI) is None


@pytest.mark.parametrize("text", [text for text, *_ in SOUND] + UNSOUND)
def test_many_of_one_text_are_read_as_one_is(text: str) -> None:
    instants, assumed, readable = parse_times([text] * 40, SHANGHAI)
    expected = parse_time(text, SHANGHAI)
    assert set(readable.tolist()) == {expected is not None}
    assert set(zip(instants.tolist(), assumed.tolist(), strict=True)) == {expected or (0, False)} or expected is None


def test_wall_time_that_comes_twice_is_the_first_of_the_two() -> None:
    text = "2026-10-25T02:30:00"
    expected = us(2026, 10, 25, 0, 30)  # still summer time
    assert parse_time(text, ZoneInfo("Europe/Berlin")) == (expected, True)
    assert set(parse_times([text] * 40, ZoneInfo("Europe/Berlin"))[0].tolist()) == {expected}


def test_wall_time_that_is_skipped_takes_the_offset_before_the_change() -> None:
    text = "2026-03-29T02:30:00"
    expected = us(2026, 3, 29, 1, 30)
    assert parse_time(text, ZoneInfo("Europe/Berlin")) == (expected, True)
    assert set(parse_times([text] * 40, ZoneInfo("Europe/Berlin"))[0].tolist()) == {expected}


shaped = st.builds(
    lambda when, form, fraction, tail: when.strftime("%Y-%m-%d" + form).zfill(10 + len(form)) + fraction + tail,
    st.datetimes(),
    st.sampled_from(["T%H:%M:%S", " %H:%M:%S", "T%H:%M"]),
    st.sampled_from(["", ".5", ".123", ".999999", ".1234567", ",5"]),
    st.sampled_from(["", "Z", "+08:00", "-03:30", "+0800", "+08", "+23:59", "+24:00", "z"]),
)
two = st.integers(0, 99)
digits = st.builds("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}".format, st.integers(0, 9999), *[two] * 5, st.just("Z"))
changes = st.builds(  # around every change of offset there ever was in those zones
    lambda zone, when, minutes: (when.replace(tzinfo=UTC).astimezone(zone)).strftime(f"%Y-%m-%dT%H:{minutes:02}:00"),
    st.sampled_from(ZONES),
    st.datetimes(datetime(1970, 1, 2), datetime(2198, 1, 1)),  # noqa: DTZ001 - made UTC above
    st.integers(0, 59),
)


@given(st.lists(shaped | digits | changes | st.text(max_size=25), max_size=60), st.sampled_from(ZONES))
def test_times_together_equal_times_one_by_one(texts: list[str], zone: ZoneInfo) -> None:
    instants, assumed, readable = parse_times(texts, zone)
    for i, text in enumerate(texts):
        one = parse_time(text, zone)
        assert readable[i] == (one is not None)
        assert one is None or (int(instants[i]), bool(assumed[i])) == one


equally_long = st.datetimes(datetime(1970, 1, 1), datetime(2199, 1, 1)).map(  # noqa: DTZ001 - wall clocks
    lambda when: when.strftime("%Y-%m-%dT%H:%M:%S+08:00")
)


@given(st.lists(equally_long, min_size=16, max_size=30), st.sampled_from(ZONES), st.data())
def test_a_text_broken_at_a_line_end_does_not_shift_its_neighbours(
    texts: list[str], zone: ZoneInfo, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(texts) - 1))
    texts[at : at + 2] = ["\n".join(texts[at : at + 2]), ""]  # as long together as before
    _, _, readable = parse_times(texts, zone)
    assert readable.tolist() == [parse_time(text, zone) is not None for text in texts]


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_every_quarter_hour_of_days_with_a_change_is_read_as_one_by_one(zone: ZoneInfo) -> None:
    days = ["1972-01-07", "1988-04-17", "1988-09-11", "2026-03-29", "2026-10-25", "2026-04-05", "2026-10-04"]
    texts = [f"{day}T{hour:02}:{minute:02}:30" for day in days for hour in range(24) for minute in range(0, 60, 15)]
    instants, assumed, readable = parse_times(texts, zone)
    assert readable.all()
    assert assumed.all()
    assert instants.tolist() == [parse_time(text, zone)[0] for text in texts]  # type: ignore[index]


@given(st.lists(st.integers(us(1000, 1, 1), us(9999, 12, 31)), min_size=1, max_size=30))
def test_formatted_instants_are_read_back(instants: list[int]) -> None:
    texts = format_utc(np.array(instants))
    assert parse_times(texts, SHANGHAI)[0].tolist() == instants
