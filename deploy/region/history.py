"""Declared events of a simulated month: rollovers, replacements, changes of multipliers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from analytics.domain.instants import US_PER_HOUR, US_PER_SECOND
from deploy.region.meters import canonical_factor, choose_meter
from deploy.region.model import Meter, Point, Segment

__all__ = ["FOREVER", "Plan", "declared_segments", "install_meters"]

FOREVER = int(np.iinfo(np.int64).max)
_DAY_US = 24 * US_PER_HOUR

Plan = Mapping[int, Sequence[Segment]]
"""Segments by point, in time order."""

_ROLLOVERS = 6
_REPLACEMENTS = 3
_CHANGES = 2


def install_meters(seed: int, points: Sequence[Point]) -> dict[int, Meter]:
    """The meter of each point that has one, numbered within its unit."""
    serial: dict[int, int] = {}
    meters: dict[int, Meter] = {}
    for point in points:
        if point.metered:
            continue
        serial[point.unit] = serial.get(point.unit, 0) + 1
        meters[point.index] = choose_meter(seed, point, serial[point.unit])
    return meters


def declared_segments(
    seed: int, points: Sequence[Point], meters: Mapping[int, Meter], *, start_us: int, horizon_days: float
) -> dict[int, list[Segment]]:
    """Segments that the ledger tells of, of every metered point.

    Events lie within the first `horizon_days`, whatever the region's span.

    Returns
    -------
    dict of int to list of Segment
        By point, in time order; the last one is open-ended.
    """
    rng = np.random.default_rng([seed, 10])
    plan = {index: [_first_segment(seed, points[index], meter, start_us)] for index, meter in meters.items()}
    ordinary = [i for i, m in meters.items() if m.interval_s == 900 and not m.float32]
    electric = [i for i in ordinary if points[i].carrier == "electricity" and meters[i].full_scale == 1e6]
    rolling = _some(rng, [i for i in electric if _daily(points[i], meters[i]) > 5.0], _ROLLOVERS)
    for index in rolling:
        ahead = rng.uniform(0.2, 0.8) * horizon_days * _daily(points[index], meters[index])
        plan[index][0] = replace(plan[index][0], first=round(meters[index].full_scale - ahead, 2))
    replaced = _some(rng, [i for i in ordinary if i not in rolling and points[i].level != "unit"], _REPLACEMENTS)
    for index in replaced:
        _replace(rng, plan[index], _instant(rng, start_us, horizon_days))
    changing = [i for i in electric if i not in {*rolling, *replaced} and meters[i].multiplier > 1.0]
    for index in _some(rng, changing, _CHANGES):
        _change_ratio(rng, plan[index], _instant(rng, start_us, horizon_days))
    return plan


def _some(rng: np.random.Generator, candidates: Sequence[int], count: int) -> list[int]:
    return [candidates[i] for i in rng.permutation(len(candidates))[:count].tolist()]


def _instant(rng: np.random.Generator, start_us: int, horizon_days: float) -> int:
    """Some second in the working hours of a day in the middle of the span."""
    middle = start_us + int(horizon_days * rng.uniform(0.3, 0.7) * _DAY_US)
    second = int(rng.uniform(3_600, 8 * 3_600))  # 01:00 to 08:00 UTC is 09:00 to 16:00 in the region
    if horizon_days < 4.0:
        return middle // US_PER_SECOND * US_PER_SECOND
    return middle // _DAY_US * _DAY_US + second * US_PER_SECOND


def _daily(point: Point, meter: Meter) -> float:
    """Expected rise of the dial in a day. [register unit]"""
    return 24.0 * point.rated * point.load / canonical_factor(point, meter)


def _first_segment(seed: int, point: Point, meter: Meter, start_us: int) -> Segment:
    rng = np.random.default_rng([seed, *point.stream, 5])
    if meter.float32:
        first = rng.uniform(4e6, 3e7)  # one step of a REAL4 is 0.5 to 2 there
    else:
        span = 2e6 if np.isnan(meter.full_scale) else min(meter.full_scale, 2e6)
        first = span * rng.uniform(0.04, 0.55)
    first = round(first, min(meter.decimals, 2))
    return Segment(
        meter=meter, start_us=start_us, end_us=FOREVER, dial_factor=canonical_factor(point, meter), first=first
    )


def _replace(rng: np.random.Generator, segments: list[Segment], at: int) -> None:
    old = segments[-1]
    number = f"{old.meter.meter_no}R"
    new = replace(
        old.meter,
        meter_no=number,
        serial_no=f"{20_260_000 + int(rng.integers(9_000))}{int(rng.integers(1_000)):04d}",
        error=-old.meter.error,
    )
    segments[-1] = replace(old, end_us=at)
    segments.append(replace(old, meter=new, start_us=at, first=round(float(rng.uniform(0.0, 12.0)), new.decimals)))


def _change_ratio(rng: np.random.Generator, segments: list[Segment], at: int) -> None:
    """Other current transformers at the same meter: the dial goes on, each of its units counts more."""
    old = segments[-1]
    ratio = float(rng.choice([1.5, 2.0]))
    new = replace(old.meter, multiplier=old.meter.multiplier * ratio)
    segments[-1] = replace(old, end_us=at)
    # `first` is set when the dial at that instant is known (`build`)
    segments.append(replace(old, meter=new, start_us=at, dial_factor=old.dial_factor * ratio, first=float("nan")))
