"""What is compiled, or loaded from the cache of compiled code, before the first reading comes."""

from zoneinfo import ZoneInfo

import numpy as np

from analytics.columns.intervals import FIRST_HOUR, local_day
from analytics.domain.ledger import build_ledger
from ingest import wire
from ingest.wire import Block, MeterList
from streams.rows.of_results import reading_rows
from streams.steps.state import PartitionState
from streams.steps.step import close_hours, step
from streams.store.readings import packed

__all__ = ["warm_up"]

_AT_US = 1_767_600_000_000_000


def warm_up(zone: ZoneInfo) -> int:
    """Take a reading of a meter and one of its power through the steps; the number of readings they accepted.

    Lays out the days of a worker's zone, too: a member of the group must not be deaf for as long as all that takes.
    """
    local_day([FIRST_HOUR], zone)
    wire.warm_up(zone)
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
    accepted = step(state, [_block()]).readings
    close_hours(state, now_us=_AT_US)
    packed(reading_rows(accepted, np.ones(len(accepted), np.int32)))
    return len(accepted)


def _block() -> Block:
    none, at = np.zeros(2, np.int32), np.full(2, _AT_US)
    return Block(
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
