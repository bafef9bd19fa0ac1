"""Compile the core once, at set-up: `python -m deploy.warm`. What follows finds the machine code beside the modules."""

from zoneinfo import ZoneInfo

import numpy as np

from analytics.domain.ledger import build_ledger
from ingest.wire import Block, MeterList, warm_up
from streams.rows.of_results import reading_rows
from streams.steps.state import PartitionState
from streams.steps.step import close_hours, step
from streams.store.readings import packed

__all__ = ["warm"]

_AT_US = 1_767_600_000_000_000


def warm() -> int:
    """Take a reading of a meter and one of its power through the core; the number of readings it accepted."""
    ledger, _ = build_ledger(
        {
            "unit_code": ["U"],
            "level": ["unit"],
            "point": ["P"],
            "carrier": ["electricity"],
            "meter_no": ["M"],
            "instrument": ["electricity"],
            "unit": ["kWh"],
            "installed_from": ["2025-01-01"],
        }
    )
    state = PartitionState.empty(ledger)
    none, at = np.zeros(2, np.int32), np.full(2, _AT_US)
    block = Block(
        unit_code="U",
        meters=MeterList.of(["M", "M\x1fpower"]),
        meter=np.arange(2, dtype=np.int32),
        measured_at=at,
        value=np.ones(2),
        units=("kWh", "kW"),
        unit=np.arange(2, dtype=np.uint8),
        received_at=at,
        quality=none.astype(np.int16),
        message=none,
        position=none,
    )
    done = step(state, [block])
    close_hours(state, now_us=_AT_US)
    warm_up(ZoneInfo("UTC"))
    packed(reading_rows(done.readings, np.ones(len(done.readings), np.int32)))
    return len(done.readings)


if __name__ == "__main__":
    warm()
