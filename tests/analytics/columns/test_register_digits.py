"""Registers read daily whose dials turn every few weeks, where nobody declared: last digits tell a power of ten."""

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.columns.register import POINT_STATE, Advanced, last_of_each_hour
from analytics.domain.quality import DetectionKind, HourFlag
from tests.benchmarks.register_faults.faults import FAULTS
from tests.benchmarks.register_faults.scoring import Score, score
from tests.benchmarks.register_faults.worlds import World
from tests.registers import DAY, DAY_US, HOUR_US, follow, installations

_DAY_S = 86_400
_FOR_GOOD = ("x10 for good", "x1000 for good", "/10 for good")
_FOR_A_TIME = ("x1000, 30 readings", "x10, 2 readings", "/1000, 5 readings")


def dial(seed: int, *, interval_s: int = _DAY_S, n: int = 300) -> World:
    """A load with a rhythm of the week, on a dial that turns every 12 to 80 readings."""
    rng = np.random.default_rng((seed, interval_s))
    shape = rng.uniform(0.6, 1.4, n) * np.where(np.arange(n) % 7 < 5, 1.0, rng.uniform(0.3, 1.0))
    step = 10.0 ** int(rng.integers(-4, 2))
    full_scale = 10.0 ** int(rng.integers(5, 8)) * step
    used = np.cumsum(shape * full_scale / rng.uniform(12.0, 80.0))
    at = DAY * DAY_US + np.arange(n, dtype=np.int64) * interval_s * 1_000_000
    world = World(
        name=str(seed), interval_s=interval_s, at=at, true=used - used[0], value=used, step=step,
        peak=float(np.diff(used).max()) * 3600 / interval_s, full_scale=full_scale,
    )  # fmt: skip
    world.show(rng.uniform(0.05, 0.95) * full_scale)
    return world


def spoilt(fault: str) -> dict[int, Score]:
    """Scores of dials whose fault begins anywhere, by seed."""
    found = {}
    for seed in (*range(60), 724):  # one more that begins as the dial turns
        rng = np.random.default_rng((seed, len(fault)))
        world = dial(seed)
        if FAULTS[fault](world, int(rng.integers(60, 200)), rng):
            found[seed] = score([world], "nothing")
    return found


@pytest.mark.parametrize("fault", _FOR_GOOD)
def test_a_power_of_ten_for_good_is_never_measured_on_an_undeclared_dial_that_turns_often(fault: str) -> None:
    assert {seed: one for seed, one in spoilt(fault).items() if one.silent > 0.0} == {}


@pytest.mark.parametrize("fault", _FOR_A_TIME)
def test_a_power_of_ten_for_a_time_is_told_there(fault: str) -> None:
    """Where the dial turns amid so short a run, the day after it may be cut where it was not."""
    found = spoilt(fault)
    assert all(one.events > 0 for one in found.values())
    assert sum(one.silent for one in found.values()) / len(found) <= 5e-4


def test_sound_dials_that_turn_often_stay_sound() -> None:
    worlds = [dial(seed) for seed in range(200)]
    total = score(worlds, "nothing")
    assert total.silent == 0.0
    assert total.sound / total.dials >= 0.985  # the first turn of each, which a reset near there looks like
    assert total.events <= 12  # one told in 5,000 days: a turn before much is known
    for interval_s in (1800, 3600):
        often = score([dial(seed, interval_s=interval_s) for seed in range(100)], "nothing")
        assert often.silent == 0.0


def _counted(value: NDArray[np.float64], days: NDArray[np.int64]) -> Advanced:
    facts = {"full_scale": np.nan, "max_rate": np.nan, "interval_min": 1440}
    _, (part,) = follow(installations([facts]), DAY * DAY_US + days * DAY_US, value)
    return part


def test_a_dial_that_may_have_turned_once_more_in_a_gap_is_suspect() -> None:
    """It is known to turn, and 50 days at the usual rate are more than the dial; the total is known but for that."""
    used = np.arange(60) * 613.7
    days = np.concatenate((np.arange(60), np.arange(110, 120)))
    used = np.concatenate((used, used[-1] + 50 * 613.7 + np.arange(1, 11) * 613.7))
    part = _counted(np.round((5000.0 + used) % 1e4, 1), days)
    hours = last_of_each_hour(part.hours)
    gap = (hours["hour"] * HOUR_US > (DAY + 59) * DAY_US) & (hours["hour"] * HOUR_US < (DAY + 109) * DAY_US)
    assert gap.sum() > 1000
    assert (hours["flags"][gap] & HourFlag.SUSPECT).all()
    after = hours["hour"] * HOUR_US > (DAY + 112) * DAY_US
    assert not (hours["flags"][after] & HourFlag.SUSPECT).any()


def test_a_new_load_in_values_of_tens_is_suspect_until_the_last_digit_is_back() -> None:
    """Ten times as much for good looks the same, but for the digit: a load that shows it is not doubted."""
    rng = np.random.default_rng(3)
    used = np.concatenate(([0.0], np.cumsum(np.round(rng.uniform(40.0, 60.0, 79), 2))))
    days = np.arange(80)
    load = np.maximum(np.arange(80) - 30, 0) * 30.0 * 50.0
    for digits, doubted in ((0, True), (2, False)):
        value = np.round(7.0 + used, 2) + load
        value[31:] = np.round(value[31:], digits)
        part = _counted(value, days)
        hours = last_of_each_hour(part.hours)
        late = hours["hour"] * HOUR_US > (DAY + 50) * DAY_US
        assert bool((hours["flags"][late] & HourFlag.SUSPECT).all()) == doubted
        assert bool((hours["flags"][late] & HourFlag.SUSPECT).any()) == doubted


def test_zero_before_the_first_reading_of_a_turned_dial_is_no_reset() -> None:
    used = np.arange(90) * 1210.3
    value = np.round((80_000.0 + used) % 1e5, 1)
    turn = int(np.flatnonzero(np.diff(value) < 0)[0]) + 1
    value[turn] = 0.0
    part = _counted(value, np.arange(90))
    kinds = {DetectionKind(int(kind)) for kind in part.events["kind"]}
    hours = last_of_each_hour(part.hours)
    wrong = abs(float(hours["amount"].sum()) / 1e6 - 1210.3 * 89)
    assert kinds <= {DetectionKind.ROLLOVER, DetectionKind.ZERO_DIP}
    assert wrong < 1.0


def test_another_instrument_has_digits_of_its_own() -> None:
    at = DAY * DAY_US + np.arange(40) * HOUR_US
    value = np.concatenate((1000.0 + np.arange(20) * 3.7, 50.0 + np.arange(20) * 0.37)).astype(np.float64)
    inst = installations(
        [
            {"meter": 0, "to": "20:00", "full_scale": np.nan, "max_rate": np.nan, "interval_min": 60},
            {"meter": 1, "from": "20:00", "full_scale": np.nan, "max_rate": np.nan, "interval_min": 60},
        ]
    )
    state, _ = follow(inst, at, np.round(value, 2), meter=np.repeat([0, 1], 20).astype(np.int32))
    alone, _ = follow(inst, at[20:], np.round(value[20:], 2), meter=np.ones(20, np.int32))
    assert "digits" in (POINT_STATE.names or ())
    assert state["digits"][0] == alone["digits"][0]
