"""Stuck dials and wrong clocks against a meter's own habit: quiet on the honest, told in time on the faulty."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analytics.columns._layout import POINT_STATE
from analytics.columns.register import NEVER, RegisterTable
from analytics.domain.quality import DetectionKind
from analytics.health.arrival import (
    AHEAD,
    BEHIND,
    DRIFTS,
    HEALTH_STATE,
    UNSURE,
    Arrived,
    HealthRules,
    arrive,
    empty_health,
    hours_until_told,
    usual_wait_us,
)
from tests.registers import DAY, DAY_US, HOUR_US, MINUTE_US, installations

QUARTER = 15 * MINUTE_US
SECOND = 1_000_000
START = DAY * DAY_US - 8 * HOUR_US  # Monday 2026-01-05 00:00 in Shanghai


@dataclass
class Readings:
    """A meter's readings in the order of their arrival."""

    at: NDArray[np.int64]
    received: NDArray[np.int64]
    value: NDArray[np.float64]


def meter(days: int, use: Sequence[float] | NDArray[np.float64], *, seed: int = 0, late_s: float = 20.0) -> Readings:
    """Readings each quarter hour of a meter that uses `use[hour of the week]` an hour, give or take a fifth."""
    rng = np.random.default_rng(seed)
    at = START + np.arange(days * 96) * QUARTER
    hour = ((at - START) // HOUR_US) % 168
    used = np.asarray(use, float)[hour] / 4 * rng.uniform(0.8, 1.2, len(at))
    received = at + np.rint((late_s + rng.exponential(3.0, len(at))) * SECOND).astype(np.int64)
    return Readings(at, received, np.round(1000.0 + np.cumsum(used), 2))


ALWAYS = np.full(168, 20.0)
SHIFTS = np.array([20.0 if day < 5 and 8 <= hour < 18 else 0.0 for day in range(7) for hour in range(24)])


def take(
    readings: Readings,
    *,
    cuts: Sequence[int] = (),
    factors: tuple[float, float] = (1, 1),
    future_us: int = 600 * SECOND,
    interval_min: float = 15,
) -> tuple[NDArray[np.void], list[Arrived]]:
    table = RegisterTable(installations([{"full_scale": 1e7, "max_rate": 100, "interval_min": interval_min}]))
    state = empty_health(1)
    parts = []
    for a, b in pairwise([0, *cuts, len(readings.at)]):
        zeros = np.zeros(b - a, np.int32)
        parts.append(
            arrive(
                state,
                table,
                HealthRules().row(),
                point=zeros,
                installation=zeros,
                at_us=readings.at[a:b],
                received_us=readings.received[a:b],
                value=readings.value[a:b],
                future=readings.at[a:b] > readings.received[a:b] + future_us,
                factors=np.array([factors], np.float32),
            )
        )
    return state, parts


def told(readings: Readings, **options: object) -> list[NDArray[np.void]]:
    _, parts = take(readings, **options)  # type: ignore[arg-type]  # passed on
    return [event for part in parts for event in part.events]


def jam(readings: Readings, day: float, hours: float) -> tuple[int, int]:
    """The dial stands still and goes on from there; first and last instant at which it does."""
    a, b = int(day * 96), int((day + hours / 24) * 96)
    lost = readings.value[b - 1] - readings.value[a]
    readings.value[a:b] = readings.value[a]
    readings.value[b:] -= lost
    return int(readings.at[a]), int(readings.at[min(b, len(readings.at) - 1)])


def test_a_jammed_dial_is_told_within_a_day_and_closed_when_it_moves() -> None:
    readings = meter(60, ALWAYS)
    start, end = jam(readings, 21.3, 20)
    opened, closed = told(readings)
    assert opened["kind"] == closed["kind"] == DetectionKind.STUCK
    assert opened["started"] == closed["started"] == start
    assert opened["ended"] == NEVER
    assert start < opened["decided"] <= start + 17 * HOUR_US
    assert closed["ended"] == end
    # 20 h at 20 kWh an hour are missing
    assert closed["amount"] / 1e6 == pytest.approx(20 * 20, rel=0.1)
    assert closed["n"] == 20 * 4


def test_a_dial_that_stays_jammed_is_told_once() -> None:
    readings = meter(60, ALWAYS)
    jam(readings, 21.3, 24 * 38.7)
    (opened,) = told(readings)
    assert opened["ended"] == NEVER


@pytest.mark.parametrize("seed", range(5))
def test_a_meter_that_is_honestly_idle_at_night_and_on_weekends_is_left_alone(seed: int) -> None:
    readings = meter(120, SHIFTS, seed=seed)
    assert told(readings) == []
    readings = meter(120, SHIFTS, seed=seed)
    jam(readings, 70 + 8 / 24, 24 * 16)  # but two weeks are longer than most holidays
    opened, closed = told(readings)
    assert opened["kind"] == closed["kind"] == DetectionKind.STUCK
    assert opened["decided"] - opened["started"] >= 14 * DAY_US


@pytest.mark.parametrize("days", [1, 9])
def test_days_off_of_a_meter_with_shifts_are_no_fault(days: int) -> None:
    readings = meter(90, SHIFTS)
    jam(readings, 60, 24 * days)
    assert told(readings) == []


def test_a_stillness_that_ended_by_itself_asks_for_more_the_next_time() -> None:
    readings = meter(80, ALWAYS)
    jam(readings, 60.3, 15.75)
    assert len(told(readings)) == 2
    readings = meter(80, ALWAYS)
    jam(readings, 44.3, 14)
    jam(readings, 60.3, 15.75)
    assert told(readings) == []


def test_a_jam_that_was_told_does_not_hide_the_next() -> None:
    readings = meter(200, ALWAYS)
    for day in (30.3, 60.3, 90.3, 120.3):
        jam(readings, day, 60)
    opened = [event for event in told(readings) if event["ended"] == NEVER]
    assert [event["decided"] - event["started"] <= DAY_US for event in opened] == [True] * 4


def test_the_time_a_jam_takes_to_be_told_is_known_before() -> None:
    for use, least, most in ((ALWAYS, 14.0, 17.0), (SHIFTS, 14 * 24.0, 15 * 24.0)):
        waited = []
        for day in (44.0, 44.4, 46.9, 48.5):
            readings = meter(90, use)
            _, (before,) = take(Readings(*(column[: int(day * 96)] for column in astuple(readings))))
            habit = before.habits[-1]
            jam(readings, day, 24 * 35)
            (opened,) = told(readings)[:1]
            missing = readings.at[int(day * 96)]  # a stillness begins before, where no move was due
            waited.append((opened["decided"] - missing) / HOUR_US)
            assert waited[-1] <= habit["worst_h"]
            assert least <= habit["typical_h"] <= habit["worst_h"] <= most
        assert max(waited) >= 0.7 * habit["typical_h"]


def test_what_is_said_of_a_day_is_what_the_state_says_then() -> None:
    readings = meter(40, SHIFTS)
    state, (arrived,) = take(readings)
    assert arrived.habits["at"].tolist() == readings.at[31::96].tolist()  # the last of each UTC day, 07:45 local
    assert (np.diff(arrived.habits["days"]) >= 0).all()
    assert arrived.habits["days"][-1] == 38
    last = Readings(*(column[:-64] for column in astuple(readings)))
    state, _ = take(last)
    hours = hours_until_told(state, HealthRules().row(), np.array([15 * MINUTE_US]))
    assert hours[0].astype(np.float32).tolist() == list(arrived.habits[["typical_h", "worst_h"]][-1])


def test_a_stillness_that_lasts_does_not_become_its_own_habit() -> None:
    readings = meter(60, ALWAYS)
    jam(readings, 44.3, 24 * 3)
    before, _ = take(Readings(*(column[: 96 * 44] for column in astuple(readings))))
    during, _ = take(Readings(*(column[: 96 * 47] for column in astuple(readings))))
    after, _ = take(readings)
    assert during["stuck"][0]
    assert np.array_equal(before["slots"], during["slots"])
    assert after["slots"].min() >= 239  # and a jam that was told is no habit afterwards
    readings = meter(60, ALWAYS)
    jam(readings, 58.3, 10)  # a stillness that ended by itself is
    after, _ = take(readings)
    assert after["slots"].min() < 236


def test_a_jam_of_a_new_meter_is_told_once_its_first_days_allow() -> None:
    for day, hours in ((2.0, 72), (4.0, 48), (9.0, 30)):
        readings = meter(20, ALWAYS)
        jam(readings, day, 24 * 9)
        opened = told(readings)[0]
        assert opened["decided"] - opened["started"] <= hours * HOUR_US
    readings = meter(20, SHIFTS)  # one that rests at night may have holidays
    jam(readings, 5.0, 24 * 9)
    assert told(readings) == []


def test_a_first_weekend_off_is_no_jam() -> None:
    use = np.array([20.0 if day < 5 else 0.0 for day in range(7) for _ in range(24)])
    assert told(meter(60, use)) == []


def test_a_meter_that_is_read_every_six_hours_has_a_habit_too() -> None:
    readings = meter(90, ALWAYS)
    readings = Readings(*(column[::24] for column in astuple(readings)))
    still = slice(4 * 60, 4 * 70)
    readings.value[still] = readings.value[still.start]
    _, (arrived,) = take(readings, interval_min=360)
    opened = arrived.events[0]
    assert opened["kind"] == DetectionKind.STUCK
    said = arrived.habits[58]["worst_h"]
    assert (opened["decided"] - opened["started"]) / HOUR_US <= said <= 4 * 24


def test_where_people_are_away_a_jam_is_told_after_four_weeks() -> None:
    rng = np.random.default_rng(4)
    readings = meter(200, ALWAYS)
    asleep = ((readings.at - START) // HOUR_US) % 24 < 6
    rise = np.where(asleep | (rng.random(len(readings.at)) < 0.7), 0.0, 3.0)
    readings.value = 1000.0 + np.cumsum(rise)
    jam(readings, 60.3, 24 * 20)
    assert told(readings) == []
    jam(readings, 120.3, 24 * 40)
    opened = told(readings)[0]
    assert 28 * DAY_US <= opened["decided"] - opened["started"] <= 32 * DAY_US


def test_a_machine_with_shifts_is_closed_over_holidays_and_told_after_two_weeks() -> None:
    readings = meter(120, SHIFTS)
    jam(readings, 71.4, 13.2 * 24)
    assert not told(readings)
    readings = meter(120, SHIFTS)
    start, _ = jam(readings, 71.4, 30 * 24)
    opened = told(readings)[0]
    assert opened["started"] == start
    assert 14 <= (opened["decided"] - start) / DAY_US < 14.1
    assert hours_until_told(take(meter(71, SHIFTS))[0], HealthRules().row(), np.array([QUARTER]))[0, 1] < 14.1 * 24
    rng = np.random.default_rng(2)
    sometimes = meter(120, SHIFTS)
    use = np.diff(sometimes.value, prepend=1000.0).reshape(-1, 4)
    use[rng.uniform(size=len(use)) < 0.3] = 0.0  # in three of ten hours of work nobody needs it
    sometimes.value = np.round(1000.0 + np.cumsum(use.ravel()), 2)
    start, _ = jam(sometimes, 71.4, 40 * 24)
    opened = told(sometimes)[0]
    assert (opened["started"] - start) / DAY_US == pytest.approx(0, abs=1)
    assert 28 <= (opened["decided"] - opened["started"]) / DAY_US < 28.1


def test_a_gateway_that_packs_readings_is_waited_for() -> None:
    readings = meter(30, ALWAYS)
    state, _ = take(readings)
    assert usual_wait_us(state)[0] <= MINUTE_US
    readings.received = (readings.at // (4 * HOUR_US) + 1) * (4 * HOUR_US) + np.arange(len(readings.at)) % 16 * 1000
    state, _ = take(readings)
    assert usual_wait_us(state)[0] / HOUR_US == pytest.approx(4.0, abs=0.2)


def test_an_outage_of_the_way_hardly_moves_how_long_is_waited() -> None:
    readings = meter(30, ALWAYS)
    inside = (readings.received > readings.at[2000]) & (readings.received < readings.at[2048])
    readings.received[inside] = readings.at[2048] + np.arange(int(inside.sum())) * 1000
    state, _ = take(Readings(readings.at[:2060], readings.received[:2060], readings.value[:2060]))
    assert 0 < usual_wait_us(state)[0] <= HOUR_US
    state, _ = take(readings)
    assert usual_wait_us(state)[0] <= MINUTE_US


def test_before_anything_is_learnt_nothing_is_told() -> None:
    readings = meter(3, ALWAYS)
    jam(readings, 1, 24)
    assert told(readings) == []


def test_a_register_that_steps_seldom_has_its_own_habit() -> None:
    readings = meter(120, np.full(168, 0.3))
    readings.value = np.floor(readings.value)  # a step every three hours or so
    assert told(readings) == []
    jam(readings, 60, 24 * 35)
    assert [event["kind"] for event in told(readings)] == [DetectionKind.STUCK] * 2


def test_verdicts_raise_the_threshold() -> None:
    readings = meter(60, ALWAYS)
    jam(readings, 21.3, 14)
    assert told(readings, factors=(4.0, 1.0)) == []


def shifted(readings: Readings, day: float, hours: float, seconds: float) -> None:
    inside = slice(int(day * 96), int((day + hours / 24) * 96))
    readings.at = readings.at.copy()
    readings.at[inside] += int(seconds * SECOND)


def test_a_clock_that_falls_back_is_told_and_the_times_it_repeats_are_astray() -> None:
    readings = meter(30, ALWAYS)
    shifted(readings, 10, 36, -47 * 60)
    _, (arrived,) = take(readings)
    opened, closed = arrived.events
    assert opened["kind"] == DetectionKind.CLOCK
    assert opened["scale"] == BEHIND
    assert opened["started"] == readings.received[960]
    assert opened["before"] - opened["at"] == pytest.approx(-47 * 60, abs=10)
    assert opened["decided"] <= opened["started"] + 3 * HOUR_US
    assert closed["ended"] == readings.received[960 + 36 * 4]
    assert closed["before"] - closed["at"] == pytest.approx(-47 * 60, abs=10)
    assert np.flatnonzero(arrived.astray).tolist() == [960, 961, 962]  # 47 minutes are three readings told before


def test_a_clock_that_is_ahead_is_told_also_where_its_readings_are_refused() -> None:
    for minutes in (7, 47):
        readings = meter(30, ALWAYS)
        shifted(readings, 10, 20, minutes * 60)
        opened, closed = told(readings)
        assert opened["scale"] == AHEAD
        assert opened["before"] - opened["at"] == pytest.approx(minutes * 60, abs=10)
        assert closed["ended"] != NEVER


def test_a_clock_that_drifts_is_told_apart_from_one_that_jumped() -> None:
    readings = meter(60, ALWAYS)
    slow = np.maximum(readings.at - readings.at[960], 0) / DAY_US * 10 * SECOND  # 10 s a day
    readings.at = readings.at - slow.astype(np.int64)
    (opened,) = told(readings)
    assert opened["scale"] == DRIFTS
    assert opened["before"] - opened["at"] == pytest.approx(-120, abs=5)
    assert opened["decided"] <= readings.received[960] + 14 * DAY_US
    # it is within 30 s of what it was for three days
    assert readings.received[960] <= opened["started"] <= readings.received[960] + 4 * DAY_US


def test_a_jump_of_some_minutes_may_be_the_clock_or_the_way() -> None:
    readings = meter(30, ALWAYS)
    shifted(readings, 10, 24 * 20, -300)
    (opened,) = told(readings)
    assert opened["scale"] == UNSURE


def test_a_slower_way_is_no_clock() -> None:
    readings = meter(30, ALWAYS)
    readings.received = readings.received + np.where(readings.at > readings.at[960], 40 * 60 * SECOND, 0)
    assert told(readings) == []


def test_uploads_once_in_a_while_and_all_at_once_are_no_clock() -> None:
    readings = meter(30, ALWAYS)
    readings.received = (readings.at // (4 * HOUR_US) + 1) * (4 * HOUR_US) + np.arange(len(readings.at)) % 16 * 1000
    assert told(readings) == []
    readings.received = np.full(len(readings.at), readings.at[-1] + DAY_US)
    assert told(readings) == []
    rng = np.random.default_rng(3)
    readings.received = np.sort(readings.at + rng.integers(0, 600 * SECOND, len(readings.at)))
    assert told(readings) == []


def test_an_outage_of_the_way_is_no_clock() -> None:
    readings = meter(30, ALWAYS)
    inside = (readings.received > readings.at[960]) & (readings.received < readings.at[1100])
    readings.received[inside] = readings.at[1100] + np.arange(int(inside.sum())) * 1000
    _, (arrived,) = take(readings)
    assert len(arrived.events) == 0
    assert not arrived.astray.any()


def test_readings_that_come_late_are_not_astray() -> None:
    readings = meter(30, ALWAYS)
    order = np.arange(len(readings.at))
    order[960:1000] = np.roll(order[960:1000], 5)  # five come before those they follow
    readings.at, readings.value = readings.at[order], readings.value[order]
    _, (arrived,) = take(readings)
    assert not arrived.astray.any()


def test_another_meter_ends_what_was_open() -> None:
    table = RegisterTable(
        installations(
            [{"meter": 0, "to": "23:00", "full_scale": 1e7}, {"meter": 1, "from": "23:00", "full_scale": 1e7}]
        )
    )
    readings = meter(60, ALWAYS)
    jam(readings, 40, 24 * 20)
    readings.at -= readings.at[-1] - installations([{"to": "23:00"}]).installed_to[0]
    zeros = np.zeros(len(readings.at), np.int32)
    state = empty_health(1)
    rules = HealthRules().row()
    first = arrive(
        state,
        table,
        rules,
        point=zeros,
        installation=zeros,
        at_us=readings.at,
        received_us=readings.at + SECOND,
        value=readings.value,
    )
    assert [event["ended"] for event in first.events] == [NEVER]
    one = np.zeros(1, np.int32)
    later = readings.at[-1:] + QUARTER
    then = arrive(
        state, table, rules, point=one, installation=one + 1, at_us=later, received_us=later, value=np.array([3.0])
    )
    assert [(event["installation"], event["ended"]) for event in then.events] == [(1, later[0])]


@given(st.integers(0, 10_000), st.sets(st.integers(1, 2879), max_size=8))
@settings(max_examples=25)
def test_pieces_joined_are_the_whole(seed: int, cuts: set[int]) -> None:
    readings = meter(30, ALWAYS, seed=seed)
    rng = np.random.default_rng(seed)
    jam(readings, 12 + rng.random(), 15)
    shifted(readings, 20, 20, float(rng.choice([-2820, -300, 400, 3000])))
    odd = rng.integers(0, 2880, 40)
    readings.value[odd] = rng.choice([0.0, 1e9, 5.0, -1.0], 40)
    whole_state, whole = take(readings)
    state, parts = take(readings, cuts=sorted(cuts))
    assert state.tobytes() == whole_state.tobytes()
    assert np.concatenate([part.events for part in parts]).tobytes() == whole[0].events.tobytes()
    assert np.concatenate([part.habits for part in parts]).tobytes() == whole[0].habits.tobytes()
    assert 25 <= len(whole[0].habits) <= 30  # none on a day that begins with an odd reading
    assert np.array_equal(np.concatenate([part.astray for part in parts]), whole[0].astray)


def test_a_detection_is_closed_before_the_next_of_its_kind_opens() -> None:
    for seed in range(20):
        readings = meter(60, ALWAYS, seed=seed)
        rng = np.random.default_rng(seed)
        for day in rng.uniform(15, 55, 4):
            jam(readings, float(day), float(rng.uniform(5, 60)))
        standing = False
        for event in told(readings):
            assert (event["ended"] == NEVER) is not standing
            standing = not standing


def test_the_state_of_a_meter_stays_small() -> None:
    assert HEALTH_STATE.itemsize + POINT_STATE.itemsize <= 400
