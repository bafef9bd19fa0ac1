"""True flows of the simulation: quarter hours at every metering point; a parent is the sum of its children."""

import datetime as dt
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analytics.domain.instants import US_PER_HOUR
from deploy.region.loads import Loads, quarters
from deploy.region.model import Point
from deploy.region.plan import children_of

__all__ = ["local_hours", "local_offset_us", "true_flows"]

Floats = NDArray[np.float64]

_QUARTERS = 4
_WITHIN_HOUR = 0.06  # standard deviation of what is random inside an hour
_HEATING = frozenset({"natural_gas", "steam", "hot_water"})


def local_offset_us(at_us: int, zone: ZoneInfo) -> int:
    """Local time minus UTC at an instant. [us]"""
    offset = dt.datetime.fromtimestamp(at_us / 1e6, zone).utcoffset() or dt.timedelta()
    return offset // dt.timedelta(microseconds=1)


def local_hours(start_us: int, hours: int, zone: ZoneInfo) -> NDArray[np.int64]:
    """Hours on the wall clock, since 1970-01-01 00:00 local time, of successive hours from `start_us` on.

    The zone's offset at the start is kept: a region's shape need not jump with summer time.
    """
    return (start_us + local_offset_us(start_us, zone)) // US_PER_HOUR + np.arange(hours)


def true_flows(
    points: Sequence[Point], loads: Loads, *, seed: int, start_us: int, quarters_n: int, zone: ZoneInfo
) -> Floats:
    """What flows at each point in each quarter hour.

    A parent is the sum of its children, what it uses past them, and losses; no hour exceeds the rated flow. More
    quarters begin with fewer, and a point does not depend on the points of other units.

    Parameters
    ----------
    points : sequence of Point
        Parents before children.
    loads : Loads
        What the shapes are made of.
    seed : int
        Of the region.
    start_us : int
        A full hour. [us since 1970-01-01 UTC]
    quarters_n : int
        How many quarter hours.
    zone : ZoneInfo
        Where people work by day and rest on Sundays.

    Returns
    -------
    (points, quarters_n) float64
        Amounts per quarter hour. [each point's amount_unit]
    """
    hours = -(-quarters_n // _QUARTERS) + 1  # one more, since an hour's course follows the next one
    wall = local_hours(start_us, hours, zone)
    flow = np.zeros((len(points), quarters_n))
    for point, children in children_of(tuple(points)):
        below = flow[children].sum(axis=0) if children else np.zeros(quarters_n)
        if point.own_rated:
            below += _own(point, loads, seed, wall)[:quarters_n]
        flow[point.index] = below
        if children:
            flow[point.index] += point.loss.of(below * _QUARTERS) / _QUARTERS
    return flow


def _own(point: Point, loads: Loads, seed: int, wall: NDArray[np.int64]) -> Floats:
    """What a point uses past its children, per quarter hour."""
    rng = np.random.default_rng([seed, *point.stream, 2])
    if point.name == "屋顶光伏":
        shape = _sun(rng, wall)
    else:
        kind = "gas" if point.carrier in _HEATING and point.base < 0.5 else "electricity"
        mix = loads.mix(rng, wall, kind=kind, parts=int(rng.integers(2, 7)))
        shape = point.load * (point.base + (1.0 - point.base) * mix)
    noise = np.random.default_rng([seed, *point.stream, 3]).normal(0.0, _WITHIN_HOUR, _QUARTERS * len(wall))
    return quarters(np.minimum(shape, 1.0) * point.own_rated, np.clip(noise, -0.15, 0.15))


def _sun(rng: np.random.Generator, wall: NDArray[np.int64]) -> Floats:
    """Share of the rated power that panels give: day by day more or less cloud."""
    height = np.sin(np.pi * ((wall % 24) + 0.5 - 6.0) / 12.0)
    day = (wall - wall[0]) // 24
    cloud = rng.uniform(0.25, 0.95, int(day[-1]) + 1)[day]
    shape: Floats = np.clip(height, 0.0, None) * cloud
    return shape
