"""Arrays of another type or length are refused by name, before anything compiled sees them."""

from typing import Any

import numpy as np
import pytest

from analytics.columns.register import RegisterTable, advance, close, empty_state
from analytics.domain.errors import ArrayError
from tests.registers import installations

TABLE = RegisterTable(installations([{}]))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"at_us": np.zeros(3, "datetime64[us]")}, r"at_us must be a \(3,\) array of int64 \(got \(3,\) datetime64"),
        ({"value": np.array(["1", "2", "3"], object)}, r"value must be a \(3,\) array of float64 \(got \(3,\) object"),
        ({"value": [1.0, 2.0, 3.0]}, r"value .* \(got list\)"),
        ({"installation": np.zeros((3, 1), np.int32)}, r"installation .* \(got \(3, 1\) int32\)"),
        ({"received_us": np.zeros(2, np.int64)}, r"received_us must be a \(3,\) array of int64 \(got \(2,\)"),
        ({"state": np.zeros(1)}, r"state must be .* records of \d+ fields"),
    ],
)
def test_the_register_says_what_it_was_given(changed: dict[str, Any], says: str) -> None:
    right: dict[str, Any] = {
        "point": np.zeros(3, np.int32), "installation": np.zeros(3, np.int32),
        "at_us": np.arange(3), "value": np.zeros(3),
    }  # fmt: skip
    state = changed.pop("state", empty_state(1))
    with pytest.raises(ArrayError, match=says):
        advance(state, TABLE, **right | changed)


def test_closing_asks_for_a_wait_of_each_point() -> None:
    with pytest.raises(ArrayError, match=r"wait_us must be a \(1,\) array of int64"):
        close(empty_state(1), TABLE, now_us=0, wait_us=np.zeros(4, np.int64))
