"""How loud a change must be: by how long it has lasted, and by how restless its hours are."""

from dataclasses import replace

import numpy as np
import pytest

from analytics.drift._decide import _hear, longer, naming_margin, noisiness, thresholds
from analytics.drift._evidence import Evidence, evidence, sides
from analytics.drift._sums import DayEquations, day_sums
from analytics.drift.change import ChangeState
from analytics.drift.engine import advance
from analytics.drift.hours import GroupHours
from analytics.drift.rules import BalanceRules
from analytics.drift.state import BalanceState
from tests.analytics.drift.worlds import world
from tests.benchmarks.drift.simulation import FaultKind, Simulated

DAY = 24
SPOILT = 118


def restless(simulated: Simulated, size: float) -> Simulated:
    """The same, but from `SPOILT` on the first group's parent is off by some more, another amount each hour."""
    parent = simulated.hours.parent.copy()
    noise = size * np.random.default_rng(6).standard_normal(len(parent) - SPOILT * DAY)
    parent[SPOILT * DAY :, 0] *= 1.0 + noise
    hours = GroupHours(hour=simulated.hours.hour, parent=parent, child=simulated.hours.child)
    return replace(simulated, hours=hours)


def seen(simulated: Simulated) -> Evidence:
    state = BalanceState.empty(simulated.groups)
    advance(state, simulated.hours)
    (batch,) = state.batches
    return evidence(
        batch.bank,
        sides(batch.bank, batch.prior.together, batch.sigma2 / batch.prior.level),
        batch.prior,
        batch.sigma2,
        today=state.closed_day,
        memory=60.0,
        least_before=DAY * 45.0,
    )


def test_hours_that_vary_more_than_usual_are_seen_in_their_own_group_only() -> None:
    simulated = world([6, 6], 122)
    calm, rough = seen(simulated), seen(restless(simulated, 0.003))
    fresh = calm.day >= int(simulated.hours.hour[0]) // DAY + SPOILT
    assert fresh.sum() == 3
    assert (calm.noise[fresh] < 1.5).all()
    assert (rough.noise[fresh, 0] > 2.5).all()
    np.testing.assert_array_equal(rough.noise[:, 1], calm.noise[:, 1])


def test_a_change_among_restless_hours_is_told_later_and_among_calm_ones_at_once() -> None:
    simulated = world([6], 140, kind=FaultKind.STEP, size=-0.02, start_day=SPOILT)
    rough = restless(simulated, 0.0012)

    def told(hours: Simulated, rules: BalanceRules) -> float:
        changes = advance(BalanceState.empty(hours.groups, rules), hours.hours).changes
        first = min(change.detected_hour for change in changes if change.state is ChangeState.OPEN)
        return (first - int(simulated.hours.hour[0])) / DAY - SPOILT

    deaf = BalanceRules(unrest=1.0)
    assert told(simulated, BalanceRules()) == told(simulated, deaf) <= 3
    assert 3 < told(rough, deaf) < told(rough, BalanceRules()) <= 21


def test_a_short_span_must_be_louder_than_a_long_one() -> None:
    rules = BalanceRules()
    spans = np.array([1.0, 7.0, 28.0, 60.0, 84.0, 300.0])
    part = longer(spans, rules)
    assert (np.diff(part[:5]) < 0).all()
    assert part[2] == 1.0
    assert part[5] == part[4]
    np.testing.assert_allclose(rules.alarm**2 * (part[:2] ** 2 - 1.0), 2.0 * rules.brief * np.log(28.0 / spans[:2]))
    assert rules.alarm**2 * (1.0 - part[3] ** 2) == pytest.approx(2.0 * np.log(60.0 / 28.0))


def test_the_threshold_of_a_group_of_ten_that_has_learnt_is_the_rules() -> None:
    simulated = world([10], 60)
    state = BalanceState.empty(simulated.groups)
    (batch,) = state.batches
    batch.numbers["days"][:] = 400.0
    assert thresholds(batch)[0] == pytest.approx(BalanceRules().alarm)


def test_noise_that_is_not_that_of_meters_raises_the_threshold() -> None:
    simulated = world([10], 60)
    state = BalanceState.empty(simulated.groups)
    advance(state, simulated.hours)
    (batch,) = state.batches
    batch.numbers["days"][:] = 400.0
    batch.numbers["restless"][:] = 0.0
    usual = float(noisiness(batch, batch.total())[0])
    assert 0.3 < usual < batch.rules.noisy
    assert thresholds(batch)[0] == pytest.approx(batch.rules.alarm)
    batch.numbers["sigma"] *= 1.4 * batch.rules.noisy / usual
    assert thresholds(batch)[0] == pytest.approx(1.4 * batch.rules.alarm)


def test_meters_of_like_load_are_told_apart_by_less_after_weeks_but_not_in_haste() -> None:
    rules = BalanceRules()
    hours = DAY * np.array([3.0, 5.0, 10.0, 21.0, 45.0, 90.0])
    margins = [naming_margin(rules, one) for one in hours.tolist()]
    assert margins[:2] == pytest.approx([rules.margin * (1.0 + (120.0 / one) ** 2) for one in hours[:2].tolist()])
    assert (np.diff(margins) < 0).all()
    assert rules.late_margin < margins[-1] < 1.1 * rules.late_margin < margins[3] < rules.margin


def test_a_change_that_waits_for_a_name_does_not_raise_its_own_threshold() -> None:
    simulated = world([10], 130, kind=FaultKind.STEP, size=-0.004, start_day=118)  # too small to be reported
    state = BalanceState.empty(simulated.groups)
    assert advance(state, simulated.hours).changes == ()
    (batch,) = state.batches
    week = int(simulated.hours.hour[0]) // DAY // 7 + 118 // 7
    batch.numbers["loud"][0, [one % 30 for one in range(week - 4, week - 1)]] = 1.3
    batch.numbers["pending"][0] = 7 * (week - 4)
    waiting = _hear(batch, state.closed_day)
    assert waiting is not None
    assert waiting.limit[0] == pytest.approx(waiting.plain[0])
    batch.numbers["pending"][0] = -1.0
    loud = _hear(batch, state.closed_day)
    assert loud is not None
    assert loud.limit[0] == pytest.approx(1.25 * loud.plain[0])


def test_meters_that_wander_more_than_others_raise_the_threshold_by_as_much() -> None:
    simulated = world([10], 60)
    (batch,) = BalanceState.empty(simulated.groups).batches
    batch.numbers["days"][:] = 400.0
    for typical, factor in ((0.5, 1.0), (1.4, 1.4), (2.5, 1.6)):
        batch.numbers["restless"][:] = 0.6745 * typical
        assert thresholds(batch)[0] == pytest.approx(factor * BalanceRules().alarm)


def one_day(off: float) -> DayEquations:
    """A day of one child whose share moves, and one hour that is off."""
    rng = np.random.default_rng(2)
    x = np.zeros((1, 24, 4))
    x[0, :, 0] = rng.uniform(0.2, 0.8, 24)
    y = 1e-3 * rng.standard_normal((1, 24))
    y[0, 11] = off
    return DayEquations(x=x, y=y, valid=np.ones((1, 24), np.bool_))


def test_the_further_an_hour_is_off_the_less_it_pulls() -> None:
    last = DayEquations(x=np.zeros((1, 1, 4)), y=np.zeros((1, 1)), valid=np.zeros((1, 1), np.bool_))
    nothing = np.zeros(1)

    def sums(off: float) -> tuple[float, float]:
        found, _ = day_sums(one_day(off), last, nothing, np.zeros((1, 4)), np.array([1e-3]), nothing, np.zeros((1, 2)))
        return float(found.b[0, 0]), float(found.c[0])

    without, limit, far, gross = sums(0.0), sums(3.5e-3), sums(0.02), sums(0.3)
    pulled = [abs(one[0] - without[0]) for one in (limit, far, gross)]
    assert pulled[0] > pulled[1] > pulled[2]
    assert pulled[2] < 0.02 * pulled[0]
    assert gross[1] - without[1] == pytest.approx((3.5e-3) ** 2, rel=0.01)
