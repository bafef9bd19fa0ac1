"""The harness counts right, and at a small size the engine's figures on real loads stay where they were measured."""

import numpy as np
import pytest

from analytics.drift.change import PARENT, UNNAMED
from tests.analytics.drift.worlds import factory_loads, world
from tests.benchmarks.drift.scoring import Alarm, always_fire, chance_recall, false_alarms, found
from tests.benchmarks.drift.simulation import FaultKind, World, fault_gain, simulate
from tests.benchmarks.drift_loads import data_file, loads_of
from tests.benchmarks.drift_table import LEARNING_DAYS, Plan, by_engine, prepare

DAY = 24


def test_alarms_are_counted_by_whom_they_name_and_when() -> None:
    simulated = world([4, 4, 4, 4], 130, kind=FaultKind.STEP, size=0.02)
    alarms = [
        Alarm(group=0, child=0, hour=100 * DAY, gain=0.021, low=0.019, high=0.023),  # right after 10 days
        Alarm(group=1, child=5, hour=95 * DAY),  # names a sibling, then the right one
        Alarm(group=1, child=4, hour=120 * DAY, gain=0.015, low=0.012, high=0.018),
        Alarm(group=2, child=UNNAMED, hour=92 * DAY),
        Alarm(group=3, child=12, hour=80 * DAY),  # before the fault: false
    ]
    result = found(simulated, alarms, days=(10, 45))
    assert result.seen == (0.75, 0.75)
    assert result.recall == (0.25, 0.5)
    assert result.median_days == pytest.approx(np.median([10, 30, np.inf, np.inf]))
    assert result.naming == 0.5
    assert result.refused == pytest.approx(1 / 3)
    assert result.precision == 0.4
    assert result.gain_error == pytest.approx(0.003)
    assert result.coverage == 0.5


def test_false_alarms_come_with_an_exact_interval() -> None:
    clean = world([5, 5], 152)
    none = false_alarms(clean, [], learning_days=52)
    assert (none.meter_days, none.rate, none.low) == (1000, 0.0, 0.0)
    assert none.high == pytest.approx(3.689, abs=0.001)  # -ln 0.025
    one = false_alarms(clean, [Alarm(group=0, child=PARENT, hour=2000)], learning_days=52)
    assert (one.rate, round(one.low, 4)) == (1.0, 0.0253)


def test_firing_always_finds_everything_and_costs_everything() -> None:
    simulated = world([3], 100, kind=FaultKind.STEP, size=0.01)
    every = always_fire(simulated, learning_days=50)
    result = found(simulated, every, days=(2,))
    assert result.recall == (1.0,)
    assert result.precision == 1 / 150
    assert false_alarms(simulated, every, learning_days=50).rate == 1000.0
    assert chance_recall(1000.0, 1) == pytest.approx(1.0 - np.exp(-1.0))


def test_the_simulation_is_the_same_for_the_same_seed_and_never_reads_the_dials() -> None:
    loads = factory_loads(4, 20, 3)
    faulty = world([4], 20, seed=3, kind=FaultKind.STEP, size=-0.5, start_day=10)
    sound = world([4], 20, seed=3)
    np.testing.assert_array_equal(faulty.hours.parent, sound.hours.parent)
    ratio = faulty.hours.child[:, 0] / sound.hours.child[:, 0]
    np.testing.assert_allclose(ratio, fault_gain(faulty.faults[0], len(loads)))
    again = simulate(loads, np.array([4]), sound.faults, world=World(), seed=9)
    once_more = simulate(loads, np.array([4]), sound.faults, world=World(), seed=9)
    np.testing.assert_array_equal(again.hours.parent, once_more.hours.parent)


def test_losses_and_errors_are_within_what_the_world_says() -> None:
    simulated = world([6, 6, 6], 30)
    inside = np.add.reduceat(simulated.hours.child, simulated.groups.start[:-1], axis=1)
    lost = simulated.hours.parent.sum(axis=0) / inside.sum(axis=0) - 1.0
    assert ((lost > -0.02) & (lost < 0.07)).all()


def scenario(kind: FaultKind, change: float, groups: int, days: int) -> Plan:
    return Plan(name="", groups=groups, size=8, days=days, kind=kind, change=change, least_share=0.05, seed=31)


def real_loads() -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    if data_file() is None:
        pytest.skip("SKIPPED LOUDLY: the real loads of ../shared/data are not on this machine")
    return loads_of("development")


def test_on_real_loads_five_percent_is_found_named_and_sized() -> None:
    simulated = prepare(scenario(FaultKind.STEP, 0.05, 5, 215), real_loads())
    result = found(simulated, by_engine(simulated), days=(14, 37))
    assert result.recall[1] >= 0.8
    assert result.median_days <= 5.0
    assert result.naming >= 0.75
    assert result.gain_error <= 0.004
    assert result.coverage >= 0.8


def test_on_real_loads_two_percent_is_found_within_six_weeks() -> None:
    simulated = prepare(scenario(FaultKind.STEP, 0.02, 5, 215), real_loads())
    result = found(simulated, by_engine(simulated), days=(37,))
    assert result.recall[0] >= 0.8
    assert result.median_days <= 10.0


def test_on_real_loads_a_ramp_is_called_slow_and_its_interval_holds() -> None:
    simulated = prepare(scenario(FaultKind.RAMP, 0.05, 5, 245), real_loads())
    result = found(simulated, by_engine(simulated), days=(37,))
    assert result.recall[0] >= 0.8
    assert result.called_drift >= 0.6
    assert result.coverage >= 0.8
    assert result.gain_error <= 0.004
    assert result.told == 1.0  # a step that becomes a drift is one alarm


def test_on_real_loads_sound_meters_are_left_alone() -> None:
    simulated = prepare(scenario(FaultKind.NONE, 0.0, 5, 180), real_loads())
    assert false_alarms(simulated, by_engine(simulated), learning_days=LEARNING_DAYS).alarms <= 1
