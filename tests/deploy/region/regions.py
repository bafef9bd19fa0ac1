"""Regions that several tests look at, built once."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from deploy.region import Region, build_region

__all__ = ["clean_month", "month", "rows_of"]


@cache
def month() -> Region:
    return build_region()


@cache
def clean_month() -> Region:
    return build_region(with_faults=False)


def rows_of(region: Region, meter_no: str) -> NDArray[np.intp]:
    """Accepted readings of a meter, in the order they are sent."""
    readings = region.readings
    return np.flatnonzero((readings.meter == region.meter_nos.index(meter_no)) & (readings.expected == 0))
