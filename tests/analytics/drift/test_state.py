"""What is kept of balances: half of symmetric sums, and what was kept before that is still read."""

import dataclasses
import json
import zlib
from typing import Any

import numpy as np

from analytics.drift.change import ChangeState
from analytics.drift.engine import advance
from analytics.drift.state import BalanceState
from tests.analytics.drift.worlds import world
from tests.benchmarks.drift.simulation import FaultKind


def kept_whole(state: BalanceState) -> bytes:
    """The format before: every array whole and as it lies in memory."""
    arrays: list[np.ndarray[Any, Any]] = []

    def kept(array: np.ndarray[Any, Any]) -> dict[str, Any]:
        arrays.append(array)
        return {"shape": array.shape, "type": array.dtype.str}

    def sums(block: Any) -> dict[str, Any]:
        return {field.name: kept(getattr(block, field.name)) for field in dataclasses.fields(block)}

    head = {
        "groups": state.groups.fingerprint.hex(),
        "last_hour": state.last_hour,
        "closed_day": state.closed_day,
        "batches": [
            {
                "numbers": {name: kept(array) for name, array in batch.numbers.items()},
                "base": sums(batch.bank.base),
                "base_until": batch.bank.base_until,
                "first": batch.bank.first,
                "days": batch.bank.days,
                "blocks": [sums(block) for block in batch.bank.blocks],
                "standing": [],
            }
            for batch in state.batches
        ],
    }
    text = json.dumps(head).encode()
    body = b"".join(array.tobytes() for array in arrays)
    return b"MWB1" + len(text).to_bytes(8, "little") + zlib.compress(text + body, 1)


def test_a_state_of_the_format_before_is_read_and_the_new_one_is_smaller() -> None:
    simulated = world([8, 3], 40)
    state = BalanceState.empty(simulated.groups)
    advance(state, simulated.hours)
    before, now = kept_whole(state), state.to_bytes()
    assert BalanceState.from_bytes(before, simulated.groups).to_bytes() == now
    assert len(now) < 0.9 * len(before)


def as_before_ramps(data: bytes) -> bytes:
    """The format before: a detection did not know from which day on its gain was learnt anew."""
    plain = zlib.decompress(data[12:])
    length = int.from_bytes(data[4:12], "little")
    head = json.loads(plain[:length])
    for batch in head["batches"]:
        for standing in batch["standing"]:
            for name in ("since_day", "lacks", "alarm", "offset", "first"):
                del standing[name]
    text = json.dumps(head).encode()
    return b"MWB2" + len(text).to_bytes(8, "little") + zlib.compress(text + plain[length:], 1)


def test_a_detection_of_the_format_before_is_followed_on() -> None:
    simulated = world([6], 150, kind=FaultKind.STEP, size=-0.04)
    state = BalanceState.empty(simulated.groups)
    opened = advance(state, simulated.hours[: 110 * 24]).changes
    assert len({change.started_hour for change in opened}) == 1
    older = BalanceState.from_bytes(as_before_ramps(state.to_bytes()), simulated.groups)
    assert [standing.since_day for batch in older.batches for standing in batch.standing] == [-1]
    (last, *_) = reversed(advance(older, simulated.hours[110 * 24 :]).changes)
    assert (last.state, last.kind, last.started_hour) == (ChangeState.UPDATED, opened[0].kind, opened[0].started_hour)
    assert last.magnitude_low < -0.04 < last.magnitude_high
    assert older.to_bytes()[:4] == b"MWB4"


def test_sums_are_symmetric_to_the_bit() -> None:
    simulated = world([5], 40)
    state = BalanceState.empty(simulated.groups)
    advance(state, simulated.hours)
    (batch,) = state.batches
    assert any(days > 1 for days in batch.bank.days)
    for block in batch.bank.blocks:
        np.testing.assert_array_equal(block.a, block.a.transpose(0, 2, 1))
