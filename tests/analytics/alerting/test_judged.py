from dataclasses import replace
from datetime import timedelta

import pytest

from analytics.alerting.judged import GROWN, Judged, settled
from analytics.alerting.signal import FINDING, Source
from analytics.domain.severity import Severity
from tests.analytics.alerting.makers import T0, signal

DAY = timedelta(days=1)
FAULT = signal(1, kind="gain_drift", severity=Severity.WARNING, magnitude=-0.04)
JUDGED = Judged(identity=FAULT.identity, at=T0 + DAY, severity=Severity.WARNING, magnitude=-0.04)


@pytest.mark.parametrize(
    ("facts", "whether"),
    [
        ({"energy": 1e6, "confidence": 1.0}, True),
        ({"magnitude": -0.02}, True),
        ({"magnitude": -0.04 * GROWN * 0.99}, True),
        ({"magnitude": None}, True),
        ({"magnitude": -0.04 * GROWN}, False),
        ({"magnitude": 0.04}, False),
        ({"severity": Severity.SERIOUS}, False),
        ({"severity": Severity.INFO}, True),
        ({"source_id": 2}, True),
        ({"source_id": 2, "started_at": T0 + 2 * DAY}, False),
        ({"source_id": 2, "standing": False}, False),
    ],
)
def test_a_change_is_settled_and_growth_or_another_fault_is_not(facts: dict[str, object], whether: bool) -> None:
    assert settled(replace(FAULT, **facts), [JUDGED]) is whether  # type: ignore[arg-type]  # fields of a signal


def test_durations_grow_by_themselves_and_an_instant_is_each_time_another() -> None:
    silent = signal(1, kind="silence", magnitude=900.0)
    assert settled(silent, [replace(JUDGED, severity=Severity.SERIOUS, magnitude=9.0)])
    assert not settled(signal(2, kind="rollback"), [replace(JUDGED, severity=Severity.SERIOUS)])


def test_findings_are_settled_by_their_own_record() -> None:
    finding = signal(1, source=Source.FINDING, kind=FINDING)
    assert settled(finding, [Judged(identity=finding.identity, at=T0 + DAY, severity=Severity.SERIOUS)])
    assert not settled(finding, [Judged(identity=finding.identity, at=T0 - DAY, severity=Severity.SERIOUS)])
