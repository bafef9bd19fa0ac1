"""Registers through the very steps of the stream: blocks by the tick of our clock, then what the clock alone says."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analytics.columns.register import EVENT_ROW
from analytics.domain.ledger import Ledger
from analytics.health.arrival import HABIT_ROW
from ingest.wire import Block, MeterList
from streams.rows.detections import last_of_each_event
from streams.steps.state import PartitionState, StepRules, rules_of
from streams.steps.step import close_hours, step
from tests.benchmarks.hard_faults.registers import Register
from tests.ledgers import ledger_of

__all__ = ["LOOKED_AT", "LOOK_US", "Told", "ledger_of_registers", "take"]

_S = 1_000_000
LOOK_US, _SELDOM, LOOKED_AT = 3600 * _S, 6 * 3600 * _S, 900 * _S
"""Our clock is looked at a quarter past each hour, where readings are closer together each six hours: silence is scored
on hourly readings alone."""
ZONE = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was said.

    Attributes
    ----------
    first : (d,) EVENT_ROW
        Each detection as it was told first; sorted by register and time of decision.
    last : (d,) EVENT_ROW
        The same as they were told last.
    habits : (h,) HABIT_ROW
        How long a jam could hide, by the product's own word at each day; `point` is the register.
    ledger : Ledger
        Whose point `i` is register `i`.
    """

    first: NDArray[Any]
    last: NDArray[Any]
    habits: NDArray[Any]
    ledger: Ledger


def ledger_of_registers(registers: Sequence[Register]) -> Ledger:
    """A ledger whose point `i` is register `i`."""
    return ledger_of(
        *(
            {
                "point": f"P{i:05d}",
                "meter_no": f"M{i:05d}",
                "installed_from": 0,
                "carrier": r.carrier,
                "unit": r.unit,
                "full_scale": r.full_scale,
                "max_rate": r.max_rate,
                "interval_s": float(r.interval_s),
            }
            for i, r in enumerate(registers)
        )
    )


def _block(meters: MeterList, units: tuple[str, ...], columns: dict[str, NDArray[Any]]) -> Block:
    n = len(columns["value"])
    return Block(
        unit_code="U",
        meters=meters,
        meter=columns["meter"],
        measured_at=columns["at"],
        value=columns["value"],
        units=units,
        unit=columns["unit"],
        received_at=columns["received"],
        quality=np.zeros(n, np.int16),
        message=np.zeros(n, np.int32),
        position=np.arange(n, dtype=np.int32),
    )


def take(registers: Sequence[Register], *, rules: StepRules | None = None) -> Told:
    """Take registers through the steps, a block each tick, and look at the clock after each."""
    ledger = ledger_of_registers(registers)
    state = PartitionState.empty(ledger, rules=rules or rules_of(ZONE))
    meters = MeterList.of([f"M{i:05d}" for i in range(len(registers))])
    units = tuple(sorted({r.unit for r in registers}))
    size = [len(r.at) for r in registers]
    columns: dict[str, NDArray[Any]] = {
        "meter": np.repeat(np.arange(len(registers)), size).astype(np.uint16),
        "unit": np.repeat([units.index(r.unit) for r in registers], size).astype(np.uint8),
        "at": np.concatenate([r.at for r in registers]),
        "received": np.concatenate([r.received for r in registers]),
        "value": np.concatenate([r.value for r in registers]),
    }
    order = np.argsort(columns["received"], kind="stable")
    columns = {name: column[order] for name, column in columns.items()}
    last_of = np.array([r.received[-1] for r in registers])
    tick = LOOK_US if all(r.interval_s >= 3600 for r in registers) else _SELDOM
    ticks = np.arange(columns["received"][0] // tick, columns["received"][-1] // tick + 2) * tick + LOOKED_AT
    cuts = np.searchsorted(columns["received"], ticks)
    events, habits = [np.empty(0, EVENT_ROW)], [np.empty(0, HABIT_ROW)]
    begin = 0
    for now, end in zip(ticks.tolist(), cuts.tolist(), strict=True):
        if end > begin:
            part = {name: column[begin:end] for name, column in columns.items()}
            result = step(state, [_block(meters, units, part)])
            events.append(result.events)
            habits.append(result.habits)
        closed = close_hours(state, now_us=now).events
        events.append(closed[now <= last_of[closed["point"]]])  # the set ends there, not the meter
        begin = end
    first, last = _told(np.concatenate(events))
    return Told(first=first, last=last, habits=np.concatenate(habits), ledger=ledger)


def _told(events: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Faults as they were told first, and last."""
    events = events[events["kind"] < 100]
    told = (last_of_each_event(events[::-1]), last_of_each_event(events))
    first, last = (rows[np.lexsort([rows[key] for key in ("kind", "started", "point")])] for rows in told)
    return first, last
