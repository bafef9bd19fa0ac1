"""Devices spoil registers of every size, step, interval and ledger in the same ways: none may be wrong in silence."""

import numpy as np
import pytest

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
