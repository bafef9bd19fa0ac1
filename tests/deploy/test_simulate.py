"""The region played by the clock: pace, what comes next, and the same region when it goes on."""

import time
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

import click
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.domain.errors import ConfigurationError
from analytics.domain.instants import US_PER_HOUR
from deploy.commands.common.parameters import Duration
from deploy.region import Message, build_region, region_messages, write_xlsx
from deploy.region.session import Place, fresh_place, load
from deploy.settings import Settings
from deploy.simulate import _MARK, LONGEST_PAST_S, Pace, Progress, _upcoming, anchor, play, simulate
from deploy.stack import Stack
from ingest.kafka.publisher import end_offsets
from ingest.wire import READINGS_TOPIC

START = 1_792_771_200_000_000


def test_in_real_time_it_begins_now_and_follows_the_clock() -> None:
    pace = Pace.of(now_us=START, speed=1.0, for_s=None, reached_us=START - 10**12)
    assert pace.begin_us == START
    assert pace.simulated(10.0, START + 10_000_000) == START + 10_000_000


def test_sixty_times_as_fast_is_an_hour_a_minute() -> None:
    pace = Pace.of(now_us=START, speed=60.0, for_s=None, reached_us=None)
    assert pace.simulated(60.0, START) - pace.begin_us == US_PER_HOUR
    assert START - pace.begin_us == LONGEST_PAST_S * 1e6


@given(
    speed=st.floats(0.01, 1e5),
    for_s=st.none() | st.floats(1.0, 1e6),
    behind_us=st.none() | st.integers(0, 10**13),
    elapsed_s=st.floats(0.0, 1e7),
)
def test_simulated_time_never_passes_the_clock(
    speed: float, for_s: float | None, behind_us: int | None, elapsed_s: float
) -> None:
    reached_us = None if behind_us is None else START - behind_us
    pace = Pace.of(now_us=START, speed=speed, for_s=for_s, reached_us=reached_us)
    clock = START + int(elapsed_s * 1e6)
    assert pace.begin_us <= START
    assert pace.begin_us <= pace.simulated(elapsed_s, clock) <= clock


def test_with_an_end_it_begins_so_that_the_clock_is_met_at_the_end() -> None:
    pace = Pace.of(now_us=START, speed=60.0, for_s=600.0, reached_us=None)
    assert pace.simulated(600.0, START + 600_000_000) == START + 600_000_000
    assert pace.simulated(599.0, START + 599_000_000) < START + 599_000_000


def test_what_comes_next_goes_on_past_the_first_month_without_a_seam() -> None:
    begin = START + 29 * 24 * US_PER_HOUR
    upcoming = _upcoming(seed=5, units=1, start_us=START, begin_us=begin, zone="Asia/Shanghai")
    messages = list(islice(upcoming, 10_000))
    assert messages[0].at >= begin
    assert all(left.at <= right.at for left, right in pairwise(messages))
    assert messages[-1].at > START + 59 * 24 * US_PER_HOUR  # two builds at least
    whole = build_region(5, days=100.0, units=1, start_us=START, horizon_days=30.0)
    due = [m for m in region_messages(whole, span_us=60_000_000, after_us=begin) if m.at <= messages[-1].at]
    assert [m.value for m in messages] == [m.value for m in due[: len(messages)]]


@pytest.mark.parametrize(("text", "seconds"), [("90", 90.0), ("90s", 90.0), ("10m", 600.0), ("1.5h", 5400.0)])
def test_durations_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "soon", "0", "-3s", "3 weeks"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="not a time"):
        Duration().convert(text, None, None)


@pytest.fixture(scope="module")
def place(stack: Stack) -> Place:
    return fresh_place(stack.settings, access=stack.access, dsn=stack.dsn, name="play")


@pytest.mark.integration
def test_messages_are_sent_when_their_time_has_come_and_all_acknowledged(place: Place) -> None:
    region = build_region(9, days=1.0, units=2)
    messages = region_messages(region, span_us=60_000_000)
    begin = messages[0].at
    pace = Pace(begin_us=begin, speed=3_600.0)
    told: list[Progress] = []
    before = sum(end_offsets(place.kafka, place.topic).values())
    began = time.monotonic()
    ended = play(place, iter(messages), pace, for_s=3.0, report=told.append)
    assert 3.0 <= time.monotonic() - began < 120.0
    assert ended.simulated_us == begin + 3 * US_PER_HOUR
    due = [m for m in messages if m.at <= ended.simulated_us]
    assert (ended.messages, ended.readings) == (len(due), sum(m.readings for m in due))
    assert ended.due_us > ended.simulated_us
    assert sum(end_offsets(place.kafka, place.topic).values()) - before == len(due)
    assert [p.messages for p in told] == sorted(p.messages for p in told)
    assert told[0].messages < ended.messages


@pytest.mark.integration
def test_ctrl_c_ends_it_with_everything_acknowledged(place: Place) -> None:
    messages = region_messages(build_region(10, days=1.0, units=1), span_us=60_000_000)
    before = sum(end_offsets(place.kafka, place.topic).values())

    def interrupted() -> Iterator[Message]:
        yield from messages[:50]
        raise KeyboardInterrupt

    ended = play(place, interrupted(), Pace(begin_us=messages[-1].at, speed=1.0))
    assert ended.messages == 50
    assert sum(end_offsets(place.kafka, place.topic).values()) - before == 50


@pytest.mark.integration
def test_a_database_tells_which_region_goes_on_in_it(place: Place, tmp_path: Path) -> None:
    assert anchor(place.dsn) is None
    region = build_region(9, days=0.5, units=2, horizon_days=30.0)
    write_xlsx(region.ledger_rows, tmp_path / "ledger.xlsx")
    load(place, tmp_path / "ledger.xlsx", source=_MARK.format(seed=9, units=2, start_us=region.start_us))
    assert anchor(place.dsn) == (9, 2, region.start_us)


@pytest.mark.integration
def test_a_database_with_real_units_is_left_alone(stack: Stack) -> None:
    place = fresh_place(stack.settings, access=stack.access, dsn=stack.dsn, name="real")
    with psycopg.connect(place.dsn) as connection:
        connection.execute(
            "insert into ledger_version (source, row_count, sha256, blob) values ('a', 0, %s, '')", (b"0" * 32,)
        )
        connection.execute("insert into unit (code, name, version) values ('91110000MA01ABCD2E', 'a real one', 1)")
    with pytest.raises(ConfigurationError, match="without real units"):
        anchor(place.dsn)


@pytest.mark.integration
def test_a_simulation_that_ran_before_goes_on_with_the_same_registers(instance: Settings) -> None:
    said: list[str] = []
    told: list[Progress] = []

    def run(for_s: float) -> Progress:
        return simulate(instance, speed=7_200.0, for_s=for_s, seed=4, units=2, say=said.append, report=told.append)

    first = run(3.0)
    assert first.readings > 0
    assert "the ledger of 2 units is loaded" in said
    second = run(1.0)
    assert any("goes on" in line for line in said)
    assert second.simulated_us >= first.simulated_us
    servers = Stack(instance)
    seed, units, start_us = anchor(servers.dsn) or (0, 0, 0)
    assert (seed, units) == (4, 2)
    region = build_region(4, days=2.0, units=2, start_us=start_us, horizon_days=30.0)
    readings = region.readings
    first_due = 3.0 * 7_200.0 * 1e6  # it began so far back that it met the clock when it ended
    came = (readings.received_at >= first.simulated_us - first_due) & (readings.received_at <= second.simulated_us)
    sent = sum(end_offsets(servers.kafka_config, READINGS_TOPIC).values())
    assert sent == first.messages + second.messages
    assert abs(int(came.sum()) - first.readings - second.readings) <= len(region.meter_nos)
