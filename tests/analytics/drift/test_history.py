"""A group's threshold by its own past: loud weeks raise it, weeks of a change do not count."""

import numpy as np
import pytest

from analytics.drift._batch import WEEKS, Batch
from analytics.drift._decide import thresholds
from analytics.drift._history import own, remember, set_aside
from analytics.drift.engine import advance
from analytics.drift.groups import BalanceGroups
from analytics.drift.rules import BalanceRules
from analytics.drift.state import BalanceState
from tests.analytics.drift.worlds import world
from tests.benchmarks.drift.simulation import FaultKind

RULES = BalanceRules()


def batch_of(*weeks: list[float], first: int = 100) -> Batch:
    """Groups whose weeks from `first` on were that loud, each on its third day."""
    groups = BalanceGroups.of_sizes([10] * len(weeks))
    batch = BalanceState.empty(groups).batches[0]
    for i, loudness in enumerate(zip(*weeks, strict=True)):
        day = 7 * (first + i)
        for offset in range(7):
            remember(batch, np.array(loudness) * (1.0 if offset == 2 else 0.3), day + offset)
    return batch


def test_a_loud_past_raises_the_threshold_within_a_bound_and_a_quiet_one_leaves_it() -> None:
    quiet, usual, loud, wild = [0.5] * 20, [*[0.5] * 19, 0.95], [*[0.5] * 10, 1.05, *[0.5] * 9], [3.0] * 20
    factor = own(batch_of(quiet, usual, loud, wild))
    assert factor == pytest.approx([1.0, 1.0, 1.05 * RULES.louder, RULES.loudest])  # the last weeks are nobody's past
    asked = own(batch_of(usual, loud), np.full(2, 7 * 120))
    assert asked == pytest.approx([0.95 * RULES.louder, 1.05 * RULES.louder])
    assert own(batch_of([])) == pytest.approx([1.0])


def test_weeks_of_the_change_that_is_asked_about_are_no_past() -> None:
    batch = batch_of([*[0.6] * 16, 1.2, 1.2])
    assert own(batch, np.array([7 * 116 + 3])) == pytest.approx([1.0])
    assert own(batch, np.array([7 * 118])) == pytest.approx([min(1.2 * RULES.louder, RULES.loudest)])
    set_aside(batch, 0, 7 * 116)
    assert own(batch, np.array([7 * 118])) == pytest.approx([1.0])


def test_half_a_year_later_it_is_forgotten() -> None:
    batch = batch_of([1.2, *[0.5] * (WEEKS - 1)])
    asked = np.array([7 * (100 + WEEKS)])
    assert own(batch, asked) == pytest.approx([min(1.2 * RULES.louder, RULES.loudest)])
    remember(batch, np.array([0.5]), 7 * (100 + WEEKS))
    assert own(batch, asked + 7) == pytest.approx([1.0])
    remember(batch, np.array([1.1]), 7 * (101 + WEEKS))
    remember(batch, np.array([0.5]), 7 * (100 + 4 * WEEKS))  # nothing was read meanwhile
    assert own(batch, np.array([7 * (101 + 4 * WEEKS)])) == pytest.approx([1.0])


def test_a_found_fault_does_not_make_its_group_deaf() -> None:
    simulated = world([5], 130, kind=FaultKind.STEP, size=0.05)
    state = BalanceState.empty(simulated.groups)
    found = advance(state, simulated.hours).changes
    assert found
    past = state.batches[0].numbers["loud"][0]
    assert 0.0 < past.max() < 1.0
    assert thresholds(state.batches[0])[0] < 1.5 * RULES.alarm
