"""A meter between two balances: heard in both, told once; and a change whose meter can be told apart only later."""

import numpy as np
import pytest

from analytics.drift.change import PARENT, UNNAMED, ChangeState, GainChange
from analytics.drift.engine import advance, restart
from analytics.drift.rules import BalanceRules
from analytics.drift.state import BalanceState
from tests.analytics.drift.worlds import QUIET, factory_loads
from tests.benchmarks.drift.scoring import alarms_of, found, one_meter
from tests.benchmarks.drift.simulation import Fault, FaultKind, Simulated, World, simulate

DAY = 24
SIZES = [5, 6]


def two_levels(kind: FaultKind, size: float, days: int, *, seed: int = 2, world: World = QUIET) -> Simulated:
    """Two balances below a third; the first of them has the fault, the other is sound."""
    faults = (
        Fault(group=0, child=0 if kind is FaultKind.STEP else -1, kind=kind, start=90 * DAY, size=size),
        Fault(group=1, child=-1, kind=FaultKind.NONE, start=0, size=0.0),
    )
    loads = factory_loads(sum(SIZES), days, seed)
    return simulate(loads, np.array(SIZES), faults, world=world, seed=seed + 1, above=2)


def run(simulated: Simulated, rules: BalanceRules | None = None) -> tuple[GainChange, ...]:
    return advance(BalanceState.empty(simulated.groups, rules), simulated.hours).changes


def opened(changes: tuple[GainChange, ...]) -> list[GainChange]:
    return [change for change in changes if change.state is ChangeState.OPEN]


def test_a_meter_between_two_balances_is_told_once() -> None:
    simulated = two_levels(FaultKind.PARENT_STEP, 0.03, 120)
    (once,) = opened(run(simulated))
    assert once.point == int(simulated.groups.parent[0])
    assert once.magnitude == pytest.approx(0.03, abs=0.006)
    apart = opened(run(simulated, BalanceRules(levels=False)))
    assert {change.point for change in apart} == {once.point}
    assert {(change.group, change.child) for change in apart} == {(0, PARENT), (2, 11)}


def test_both_names_of_a_middle_meter_count_as_one() -> None:
    simulated = two_levels(FaultKind.PARENT_STEP, 0.03, 120)
    alarms = alarms_of(run(simulated, BalanceRules(levels=False)), simulated)
    assert {(alarm.group, alarm.child) for alarm in one_meter(alarms, simulated.groups)} == {(0, PARENT)}
    result = found(simulated, one_meter(alarms, simulated.groups), days=(20,))
    assert result.told == 2.0


def test_a_new_load_below_a_middle_meter_is_blamed_on_no_meter_of_either_level() -> None:
    assert {change.child for change in opened(run(two_levels(FaultKind.NEW_LOAD, 0.08, 125)))} <= {UNNAMED}


def test_a_leaf_is_named_in_its_own_balance_only() -> None:
    changes = opened(run(two_levels(FaultKind.STEP, -0.04, 120)))
    assert [(change.group, change.child) for change in changes] == [(0, 0)]


def test_two_levels_in_chunks_give_what_the_whole_gives() -> None:
    simulated = two_levels(FaultKind.PARENT_STEP, 0.03, 108, world=World())
    state = BalanceState.empty(simulated.groups)
    changes: tuple[GainChange, ...] = ()
    for at in range(0, len(simulated.hours), 5 * DAY + 7):
        changes += advance(state, simulated.hours[at : at + 5 * DAY + 7]).changes
        state = BalanceState.from_bytes(state.to_bytes(), simulated.groups)
    assert changes
    assert changes == run(simulated)


def test_a_replaced_middle_meter_may_be_accused_again_in_both_balances() -> None:
    simulated = two_levels(FaultKind.PARENT_STEP, 0.03, 110)
    state = BalanceState.empty(simulated.groups)
    advance(state, simulated.hours)
    loose = [batch.numbers["loose"].sum() for batch in state.batches]
    assert sum(loose) == 2.0
    closed = restart(state, group=0, child=PARENT)
    assert [change.state for change in closed] == [ChangeState.CLOSED]
    assert sum(batch.numbers["loose"].sum() for batch in state.batches) == 0.0


def test_a_change_without_a_name_gets_one_when_its_meters_part() -> None:
    days, start, parting = 165, 90, 130
    loads = factory_loads(8, days, 5)
    alike = slice((start - 2) * DAY, parting * DAY)
    loads[alike, 1] = loads[alike, 0] * (
        1.0 + 1e-3 * np.random.default_rng(1).standard_normal((parting - start + 2) * DAY)
    )
    fault = Fault(group=0, child=0, kind=FaultKind.STEP, start=start * DAY, size=-0.05)
    simulated = simulate(loads, np.array([8]), (fault,), world=QUIET, seed=7)
    changes = [change for change in run(simulated) if change.state is not ChangeState.UPDATED]
    assert [(change.child, change.state) for change in changes] == [
        (UNNAMED, ChangeState.OPEN),
        (UNNAMED, ChangeState.CLOSED),
        (0, ChangeState.OPEN),
    ]
    assert {accused.child for accused in changes[0].candidates} >= {0, 1}
    assert changes[0].detected_hour < parting * DAY < changes[2].detected_hour
    assert changes[2].magnitude == pytest.approx(-0.05, abs=0.01)
