"""Screening and consumption alone, from decoded blocks to hours, beside their ceiling: one pass over the same bytes."""

import json
import sys
import time

import numpy as np
import pytest

from analytics.columns.register import POINT_STATE
from analytics.domain.ledger import Ledger
from analytics.health.arrival import HEALTH_STATE
from ingest.wire import Block, MeterList
from streams.steps.state import PartitionState
from streams.steps.step import step
from tests.ledgers import ledger_of
from tests.registers import DAY, DAY_US, HOUR_US, MINUTE_US

pytestmark = pytest.mark.benchmark

UNITS, METERS = 200, 500
BATCH = 100_000


def ledger(interval_min: int = 1) -> Ledger:
    return ledger_of(
        *(
            {"unit_code": f"U{u:03d}", "point": f"P{m:03d}", "meter_no": f"M{m:03d}", "installed_from": 0,
             "full_scale": 1e6, "max_rate": 600.0, "interval_s": 60.0 * interval_min}
            for u in range(UNITS)
            for m in range(METERS)
        )
    )  # fmt: skip


def ticks(minutes: int, interval_us: int) -> list[Block]:
    """Blocks of one tick of one unit each, as a collector packs them."""
    meters = MeterList.of([f"M{m:03d}" for m in range(METERS)])
    index = np.arange(METERS, dtype=np.uint16)
    rng = np.random.default_rng(5)
    start = rng.integers(0, 900_000, METERS).astype(float)
    rate = rng.integers(1, 500, METERS) / 100
    zeros = np.zeros(METERS, np.int32)
    blocks = []
    for i in range(minutes):
        at = DAY * DAY_US + i * interval_us + rng.integers(0, 1_000_000, METERS)
        value = start + np.round(rate * i, 2)
        blocks += [
            Block(
                unit_code=f"U{u:03d}",
                meters=meters,
                meter=index,
                measured_at=at,
                value=value,
                units=("kWh",),
                unit=zeros.astype(np.uint8),
                received_at=at + 1_000_000,
                quality=zeros.astype(np.int16),
                message=zeros,
                position=index.astype(np.int32),
            )
            for u in range(UNITS)
        ]
    return blocks


@pytest.mark.parametrize("interval_min", [1, 15])
def test_screening_and_consumption(interval_min: int) -> None:
    state = PartitionState.empty(ledger(interval_min))
    per_batch = BATCH // METERS
    blocks = ticks(24, interval_min * MINUTE_US)
    readings = len(blocks) * METERS
    step(PartitionState.empty(state.ledger), blocks[:per_batch])  # compiled before it is timed
    took, ceiling, hours = [], [], 0
    for _ in range(3):
        run = PartitionState.empty(state.ledger)
        begin = time.perf_counter()
        hours = sum(len(step(run, blocks[i : i + per_batch]).hours) for i in range(0, len(blocks), per_batch))
        took.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        for i in range(0, len(blocks), per_batch):
            part = blocks[i : i + per_batch]
            columns = [np.concatenate([getattr(b, c) for b in part]) for c in ("meter", "measured_at", "value", "unit")]
            assert columns[1].max() > columns[2].sum() * 0
        ceiling.append(time.perf_counter() - begin)
    seconds, floor = float(np.median(took)), float(np.median(ceiling))
    expected = readings // METERS // UNITS * interval_min * MINUTE_US // HOUR_US
    assert hours >= (expected - 1) * UNITS * METERS
    line = {
        "bench": f"screening_consumption_{interval_min}min",
        "value": round(readings / seconds),
        "unit": "readings/s",
        "ratio_to_ceiling": round(floor / seconds, 3),
    }
    sys.stdout.write(json.dumps(line) + "\n")


def test_state_of_a_meter() -> None:
    state = PartitionState.empty(ledger())
    step(state, ticks(2, MINUTE_US))
    snapshot = len(state.to_bytes()) / (UNITS * METERS)
    for bench, value in (
        ("state_bytes_per_meter", POINT_STATE.itemsize + HEALTH_STATE.itemsize),
        ("snapshot_bytes_per_meter", snapshot),
    ):
        sys.stdout.write(json.dumps({"bench": bench, "value": round(value, 1), "unit": "B"}) + "\n")
    assert POINT_STATE.itemsize + HEALTH_STATE.itemsize <= 400
