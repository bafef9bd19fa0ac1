"""The battery of the balance engine: quiet when stable, fires in time, the same in chunks, state round trip."""

import numpy as np
import pytest

from analytics.domain.quality import DetectionKind
from analytics.drift.change import PARENT, UNNAMED, ChangeState, GainChange
from analytics.drift.engine import advance, restart
from analytics.drift.groups import BalanceGroups
from analytics.drift.rules import BalanceRules
from analytics.drift.state import BalanceState, StateMismatch
from tests.analytics.drift.worlds import world
from tests.benchmarks.drift.simulation import FaultKind, Simulated

DAY = 24


def opened(changes: tuple[GainChange, ...]) -> list[GainChange]:
    return [change for change in changes if change.state is ChangeState.OPEN]


def run(simulated: Simulated) -> tuple[GainChange, ...]:
    return advance(BalanceState.empty(simulated.groups), simulated.hours).changes


def since(change: GainChange, simulated: Simulated) -> float:
    """Days from the fault to its detection."""
    return (change.detected_hour - int(simulated.hours.hour[0]) - simulated.faults[change.group].start) / DAY


def test_sound_meters_are_left_alone() -> None:
    assert opened(run(world([8, 5, 3], 150, seed=3))) == []


def test_a_step_is_found_named_and_sized_within_a_fortnight() -> None:
    simulated = world([8, 5], 130, kind=FaultKind.STEP, size=-0.03)
    changes = run(simulated)
    first = opened(changes)
    assert [(change.group, change.child) for change in first] == [(0, 0), (1, 8)]
    assert all(0 < since(change, simulated) <= 14 for change in first)
    assert {change.kind for change in first} == {DetectionKind.GAIN_STEP}
    last = {change.group: change for change in changes}
    for change in last.values():
        assert change.magnitude == pytest.approx(-0.03, abs=0.006)
        assert change.magnitude_low < change.magnitude < change.magnitude_high
        assert change.started_low <= change.started_hour <= change.started_high


def test_the_energy_that_was_not_counted_is_told() -> None:
    simulated = world([6], 130, kind=FaultKind.STEP, size=-0.05)
    last = run(simulated)[-1]
    counted = float(np.nansum(simulated.hours.child[90 * DAY : last.as_of_hour - int(simulated.hours.hour[0]), 0]))
    truth = -0.05 / 0.95 * counted
    assert last.energy_low < last.energy < last.energy_high < 0
    assert last.energy == pytest.approx(truth, rel=0.15)


def test_a_lost_phase_is_found_within_three_days() -> None:
    simulated = world([8], 100, kind=FaultKind.STEP, size=-0.33)
    (change,) = opened(run(simulated))
    assert (change.child, since(change, simulated) <= 3) == (0, True)
    assert change.magnitude == pytest.approx(-0.33, abs=0.04)


def test_a_step_that_goes_on_growing_becomes_a_drift_with_its_own_start_and_size() -> None:
    simulated = world([8, 6], 155, kind=FaultKind.RAMP, size=0.03)
    changes = run(simulated)
    for group, child in ((0, 0), (1, 8)):
        mine = [change for change in changes if change.group == group]
        assert {change.child for change in mine} == {child}
        told = [(change.state, change.kind) for change in mine if change.state is not ChangeState.UPDATED]
        assert told == [
            (ChangeState.OPEN, DetectionKind.GAIN_STEP),
            (ChangeState.CLOSED, DetectionKind.GAIN_STEP),
            (ChangeState.OPEN, DetectionKind.GAIN_DRIFT),
        ]
        first, last = mine[0], mine[-1]
        assert since(first, simulated) <= 14
        assert last.detected_hour == first.detected_hour
        begun = int(simulated.hours.hour[0]) + 90 * DAY
        assert last.started_hour <= first.started_hour
        assert last.started_low <= begun <= last.started_high
        assert last.magnitude_low < 0.03 < last.magnitude_high
        assert last.magnitude_high - last.magnitude_low < 0.015


def test_while_a_ramp_grows_its_interval_holds_what_it_has_come_to() -> None:
    simulated = world([8, 6], 155, kind=FaultKind.RAMP, size=0.03)
    first = int(simulated.hours.hour[0])
    drifts = [change for change in run(simulated) if change.kind is DetectionKind.GAIN_DRIFT]
    assert len(drifts) >= 10
    for change in drifts:
        come_to = 0.03 * min((change.as_of_hour - first - 90 * DAY) / (30 * DAY), 1.0)
        assert change.magnitude_low <= come_to <= change.magnitude_high


def test_a_step_stays_a_step() -> None:
    changes = run(world([8, 6], 160, kind=FaultKind.STEP, size=0.03))
    assert {change.kind for change in changes} == {DetectionKind.GAIN_STEP}
    assert ChangeState.CLOSED not in {change.state for change in changes}


def test_a_ramp_in_chunks_is_revised_as_in_the_whole() -> None:
    simulated = world([8], 135, kind=FaultKind.RAMP, size=0.03)
    state = BalanceState.empty(simulated.groups)
    changes: tuple[GainChange, ...] = ()
    for at in range(0, len(simulated.hours), 6 * DAY + 5):
        changes += advance(state, simulated.hours[at : at + 6 * DAY + 5]).changes
        state = BalanceState.from_bytes(state.to_bytes(), simulated.groups)
    assert DetectionKind.GAIN_DRIFT in {change.kind for change in changes}
    assert repr(changes) == repr(run(simulated))


def test_the_parent_is_named_when_it_is_the_parent() -> None:
    simulated = world([8], 130, kind=FaultKind.PARENT_STEP, size=0.02)
    (change,) = opened(run(simulated))
    assert change.child == PARENT
    assert change.point == int(simulated.groups.parent[0])
    assert change.magnitude == pytest.approx(0.02, abs=0.006)


@pytest.mark.parametrize("kind", [FaultKind.HIDDEN_CHILD, FaultKind.NEW_LOAD])
def test_a_load_that_nobody_meters_is_blamed_on_no_meter(kind: FaultKind) -> None:
    assert {change.child for change in opened(run(world([8, 8], 140, kind=kind, size=0.1)))} <= {UNNAMED}


def test_what_is_not_declared_complete_is_never_accused() -> None:
    simulated = world([8], 110, kind=FaultKind.STEP, size=-0.2)
    open_ended = BalanceGroups(
        parent=simulated.groups.parent,
        start=simulated.groups.start,
        child=simulated.groups.child,
        complete=np.zeros(1, np.bool_),
        parent_limit=simulated.groups.parent_limit,
        child_limit=simulated.groups.child_limit,
        keys=simulated.groups.keys,
    )
    assert advance(BalanceState.empty(open_ended), simulated.hours).changes == ()


def test_a_standing_detection_is_not_opened_again() -> None:
    changes = run(world([6], 170, kind=FaultKind.STEP, size=0.04))
    assert len(opened(changes)) == 1
    named = {(change.child, change.kind, change.started_hour) for change in changes}
    assert len(named) == 1
    assert [change.state for change in changes[1:]].count(ChangeState.UPDATED) >= 5


def test_chunks_and_a_kept_state_give_what_the_whole_gives() -> None:
    simulated = world([6, 3], 120, kind=FaultKind.STEP, size=0.04)
    whole = advance(BalanceState.empty(simulated.groups), simulated.hours)
    state = BalanceState.empty(simulated.groups)
    changes: list[GainChange] = []
    days = []
    at = 0
    for length in np.random.default_rng(4).integers(1, 200, 200).tolist():
        part = simulated.hours[at : at + length]
        if not len(part):
            break
        done = advance(state, part)
        changes += done.changes
        days.append(done.days)
        state = BalanceState.from_bytes(state.to_bytes(), simulated.groups)
        at += length
    assert at >= len(simulated.hours)
    assert repr(tuple(changes)) == repr(whole.changes)
    for name in ("group", "day", "hours", "parent", "children", "losses", "residual", "noise"):
        parts = [getattr(part, name)[part.group == g] for g in (0, 1) for part in days]
        full = [getattr(whole.days, name)[whole.days.group == g] for g in (0, 1)]
        np.testing.assert_array_equal(np.concatenate(parts), np.concatenate(full))


def test_a_group_says_the_same_alone_and_among_others() -> None:
    simulated = world([6, 6, 3], 110, kind=FaultKind.STEP, size=0.05)
    together = [change for change in run(simulated) if change.group == 1]
    groups = BalanceGroups.of_sizes([6])
    alone = type(simulated.hours)(
        hour=simulated.hours.hour, parent=simulated.hours.parent[:, 1:2], child=simulated.hours.child[:, 6:12]
    )
    single = advance(BalanceState.empty(groups), alone).changes
    assert [(c.state, c.started_hour, c.as_of_hour) for c in single] == [
        (c.state, c.started_hour, c.as_of_hour) for c in together
    ]
    np.testing.assert_allclose([c.magnitude for c in single], [c.magnitude for c in together], rtol=1e-9)


def test_a_copy_goes_its_own_way() -> None:
    simulated = world([4], 70)
    state = BalanceState.empty(simulated.groups)
    advance(state, simulated.hours[: 60 * DAY])
    before = state.to_bytes()
    advance(state.copy(), simulated.hours[60 * DAY :])
    assert state.to_bytes() == before


def test_a_replaced_meter_is_learnt_anew_and_its_detection_closed() -> None:
    simulated = world([6], 130, kind=FaultKind.STEP, size=-0.05)
    state = BalanceState.empty(simulated.groups)
    advance(state, simulated.hours[: 120 * DAY])
    (closed,) = restart(state, group=0, child=0)
    assert (closed.state, closed.child) == (ChangeState.CLOSED, 0)
    assert restart(state, group=0, child=0) == ()
    assert advance(state, simulated.hours[120 * DAY :]).changes == ()


def test_a_changed_ledger_keeps_what_is_the_same() -> None:
    simulated = world([6], 130, kind=FaultKind.STEP, size=-0.05)
    state = BalanceState.empty(simulated.groups)
    advance(state, simulated.hours[: 110 * DAY])
    old = simulated.groups
    wider = BalanceGroups.of_sizes([2, 6])
    moved = BalanceGroups(
        parent=wider.parent,
        start=wider.start,
        child=wider.child,
        complete=wider.complete,
        parent_limit=wider.parent_limit,
        child_limit=wider.child_limit,
        keys=("new", old.keys[0]),
    )
    carried = state.carry(moved)
    rest = simulated.hours[110 * DAY :]
    more = type(rest)(
        hour=rest.hour,
        parent=np.hstack((np.full((len(rest), 1), np.nan), rest.parent)),
        child=np.hstack((np.full((len(rest), 2), np.nan), rest.child)),
    )
    here, there = advance(state, rest).changes, advance(carried, more).changes
    assert len(here) > 0
    assert [(c.child + 2, c.magnitude) for c in here] == [(c.child, c.magnitude) for c in there]


def test_bytes_of_other_groups_are_refused() -> None:
    state = BalanceState.empty(BalanceGroups.of_sizes([3]))
    with pytest.raises(StateMismatch, match="1 groups"):
        BalanceState.from_bytes(state.to_bytes(), BalanceGroups.of_sizes([4]))
    with pytest.raises(StateMismatch, match="begin with"):
        BalanceState.from_bytes(b"XXXX", BalanceGroups.of_sizes([3]))


def test_hours_must_ascend_and_fit() -> None:
    simulated = world([3], 2)
    state = BalanceState.empty(simulated.groups, BalanceRules())
    advance(state, simulated.hours)
    with pytest.raises(ValueError, match="ascend"):
        advance(state, simulated.hours)
    with pytest.raises(ValueError, match="children"):
        advance(BalanceState.empty(BalanceGroups.of_sizes([4])), simulated.hours)


def test_a_ledger_without_balances_has_nothing_to_say() -> None:
    state = BalanceState.empty(BalanceGroups.of_sizes([]))
    assert BalanceState.from_bytes(state.to_bytes(), state.groups).batches == []
