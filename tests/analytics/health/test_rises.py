"""What is known of the highest rate of a register says whether an impossible rise would be seen."""

import numpy as np
import pytest

from analytics.columns._rates_kernel import _FIRST, YOUNG
from analytics.drift.observability import Reason, Verdict
from analytics.health import rises
from analytics.health.rises import LearntRate, learnt_rates, rise_verdict
from streams.steps.state import PartitionState
from streams.steps.step import step
from tests.ledgers import ledger_of
from tests.registers import HOUR_US, clock
from tests.streams.steps.test_step import LONG_AGO, block_of

NAN = float("nan")


@pytest.mark.parametrize(
    ("declared", "n", "verdict", "reason"),
    [
        (NAN, 0, Verdict.NOT_OBSERVABLE, Reason.FEW_RISES),
        (NAN, 7, Verdict.NOT_OBSERVABLE, Reason.FEW_RISES),
        (NAN, 8, Verdict.WEAK, Reason.FEW_RISES),
        (NAN, 24, Verdict.OBSERVABLE, Reason.LEARNT),
        (100.0, 0, Verdict.OBSERVABLE, Reason.DECLARED_RATE),
        (100.0, 24, Verdict.OBSERVABLE, Reason.LEARNT),
    ],
)
def test_the_ledger_s_rate_or_enough_rises_decide(declared: float, n: int, verdict: Verdict, reason: Reason) -> None:
    one = rise_verdict(LearntRate(point=0, declared=declared, learnt=16.0, rises=n))
    assert (one.verdict, one.reason) == (verdict, reason)


def test_the_counts_are_those_by_which_registers_are_judged() -> None:
    assert (rises._SOME, rises._SETTLED) == (_FIRST, YOUNG)


def test_a_register_teaches_its_rate_in_the_unit_of_its_amounts() -> None:
    meter = {"installed_from": LONG_AGO, "interval_s": 3600.0, "multiplier": 10.0}
    ledger = ledger_of(
        {**meter, "point": "P1", "meter_no": "M1"},
        {**meter, "point": "P2", "meter_no": "M2", "max_rate": 30.0},
        {**meter, "point": "P3", "meter_no": "M3"},
    )
    state = PartitionState.empty(ledger)
    start = clock("00:00")
    step(state, [block_of([(m, start + i * HOUR_US, 100.0 + 5 * i) for i in range(30) for m in ("M1", "M2")])])
    found = {rate.point: rate for rate in learnt_rates(state.points, np.arange(3), ledger)}
    assert set(found) == {0, 1}, "of a meter that was never read nothing is known"
    assert 50 <= found[0].learnt <= 100, "50 kWh an hour, in powers of two"
    assert np.isnan(found[0].declared)
    assert found[1].declared == 30
    assert (found[0].rises, found[1].rises) == (24, 24)
