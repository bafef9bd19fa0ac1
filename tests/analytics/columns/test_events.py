"""What the fields of an event hold is said once, and holds of whatever the compiled rules write."""

import numpy as np
import pytest
from hypothesis import given
from numpy.typing import NDArray

from analytics.columns.events import EVENT_ROW, MEANING, facts_of
from analytics.columns.register import REGISTER_KINDS
from analytics.domain.quality import DetectionKind
from tests.analytics.columns.test_register_properties import any_registers
from tests.registers import follow, installations

BY_BALANCES = {DetectionKind.GAIN_STEP, DetectionKind.GAIN_DRIFT, DetectionKind.BALANCE_CHANGE}
"""Found from balances, by no compiled rule; they have evidence of their own."""
FIELDS = ("before", "at", "after", "n", "scale", "amount")


def test_every_kind_that_is_written_has_a_meaning() -> None:
    assert set(MEANING) == set(DetectionKind) - BY_BALANCES
    assert set(REGISTER_KINDS) <= set(MEANING)


@pytest.mark.parametrize("kind", list(MEANING), ids=lambda kind: kind.name.lower())
def test_facts_have_names_of_their_own_and_stand_in_fields_of_the_record(kind: DetectionKind) -> None:
    assert set(MEANING[kind]) <= set(FIELDS) & set(EVENT_ROW.names or ())
    event = np.zeros(1, EVENT_ROW)
    event["kind"] = kind
    for i, field in enumerate(MEANING[kind]):
        event[field] = (i + 1) * (1_000_000 if field == "amount" else 1)
    assert list(facts_of(event[0]).values()) == [float(i + 1) for i in range(len(MEANING[kind]))]


@given(any_registers())
def test_a_field_that_has_no_meaning_holds_nothing(register: tuple[NDArray[np.int64], NDArray[np.float64]]) -> None:
    at, value = register
    order = np.argsort(at, kind="stable")
    _, (whole,) = follow(installations([{"full_scale": 1000.0}]), at[order], value[order])
    for event in whole.events:
        silent = set(FIELDS) - set(MEANING[DetectionKind(int(event["kind"]))])
        assert {field: float(event[field]) for field in silent if event[field] != 0} == {}
