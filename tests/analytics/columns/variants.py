"""Registers that are spoilt in the ways devices spoil them, drawn afresh from a seed: sizes, steps, intervals, dials.

Each comes with what was used, so an answer is judged by the truth: an hour of quality 0 must have it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.columns.register import NEVER, last_of_each_hour
from analytics.domain.quality import DetectionKind, HourFlag
from tests.registers import DAY, DAY_US, HOUR_US, follow, installations

__all__ = ["VARIANTS", "Variant", "faults_of"]

Floats = NDArray[np.float64]
Draw = np.random.Generator
_FILLS = (
    999_999.99, 99_999.9, 9_999_999.0, 99_999_999.0, 999_999_999.0, 1_666_666.65, 1_555_555.54, 16_666.65, 343_434.33,
    1_343_434.33, 65_535.0, 6_553.5, 16_777_215.0, 4_294_967_295.0, 42_949_672.95, 4_294_967.295, 2_147_483_647.0,
    21_474_836.47, -1.0, -0.01, -2_147_483_648.0, -21_474_836.48,
)  # fmt: skip
_PLAIN = {DetectionKind.GAP, DetectionKind.SILENCE, DetectionKind.INTERVAL, DetectionKind.ROLLOVER}


@dataclass(slots=True, kw_only=True)
class Variant:
    """One register.

    Attributes
    ----------
    at : (n,) int64
        [us since 1970 UTC]
    used : (n,) float64
        What had been used by then. [dial]
    value : (n,) float64
        What it says. [dial]
    step : float
        Least step. [dial]
    facts : mapping
        Its ledger, as in `tests.registers.installations`.
    told : set
        Kinds of which one must be reported; empty for a sound register, of which nothing may be.
    not_told : set
        Kinds that must not be reported.
    lasts : bool or None
        Whether what is told must be open at the end, or must have ended.
    counted : (float, float)
        Least and most of what was used that must be counted. [share]
    """

    at: NDArray[np.int64]
    used: Floats
    value: Floats
    step: float
    facts: dict[str, Any]
    told: set[DetectionKind] = field(default_factory=set)
    not_told: set[DetectionKind] = field(default_factory=set)
    lasts: bool | None = None
    counted: tuple[float, float] = (0.0, 1.0)


def sound(rng: Draw, *, n: int | None = None, age: float | None = None, turns: bool = False) -> Variant:
    """A register that is right, of any size, step, interval, rhythm of the day and ledger."""
    n = n or int(rng.integers(60, 160))
    interval = int(rng.choice([900, 1800, 3600, 3600, 86_400]))
    at = DAY * DAY_US + np.arange(n, dtype=np.int64) * interval * 1_000_000
    rate = 10.0 ** rng.uniform(-1.5, 3.0)
    shape = rng.uniform(0.3, 1.7, n)
    if rng.random() < 0.3 and interval < 86_400:  # still at night
        shape[(at // HOUR_US) % 24 < 6] = 0.0
    step = 10.0 ** np.round(np.log10(rate * interval / 3600 / rng.choice([1.0, 10.0, 100.0, 1000.0])))
    used = np.cumsum(np.rint(shape * rate * interval / 3600 / step)) * step
    used -= used[0]
    old = 10.0 ** rng.uniform(1.5, 4.0) if age is None else age
    start = np.rint(old * rate * interval / 3600 / step) * step
    full = 10.0 ** np.ceil(np.log10(start + used[-1] + step))
    if turns:
        full = 10.0 ** max(np.ceil(np.log10(8 * np.diff(used).max())), np.ceil(np.log10(used[-1] / 3)))
        start = full - np.rint(rng.uniform(0.2, 0.9) * min(used[-1], full) / step) * step
    facts: dict[str, Any] = {"interval_min": interval / 60, "full_scale": np.nan, "max_rate": np.nan}
    if turns or rng.random() < 0.4:
        facts["full_scale"] = full
    if rng.random() < 0.3:
        facts["max_rate"] = float(np.diff(used).max() / (interval / 3600) * rng.choice([1.2, 3.0, 10.0]))
    places = max(0, -round(np.log10(step)))
    value = np.round((start + used) % full if turns else start + used, places)
    return Variant(at=at, used=used, value=value, step=step, facts=facts)


def _place(v: Variant, rng: Draw, after: int = 8) -> int:
    return int(rng.integers(12, len(v.at) - after))


def _scaled(rng: Draw) -> Variant:
    v = sound(rng)
    n = int(rng.choice([-3, -2, -1, 1, 2, 3, 4]))
    i = _place(v, rng, 12)
    length = rng.choice([1, 2, 5, 10, 0])
    end = len(v.at) if length == 0 else min(i + int(length), len(v.at) - 4)
    v.value[i:end] = np.round(v.value[i:end] * 10.0**n, 6)
    v.told, v.lasts = set(DetectionKind), bool(length == 0)
    v.not_told = {DetectionKind.RESET, DetectionKind.UNDECLARED_REPLACEMENT, DetectionKind.ROLLOVER}
    if length != 0:
        v.counted = (0.9999, 1.0001)
    return v


def _filled(rng: Draw) -> Variant:
    v = sound(rng)
    i, fill = _place(v, rng), float(rng.choice(_FILLS))
    near = np.abs(v.value - fill).min() < 100 * np.diff(v.used).max()
    v.value[i : i + int(rng.integers(1, 7))] = -9_999.0 if near else fill
    v.told, v.lasts, v.counted = set(DetectionKind), False, (0.9999, 1.0001)
    v.not_told = {DetectionKind.RESET, DetectionKind.UNDECLARED_REPLACEMENT, DetectionKind.ROLLOVER}
    return v


def _swapped(rng: Draw) -> Variant:
    v = sound(rng)
    i, m = _place(v, rng), int(rng.integers(1, 7))
    places = max(0, -round(np.log10(v.step)))
    how = rng.choice(["words", "bytes", "bcd"])
    for j in range(i, i + m):
        count = int(np.rint(v.value[j] / v.step)) % 2**32
        if how == "words":
            count = (count & 0xFFFF) << 16 | count >> 16
        elif how == "bytes":
            count = int.from_bytes(count.to_bytes(4, "big"), "little")
        else:
            pairs = f"{count % 10**8:08d}"
            count = int(pairs[6:] + pairs[4:6] + pairs[2:4] + pairs[:2])
        v.value[j] = round(count * v.step, places)
    v.not_told = {DetectionKind.RESET, DetectionKind.UNDECLARED_REPLACEMENT}
    v.counted = (0.99, 1.01)
    v.told = set(DetectionKind) if np.abs(v.value[i] - v.value[i - 1]) > 200 * np.diff(v.used).max() else v.told
    if not v.told:
        v.not_told, v.counted = set(), (0.0, 10.0)
    return v


def _jumps_up(rng: Draw) -> Variant:
    v = sound(rng)
    i = _place(v, rng, 26)
    v.value[i:] += np.rint(10.0 ** rng.uniform(3.6, 6.0) * np.diff(v.used).max() / v.step) * v.step
    v.facts["full_scale"] = np.nan
    v.value = np.round(v.value, 6)
    v.told, v.counted = set(DetectionKind), (0.9, 1.001)
    v.not_told = {DetectionKind.RESET, DetectionKind.UNDECLARED_REPLACEMENT, DetectionKind.ROLLOVER}
    return v


def _false_level(rng: Draw) -> Variant:
    v = sound(rng, n=160)
    i = _place(v, rng, 60)
    end = i + int(rng.integers(30, 50))
    v.value[i:end] += np.rint(10.0 ** rng.uniform(3.6, 6.0) * np.diff(v.used).max() / v.step) * v.step
    v.facts["full_scale"] = np.nan
    v.value = np.round(v.value, 6)
    v.told, v.counted, v.lasts = set(DetectionKind), (0.9999, 1.0001), False
    return v


def _boots_at_zero(rng: Draw) -> Variant:
    v = sound(rng, age=float(10.0 ** rng.uniform(2.5, 4.0)))
    v.facts["max_rate"] = np.nan
    m = int(rng.integers(1, 5))
    v.value[:m] = 0.0
    v.told, v.counted = set(DetectionKind), (1 - 1.05 * v.used[m + 1] / v.used[-1], 1.0001)
    return v


def _restored(rng: Draw) -> Variant:
    v = sound(rng, age=float(10.0 ** rng.uniform(2.7, 4.0)))
    i = _place(v, rng, 26)
    end = i + int(rng.integers(4, 20))
    v.value[i:end] = np.round(v.used[i:end] - v.used[i], 6)
    v.told, v.counted, v.lasts, v.not_told = set(DetectionKind), (0.5, 1.0001), False, {DetectionKind.ROLLOVER}
    return v


def _bad_last(rng: Draw) -> Variant:
    v = sound(rng)
    v.value[-1] = float(rng.choice([*_FILLS, v.value[-1] * 10, v.value[-1] * 1000]))
    v.counted = (1 - 1.05 * (v.used[-1] - v.used[-2]) / v.used[-1], 1.0001)
    if np.abs(v.value[-1] - v.value[-2]) < 100 * np.diff(v.used).max():
        v.value[-1] = -1.0
    return v


def _from_zero(rng: Draw) -> Variant:
    v = sound(rng, age=float(10.0 ** rng.uniform(2.7, 4.0)))
    i = _place(v, rng, 12)
    v.facts["full_scale"] *= 10.0  # near its end it might as well have turned
    first = np.rint(rng.uniform(0.0, 1.0) * np.diff(v.used).mean() / v.step) * v.step
    v.value[i:] = np.round(v.used[i:] - v.used[i] + first, 6)
    v.told = {DetectionKind.RESET, DetectionKind.UNDECLARED_REPLACEMENT}
    v.not_told, v.counted, v.lasts = {DetectionKind.ROLLOVER, DetectionKind.ZERO_DIP}, (0.9, 1.02), False
    return v


def _zeros(rng: Draw) -> Variant:
    v = sound(rng, age=float(10.0 ** rng.uniform(2.5, 4.0)))
    v.value[_place(v, rng) :: int(rng.integers(2, 6))] = 0.0
    v.value[-1] = v.value[-1] or v.value[-2] + v.used[-1] - v.used[-2]
    v.told, v.counted = {DetectionKind.ZERO_DIP}, (0.9999, 1.0001)
    v.not_told = {DetectionKind.RESET, DetectionKind.UNDECLARED_REPLACEMENT, DetectionKind.ROLLOVER}
    return v


def _sound(rng: Draw) -> Variant:
    v = sound(rng)
    v.not_told, v.counted = set(DetectionKind) - _PLAIN, (0.999999, 1.000001)
    return v


def _turning(rng: Draw) -> Variant:
    v = sound(rng, turns=True)
    v.facts["max_rate"] = np.nan
    v.not_told, v.counted = set(DetectionKind) - _PLAIN, (0.999999, 1.000001)
    return v


def _round_start(rng: Draw) -> Variant:
    """A first reading of exactly 10**5 to 10**9 is no sentinel."""
    v = sound(rng)
    v.facts["full_scale"] = v.facts["max_rate"] = np.nan
    v.value = np.round(10.0 ** rng.integers(5, 10) + v.used, 6)
    if float(np.spacing(np.float32(v.value[0]))) > v.step * 1e3:
        return _sound(rng)
    v.not_told, v.counted = set(DetectionKind) - _PLAIN, (0.999999, 1.000001)
    return v


def _new_load(rng: Draw) -> Variant:
    """A line is added that draws as much as ten to fifty such."""
    v = sound(rng, n=120)
    i = 60
    more = np.rint(rng.uniform(10, 50) * np.diff(v.used).mean() / v.step) * v.step
    added = np.concatenate((np.zeros(i), np.cumsum(np.full(len(v.at) - i, more))))
    v.facts["full_scale"] = np.nan
    if not np.isnan(v.facts["max_rate"]):
        v.facts["max_rate"] *= 60
    v.used, v.value = v.used + added, np.round(v.value + added, 6)
    v.not_told, v.counted = set(DetectionKind) - _PLAIN, (0.999999, 1.000001)
    return v


def _gap(v: Variant, i: int, m: int) -> None:
    """Leave out m readings from i on."""
    for name in ("at", "used", "value"):
        column = getattr(v, name)
        setattr(v, name, np.concatenate((column[:i], column[i + m :])))


def _gone_for_long(rng: Draw) -> Variant:
    """Nothing for up to sixty readings, then the register goes on."""
    v = sound(rng, n=160)
    _gap(v, _place(v, rng, 80), int(rng.integers(2, 60)))
    v.not_told, v.counted = set(DetectionKind) - _PLAIN, (0.999999, 1.000001)
    return v


def _filled_after_gap(rng: Draw) -> Variant:
    v = sound(rng, n=160)
    i = _place(v, rng, 80)
    _gap(v, i, int(rng.integers(2, 60)))
    m, fill = int(rng.integers(1, 5)), float(rng.choice(_FILLS))
    near = -1.0 < fill - v.value[i] < 100 * np.diff(v.used).max()
    v.value[i : i + m] = -1.0 if near else fill
    v.told, v.lasts, v.counted = set(DetectionKind), False, (0.9999, 1.0001)
    v.not_told = {DetectionKind.RESET, DetectionKind.UNDECLARED_REPLACEMENT, DetectionKind.ROLLOVER}
    return v


def _scaled_after_gap(rng: Draw) -> Variant:
    v = sound(rng, n=160, age=float(10.0 ** rng.uniform(2.5, 4.0)))
    i = _place(v, rng, 80)
    m = int(rng.integers(2, 40))
    if v.value[i] < 40 * m * np.diff(v.used).max():  # it might have grown as much
        return _scaled(rng)
    _gap(v, i, m)
    v.value[i:] = np.round(v.value[i:] * 10.0 ** int(rng.choice([-3, -1, 1, 3])), 6)
    v.told, v.lasts = set(DetectionKind), True
    v.not_told = {DetectionKind.RESET, DetectionKind.UNDECLARED_REPLACEMENT, DetectionKind.ROLLOVER}
    return v


def _turned_while_scaled(rng: Draw) -> Variant:
    v = sound(rng, n=160, turns=True)
    v.facts["max_rate"] = np.nan
    turn = int(np.flatnonzero(np.diff(v.value) < 0)[0]) if (np.diff(v.value) < 0).any() else 80
    i = max(turn - int(rng.integers(2, 30)), 30)
    if turn < 40 or v.value[i:].min() < 20 * v.step:
        return _scaled(rng)
    v.value[i:] = np.round(v.value[i:] * 10.0 ** int(rng.choice([-1, 1, 2])), 6)
    v.told, v.lasts, v.not_told = set(DetectionKind), True, {DetectionKind.ROLLOVER, DetectionKind.RESET}
    if np.diff(v.used).max() > 0.1 * float(v.facts["full_scale"]):
        v.told, v.lasts = set(DetectionKind), None
    return v


def _stands_then_goes_on(rng: Draw) -> Variant:
    """Holidays: the load is off for up to sixty readings, then as before."""
    v = sound(rng, n=160)
    i, m = _place(v, rng, 80), int(rng.integers(5, 60))
    used = np.diff(v.used, prepend=0.0)
    used[i : i + m] = 0.0
    start = v.value[0]
    v.used = np.cumsum(used)
    v.value = np.round(start + v.used, 6)
    v.not_told, v.counted = set(DetectionKind) - _PLAIN, (0.999999, 1.000001)
    return v


def _season(rng: Draw) -> Variant:
    """Stands by at a hundredth of the load, then starts."""
    v = sound(rng, n=160)
    used = np.diff(v.used, prepend=0.0)
    i = _place(v, rng, 60)
    used[1:i] = np.rint(used[1:i] / 100 / v.step) * v.step
    start = v.value[0]
    v.used = np.cumsum(used)
    v.value = np.round(start + v.used, 6)
    v.not_told, v.counted = set(DetectionKind) - _PLAIN, (0.999999, 1.000001)
    return v


def _every_second_scaled(rng: Draw) -> Variant:
    """Every second reading is ten times too high, through a turn of the dial or from a low one on."""
    v = sound(rng, n=160, turns=bool(rng.random() < 0.7), age=float(10.0 ** rng.uniform(1.0, 3.0)))
    i = _place(v, rng, 60)
    undeclared = i > 40 and rng.random() < 0.5
    if undeclared:
        v.facts["full_scale"] = np.nan
    seen = 9.0 * v.value > 4.0 * np.diff(v.used).max()  # just after a turn ten times as much is an ordinary rise
    seen[:i] = seen[i + 1 :: 2] = False
    v.value[seen] = np.round(v.value[seen] * 10.0, 6)
    v.value[-1] = v.value[-2] if len(v.value[i:]) % 2 else v.value[-1]
    v.used[-1] = v.used[-2] if len(v.value[i:]) % 2 else v.used[-1]
    v.told, v.counted = set(DetectionKind), (0.0, 10.0) if undeclared else (0.9, 1.1)
    return v


def _boots_with_a_declared_rate(rng: Draw) -> Variant:
    """Zeros, then a total of few digits that stands still for a while, as a home's meter at night."""
    v = sound(rng, n=160, age=float(10.0 ** rng.uniform(1.6, 2.2)))
    v.facts["full_scale"] = 10.0 * float(v.facts["full_scale"])
    v.facts["max_rate"] = float(np.diff(v.used).max() / (v.facts["interval_min"] / 60) * 1.5)
    still = int(rng.integers(2, 60))
    v.used = np.concatenate((np.zeros(still), v.used[: len(v.used) - still]))
    start = v.value[0]
    v.value = np.round(start + v.used, 6)
    v.value[: int(rng.integers(1, 3))] = 0.0
    v.told, v.counted = set(), (0.9, 1e6)  # counted or not, it must not claim to be measured
    return v


def _new_load_through_a_turn(rng: Draw) -> Variant:
    """A line is added that draws fifty times as much, and the dial turns before that is believed."""
    v = sound(rng, n=120, turns=True)
    used = np.diff(v.used, prepend=0.0)
    full, i = float(v.facts["full_scale"]), 60
    more = np.rint(50.0 * used[1:i].mean() / v.step) * v.step
    used[i:] += min(more, np.rint(full / 100.0 / v.step) * v.step)
    before = float(np.cumsum(used)[i - 1])
    v.used = np.cumsum(used)
    start = full - before - np.rint(rng.uniform(0.2, 2.8) * used[i] / v.step) * v.step
    v.value = np.round((start + v.used) % full, max(0, -round(np.log10(v.step))))
    v.facts["max_rate"] = np.nan
    v.counted = (0.5, 1.001)
    return v


VARIANTS: Mapping[str, Callable[[Draw], Variant]] = {
    "x10^n": _scaled,
    "filled": _filled,
    "swapped": _swapped,
    "jumps up": _jumps_up,
    "false level": _false_level,
    "boots at 0": _boots_at_zero,
    "restored": _restored,
    "bad last reading": _bad_last,
    "from zero": _from_zero,
    "zeros between": _zeros,
    "filled after a gap": _filled_after_gap,
    "x10^n after a gap": _scaled_after_gap,
    "x10^n through a turn": _turned_while_scaled,
    "x10 every second": _every_second_scaled,
    "boots at 0, rate declared": _boots_with_a_declared_rate,
    "sound, new load through a turn": _new_load_through_a_turn,
    "sound": _sound,
    "sound, gone for long": _gone_for_long,
    "sound, holidays": _stands_then_goes_on,
    "sound, season": _season,
    "sound, turning": _turning,
    "sound, starts at 10^n": _round_start,
    "sound, new load": _new_load,
}


def faults_of(v: Variant) -> list[str]:
    """Reasons why the core is wrong about it; none where it is right."""
    state, parts = follow(installations([v.facts]), v.at, v.value)
    hours = last_of_each_hour(np.concatenate([part.hours for part in parts]))
    events = {(int(e["kind"]), int(e["started"])): e for part in parts for e in part.events}.values()
    return [*_wrong_hours(v, hours, state), *_wrong_words(v, list(events))]


def _wrong_hours(v: Variant, hours: NDArray[Any], state: NDArray[Any]) -> list[str]:
    edges = np.concatenate((hours["hour"], hours["hour"] + 1)) * HOUR_US
    at = np.interp(np.clip(edges, v.at[0], v.at[-1]), v.at, v.used)
    true = at[len(hours) :] - at[: len(hours)]
    off = np.abs(hours["amount"] / 1e6 - true)
    silent = (hours["flags"] & ~int(HourFlag.ROLLOVER)) == 0
    silent &= (hours["estimated"] == 0) & (hours["covered"] == HOUR_US) & (off > 2.1 * v.step + 2e-6)
    found = []
    if silent.any():
        j = int(np.flatnonzero(silent)[0])
        found.append(f"{int(silent.sum())} hours silently wrong, one by {off[j]:g} of {true[j]:g}")
    counted = (float(hours["amount"].sum()) + float(state["amount"][0])) / 1e6
    low, high = v.counted[0] * v.used[-1], v.counted[1] * v.used[-1]
    if not low - 3.1 * v.step <= counted <= high + 3.1 * v.step:
        found.append(f"counted {counted:g}, not {low:g} to {high:g}")
    return found


def _wrong_words(v: Variant, events: list[Any]) -> list[str]:
    kinds = {DetectionKind(int(e["kind"])) for e in events if int(e["kind"]) < 100}
    found = []
    if v.told and not kinds & v.told:
        found.append(f"not told (but {sorted(k.name for k in kinds)})")
    if kinds & v.not_told:
        found.append(f"told {sorted(k.name for k in kinds & v.not_told)}")
    if v.lasts is not None:
        lasting = [e for e in events if e["ended"] == NEVER]
        if bool(lasting) != v.lasts:
            found.append(f"open at the end: {bool(lasting)}")
    return found
