"""Own generation below a balance: a meter of it feeds the others, and what is fed back accuses nobody."""

import numpy as np
import pytest

from analytics.drift.change import GainChange
from analytics.drift.engine import advance
from analytics.drift.groups import SOURCE, BalanceGroups
from analytics.drift.hours import GroupHours
from analytics.drift.observability import children_seen
from analytics.drift.state import BalanceState
from tests.analytics.drift.worlds import world
from tests.benchmarks.drift.simulation import made_up_meter
from tests.ledgers import ledger_of

DAY = 24
LOADS = 5
FAULT = 100


def plant(direction: str) -> BalanceGroups:
    """A main meter over five workshops and a roof that generates."""
    return BalanceGroups.from_ledger(
        ledger_of(
            {"point": "in", "meter_no": "M", "parent_complete": True, "level": "unit", "accuracy_class": "0.5S"},
            *(
                {"point": code, "meter_no": f"M{code}", "parent_point": "in", "level": "sub_unit", "sub_unit": code,
                 "accuracy_class": "1.0", "direction": direction if code == "roof" else "in"}
                for code in (*(f"c{i}" for i in range(LOADS)), "roof")
            ),
        )
    )  # fmt: skip


def hours(share: float, days: int) -> GroupHours:
    """What the meters count where sun makes `share` of what is used; the main one never counts backward."""
    simulated = world([LOADS], days).hours
    hour = np.arange(len(simulated))
    clouds = np.repeat(np.random.default_rng(3).uniform(0.1, 1.0, len(hour) // 3 + 1), 3)[: len(hour)]
    sun = np.maximum(np.sin(np.pi * (hour % DAY - 6) / 12.0), 0.0) * clouds
    used = simulated.child.sum(axis=1)
    made = share * used.mean() * sun / sun.mean()
    taken = np.maximum(simulated.parent[:, 0] * (1.0 - made / used), 0.0)
    return GroupHours(
        hour=simulated.hour,
        parent=taken[:, None],
        child=np.column_stack((simulated.child, made_up_meter(made[:, None], 0.01, 7))),
    )


def with_step(of: GroupHours, which: int, size: float) -> GroupHours:
    child = of.child.copy()
    child[FAULT * DAY :, which] *= 1.0 + size
    return GroupHours(hour=of.hour, parent=of.parent, child=child)


def run(groups: BalanceGroups, of: GroupHours) -> tuple[tuple[GainChange, ...], list[bool]]:
    state = BalanceState.empty(groups)
    changes = advance(state, of).changes
    return changes, children_seen(groups, state).tolist()


def test_own_generation_below_a_meter_that_takes_in_feeds_the_balance() -> None:
    groups, load = plant("own"), plant("in")
    assert groups.child_sign.tolist() == [1.0] * LOADS + [-1.0]
    assert load.child_sign.tolist() == [1.0] * (LOADS + 1)
    assert groups.keys[0].replace(SOURCE, "") == load.keys[0] != groups.keys[0]


@pytest.mark.parametrize("share", [0.15, 0.5])
def test_where_generation_is_metered_every_meter_is_observable_and_nobody_is_accused(share: float) -> None:
    changes, seen = run(plant("own"), hours(share, 150))
    assert changes == ()
    assert seen == [True] * (LOADS + 1)


def test_generation_that_the_ledger_calls_a_load_makes_a_balance_that_does_not_close() -> None:
    changes, seen = run(plant("in"), hours(0.15, 150))
    assert changes == ()
    assert not any(seen)


@pytest.mark.parametrize(("which", "size"), [(LOADS, -0.05), (LOADS, 0.05), (0, -0.05)])
def test_a_fault_is_named_on_the_generation_or_on_a_load(which: int, size: float) -> None:
    changes, _ = run(plant("own"), with_step(hours(0.2, 130), which, size))
    assert {change.child for change in changes} == {which}
    last = changes[-1]
    assert last.magnitude == pytest.approx(size, abs=0.008)
    assert last.energy_low < last.energy < last.energy_high
    assert np.sign(last.energy) == np.sign(size)


def test_a_detection_goes_on_when_the_ledger_is_corrected() -> None:
    wrong, right = plant("in"), plant("own")
    state = BalanceState.empty(right)
    of = with_step(hours(0.2, 120), 0, -0.05)
    (opened, *_) = advance(state, of).changes
    held = [one for batch in state.carry(wrong).batches for one in batch.standing]
    assert [(one.which, one.detected_day) for one in held] == [(opened.child, opened.detected_hour // DAY - 1)]
