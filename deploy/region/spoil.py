"""Application of faults to a point's readings: rows missing, repeated, or with other values."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analytics.domain.instants import US_PER_HOUR, US_PER_SECOND
from analytics.domain.quality import DetectionKind
from deploy.region.faults import Planned
from deploy.region.model import Meter

__all__ = ["Rows", "magnitude_of", "spoil"]

Floats = NDArray[np.float64]
_K = DetectionKind


@dataclass(frozen=True, slots=True)
class Rows:
    """Readings of one point in the order they are received.

    Attributes
    ----------
    measured_at, received_at : (n,) int64
        [us since 1970-01-01 UTC]
    value : (n,) float64
        [stated unit]
    segment : (n,) int64
        Which of the point's segments it came from.
    """

    measured_at: NDArray[np.int64]
    received_at: NDArray[np.int64]
    value: Floats
    segment: NDArray[np.int64]

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> "Rows":
        """Some of the rows, in that order."""
        return Rows(self.measured_at[rows], self.received_at[rows], self.value[rows], self.segment[rows])


def spoil(planned: Planned, rows: Rows, meter: Meter, hourly: float) -> Rows:
    """`rows` as they are with the fault.

    Parameters
    ----------
    planned : Planned
        The fault.
    rows : Rows
        Of the fault's point, sound so far.
    meter : Meter
        Which says them.
    hourly : float
        Mean rise of the dial in an hour. [stated unit]
    """
    inside = (rows.measured_at >= planned.start_us) & (rows.measured_at < planned.end_us)
    if planned.kind in {_K.GAP, _K.SILENCE}:
        return rows.take(~inside)
    if planned.kind is _K.DUPLICATE:
        return _repeated(planned, rows, inside)
    if planned.kind is _K.CLOCK:
        shift = int(planned.size) * US_PER_SECOND
        return replace(rows, measured_at=np.where(inside, rows.measured_at + shift, rows.measured_at))
    said = _said(planned, rows.value[inside], meter, hourly)
    if said is None:
        return rows
    value = rows.value.copy()
    value[inside] = said
    return replace(rows, value=value)


def _repeated(planned: Planned, rows: Rows, inside: NDArray[np.bool_]) -> Rows:
    again = rows.take(inside)
    delay = int(planned.size * US_PER_HOUR) if planned.size else 2 * US_PER_SECOND
    if planned.size:  # sent again in one go
        again = replace(again, received_at=np.full(len(again.value), rows.received_at[inside].max() + delay))
    else:
        again = replace(again, received_at=again.received_at + delay)
    both = [
        np.concatenate(pair)
        for pair in zip(
            (rows.measured_at, rows.received_at, rows.value, rows.segment),
            (again.measured_at, again.received_at, again.value, again.segment),
            strict=True,
        )
    ]
    joined = Rows(*both)
    return joined.take(np.argsort(joined.received_at, kind="stable"))


def _said(planned: Planned, value: Floats, meter: Meter, hourly: float) -> Floats | None:
    """What stands in place of the values inside the fault, None where they stay."""
    scale = 10.0**meter.decimals
    if planned.kind is _K.SPIKE:
        return np.floor((value + planned.size * hourly) * scale) / scale
    if planned.kind is _K.ZERO_DIP:
        return np.zeros_like(value)
    if planned.kind is _K.SENTINEL:
        return np.full_like(value, planned.size)
    if planned.kind is _K.SCALE:
        return np.rint(value * planned.size * scale) / scale
    if planned.kind is _K.STUCK and planned.size:
        return np.full_like(value, value[0]) if len(value) else value
    return None


def magnitude_of(planned: Planned, missing: int, hourly: float) -> float:
    """What the fault's truth says of its size.

    Parameters
    ----------
    planned : Planned
        The fault.
    missing : int
        Rows that lie inside it: missing, repeated or wrong.
    hourly : float
        Mean rise of the dial in an hour. [stated unit]
    """
    if planned.kind in {_K.GAP, _K.SILENCE, _K.DUPLICATE, _K.STUCK, _K.ZERO_DIP}:
        return float(missing)
    if planned.kind in {_K.SPIKE, _K.ROLLBACK}:
        return abs(planned.size) * hourly
    return planned.size
