"""What the lanes of a worker say of all of them."""

from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from streams.lanes.lanes import Lanes


def worker(mine: int, partitions: int = 64) -> Lanes:
    """The lanes of a worker that has some of the partitions."""
    nothing: Any = None
    lane: Any = SimpleNamespace(partitions=partitions)
    lanes = Lanes(nothing)
    lanes._lanes = {TP("metering.readings", number): lane for number in range(mine)}
    return lanes


@pytest.mark.parametrize(("mine", "pause_s"), [(64, 2.0), (32, 4.0), (16, 8.0), (8, 16.0), (1, 16.0), (0, 2.0)])
def test_workers_together_look_as_often_as_one_would(mine: int, pause_s: float) -> None:
    assert worker(mine).share(2.0) == pause_s
