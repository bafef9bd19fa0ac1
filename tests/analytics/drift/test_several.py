"""More than one thing at once: faults of two meters, faults that end, balances that did not close for a time."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.domain.quality import DetectionKind
from analytics.drift.change import UNNAMED, ChangeState, Ending, GainChange
from analytics.drift.engine import advance, conclude
from analytics.drift.groups import BalanceGroups
from analytics.drift.hours import GroupHours
from analytics.drift.observability import children_seen
from analytics.drift.state import BalanceState
from tests.analytics.drift.worlds import QUIET, factory_loads, world
from tests.benchmarks.drift.simulation import Fault, FaultKind, Simulated, simulate
from tests.ledgers import ledger_of

DAY = 24
START = 90


def changed(simulated: Simulated, *steps: tuple[int, int, float]) -> Simulated:
    """The same, but children's gains change: (child, day, size)."""
    child = simulated.hours.child.copy()
    for which, day, size in steps:
        child[day * DAY :, which] *= 1.0 + size
    return with_hours(simulated, child=child)


def with_hours(
    simulated: Simulated, *, child: NDArray[np.float64] | None = None, parent: NDArray[np.float64] | None = None
) -> Simulated:
    hours = simulated.hours
    new = GroupHours(
        hour=hours.hour,
        parent=hours.parent if parent is None else parent,
        child=hours.child if child is None else child,
    )
    return replace(simulated, hours=new)


def run(simulated: Simulated) -> tuple[GainChange, ...]:
    return advance(BalanceState.empty(simulated.groups), simulated.hours).changes


def last_of(changes: tuple[GainChange, ...]) -> dict[int, GainChange]:
    return {change.child: change for change in changes}


@pytest.mark.parametrize("later", [4, 10, 40, 100])
def test_what_one_meter_is_off_stays_what_it_was_when_another_fails(later: int) -> None:
    sizes = [6] * 6
    faults = [fault for g in range(6) for fault in ((6 * g, START, -0.05), (6 * g + 1, START + later, 0.06))]
    changes = last_of(run(changed(world(sizes, 260), *faults)))
    assert set(changes) == {child for child, _, _ in faults}
    for child, _, size in faults:
        told = changes[child]
        assert told.ending is None
        assert told.magnitude == pytest.approx(size, abs=0.008)
        assert told.magnitude_low <= size + 0.002
        assert told.magnitude_high >= size - 0.002


def test_a_fault_that_ends_within_weeks_was_one_and_is_over() -> None:
    faults = [fault for g in range(6) for fault in ((6 * g, START, -0.05), (6 * g, START + 20, 1.0 / 0.95 - 1.0))]
    simulated = changed(world([6] * 6, 200), *faults)
    changes = run(simulated)
    first = int(simulated.hours.hour[0])
    ended = [change for change in changes if change.state is ChangeState.CLOSED]
    assert sorted(change.child for change in ended) == [6 * g for g in range(6)]
    for one in ended:
        assert one.ending is Ending.BACK
        assert one.as_of_hour - first <= (START + 50) * DAY
        assert one.magnitude == pytest.approx(-0.05, abs=0.01)
        assert one.energy_low < one.energy < one.energy_high < 0.0


def test_that_another_meter_fails_is_no_repair() -> None:
    faults = [fault for g in range(6) for fault in ((6 * g, START, -0.05), (6 * g + 1, START + 10, 0.05))]
    endings = {change.ending for change in run(changed(world([6] * 6, 140), *faults))}
    assert Ending.BACK not in endings


def test_a_slow_change_is_still_one_when_another_meter_fails_meanwhile() -> None:
    simulated = world([8] * 4, 165, kind=FaultKind.RAMP, size=0.03)
    changes = run(changed(simulated, *((8 * g + 3, START + 16, -0.04) for g in range(4))))
    slow = [change for change in changes if change.child % 8 == 0]
    assert {change.ending for change in slow} <= {None, Ending.RETOLD}
    last = last_of(changes)
    assert sorted(last) == sorted([*(8 * g for g in range(4)), *(8 * g + 3 for g in range(4))])
    assert last[0].kind is DetectionKind.GAIN_DRIFT
    assert last[0].magnitude == pytest.approx(0.03, abs=0.008)


def test_an_accused_meter_without_load_keeps_the_size_that_was_found() -> None:
    loads = factory_loads(36, 260, 1)
    loads[(START + 16) * DAY :, ::6] = 0.0
    faults = tuple(Fault(group=g, child=6 * g, kind=FaultKind.STEP, start=START * DAY, size=-0.05) for g in range(6))
    simulated = simulate(loads, np.full(6, 6), faults, world=QUIET, seed=2, first_hour=20_000 * DAY)
    changes = run(simulated)
    assert {change.child for change in changes} == {fault.child for fault in faults}
    assert all(change.magnitude_low > -0.15 and change.magnitude_high < 0.05 for change in changes)
    assert all(one.magnitude == pytest.approx(-0.05, abs=0.015) for one in last_of(changes).values())


def test_nobody_is_accused_after_a_clock_was_an_hour_off_for_months() -> None:
    simulated = world([8] * 3, 280)
    child = simulated.hours.child.copy()
    for which in (0, 8, 16):
        child[60 * DAY + 1 : 180 * DAY + 1, which] = simulated.hours.child[60 * DAY : 180 * DAY, which]
    simulated = with_hours(simulated, child=child)
    state = BalanceState.empty(simulated.groups)
    changes = advance(state, simulated.hours).changes
    assert [change for change in changes if change.child != UNNAMED] == []
    assert children_seen(simulated.groups, state).all()


def test_a_load_without_a_meter_does_not_make_an_accused_meter_worse() -> None:
    simulated = changed(world([6] * 4, 150), *((6 * g, START, -0.02) for g in range(4)))
    hour = np.arange(len(simulated.hours))
    late = hour >= (START + 10) * DAY
    cold = np.repeat(np.random.default_rng(4).uniform(0.0, 2.0, len(hour) // 12 + 1), 12)[: len(hour)]
    inside = simulated.hours.child.sum(axis=1, keepdims=True).mean() / 4.0
    parent = simulated.hours.parent + 0.06 * inside * (late * cold)[:, None]
    changes = [change for change in run(with_hours(simulated, parent=parent)) if change.child in range(0, 24, 6)]
    assert {change.child for change in changes} == {0, 6, 12, 18}
    for change in changes:
        assert -0.04 < change.magnitude < 0.0


def balance_of(children: list[str]) -> BalanceGroups:
    return BalanceGroups.from_ledger(
        ledger_of(
            {"point": "in", "meter_no": "M", "parent_complete": True, "level": "unit", "accuracy_class": "0.5S"},
            *(
                {"point": code, "meter_no": f"M{code}", "parent_point": "in", "level": "sub_unit", "sub_unit": code,
                 "accuracy_class": "1.0"}
                for code in children
            ),
        )
    )  # fmt: skip


@pytest.mark.parametrize("sound", [True, False])
def test_a_detection_outlives_a_child_that_is_added_until_somebody_has_looked(sound: bool) -> None:
    simulated = world([6], 130, kind=FaultKind.STEP, size=-0.05)
    state = BalanceState.empty(balance_of([f"c{i}" for i in range(6)]))
    (opened, *_) = advance(state, simulated.hours[: 110 * DAY]).changes
    more = balance_of(["another", *(f"c{i}" for i in range(6))])
    state = BalanceState.from_bytes(state.carry(more).to_bytes(), more)
    hours = simulated.hours[110 * DAY :]
    wider = np.column_stack((np.full(len(hours), 20.0), hours.child))
    changes = advance(state, GroupHours(hour=hours.hour, parent=hours.parent + 20.0, child=wider)).changes
    assert changes == ()
    (closed,) = conclude(state, group=0, child=1, sound=sound)
    assert (closed.ending, closed.started_hour, closed.kind) == (Ending.VERDICT, opened.started_hour, opened.kind)
