"""Devices spoil registers of every size, step, interval and ledger in the same ways: none may be wrong in silence."""

import numpy as np
import pytest

from analytics.columns.register import last_of_each_hour
from analytics.domain.quality import DetectionKind
from tests.analytics.columns.variants import VARIANTS, faults_of
from tests.registers import DAY, DAY_US, HOUR_US, follow, installations

_DRAWS = 120


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_are_right_or_say_so(name: str) -> None:
    wrong = {}
    for seed in range(_DRAWS):
        found = faults_of(VARIANTS[name](np.random.default_rng((seed, len(name)))))
        if found:
            wrong[seed] = found
    assert not wrong


def test_a_spike_just_after_an_undeclared_turn_is_taken_back_by_the_turn_itself() -> None:
    rng = np.random.default_rng(4)
    used = np.concatenate(([0.0], np.cumsum(np.round(rng.uniform(160.0, 290.0, 799), 1))))
    for after in np.arange(2.0, 60.0, 3.0):  # where the dial stands when it has turned, for the second time
        start = 2e5 - used[700] + after
        value = np.round((start + used) % 1e5, 1)
        value[600::2] = np.round(10.0 * value[600::2], 1)
        facts = {"full_scale": np.nan, "max_rate": np.nan, "interval_min": 60}
        _, parts = follow(installations([facts]), DAY * DAY_US + np.arange(800) * HOUR_US, value)
        hours = last_of_each_hour(np.concatenate([part.hours for part in parts]))
        assert (hours["amount"] >= 0).all()
        assert hours["amount"].sum() <= 1.1e6 * used[-1]


def test_what_a_dial_of_years_ago_leaves_open_stands_apart() -> None:
    """Nobody can say when it was used: no amount, but a difference that is shown and can be decided."""
    at = DAY * DAY_US + np.arange(3) * HOUR_US
    facts = {"first_reading": 1000.0, "full_scale": np.nan, "max_rate": np.nan}  # installed in 1970
    _, (part,) = follow(installations([facts]), at, np.array([5500.0, 5501.0, 5502.0]))
    jumps = part.events[part.events["kind"] == DetectionKind.JUMP]
    assert [(e["at"], e["before"], e["amount"]) for e in jumps] == [(5500.0, 1000.0, 4500 * 10**6)]
    assert part.hours["amount"].sum() == 2 * 10**6


def test_what_a_gap_of_years_holds_stands_apart() -> None:
    at = DAY * DAY_US + np.array([0, 1, 24 * 500, 24 * 500 + 1]) * HOUR_US
    facts = {"full_scale": np.nan, "max_rate": np.nan}
    _, (part,) = follow(installations([facts]), at, np.array([100.0, 101.0, 9101.0, 9102.0]))
    jumps = part.events[part.events["kind"] == DetectionKind.JUMP]
    assert [(e["at"], e["before"], e["amount"]) for e in jumps] == [(9101.0, 101.0, 9000 * 10**6)]
    assert part.hours["amount"].sum() == 2 * 10**6
