"""The life of a detection: watched or an alarm, ended by a repair, a verdict or a second fault, then seen again."""

from dataclasses import replace

import numpy as np
import pytest

from analytics.domain.quality import DetectionKind
from analytics.drift._decide import explains, thresholds
from analytics.drift._shape import Shape
from analytics.drift.change import UNNAMED, ChangeState, Ending, GainChange
from analytics.drift.engine import advance, conclude
from analytics.drift.groups import BalanceGroups
from analytics.drift.hours import GroupHours
from analytics.drift.observability import Question, Reason, Verdict, judge
from analytics.drift.state import BalanceState
from tests.analytics.drift.worlds import QUIET, factory_loads, world
from tests.benchmarks.drift.simulation import Fault, FaultKind, Simulated, simulate
from tests.ledgers import ledger_of

DAY = 24
START, AGAIN = 90, 170


def changed_again(simulated: Simulated, size: float, day: int = AGAIN) -> Simulated:
    """The same, but the first child's gain changes once more."""
    child = simulated.hours.child.copy()
    child[day * DAY :, 0] *= 1.0 + size
    return replace(simulated, hours=GroupHours(hour=simulated.hours.hour, parent=simulated.hours.parent, child=child))


def run(simulated: Simulated) -> tuple[GainChange, ...]:
    return advance(BalanceState.empty(simulated.groups), simulated.hours).changes


def steps(changes: tuple[GainChange, ...]) -> list[tuple[int, ChangeState, Ending | None]]:
    return [
        (change.child, change.state, change.ending) for change in changes if change.state is not ChangeState.UPDATED
    ]


@pytest.mark.parametrize(("size", "watched"), [(-0.008, True), (-0.03, False)])
def test_a_change_that_the_class_may_hold_is_watched_and_a_larger_one_is_an_alarm(size: float, watched: bool) -> None:
    changes = run(world([6], 130, kind=FaultKind.STEP, size=size))
    assert {change.child for change in changes} == {0}
    assert {change.watched for change in changes} == {watched}
    assert changes[-1].magnitude == pytest.approx(size, abs=0.003)


def test_a_wider_band_in_service_makes_an_alarm_a_change_that_is_watched() -> None:
    simulated = world([6], 130, kind=FaultKind.STEP, size=-0.03)
    twice = replace(simulated.groups, child_band=4.0 * simulated.groups.child_limit)
    changes = advance(BalanceState.empty(twice), simulated.hours).changes
    assert {(change.child, change.watched) for change in changes} == {(0, True)}


def test_two_changes_inside_the_band_that_leave_it_together_are_an_alarm() -> None:
    changes = run(changed_again(world([6], 210, kind=FaultKind.STEP, size=-0.008), -0.008))
    opened = [change for change in changes if change.state is ChangeState.OPEN]
    assert [change.child for change in opened] == [0, 0]
    assert opened[0].watched
    assert not changes[-1].watched
    assert changes[-1].magnitude == pytest.approx(-0.008, abs=0.003)


def test_a_second_fault_of_a_meter_is_found_and_ends_the_first() -> None:
    simulated = changed_again(world([6], 200, kind=FaultKind.STEP, size=-0.03), -0.04)
    changes = run(simulated)
    assert steps(changes) == [
        (0, ChangeState.OPEN, None),
        (0, ChangeState.CLOSED, Ending.AGAIN),
        (0, ChangeState.OPEN, None),
    ]
    (ended,) = (change for change in changes if change.ending)
    second = changes[-1]
    assert ended.magnitude == pytest.approx(-0.03, abs=0.006)
    assert second.magnitude == pytest.approx(-0.04, abs=0.008)
    assert second.detected_hour // DAY - 20_000 - AGAIN <= 14


def test_a_repair_ends_the_detection_and_accuses_nobody() -> None:
    simulated = changed_again(world([6], 200, kind=FaultKind.STEP, size=-0.04), 0.04)
    assert steps(run(simulated)) == [(0, ChangeState.OPEN, None), (0, ChangeState.CLOSED, Ending.BACK)]


def test_a_life_in_chunks_is_the_life_in_the_whole() -> None:
    simulated = changed_again(world([6], 200, kind=FaultKind.STEP, size=-0.03), -0.04)
    state = BalanceState.empty(simulated.groups)
    changes: tuple[GainChange, ...] = ()
    for at in range(0, len(simulated.hours), 9 * DAY + 7):
        changes += advance(state, simulated.hours[at : at + 9 * DAY + 7]).changes
        state = BalanceState.from_bytes(state.to_bytes(), simulated.groups)
    assert repr(changes) == repr(run(simulated))


def test_an_accused_meter_is_seen_again_after_weeks_and_meanwhile_says_so() -> None:
    simulated = world([6], 200, kind=FaultKind.STEP, size=-0.03)
    ledger = ledger_of(
        {"point": "in", "meter_no": "M", "parent_complete": True, "level": "unit", "accuracy_class": "0.5S"},
        *(
            {"point": f"c{i}", "meter_no": f"M{i}", "parent_point": "in", "level": "sub_unit", "sub_unit": f"S{i}",
             "accuracy_class": "1.0"}
            for i in range(6)
        ),
    )  # fmt: skip
    groups = replace(BalanceGroups.from_ledger(ledger), child_limit=simulated.groups.child_limit)
    place = {ledger.point_codes[point]: i for i, point in enumerate(groups.child.tolist())}
    state = BalanceState.empty(groups)
    accused = ledger.point_codes[int(groups.child[0])]

    def sight() -> tuple[Verdict, Reason, int | None, int | None]:
        one = next(
            v for v in judge(ledger, groups, state)
            if v.question is Question.DRIFT and ledger.point_codes[v.point] == accused
        )  # fmt: skip
        return one.verdict, one.reason, one.learnt_since, one.learnt_until

    assert place[accused] == 0
    first = int(simulated.hours.hour[0]) // DAY
    advance(state, simulated.hours[: 110 * DAY])
    verdict, reason, since, until = sight()
    assert (verdict, reason) == (Verdict.NOT_OBSERVABLE, Reason.ANEW)
    assert since is not None
    assert until is not None
    assert since - first - START in range(-7, 8)
    assert 30 <= until - since <= 70
    advance(state, simulated.hours[110 * DAY : (until - first + 10) * DAY])
    assert sight()[:2] == (Verdict.OBSERVABLE, Reason.SEEN)


def test_a_verdict_ends_a_detection_and_a_wrong_one_makes_the_group_louder() -> None:
    simulated = world([6], 130, kind=FaultKind.STEP, size=-0.03)
    for sound in (True, False):
        state = BalanceState.empty(simulated.groups)
        advance(state, simulated.hours[: 110 * DAY])
        before = float(thresholds(state.batches[0])[0])
        (closed,) = conclude(state, group=0, child=0, sound=sound)
        assert (closed.child, closed.state, closed.ending) == (0, ChangeState.CLOSED, Ending.VERDICT)
        assert conclude(state, group=0, child=0, sound=sound) == ()
        louder = float(thresholds(state.batches[0])[0]) / before
        assert louder == pytest.approx(1.0 + state.rules.wary if sound else 1.0)
        assert advance(state, simulated.hours[110 * DAY :]).changes == ()


def test_where_a_load_may_have_come_without_a_meter_the_group_is_louder_until_somebody_has_looked() -> None:
    simulated = world([6, 8], 150, kind=FaultKind.NEW_LOAD, size=0.05)
    state = BalanceState.empty(simulated.groups)
    advance(state, simulated.hours)
    (batch,) = state.batches
    assert any(one.settled for one in batch.standing)
    louder = float(thresholds(batch)[0])
    assert conclude(state, group=0, child=UNNAMED, sound=False)
    assert louder / float(thresholds(batch)[0]) == pytest.approx(1.0 + state.rules.most_wary)


@pytest.mark.parametrize(
    ("lost", "hours", "misfit", "parent", "likely"),
    [
        (0.05, 30.0, 1.9, False, True),
        (0.46, 40.0, 1.1, False, False),
        (0.2, 400.0, 1.2, False, True),
        (0.2, 400.0, 1.8, False, False),
        (1.0 / 3.0, 40.0, 1.8, False, True),
        (-0.3, 40.0, 1.8, False, True),
        (0.2, 40.0, 1.1, True, False),
    ],
)
def test_a_large_loss_of_gain_is_named_when_it_fits_for_weeks_or_is_a_phase(
    lost: float, hours: float, misfit: float, parent: bool, likely: bool
) -> None:
    """A load that comes without a meter looks like a meter that counts too little, or a parent that counts too much."""
    coefficient = lost if parent else lost / (1.0 - lost)
    shape = Shape(
        ramp_days=0.0, block=1, start=100, low=99, high=101, size=coefficient, deviation=0.01, exposure=1.0,
        hours=hours, misfit=misfit,
    )  # fmt: skip
    assert explains(shape, parent=parent) is likely


def test_a_flat_load_whose_meter_changes_is_not_passed_over_in_silence() -> None:
    loads = factory_loads(6, 150, 1)
    loads[:, 0] = 100.0
    fault = Fault(group=0, child=0, kind=FaultKind.STEP, start=START * DAY, size=-0.05)
    simulated = simulate(loads, np.array([6]), (fault,), world=QUIET, seed=2, first_hour=20_000 * DAY)
    changes = run(simulated)
    opened = [change for change in changes if change.state is ChangeState.OPEN]
    assert opened
    assert all(change.detected_hour // DAY - 20_000 - START <= 60 for change in opened)
    assert any(one.child == 0 for change in opened for one in change.candidates)
    for change in opened:
        if change.child == UNNAMED:
            assert (change.kind, change.watched) == (DetectionKind.BALANCE_CHANGE, True)
            assert change.lacks == pytest.approx(5.0, abs=2.0)
