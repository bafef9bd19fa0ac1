"""A meter replaced at a point: what the ledger says before and after, and what is refused."""

from dataclasses import replace

import pytest

from analytics.domain.errors import ConfigurationError
from analytics.domain.ledger import Ledger, merge
from analytics.domain.ledger.replacement import Replacement, replaced
from tests.ledgers import ledger_of
from tests.registers import HOUR_US, clock

LEDGER = ledger_of(
    {"point": "P", "meter_no": "M", "installed_from": 0, "interval_s": 3600.0, "multiplier": 40.0},
    {"point": "Q", "meter_no": "N", "installed_from": 0, "interval_s": 3600.0},
)
ONE = Replacement(
    unit_code="U", point="P", at_us=clock("06:00"), last_reading=812.5, first_reading=3.0, meter_no="M2", serial_no="77"
)


def seen(ledger: Ledger) -> list[tuple[object, ...]]:
    rows = ledger.rows
    texts = ("point", "meter_no", "serial_no")
    numbers = ("multiplier", "first_reading", "last_reading")
    columns = [rows.text(name).strings() for name in texts] + [rows.number(name).tolist() for name in numbers]
    times = [rows.instant(name).tolist() for name in ("installed_from", "installed_to")]
    return [row for row in zip(*columns, *times, strict=True) if row[0] == "P"]


def test_the_old_one_ends_with_its_dial_and_the_new_one_begins_with_its_own() -> None:
    after = Ledger.from_rows(replaced(LEDGER.rows, ONE))
    old, new = seen(after)
    assert (old[1], old[5], old[7]) == ("M", 812.5, ONE.at_us)
    assert (new[1], new[2], new[3], new[4], new[6]) == ("M2", "77", 40.0, 3.0, ONE.at_us)
    assert new[7] == seen(LEDGER)[0][7], "it is there still"
    assert merge(LEDGER, after)[1] == [], "and it can be loaded over the one in force"
    assert len(after.rows) == 3


def test_a_new_meter_may_have_the_old_ones_number_and_a_class_of_its_own() -> None:
    one = replace(ONE, meter_no="M", multiplier=60.0, accuracy_class="0.2S")
    after = Ledger.from_rows(replaced(LEDGER.rows, one))
    old, new = seen(after)
    assert (old[1], new[1], old[3], new[3]) == ("M", "M", 40.0, 60.0)
    assert after.rows.text("accuracy_class").strings()[1] == "0.2S"
    assert after.rows.values("verified_on")[1] is None, "nothing is known of its verification"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"point": "R"}, "must have one meter"),
        ({"at_us": -HOUR_US}, "must have one meter"),
        ({"meter_no": " "}, "meter_no must be given"),
        ({"meter_no": "N"}, "must be at no other point"),
        ({"last_reading": float("nan")}, "last_reading must be"),
        ({"first_reading": -1.0}, "first_reading must be"),
        ({"multiplier": 0.0}, "multiplier must be"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        replaced(LEDGER.rows, replace(ONE, **wrong))  # type: ignore[arg-type]  # of its fields
