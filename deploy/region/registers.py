"""From what flowed to what the dials show: segments of counting, resolution, rollover, and the times of reading."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.domain.instants import US_PER_SECOND
from deploy.region.meters import stated_factor
from deploy.region.model import US_PER_QUARTER, Meter, Segment

__all__ = ["Counter", "dial_shown", "fleet_registers", "reading_times"]

Floats = NDArray[np.float64]
Instants = NDArray[np.int64]


def reading_times(
    meter: Meter, seed: tuple[int, ...], *, start_us: int, quarters_n: int, day_shift_us: int
) -> Instants:
    """When a meter is read: at its interval, some seconds after the full quarter, never quite the same.

    Parameters
    ----------
    meter : Meter
        Gives interval, offset and jitter.
    seed : tuple of int
        For the jitter.
    start_us, quarters_n : int
        The span; a reading stands at both its ends where the interval divides it. [us since 1970-01-01 UTC, 1]
    day_shift_us : int
        Local time minus UTC: daily readings are taken at local midnight. [us]

    Returns
    -------
    (n,) int64
        Rising. [us since 1970-01-01 UTC]
    """
    step = meter.interval_s * US_PER_SECOND
    first = -(-(start_us + day_shift_us) // step) * step - day_shift_us
    nominal = np.arange(first, start_us + quarters_n * US_PER_QUARTER + 1, step)
    jitter = np.random.default_rng(seed).integers(0, meter.jitter_s + 1, len(nominal))
    return nominal + (meter.offset_s + jitter) * US_PER_SECOND


def dial_shown(meter: Meter, dial: Floats) -> Floats:
    """What the register says: cut to its digits, wrapped at its full scale.

    Parameters
    ----------
    meter : Meter
        Gives decimals, full scale, single precision.
    dial : (n,) float64
        What was counted, without limits. [register unit]

    Returns
    -------
    (n,) float64
        [stated unit]
    """
    factor = stated_factor(meter)
    stated = dial * factor
    if meter.float32:
        return stated.astype(np.float32).astype(np.float64)
    scale = 10.0**meter.decimals
    steps = np.floor(stated * scale + 1e-6)
    if not np.isnan(meter.full_scale):
        steps %= np.rint(meter.full_scale * factor * scale)
    return steps / scale


@dataclass(frozen=True, slots=True)
class Counter:
    """What all registers at one point have counted by any instant.

    Attributes
    ----------
    edges : (q + 1,) int64
        Quarter hours. [us since 1970-01-01 UTC]
    counted : (q + 1,) float64
        What was counted from the region's start to each edge: truth, times what faulty gain made of it.
        [canonical unit]
    """

    edges: Instants
    counted: Floats

    @classmethod
    def of(cls, flow: Floats, gain: Floats | None, start_us: int) -> "Counter":
        """Counter of quarter-hour amounts, each times `gain` where there is one."""
        edges = start_us + US_PER_QUARTER * np.arange(len(flow) + 1)
        counted = np.concatenate(([0.0], np.cumsum(flow if gain is None else flow * gain)))
        return cls(edges, counted)

    def at(self, instant: Instants) -> Floats:
        """Counted by `instant`; past the last edge it goes on as in the last quarter hour."""
        inside = np.interp(instant, self.edges, self.counted)
        beyond = np.maximum(instant - self.edges[-1], 0) / US_PER_QUARTER
        last: Floats = inside + beyond * (self.counted[-1] - self.counted[-2])
        return last

    def dial(self, segment: Segment, instant: Instants) -> Floats:
        """What a segment's register would show without limits. [register unit]"""
        begun = self.at(np.array([segment.start_us]))[0]
        share = (1.0 + segment.meter.error) / segment.dial_factor
        dial: Floats = segment.first + (self.at(instant) - begun) * share
        return dial

    def read(self, segments: Sequence[Segment], instant: Instants) -> tuple[Floats, NDArray[np.int64]]:
        """Shown values at `instant` [stated unit], and which of a point's segments said each."""
        which = np.searchsorted([s.start_us for s in segments], instant, side="right") - 1
        which = np.maximum(which, 0)
        value = np.empty(len(instant))
        for index, segment in enumerate(segments):
            mine = which == index
            value[mine] = dial_shown(segment.meter, self.dial(segment, instant[mine]))
        return value, which


def fleet_registers(seed: int, meters: int, readings: int, *, mean_step: float = 0.25, decimals: int = 2) -> Floats:
    """Registers of a made-up fleet, for benchmarks: cheap, plausible, and without any sample installed.

    Each meter has a level of its own and a daily course over 96 readings, with noise; registers only rise.

    Parameters
    ----------
    seed : int
        Same seed, same registers.
    meters, readings : int
        Size of the fleet, and readings of each meter.
    mean_step : float
        Mean rise between two readings. [dial]
    decimals : int
        Digits behind the point.

    Returns
    -------
    (meters, readings) float64
        [dial]

    Examples
    --------
    >>> registers = fleet_registers(7, meters=3, readings=200)
    >>> registers.shape, bool((np.diff(registers) >= 0).all())
    ((3, 200), True)
    """
    rng = np.random.default_rng(seed)
    level = rng.gamma(2.0, 0.5, (meters, 1)) * mean_step
    phase = rng.uniform(0.0, 2.0 * np.pi, (meters, 1))
    day = 1.0 + 0.5 * np.sin(2.0 * np.pi * np.arange(readings) / 96.0 + phase)
    step = level * day * rng.uniform(0.7, 1.3, (meters, readings))
    register = rng.uniform(0.0, 5e5, (meters, 1)) + np.cumsum(step, axis=1)
    shown: Floats = np.floor(register * 10.0**decimals) / 10.0**decimals
    return shown
