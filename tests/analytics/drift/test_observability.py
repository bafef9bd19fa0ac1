"""What can be seen is said before anything is found; without a reference nothing is, and nobody is accused."""

import math
from dataclasses import replace

import numpy as np

from analytics.domain.quality import DetectionKind
from analytics.drift.change import UNNAMED
from analytics.drift.engine import advance
from analytics.drift.groups import UNKNOWN_LIMIT, BalanceGroups
from analytics.drift.hours import GroupHours
from analytics.drift.observability import PointVerdict, Question, Reason, Verdict, judge
from analytics.drift.state import BalanceState
from tests.analytics.drift.worlds import QUIET, factory_loads, world
from tests.benchmarks.drift.simulation import Fault, FaultKind, Simulated, simulate
from tests.ledgers import ledger_of

CHILDREN = 5


def plant(children: int = CHILDREN, *, complete: bool = True, metered: bool = True) -> dict[str, dict[str, object]]:
    """A main meter with children of class 1, and a meter that stands alone."""
    rows: dict[str, dict[str, object]] = {
        "in": {"point": "in", "meter_no": "M0", "parent_complete": complete, "accuracy_class": "0.5S"},
        "alone": {"point": "zz", "meter_no": "M99"},
    }
    for i in range(children):
        rows[f"c{i}"] = {
            "point": f"c{i}",
            "parent_point": "in",
            "level": "sub_unit",
            "sub_unit": f"W{i}",
            "meter_no": f"M{i + 1}" if metered or i else "",
            "accuracy_class": "1.0",
        }
    return rows


def judged(simulated: Simulated | None, rows: dict[str, dict[str, object]], days: int = 110) -> dict[str, PointVerdict]:
    ledger = ledger_of(*rows.values())
    groups = BalanceGroups.from_ledger(ledger)
    state = BalanceState.empty(groups)
    if simulated is not None:
        hours = simulated.hours[: 24 * days]
        advance(state, GroupHours(hour=hours.hour, parent=hours.parent, child=hours.child))
    return {
        ledger.point_codes[verdict.point]: verdict
        for verdict in judge(ledger, groups, state)
        if verdict.question is Question.DRIFT
    }


def test_a_single_meter_that_drifts_by_two_percent_is_not_observable_and_raises_nothing() -> None:
    ledger = ledger_of({"point": "in", "meter_no": "M1"})
    groups = BalanceGroups.from_ledger(ledger)
    state = BalanceState.empty(groups)
    loads = world([1], 120, kind=FaultKind.RAMP, size=-0.02).hours
    hours = GroupHours(hour=loads.hour, parent=loads.parent[:, :0], child=loads.child[:, :0])
    assert advance(state, hours).changes == ()
    found = {verdict.question: verdict for verdict in judge(ledger, groups, state)}
    assert set(found) == set(Question)
    drift, ratio, stuck = (found[question] for question in (Question.DRIFT, Question.RATIO, Question.STUCK))
    assert (drift.question, drift.verdict, drift.reason) == (
        Question.DRIFT,
        Verdict.NOT_OBSERVABLE,
        Reason.NO_REFERENCE,
    )
    assert ratio.verdict is Verdict.NOT_OBSERVABLE
    assert (stuck.question, stuck.verdict, stuck.reason) == (
        Question.STUCK,
        Verdict.NOT_OBSERVABLE,
        Reason.UNREAD,
    )
    assert math.isnan(drift.smallest_90d)


def test_a_closed_balance_shows_its_meters_and_says_how_small_an_error() -> None:
    verdicts = judged(world([CHILDREN], 110), plant())
    for i in range(CHILDREN):
        verdict = verdicts[f"c{i}"]
        assert verdict.verdict is Verdict.OBSERVABLE
        assert 0.001 < verdict.smallest_90d <= verdict.smallest_30d < 0.05
    assert verdicts["in"].verdict is Verdict.OBSERVABLE
    assert verdicts["in"].share == 1.0
    assert verdicts["zz"].reason is Reason.NO_REFERENCE
    assert sum(verdicts[f"c{i}"].share for i in range(CHILDREN)) < 1.0


def test_the_smallest_error_is_about_what_the_engine_finds() -> None:
    smallest = judged(world([CHILDREN], 110), plant())["c0"].smallest_30d
    for size, finds in ((2.0 * smallest, True), (0.3 * smallest, False)):
        simulated = world([CHILDREN], 122, kind=FaultKind.STEP, size=-size)
        found = advance(BalanceState.empty(simulated.groups), simulated.hours).changes
        assert bool(found) is finds


def test_a_meter_whose_sibling_has_the_same_load_is_seen_but_cannot_be_named() -> None:
    loads = factory_loads(CHILDREN, 150, 1)
    loads[:, 1] = 0.8 * loads[:, 0]
    fault = Fault(group=0, child=0, kind=FaultKind.STEP, start=24 * 110, size=0.05)
    twins = simulate(loads, np.array([CHILDREN]), (fault,), world=QUIET, seed=2, first_hour=24 * 20_000)
    before = replace(twins, hours=twins.hours[: 24 * 110])
    verdicts = judged(before, plant())
    for twin in ("c0", "c1"):
        assert (verdicts[twin].verdict, verdicts[twin].reason) == (Verdict.NOT_OBSERVABLE, Reason.TWIN)
    assert verdicts["c2"].verdict is Verdict.OBSERVABLE
    changes = advance(BalanceState.empty(twins.groups), twins.hours).changes
    assert {(one.kind, one.child) for one in changes} == {(DetectionKind.BALANCE_CHANGE, UNNAMED)}
    assert {0, 1} <= {one.child for one in changes[0].candidates}


def test_a_hidden_child_is_recognised() -> None:
    verdicts = judged(world([CHILDREN], 110, kind=FaultKind.HIDDEN_CHILD, size=0.15), plant())
    assert {verdicts[f"c{i}"].reason for i in range(CHILDREN)} == {Reason.FOUND_INCOMPLETE}
    assert {verdicts[f"c{i}"].verdict for i in range(CHILDREN)} == {Verdict.NOT_OBSERVABLE}


def test_why_nothing_can_be_seen_is_told_apart() -> None:
    assert judged(None, plant())["c1"].reason is Reason.LEARNING
    assert judged(None, plant(complete=False))["c1"].reason is Reason.DECLARED_INCOMPLETE
    assert judged(None, plant(metered=False))["c1"].reason is Reason.NOT_METERED


def test_limits_come_from_the_classes_of_the_ledger() -> None:
    rows = plant(2)
    rows["c1"]["accuracy_class"] = "B"
    ledger = ledger_of(*rows.values())
    groups = BalanceGroups.from_ledger(ledger)
    assert groups.parent_limit.tolist() == [0.005]
    assert groups.child_limit.tolist() == [0.01, UNKNOWN_LIMIT]
    np.testing.assert_array_equal(groups.sizes, [2])
    np.testing.assert_array_equal(groups.child_band, groups.child_limit)
    entered = BalanceGroups.from_ledger(ledger, {"electricity": 1.5})
    np.testing.assert_allclose(entered.child_band, 1.5 * groups.child_limit)
    assert entered.fingerprint == groups.fingerprint
