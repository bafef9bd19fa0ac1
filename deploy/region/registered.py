"""Consumption by register differences alone, exact to the last millionth."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analytics.domain.instants import US_PER_HOUR
from analytics.domain.quality import DetectionKind
from analytics.domain.units import FACTOR_TABLE, parse_unit
from deploy.region.model import Fault, LedgerRow, Meter, Region, Segment

__all__ = ["registered_micro"]

Floats = NDArray[np.float64]
Instants = NDArray[np.int64]

_NO_VALUE = frozenset({DetectionKind.SPIKE, DetectionKind.ZERO_DIP, DetectionKind.SENTINEL, DetectionKind.SCALE})
"""Kinds of faults whose readings are unrelated to the register."""


def registered_micro(region: Region) -> dict[int, tuple[int, int]]:
    """What each point used by its registers alone, from its first reading to the last full hour with a reading.

    Worked out from the readings that are to be accepted, apart from those that a fault has made worthless. Left out are
    points whose register was broken off without a word in the ledger, and those where the ledger does not tell the dial
    at a change.

    Returns
    -------
    dict of int to (int, int)
        By point: the hour up to which was counted [hours since 1970-01-01 UTC], and the amount [1e-6 amount_unit].
    """
    times, values = _by_meter(region)
    rows: dict[tuple[str, str], list[LedgerRow]] = {}
    for row in region.ledger_rows:
        rows.setdefault((row["unit_code"], row["point"]), []).append(row)
    segments: dict[int, list[Segment]] = {}
    for segment in region.truth.segments:
        segments.setdefault(segment.meter.point, []).append(segment)
    faults = {(f.unit_code, f.meter_no): f for f in region.truth.faults if f.kind in _NO_VALUE}
    used: dict[int, tuple[int, int]] = {}
    for index, parts in segments.items():
        point = region.points[index]
        code = region.units[point.unit].code
        told = rows[code, point.code]
        if len(told) != len(parts) or any(not row["first_reading"] for row in told[1:]):
            continue
        pieces = [
            _piece(
                part,
                row,
                times[part.meter.meter_no],
                values[part.meter.meter_no],
                faults.get((code, part.meter.meter_no)),
            )
            for part, row in zip(parts, told, strict=True)
        ]
        counted = _counted(parts, pieces)
        if counted is not None:
            used[index] = counted
    return used


def _by_meter(region: Region) -> tuple[dict[str, Instants], dict[str, Floats]]:
    """Accepted readings of each meter by time."""
    readings = region.readings.take(region.readings.expected == 0)
    order = np.lexsort((readings.measured_at, readings.meter))
    meter = readings.meter[order]
    bounds = np.searchsorted(meter, np.arange(len(region.meter_nos) + 1))
    at, value = readings.measured_at[order], readings.value[order]
    slices = {number: slice(bounds[i], bounds[i + 1]) for i, number in enumerate(region.meter_nos)}
    return {n: at[s] for n, s in slices.items()}, {n: value[s] for n, s in slices.items()}


def _piece(
    segment: Segment, row: LedgerRow, at: Instants, value: Floats, fault: Fault | None
) -> tuple[Instants, Floats]:
    """Times and dials of one segment [register unit], with those that the ledger declares at its ends."""
    inside = (at >= segment.start_us) & (at < segment.end_us)
    if fault is not None:
        inside &= (at < fault.start_us) | (at >= fault.end_us)
    at, dial = at[inside], _dial(segment.meter, value[inside])
    if row["first_reading"]:
        at, dial = np.insert(at, 0, segment.start_us), np.insert(dial, 0, float(row["first_reading"]))
    if row["last_reading"]:
        at, dial = np.append(at, segment.end_us), np.append(dial, float(row["last_reading"]))
    return at, dial


def _dial(meter: Meter, stated: Floats) -> Floats:
    if meter.stated_unit == meter.register_unit:
        return stated
    unit, register = parse_unit(meter.stated_unit).code, parse_unit(meter.register_unit).code
    dial: Floats = stated * (FACTOR_TABLE[unit] / FACTOR_TABLE[register])
    return dial


def _counted(parts: Sequence[Segment], pieces: Sequence[tuple[Instants, Floats]]) -> tuple[int, int] | None:
    total = 0
    for k, (segment, (at, dial)) in enumerate(zip(parts, pieces, strict=True)):
        if len(at) < 2:
            return None
        micro = np.rint(dial * (segment.dial_factor * 1e6))
        steps = np.diff(micro)
        fell = np.diff(dial) < 0
        if fell.any():
            steps[fell] += np.rint(segment.meter.full_scale * (segment.dial_factor * 1e6))
        if k + 1 < len(parts):
            total += int(steps.sum())
            continue
        hour = int(at[-1]) // US_PER_HOUR
        crossing = int(np.searchsorted(at, hour * US_PER_HOUR)) - 1
        if crossing < 0:
            return None
        share = float(hour * US_PER_HOUR - at[crossing]) / float(at[crossing + 1] - at[crossing])
        total += int(steps[:crossing].sum()) + int(np.rint(steps[crossing] * share))
        return hour, total
    return None
