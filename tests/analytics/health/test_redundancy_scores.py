"""The scores of contradictions at a small size, on made-up loads: the table on real ones is `redundancy_table`."""

import numpy as np
import pytest

from analytics.health.redundancy import Cause
from tests.benchmarks.redundancy.phases import PhaseWorld
from tests.benchmarks.redundancy.worlds import World
from tests.benchmarks.redundancy_table import KINDS, Trial, clean, score


@pytest.fixture(scope="module")
def loads() -> list[World]:
    rng = np.random.default_rng(11)
    hour = np.arange(120 * 24)
    found = []
    for i in range(12):
        day = 1.0 + rng.uniform(0.2, 0.8) * np.sin((hour + rng.integers(24)) / 24 * 2 * np.pi)
        week = np.where(hour // 24 % 7 < 5, 1.0, rng.uniform(0.3, 1.0))
        hourly = rng.uniform(2.0, 200.0) * day * week * rng.gamma(20.0, 1 / 20.0, len(hour))
        found.append(World(name=f"made-up-{i}", hourly=hourly))
    return found


@pytest.fixture(scope="module")
def phases(loads: list[World]) -> list[PhaseWorld]:
    """Four loads evenly on three phases, half as much again of three others on one phase each."""
    found = []
    for i in range(0, len(loads) - 2, 3):
        even = loads[i].hourly
        single = np.array([one.hourly * (even.mean() / 6 / one.hourly.mean()) for one in loads[i : i + 3]])
        found.append(
            PhaseWorld(name=f"phases-{i}", hourly=even + single.sum(axis=0), even=even, single=single, uneven=1 / 3)
        )
    return found


def test_clean_meters_are_quiet_whatever_happens_between_their_samples(loads: list[World]) -> None:
    quiet = clean(KINDS["power"], loads, days=90, draws=1)
    assert quiet.days > 1_000
    assert quiet.alarms == 0
    assert np.median(quiet.smallest) < 0.15


@pytest.mark.parametrize(("ratio", "days", "least"), [(0.5, 7, 0.9), (2 / 3, 7, 0.8), (2.0, 7, 0.8), (0.8, 30, 0.8)])
def test_wrong_ratios_are_found(loads: list[World], ratio: float, days: float, least: float) -> None:
    one = score(KINDS["power"], loads, Trial(name="", cause=Cause.ENERGY, ratio=ratio))
    assert (one.before, one.other) == (0, 0)
    assert one.recall(days) >= least
    assert np.median(one.errors) < 0.03


@pytest.mark.parametrize(("cause", "days"), [(Cause.DEAD_L2, 1), (Cause.REVERSED_L2, 7)])
def test_phases_are_found_and_clean_ones_quiet(phases: list[PhaseWorld], cause: Cause, days: float) -> None:
    assert clean(KINDS["phases"], phases, days=90, draws=1).alarms == 0
    one = score(KINDS["phases"], phases, Trial(name="", cause=cause))
    assert (one.before, one.other, one.recall(days)) == (0, 0, 1.0)


def test_clean_heat_meters_are_quiet_and_see_ten_percent(loads: list[World]) -> None:
    quiet = clean(KINDS["heat"], loads, days=90, draws=1)
    assert quiet.alarms == 0
    assert np.median(quiet.smallest) < 0.1


@pytest.mark.parametrize(
    ("cause", "ratio", "days", "least"),
    [
        (Cause.ENERGY, 0.8, 7, 0.8),
        (Cause.ENERGY, 2.0, 1, 0.9),
        (Cause.EXCHANGED, np.nan, 7, 0.9),
        (Cause.SUPPLY_STUCK, np.nan, 30, 0.9),
        (Cause.RETURN_STUCK, np.nan, 30, 0.9),
    ],
)
def test_contradictions_of_heat_meters_are_found(
    loads: list[World], cause: Cause, ratio: float, days: float, least: float
) -> None:
    one = score(KINDS["heat"], loads, Trial(name="", cause=cause, ratio=ratio))
    assert (one.before, one.other) == (0, 0)
    assert one.recall(days) >= least
