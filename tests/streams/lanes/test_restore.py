"""A state brought up from stored readings works the past of late points out in parts that fit into memory."""

import asyncio
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from streams.lanes import restore
from streams.steps.recompute import Changed
from streams.steps.state import PartitionState
from tests.ledgers import ledger_of
from tests.registers import DAY, DAY_US, HOUR_US

_YEARS_AGO = (DAY - 3650) * DAY_US
_POINTS = 24


class _Done:
    def __init__(self, changed: Changed, applied: list[Changed]) -> None:
        self.changed, self.applied = changed, applied

    def apply(self, _state: PartitionState) -> None:
        self.applied.append(self.changed)


async def _in_thread(call: Any, *arguments: Any) -> Any:
    return call(*arguments)


def test_points_whose_late_readings_are_old_are_worked_out_a_few_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two thousand points at once were harmless with late readings of an hour, and 175 million hours with ten years."""
    facts = {"installed_from": _YEARS_AGO, "full_scale": 1e6, "max_rate": 100.0, "interval_s": 3600.0}
    ledger = ledger_of(*({**facts, "point": f"P{i:02}", "meter_no": f"M{i:02}"} for i in range(_POINTS)))
    state = PartitionState.empty(ledger)
    state.points["seen_at"] = DAY * DAY_US
    applied: list[Changed] = []

    async def work_out(changed: Changed, *_: Any) -> _Done:
        return _Done(changed, applied)

    monkeypatch.setattr(restore, "recompute_changed", lambda _state, changed: changed)
    monkeypatch.setattr(restore, "work_out", work_out)
    shop: Any = SimpleNamespace(store=None, in_thread=_in_thread)
    stored: Any = None
    late = {i: _YEARS_AGO if i % 2 else DAY * DAY_US - HOUR_US for i in range(_POINTS)}
    asyncio.run(restore._settle(shop, state, stored, late))
    assert np.concatenate([part.point for part in applied]).tolist() == list(range(_POINTS))
    since = {int(p): int(s) for part in applied for p, s in zip(part.point, part.since_us, strict=True)}
    assert since == late
    hours = [int(((DAY * DAY_US - part.since_us) // HOUR_US).sum()) for part in applied]
    assert max(hours) <= 600_000
    applied.clear()
    asyncio.run(restore._settle(shop, state, stored, dict.fromkeys(range(_POINTS), DAY * DAY_US - HOUR_US)))
    assert len(applied) == 1, "late readings of an hour are one part"
    asyncio.run(restore._settle(shop, state, stored, {}))
    assert len(applied) == 1
