"""The scores of wrong ratios at a small size, on made-up loads: the table on real ones is `redundancy_table`."""

import numpy as np
import pytest

from tests.benchmarks.redundancy_table import clean, score
from tests.benchmarks.redundancy_worlds import World


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


def test_clean_meters_are_quiet_whatever_happens_between_their_samples(loads: list[World]) -> None:
    quiet = clean(loads, days=90, draws=1)
    assert quiet.days > 1_000
    assert quiet.alarms == 0
    assert np.median(quiet.smallest) < 0.15


@pytest.mark.parametrize(("ratio", "days", "least"), [(0.5, 7, 0.9), (2 / 3, 7, 0.8), (2.0, 7, 0.8), (0.8, 30, 0.8)])
def test_wrong_ratios_are_found(loads: list[World], ratio: float, days: float, least: float) -> None:
    one = score(loads, ratio)
    assert one.before == 0
    assert one.recall(days) >= least
    assert np.median(one.errors) < 0.03
