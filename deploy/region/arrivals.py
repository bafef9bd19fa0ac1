"""Order of arrival of simulated readings: some late, some twice, each unit's in one sequence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.domain.instants import US_PER_SECOND
from analytics.domain.quality import RejectReason
from deploy.region.model import US_PER_QUARTER, Delivery, Event, Readings, Unit

__all__ = ["Column", "join", "late_arrivals", "refuse_repeats"]

Instants = NDArray[np.int64]
_R = RejectReason


@dataclass(frozen=True, slots=True)
class Column:
    """Readings of one meter, or of one that does not exist, before all are put in one order.

    Attributes
    ----------
    unit, meter : int
        Index into the region's units and meter numbers.
    stated : int
        Index into the region's stated units.
    measured_at, received_at : (n,) int64
        [us since 1970-01-01 UTC]
    value : (n,) float64
        [stated unit]
    expected : RejectReason or 0
        Why all of them are to be refused; 0 where they are to be accepted.
    """

    unit: int
    meter: int
    stated: int
    measured_at: Instants
    received_at: Instants
    value: NDArray[np.float64]
    expected: int = 0


def join(columns: Sequence[Column]) -> Readings:
    """All columns as one, units one after the other, each in the order its gateway sends."""
    size = [len(c.value) for c in columns]

    def spread(values: list[int], dtype: type[np.integer]) -> NDArray[np.integer]:
        return np.repeat(np.array(values, dtype), size)

    received_at = np.concatenate([c.received_at for c in columns])
    unit = spread([c.unit for c in columns], np.int16)
    order = np.lexsort((received_at, unit))
    return Readings(
        unit[order].astype(np.int16),
        spread([c.meter for c in columns], np.int32)[order].astype(np.int32),
        np.concatenate([c.measured_at for c in columns])[order],
        received_at[order],
        np.concatenate([c.value for c in columns])[order],
        spread([c.stated for c in columns], np.uint8)[order].astype(np.uint8),
        spread([c.expected for c in columns], np.uint8)[order].astype(np.uint8),
    )


def refuse_repeats(readings: Readings) -> None:
    """Mark in `expected` what comes after a reading of the same meter and time: a duplicate, or a conflict."""
    able = np.flatnonzero(readings.expected == 0)
    # stable, so that within one meter and time the first sent stays first
    order = able[np.lexsort((readings.measured_at[able], readings.meter[able], readings.unit[able]))]
    same = np.zeros(len(order), bool)
    same[1:] = (
        (readings.unit[order][1:] == readings.unit[order][:-1])
        & (readings.meter[order][1:] == readings.meter[order][:-1])
        & (readings.measured_at[order][1:] == readings.measured_at[order][:-1])
    )
    first = np.maximum.accumulate(np.where(same, 0, np.arange(len(order))))
    equal = readings.value[order] == readings.value[order][first]
    readings.expected[order[same & equal]] = _R.DUPLICATE
    readings.expected[order[same & ~equal]] = _R.CONFLICT


def late_arrivals(
    seed: int,
    units: Sequence[Unit],
    columns: list[Column],
    plain: Sequence[int],
    *,
    start_us: int,
    horizon_days: float,
) -> list[Event]:
    """Let some readings arrive late, in place: a link down for hours, a gateway that swaps, three stragglers.

    Parameters
    ----------
    seed : int
        Of the region.
    units : sequence of Unit
        Of the region.
    columns : list of Column
        Replaced where readings arrive late.
    plain : sequence of int
        Columns that may belong to a straggler: sound meters, read every quarter hour.
    start_us, horizon_days
        Span within which it happens. [us since 1970-01-01 UTC, d]

    Returns
    -------
    list of Event
        What arrived late, by unit, or by meter as the column's index in `meter_no`.
    """
    rng = np.random.default_rng([seed, 30])
    hours = horizon_days * 24.0
    blocks = [u.index for u in units if u.delivery is Delivery.BLOCKS] or [u.index for u in units]
    down, swaps = rng.choice(blocks, 2, replace=len(blocks) < 2).tolist()

    def window(length: float) -> tuple[int, int]:
        begin = start_us + round(rng.uniform(0.2, 0.7) * hours * 4) * US_PER_QUARTER
        return begin, begin + round(min(length, 0.1 * hours) * 4) * US_PER_QUARTER

    begin, end = window(9.0)
    for index, column in enumerate(columns):
        if column.unit == down:
            columns[index] = _held(column, begin, end, end)
    events = [_event("link_down", units[down], "", begin, end)]
    begin, end = window(6.0)
    for index, column in enumerate(columns):
        if column.unit == swaps:
            columns[index] = _swapped(column, begin, end)
    events.append(_event("out_of_order", units[swaps], "", begin, end))
    delay = round(min(20.0, 0.1 * hours) * 4) * US_PER_QUARTER
    for place in rng.permutation(len(plain))[:3].tolist():
        begin, end = window(5.0)
        column = columns[plain[place]]
        columns[plain[place]] = _held(column, begin, end, end + delay)
        events.append(_event("late", units[column.unit], str(column.meter), begin, end))
    return events


def _event(kind: str, unit: Unit, meter_no: str, begin: int, end: int) -> Event:
    return Event(kind=kind, unit_code=unit.code, point="", meter_no=meter_no, start_us=begin, end_us=end, magnitude=0.0)


def _held(column: Column, begin: int, end: int, until: int) -> Column:
    """What is received within [begin, end) comes one after the other once `until` has passed."""
    inside = (column.received_at >= begin) & (column.received_at < end)
    received_at = column.received_at.copy()
    received_at[inside] = until + (received_at[inside] - begin) // 1_000
    return _received(column, received_at)


def _swapped(column: Column, begin: int, end: int) -> Column:
    """Every second quarter's readings come after the next ones."""
    inside = (column.received_at >= begin) & (column.received_at < end)
    odd = (column.received_at // US_PER_QUARTER) % 2 == 1
    received_at = np.where(inside & odd, column.received_at + US_PER_QUARTER + 120 * US_PER_SECOND, column.received_at)
    return _received(column, received_at)


def _received(column: Column, received_at: Instants) -> Column:
    order = np.argsort(received_at, kind="stable")
    return Column(
        column.unit,
        column.meter,
        column.stated,
        column.measured_at[order],
        received_at[order],
        column.value[order],
        column.expected,
    )
