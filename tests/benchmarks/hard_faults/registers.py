"""Registers that are read and sent: a dial with its resolution, times with jitter, ways to us of three sorts."""

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.hard_faults.loads import Load, RealRegister

__all__ = ["Register", "Span", "Way", "of_load", "of_real", "runs", "side_by_side"]

Floats = NDArray[np.float64]
Instants = NDArray[np.int64]

_S = 1_000_000
_H = 3600 * _S
_STEPS_AT_PEAK = 1000.0  # a meter behind current transformers counts some hundred steps an hour at its peak
_OUTAGE_EVERY_D = 120.0


class Way(Enum):
    """How readings come to us."""

    PUNCTUAL = "punctual"
    """One by one, within seconds."""
    PACKED = "packed"
    """A gateway sends four hours at once."""
    LOOSE = "loose"
    """One by one, up to ten minutes later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Something that really happened in the data, [start, end]: a gap, an outage of the way, a repeat, a fall."""

    kind: str
    start_us: int
    end_us: int


@dataclass(slots=True, kw_only=True)
class Register:
    """One register's readings in the order of their arrival.

    Attributes
    ----------
    source, name, carrier, unit
        As in `Load`.
    interval_s : int
        [s]
    step : float
        Least step of the dial. [`unit`]
    use : float
        Mean use. [`unit`/h]
    full_scale, max_rate : float
        As the ledger has them; NaN where it does not know. [`unit`, `unit`/h]
    at, received : (n,) int64
        [us since 1970-01-01 UTC]
    value : (n,) float64
        The dial. [`unit`]
    real : list of Span
        What the data themselves hold: told, it is right.
    still : list of Span
        Stretches of a day or more in which a load that never rests says exactly nothing: an outage of the meter or of
        the building, nobody knows. Told, it is neither right nor false; both counts are in the table.
    """

    source: str
    name: str
    carrier: str
    unit: str
    way: Way
    interval_s: int
    step: float
    use: float
    full_scale: float
    max_rate: float
    at: Instants
    received: Instants
    value: Floats
    real: list[Span]
    still: list[Span]

    @property
    def days(self) -> float:
        """From the first reading to the last. [d]"""
        return float(self.at[-1] - self.at[0]) / (24 * _H)


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Half-open stretches in which `mask` holds."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _filled(amount: Floats, per_day: int) -> Floats:
    """Hours the set does not have, as the median of the same time of the day."""
    missing = np.isnan(amount)
    if not missing.any():
        return amount
    out = amount.copy()
    phase = np.arange(len(amount)) % per_day
    for i in range(per_day):
        mine = phase == i
        known = amount[mine & ~missing]
        out[mine & missing] = np.median(known) if len(known) else 0.0
    return out


def _split(amount: Floats, parts: int, rng: np.random.Generator) -> Floats:
    """Each step in `parts`, uneven by chance; what is nothing stays nothing."""
    if parts == 1:
        return amount
    weight = rng.gamma(4.0, size=(len(amount), parts))
    weight /= weight.sum(axis=1, keepdims=True)
    split: Floats = (weight * amount[:, None]).ravel()
    return split


def _arrivals(at: Instants, way: Way, interval_s: int, rng: np.random.Generator) -> tuple[Instants, list[Span]]:
    """When readings arrive, in order; and when the way was out."""
    n = len(at)
    if way is Way.PACKED:
        pack = 4 * _H
        upload = (at // pack + 1) * pack + int(rng.integers(0, 600)) * _S
        return upload + np.arange(n) % 1_000_000, []
    spread = 3.0 if way is Way.PUNCTUAL else min(600.0, interval_s / 2)
    late = rng.exponential(spread, n) if way is Way.PUNCTUAL else rng.uniform(0.0, spread, n)
    received = at + np.rint((2.0 + late) * _S).astype(np.int64)
    outages = []
    for _ in range(rng.poisson((at[-1] - at[0]) / (24 * _H) / _OUTAGE_EVERY_D)):
        begin = int(rng.integers(at[0], at[-1]))
        end = begin + int(rng.uniform(3.0, 12.0) * max(_H, 3 * interval_s * _S))
        held = (received > begin) & (received < end)
        if held.any():
            received[held] = end + np.arange(int(held.sum())) * 1000
            outages.append(Span(kind="silence", start_us=begin - 2 * interval_s * _S, end_us=end + _H))
    return np.maximum.accumulate(received), outages


def of_load(load: Load, interval_s: int, *, seed: tuple[int, ...], days: float = np.inf) -> Register:
    """A register that counts a load, read each `interval_s`.

    Parameters
    ----------
    load : Load
    interval_s : int
        The load's own step or a part of it, or a multiple. [s]
    seed : tuple of int
        Of everything drawn: resolution, start of the dial, what the ledger knows, jitter, way.
    days : float
        At most so many from the start. [d]
    """
    rng = np.random.default_rng(seed)
    take = min(len(load.amount), int(min(days, 1e5) * 86_400 / load.step_s))
    missing = np.isnan(load.amount[:take])
    amount = _filled(load.amount[:take], 86_400 // load.step_s)
    step_s = min(interval_s, load.step_s)
    fine = _split(amount, load.step_s // step_s, rng)
    counted = np.concatenate(([0.0], np.cumsum(fine)))
    every = interval_s // step_s
    index = np.arange(0, len(counted), every)
    per_h = 3600.0 / load.step_s
    peak = float(np.quantile(amount, 0.9999)) * per_h
    rate = float(fine.max()) * 3600.0 / step_s
    step = 10.0 ** np.ceil(np.log10(peak / _STEPS_AT_PEAK)) * (10.0 if rng.random() < 0.2 else 1.0)
    full_scale = 1e8 * step
    dial = np.floor((counted[index] + rng.uniform(0.01, 1.0) * full_scale) / step) * step % full_scale
    value = np.round(dial, max(0, -round(np.log10(step))))
    at = load.start_us + index * step_s * _S
    at = at + np.rint((rng.uniform(0, min(60, interval_s / 4)) + rng.uniform(0, 5, len(at))) * _S).astype(np.int64)
    # a reading at the end of a step that the set does not have was not taken
    kept = np.ones(len(index), bool)
    ends = np.repeat(missing, load.step_s // step_s)
    kept[1:] = ~ends[index[1:] - 1]
    real = [
        Span(kind="gap", start_us=int(at[a - 1]), end_us=int(at[min(b, len(at) - 1)])) for a, b in runs(~kept) if a > 0
    ]
    at, value = at[kept], value[kept]
    way = (Way.PUNCTUAL, Way.PACKED, Way.LOOSE)[int(rng.choice(3, p=[0.7, 0.15, 0.15]))]
    received, outages = _arrivals(at, way, interval_s, rng)
    return Register(
        source=load.source,
        name=load.name,
        carrier=load.carrier,
        unit=load.unit,
        way=way,
        interval_s=interval_s,
        step=step,
        use=float(amount.mean()) * per_h,
        full_scale=full_scale,
        max_rate=rate * float(rng.uniform(1.2, 2.0)) if rng.random() < 0.5 else np.nan,
        at=at,
        received=received,
        value=value,
        real=real + outages,
        still=_still(amount, load),
    )


def _still(amount: Floats, load: Load) -> list[Span]:
    """A day or more of exactly nothing, of a load whose hours in use hardly ever fall below a twentieth of the mean."""
    used = amount[amount > 0.0]
    if np.quantile(used, 0.01) < 0.05 * used.mean():
        return []
    us = load.step_s * _S
    return [
        Span(kind="stuck", start_us=load.start_us + (a - 1) * us, end_us=load.start_us + (b + 1) * us)
        for a, b in runs(amount == 0.0)
        if (b - a) * load.step_s >= 86_400
    ]


def of_real(register: RealRegister, *, interval_s: int, seed: tuple[int, ...], days: float = np.inf) -> Register:
    """A real register as it was told; its gaps, repeats and falls are real.

    A gap is a time between readings of more than one and a half intervals. Where the dial falls, one of two readings is
    wrong: the higher one (a spike) or the lower one (a rollback).
    """
    rng = np.random.default_rng(seed)
    take = register.at <= register.at[0] + min(days, 1e5) * 24 * _H
    at, value = register.at[take], register.value[take]
    span = np.diff(at)
    real = [
        Span(kind=kind, start_us=int(at[i]), end_us=int(at[i + 1]))
        for kind, found in (
            ("gap", span > 1.5 * interval_s * _S),
            ("duplicate", span <= 0),
            ("rollback", np.diff(value) < 0.0),
            ("spike", np.diff(value) < 0.0),
        )
        for i in np.flatnonzero(found).tolist()
    ]
    received = np.maximum.accumulate(at) + np.rint(rng.exponential(3.0, len(at)) * _S).astype(np.int64) + 2 * _S
    return Register(
        source="daiad",
        name=register.name,
        carrier="water",
        unit="L",
        way=Way.PUNCTUAL,
        interval_s=interval_s,
        step=1.0,
        use=float(value[-1] - value[0]) / (float(at[-1] - at[0]) / _H),
        full_scale=np.nan,
        max_rate=np.nan,
        at=at,
        received=np.maximum.accumulate(received),
        value=value,
        real=real,
        still=[],
    )


def side_by_side(register: Register) -> Register:
    """The same, moved by whole weeks to begin in the first week of 2016: all sets go through the steps at once."""
    week = 7 * 24 * _H
    base = 2400 * week  # a Thursday, as 1970-01-01
    move = base - register.at[0] // week * week
    return replace(
        register,
        at=register.at + move,
        received=register.received + move,
        real=[replace(s, start_us=s.start_us + move, end_us=s.end_us + move) for s in register.real],
        still=[replace(s, start_us=s.start_us + move, end_us=s.end_us + move) for s in register.still],
    )
