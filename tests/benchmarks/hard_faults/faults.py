"""Faults put into registers, by seed, with the truth kept: what, where, from when to when, and how big."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analytics.domain.quality import DetectionKind
from tests.benchmarks.hard_faults.registers import Register, Way

__all__ = ["RECIPES", "Fault", "Recipe", "silences", "spoil"]

_S = 1_000_000
_H = 3600 * _S
_D = 24 * _H
_K = DetectionKind
_SENTINELS = (4_294_967.295, 4_294_967_295.0, 2_147_483_647.0, 99_999_999.9, -1.0)

LEARNING_DAYS = 60.0
"""No fault begins earlier: habits have to be learnt."""
APART_DAYS = 30.0
"""From one fault of a register to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What was put in.

    Attributes
    ----------
    register : int
        Index of the register.
    kind : DetectionKind
    note : str
        The recipe.
    start_us, end_us : int
        First and last faulty reading's time as a sound clock would have said it; of a stuck dial the reading before
        the first move that is missing; of a gap the readings around it. [us since 1970-01-01 UTC]
    size : float
        What the detection's magnitude should be; NaN where it says nothing exact.
    """

    register: int
    kind: DetectionKind
    note: str
    start_us: int
    end_us: int
    size: float


Columns = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]
Spoil = Callable[[Register, int, int, np.random.Generator], tuple[Columns, float] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A way in which a kind of fault shows.

    `hours` is the shortest and longest length, 0 for readings that `spoil` counts itself; `weight` how often.
    """

    kind: DetectionKind
    note: str
    hours: tuple[float, float]
    spoil: Spoil
    weight: int = 1


def _columns(r: Register) -> Columns:
    return r.at.copy(), r.received.copy(), r.value.copy()


def _gap(r: Register, a: int, b: int, _: np.random.Generator) -> tuple[Columns, float]:
    at, received, value = r.at, r.received, r.value
    kept = np.ones(len(at), bool)
    kept[a + 1 : b] = False
    return (at[kept], received[kept], value[kept]), float(at[b] - at[a]) / _H


def _jam(r: Register, a: int, b: int, _: np.random.Generator) -> tuple[Columns, float]:
    at, received, value = _columns(r)
    value[b:] -= value[b - 1] - value[a]
    value[a:b] = value[a]
    return (at, received, np.round(value, 6)), np.nan


def _repeat(r: Register, a: int, b: int, _: np.random.Generator) -> tuple[Columns, float]:
    at, received, value = _columns(r)
    value[a:b] = value[a]
    return (at, received, value), np.nan


def _spike(r: Register, a: int, b: int, rng: np.random.Generator) -> tuple[Columns, float]:
    at, received, value = _columns(r)
    up = np.round(r.use * rng.uniform(200, 2000) / r.step) * r.step + 100 * r.step
    value[a:b] = np.round(value[a:b] + up, 6)
    return (at, received, value), up


def _fall(r: Register, a: int, down: float) -> tuple[Columns, float] | None:
    at, received, value = _columns(r)
    if down < 10 * r.step or value[a:].min() < down:  # a dial cannot fall below zero
        return None
    value[a:] = np.round(value[a:] - down, 6)
    return (at, received, value), -down


def _rollback(r: Register, a: int, _: int, rng: np.random.Generator) -> tuple[Columns, float] | None:
    return _fall(r, a, np.ceil(r.use * rng.uniform(6, 20) / r.step) * r.step)


def _reset(r: Register, a: int, _: int, __: np.random.Generator) -> tuple[Columns, float] | None:
    return _fall(r, a, float(r.value[a])) if r.value[a] > 200 * r.use else None


def _lower(r: Register, a: int, _: int, rng: np.random.Generator) -> tuple[Columns, float] | None:
    keep = np.round(r.value[a] * rng.uniform(0.2, 0.7) / r.step) * r.step
    return _fall(r, a, float(r.value[a] - keep)) if r.value[a] > 2000 * r.use else None


def _higher(r: Register, a: int, _: int, rng: np.random.Generator) -> tuple[Columns, float] | None:
    at, received, value = _columns(r)
    up = np.round(rng.uniform(0.1, 0.3) * 1e8) * r.step
    if value[-1] + up >= (r.full_scale if np.isfinite(r.full_scale) else np.inf):
        return None
    value[a:] = np.round(value[a:] + up, 6)
    return (at, received, value), up


def _constant(choose: Callable[[np.random.Generator], float]) -> Spoil:
    def put(r: Register, a: int, b: int, rng: np.random.Generator) -> tuple[Columns, float]:
        at, received, value = _columns(r)
        said = choose(rng)
        before = value[a - 1]
        value[a:b] = said
        return (at, received, value), said - before

    return put


def _scaled(power: int) -> Spoil:
    def put(r: Register, a: int, b: int, _: np.random.Generator) -> tuple[Columns, float] | None:
        at, received, value = _columns(r)
        if value[a:b].min() * min(1.0, 10.0**power) < 50 * r.step:
            return None
        value[a:b] = np.round(value[a:b] * 10.0**power, 6)
        return (at, received, value), float(power)

    return put


def _shifted(seconds: float, *, per_day: bool = False) -> Spoil:
    def put(r: Register, a: int, b: int, _: np.random.Generator) -> tuple[Columns, float] | None:
        if r.way is not Way.PUNCTUAL:  # of the others nobody can know when they were read
            return None
        at, received, value = _columns(r)
        span = at[a:b] - at[a]
        at[a:b] += (np.rint(span / _D * seconds * _S) if per_day else np.full(b - a, seconds * _S)).astype(np.int64)
        return (at, received, value), np.nan if per_day else seconds

    return put


def _twice(r: Register, a: int, b: int, _: np.random.Generator) -> tuple[Columns, float]:
    again = np.arange(a, b)
    return _insert(r, again, r.received[a:b] + 2 * _S), float(len(again))


def _resent(r: Register, a: int, b: int, _: np.random.Generator) -> tuple[Columns, float]:
    return _insert(r, np.arange(a, b), np.full(b - a, r.received[b - 1] + 5 * _S)), float(b - a)


def _insert(r: Register, again: NDArray[np.int64], received: NDArray[np.int64]) -> Columns:
    at = np.concatenate((r.at, r.at[again]))
    value = np.concatenate((r.value, r.value[again]))
    all_received = np.concatenate((r.received, received))
    order = np.argsort(all_received, kind="stable")
    return at[order], all_received[order], value[order]


RECIPES: tuple[Recipe, ...] = (
    Recipe(kind=_K.GAP, note="gap of 3-48 h", hours=(3, 48), spoil=_gap, weight=4),
    Recipe(kind=_K.STUCK, note="dial jammed, use lost", hours=(36, 96), spoil=_jam, weight=4),
    Recipe(kind=_K.STUCK, note="gateway repeats a value", hours=(36, 96), spoil=_repeat, weight=2),
    Recipe(kind=_K.SPIKE, note="one reading too high", hours=(0, 1), spoil=_spike),
    Recipe(kind=_K.SPIKE, note="two readings too high", hours=(0, 2), spoil=_spike),
    Recipe(kind=_K.ROLLBACK, note="falls back by 6-20 h of use", hours=(0, 1), spoil=_rollback, weight=4),
    Recipe(kind=_K.RESET, note="starts again at zero", hours=(0, 1), spoil=_reset, weight=2),
    Recipe(kind=_K.ZERO_DIP, note="1-3 readings of zero", hours=(0, 3), spoil=_constant(lambda _: 0.0), weight=2),
    Recipe(
        kind=_K.SENTINEL,
        note="1-3 times a sentinel",
        hours=(0, 3),
        spoil=_constant(lambda rng: float(rng.choice(_SENTINELS))),
        weight=2,
    ),
    Recipe(kind=_K.SCALE, note="x1000", hours=(3, 30), spoil=_scaled(3), weight=4),
    Recipe(kind=_K.SCALE, note="x10", hours=(3, 30), spoil=_scaled(1)),
    Recipe(kind=_K.SCALE, note="/10", hours=(3, 30), spoil=_scaled(-1)),
    Recipe(kind=_K.SCALE, note="/1000", hours=(3, 30), spoil=_scaled(-3)),
    Recipe(kind=_K.CLOCK, note="47 min slow", hours=(36, 60), spoil=_shifted(-47 * 60)),
    Recipe(kind=_K.CLOCK, note="47 min fast", hours=(36, 60), spoil=_shifted(47 * 60)),
    Recipe(kind=_K.CLOCK, note="7 min fast", hours=(36, 60), spoil=_shifted(7 * 60)),
    Recipe(kind=_K.CLOCK, note="loses 12 s a day", hours=(24 * 22, 24 * 24), spoil=_shifted(-12, per_day=True)),
    Recipe(kind=_K.DUPLICATE, note="each reading twice", hours=(6, 12), spoil=_twice),
    Recipe(kind=_K.DUPLICATE, note="a stretch sent again", hours=(6, 12), spoil=_resent),
    Recipe(kind=_K.UNDECLARED_REPLACEMENT, note="another dial, lower", hours=(0, 1), spoil=_lower),
    Recipe(kind=_K.JUMP, note="another dial, higher", hours=(0, 1), spoil=_higher),
)


def spoil(registers: Sequence[Register], *, seed: int) -> tuple[list[Register], list[Fault]]:
    """Put a fault into every register each `APART_DAYS`, after `LEARNING_DAYS`; the kinds come in turn.

    Where a recipe does not fit a register (a clock nobody can check, a dial too low to fall) the next one is tried.
    """
    out, faults = [], []
    deck: list[Recipe] = []
    rng = np.random.default_rng(seed)
    for index, register in enumerate(registers):
        spoilt = replace(register)
        begin = float(register.at[0]) + LEARNING_DAYS * _D
        while begin + APART_DAYS * _D < register.at[-1]:
            if len(deck) < 20:
                more = [recipe for recipe in RECIPES for _ in range(recipe.weight)]
                deck += [more[i] for i in rng.permutation(len(more)).tolist()]
            start = begin + rng.uniform(0.0, 4.0) * _D
            for place, recipe in enumerate(deck):
                fault = _put(spoilt, index, recipe, int(start), rng)
                if fault is not None:
                    faults.append(fault)
                    deck.pop(place)
                    break
            begin += APART_DAYS * _D
        out.append(spoilt)
    return out, faults


def _put(r: Register, index: int, recipe: Recipe, start_us: int, rng: np.random.Generator) -> Fault | None:
    """Spoil `r` in place from about `start_us`; None where it cannot be."""
    a = int(np.searchsorted(r.at, start_us))
    interval = r.interval_s * _S
    if recipe.kind is _K.STUCK:  # from the first move that goes missing
        moves = np.flatnonzero(np.diff(r.value[a : a + 10 * int(_D // interval)]) > 0)
        if not len(moves):
            return None
        a += int(moves[0])
    length = rng.uniform(*recipe.hours)
    b = a + max(1, int(np.ceil(length))) if recipe.hours[0] == 0 else a + max(3, round(length * _H / interval))
    around = r.at[a - 4 : min(b + 8, len(r.at))]
    sound = a > 4 and b + 8 < len(r.at) and np.diff(around).max() < 1.4 * interval and np.diff(around).min() > 0
    disturbed = any(s.start_us < around[-1] + _D and s.end_us > around[0] - _D for s in (*r.real, *r.still))
    wraps = sound and np.diff(r.value[a - 4 : b + 8]).min() < 0
    if not sound or wraps or (disturbed and r.source != "daiad"):
        return None
    made = recipe.spoil(r, a, b, rng)
    if made is None:
        return None
    (r.at, r.received, r.value), size = made[0], made[1]
    last = int(around[-8])
    end = last if recipe.kind in {_K.GAP, _K.STUCK} else int(around[-9])
    return Fault(
        register=index, kind=recipe.kind, note=recipe.note, start_us=int(around[4]), end_us=end, size=float(size)
    )


def silences(registers: Sequence[Register], faults: Sequence[Fault]) -> list[Fault]:
    """Gaps as the clock on the wall sees them: a silence from their last reading on, of ways that bring each at once.

    Of packed readings nobody can say in time that one is missing; for readings closer together than an hour our clock
    is not looked at often enough (`run`).
    """
    return [
        replace(fault, kind=_K.SILENCE, note="nothing comes for 3-48 h", size=(fault.end_us - fault.start_us) / _H)
        for fault in faults
        if fault.kind is _K.GAP
        and registers[fault.register].way is not Way.PACKED
        and registers[fault.register].interval_s >= 3600
    ]
