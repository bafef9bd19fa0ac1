"""Registers of which the ledger says nothing: late readings and pieces give what the sorted whole gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.domain.quality import DetectionKind
from tests.ledgers import ledger_of
from tests.registers import DAY, DAY_US, MINUTE_US
from tests.streams.steps.test_step import LONG_AGO, Memory, block_of

LEDGER = ledger_of({"point": "P1", "meter_no": "M1", "installed_from": LONG_AGO, "interval_s": 900.0})
N = 3 * 96
LEVELS = [("jump", 5_000.0, None), ("false level", 7_000.0, 30), ("from zero", 0.0, 20), ("x1000", 1000, 25)]


def three_days(rng: np.random.Generator) -> list[tuple[str, int, float]]:
    """Three days of a load that is switched, with one level that is none and readings that are nothing."""
    used = np.cumsum(rng.integers(1, 40, N) * np.where(rng.random(N) < 0.02, 15, 1)) / 100
    value = np.round(4_000.0 + used, 2)
    name, size, length = LEVELS[int(rng.integers(len(LEVELS)))]
    begin = int(rng.integers(60, N - 60))
    end = N if length is None else begin + length
    if name == "x1000":
        value[begin:end] *= 1000
    elif name == "from zero":
        value[begin:end] = np.round(value[begin:end] - value[begin], 2)
    else:
        value[begin:end] = np.round(value[begin:end] + size, 2)
    at = DAY * DAY_US + np.arange(N) * 15 * MINUTE_US
    rows = []
    for t, v in zip(at.tolist(), value.tolist(), strict=True):
        kind = rng.random()
        if kind < 0.03:
            continue
        rows.append(("M1", t, float(rng.choice([0.0, -1.0, 999_999.99, v / 1000])) if kind < 0.06 else round(v, 2)))
    return rows


@given(st.integers(0, 10_000), st.integers(1, 10), st.floats(0, 1))
@settings(max_examples=30)
def test_late_readings_give_what_the_sorted_whole_gives(seed: int, pieces: int, disorder: float) -> None:
    rng = np.random.default_rng(seed)
    rows = three_days(rng)
    whole = Memory(LEDGER)
    whole.take(block_of(rows))
    arrival = np.arange(len(rows)) + rng.normal(0, 1 + disorder * 60, len(rows)) * (rng.random(len(rows)) < disorder)
    mixed = [rows[i] for i in np.argsort(arrival, kind="stable")]
    late = Memory(LEDGER)
    cuts = np.sort(rng.integers(0, len(rows) + 1, pieces - 1)).tolist()
    for a, b in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        late.take(block_of(mixed[a:b]))
    assert late.hours == whole.hours
    assert {key for key in late.events if key[1] < 100} == {key for key in whole.events if key[1] < 100}
    for name in ("good_at", "good_value", "hour", "amount", "covered", "run_n", "seen_at", "learnt", "kept_at"):
        assert np.array_equal(late.state.points[name], whole.state.points[name]), name


@pytest.mark.parametrize("cut", [1, 97, 200])
def test_a_level_that_is_taken_back_rewrites_what_was_counted_of_it_in_pieces_too(cut: int) -> None:
    value = 4_000.0 + 0.5 * np.arange(N)
    value[100:160] += 7_000.0
    rows = [("M1", DAY * DAY_US + i * 15 * MINUTE_US, float(v)) for i, v in enumerate(value)]
    memory = Memory(LEDGER)
    for start in range(0, N, cut):
        memory.take(block_of(rows[start : start + cut]))
    total = sum(row[0] for row in memory.hours.values()) / 1e6
    assert total == pytest.approx(0.5 * (N - 4), abs=2.0)
    (jump,) = [event for key, event in memory.events.items() if key[1] == DetectionKind.JUMP]
    assert jump[3] == 0  # nothing of it stays unexplained
