"""Results of a pipeline on a region, as arrays indexed by the region's meters, points and units."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.domain.quality import DetectionKind, RejectReason

__all__ = ["FOUND_HOUR", "FOUND_READING", "FOUND_TOTAL", "Detected", "Outcome"]

FOUND_READING = np.dtype([("meter", "<i4"), ("measured_at", "<i8"), ("value", "<f8")])
"""A stored reading: index into `Region.meter_nos`, us since 1970-01-01 UTC, dial as stated."""

FOUND_HOUR = np.dtype(
    [
        ("point", "<i4"),
        ("hour", "<i8"),
        ("micro", "<i8"),
        ("completeness", "<f4"),
        ("measured", "<f4"),
        ("quality", "<i2"),
    ]
)
"""An hour of a point: index into `Region.points`, hours since 1970-01-01 UTC, millionths of its unit of amounts."""

FOUND_TOTAL = np.dtype(
    [("unit", "<i4"), ("series", "<i4"), ("hour", "<i8"), ("micro", "<i8"), ("completeness", "<f4"), ("tce", "<f8")]
)
"""An hour of a unit's total: index into `Region.units` and `Outcome.series`; tce is NaN where no factor applies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detected:
    """Something the pipeline noticed at a point."""

    kind: DetectionKind
    point: int
    started_us: int
    ended_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything that is compared with the truth.

    Attributes
    ----------
    readings : (n,) FOUND_READING
        Stored readings, in any order.
    rejected : mapping of RejectReason to int
        Readings refused.
    hours : (h,) FOUND_HOUR
    series : tuple of (str, str)
        Carrier and unit of amounts of the totals.
    totals : (k,) FOUND_TOTAL
        Of the units themselves, not of their sub-units or equipment.
    detections : tuple of Detected
    """

    readings: NDArray[Any]
    rejected: Mapping[RejectReason, int]
    hours: NDArray[Any]
    series: tuple[tuple[str, str], ...]
    totals: NDArray[Any]
    detections: tuple[Detected, ...]
