"""A person's word on a difference that nobody could explain, and what follows for the hours."""

import numpy as np
import pytest

from analytics.columns.register import RegisterTable, advance, empty_state, last_of_each_hour
from analytics.domain.errors import ConfigurationError
from analytics.domain.ledger import Ledger
from analytics.domain.ledger.decision import decided, undecided
from analytics.domain.quality import DetectionKind
from tests.ledgers import ledger_of
from tests.registers import HOUR_US, clock

LEDGER = ledger_of(
    {"point": "P", "meter_no": "M", "installed_from": 0, "interval_s": 3600.0},
    {"point": "Q", "meter_no": "N", "installed_from": 0, "interval_s": 3600.0},
)
JUMP = 3 * HOUR_US + clock("06:00")
BEFORE, AFTER = 1030.0, 91_040.0


def counted(ledger: Ledger) -> tuple[float, list[DetectionKind]]:
    """Sum of the hours, and the events, of a dial that counts 10 an hour and jumps in the fourth."""
    at = clock("00:00") + np.arange(24, dtype=np.int64) * HOUR_US
    value = 1000.0 - 30.0 + 10.0 * np.arange(24) - 30.0
    value = np.where(at >= JUMP, value - 1030.0 + 91_000.0, value)
    value[at < JUMP] += 1030.0 - value[at < JUMP].max()
    value[at >= JUMP] += 91_040.0 - value[at >= JUMP].min()
    installation = np.zeros(24, np.int32)
    made = ledger.installations
    for k in range(len(made)):
        mine = (made.point[k] == 0) & (made.installed_from[k] <= at)
        installation[mine] = k
    done = advance(
        empty_state(2),
        RegisterTable(made),
        point=np.zeros(24, np.int32),
        installation=installation,
        at_us=at,
        value=value.astype(np.float64),
    )
    kinds = [DetectionKind(int(kind)) for kind in done.events["kind"]]
    return float(last_of_each_hour(done.hours)["amount"].sum()) / 1e6, kinds


def word(*, count: bool) -> Ledger:
    rows = decided(LEDGER.rows, unit_code="U", meter_no="M", at_us=JUMP, before=BEFORE, after=AFTER, count=count)
    return Ledger.from_rows(rows)


def test_a_jump_stands_apart_until_somebody_decides() -> None:
    total, kinds = counted(LEDGER)
    assert total == pytest.approx(220.0)
    assert kinds == [DetectionKind.JUMP]


def test_what_is_counted_is_in_the_hours_and_no_fault_is_left() -> None:
    total, kinds = counted(word(count=True))
    assert total == pytest.approx(220.0 + AFTER - BEFORE)
    assert DetectionKind.JUMP not in kinds


def test_what_is_left_out_is_in_no_hour_and_no_fault_is_left() -> None:
    total, kinds = counted(word(count=False))
    assert total == pytest.approx(220.0)
    assert DetectionKind.JUMP not in kinds


def test_a_decision_that_is_undone_leaves_the_ledger_as_it_was() -> None:
    back = undecided(word(count=True).rows, unit_code="U", meter_no="M", at_us=JUMP)
    for name, cells in LEDGER.rows.columns.items():
        assert list(map(str, back.columns[name])) == list(map(str, cells)), name


@pytest.mark.parametrize("meter_no", ["M", "X"])
def test_what_cannot_be_decided_says_why(meter_no: str) -> None:
    with pytest.raises(ConfigurationError, match=f"meter {meter_no} of U must"):
        undecided(LEDGER.rows, unit_code="U", meter_no=meter_no, at_us=JUMP)
    twice = word(count=True)
    with pytest.raises(ConfigurationError, match="undo it"):
        decided(twice.rows, unit_code="U", meter_no="M", at_us=JUMP, before=1.0, after=2.0, count=True)
