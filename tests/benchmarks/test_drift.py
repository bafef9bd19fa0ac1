"""A day of 10,000 balances of 20 children each, on one core; measured on a tenth of them.

How well drift is found is a table of its own: ``python -m tests.benchmarks.drift_table``.
"""

import json
import sys
import time

import numpy as np
import pytest

from analytics.drift import engine
from analytics.drift.engine import advance
from analytics.drift.groups import BalanceGroups
from analytics.drift.hours import GroupHours
from analytics.drift.state import BalanceState

pytestmark = pytest.mark.benchmark

GROUPS, CHILDREN, ALL = 1_000, 20, 10_000
LEARNT_DAYS = 160


def day_of(day: int, rng: np.random.Generator, base: np.ndarray[tuple[int], np.dtype[np.float64]]) -> GroupHours:
    child = base * np.clip(1.0 + 0.4 * rng.standard_normal((24, len(base))), 0.1, None)
    total = child.reshape(24, GROUPS, CHILDREN).sum(axis=2)
    parent = total * (1.01 + 0.0007 * rng.standard_normal(total.shape))
    return GroupHours(hour=np.arange(24 * day, 24 * day + 24), parent=parent, child=child)


def test_a_day_of_ten_thousand_balances(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    base = 100.0 * rng.lognormal(0.0, 0.5, GROUPS * CHILDREN)
    state = BalanceState.empty(BalanceGroups.of_sizes([CHILDREN] * GROUPS))
    with monkeypatch.context() as patch:  # the bank has to be full; what it says on the way there is not measured
        patch.setattr(engine, "decide", lambda *_: [])
        for day in range(LEARNT_DAYS):
            advance(state, day_of(day, rng, base))
    took = []
    for day in range(LEARNT_DAYS, LEARNT_DAYS + 3):
        hours = day_of(day, rng, base)
        begun = time.process_time()
        advance(state, hours)
        took.append(time.process_time() - begun)
    value = float(np.median(took)) * ALL / GROUPS
    line = {"bench": "drift: a day of 10,000 balances of 20 children, CPU", "value": round(value, 1), "unit": "s"}
    sys.stdout.write(json.dumps(line) + "\n")
    size = len(state.to_bytes()) / (GROUPS * (CHILDREN + 1))
    line = {"bench": "drift: snapshot of a meter", "value": round(size), "unit": "B"}
    sys.stdout.write(json.dumps(line) + "\n")
    assert value > 0
