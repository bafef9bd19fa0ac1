"""Device faults and honest surprises, each a function of a dial, an index and a generator; the truth stays as it is."""

from collections.abc import Callable, Mapping

import numpy as np

from tests.benchmarks.register_faults.worlds import World

__all__ = ["FAULTS", "SURPRISES", "Spoil"]

Spoil = Callable[[World, int, np.random.Generator], bool]
"""Changes a world from about index i on; False where it does not fit."""


def _round(w: World, a: int, b: int) -> None:
    w.value[a:b] = np.round(w.value[a:b], 6)


def _scaled(power: int, length: int | None) -> Spoil:
    def put(w: World, i: int, _: np.random.Generator) -> bool:
        end = len(w.value) if length is None else min(i + length, len(w.value))
        if w.value[i:end].min() < 200 * w.step:
            return False
        w.value[i:end] *= 10.0**power
        _round(w, i, end)
        return True

    return put


def _alternating(w: World, i: int, _: np.random.Generator) -> bool:
    if w.value[i:].min() < 200 * w.step:
        return False
    w.value[i::2] *= 10.0
    _round(w, i, len(w.value))
    return True


def _filled(value: float, length: int) -> Spoil:
    def put(w: World, i: int, _: np.random.Generator) -> bool:
        w.value[i : i + length] = value
        return True

    return put


def _last(w: World, _: int, rng: np.random.Generator) -> bool:
    w.value[-1] = rng.choice([999999.99, 1666666.65, 4294967295.0, w.value[-1] * 10])
    return True


def _bits(length: int, *, words: bool) -> Spoil:
    def put(w: World, i: int, _: np.random.Generator) -> bool:
        counts = np.rint(w.value[i : i + length] / w.step).astype(np.uint64)
        if counts.max() >= 2**32:
            return False
        if words:
            swapped = (counts & 0xFFFF) << np.uint64(16) | counts >> np.uint64(16)
        else:
            swapped = np.array([int(f"{int(c):010d}"[::-1]) for c in counts], np.uint64)
        w.value[i : i + length] = np.round(swapped * w.step, 6)
        return True

    return put


def _chip_reset(w: World, i: int, rng: np.random.Generator) -> bool:
    mean = w.true[-1] / (len(w.true) - 1) * 3600 / w.interval_s
    up = np.round(10 ** rng.uniform(3.5, 6.0) * max(mean, w.peak / 20) / w.step) * w.step
    up = max(up, 100 * w.peak * w.interval_s / 3600)
    if w.value[i:].max() + up >= w.full_scale or np.diff(w.value).min() < 0:
        return False
    w.value[i:] += up
    _round(w, i, len(w.value))
    return True


def _false_level(w: World, i: int, rng: np.random.Generator) -> bool:
    end = min(i + max(12, int(rng.uniform(1, 9) * 86_400 / w.interval_s)), len(w.value) - 6)
    whole = w.value.copy()
    if end <= i or not _chip_reset(w, i, rng):
        return False
    w.value[end:] = whole[end:]
    return True


def _boot(w: World, _: int, rng: np.random.Generator) -> bool:
    w.value[: int(rng.integers(1, 4))] = 0.0
    return True


def _restored(w: World, i: int, rng: np.random.Generator) -> bool:
    end = min(i + int(rng.integers(4, 30)), len(w.value) - 6)
    if end <= i + 3 or w.value[i] < 100 * w.peak:
        return False
    w.value[i:end] = np.round(w.value[i:end] - w.value[i], 6)
    return bool(w.value[i:end].min() >= 0.0)


def _reset(w: World, i: int, _: np.random.Generator) -> bool:
    if w.value[i] < 100 * w.peak or np.diff(w.value).min() < 0:
        return False
    w.value[i:] = np.round(w.value[i:] - w.value[i], 6)
    return True


def _zeros(w: World, i: int, _: np.random.Generator) -> bool:
    w.value[i::3] = 0.0
    return True


FAULTS: Mapping[str, Spoil] = {
    "x10 for good": _scaled(1, None),
    "x1000 for good": _scaled(3, None),
    "/10 for good": _scaled(-1, None),
    "x1000, 30 readings": _scaled(3, 30),
    "x10, 2 readings": _scaled(1, 2),
    "/1000, 5 readings": _scaled(-3, 5),
    "x10, every second": _alternating,
    "999999.99, 4 times": _filled(999999.99, 4),
    "FF as BCD, 4 times": _filled(1666666.65, 4),
    "0x33 undone, 4 times": _filled(1343434.33, 4),
    "0xFFFFFFFF, 2 times": _filled(4294967295.0, 2),
    "negative int32, 3 times": _filled(-1.0, 3),
    "words swapped, 5 readings": _bits(5, words=True),
    "digits reversed, 3 readings": _bits(3, words=False),
    "chip reset, jumps up for good": _chip_reset,
    "false level for days": _false_level,
    "first readings 0": _boot,
    "from zero, then restored": _restored,
    "garbage as last reading": _last,
    "reset for good": _reset,
    "zeros between": _zeros,
}


def _raise_load(w: World, i: int, factor: float, length: int | None) -> None:
    used = np.diff(w.true, prepend=0.0)
    usual = np.median(used[max(1, i - 200) : i]) if i > 1 else 0.0
    end = len(used) if length is None else min(i + length, len(used))
    used[i:end] = np.maximum(used[i:end], 0.0) + factor * max(usual, used[1:i].mean())
    start = w.value[0]
    w.true = np.cumsum(used)
    w.show(float(start))
    w.surprise = i


def _new_line(w: World, i: int, _: np.random.Generator) -> bool:
    _raise_load(w, i, 20.0, None)
    return True


def _test_run(w: World, i: int, rng: np.random.Generator) -> bool:
    _raise_load(w, i, 20.0, int(rng.integers(1, 4)))
    return True


def _season(w: World, i: int, _: np.random.Generator) -> bool:
    used = np.diff(w.true, prepend=0.0)
    used[1:i] *= 0.01
    start = w.value[0]
    w.true = np.cumsum(used)
    w.show(float(start))
    w.surprise = i
    return True


def _shut_down(w: World, i: int, _: np.random.Generator) -> bool:
    used = np.diff(w.true, prepend=0.0)
    end = min(i + max(3, 14 * 86_400 // w.interval_s), len(used) - 6)
    if end <= i:
        return False
    used[i:end] = 0.0
    start = w.value[0]
    w.true = np.cumsum(used)
    w.show(float(start))
    w.surprise = end
    return True


def _gap(w: World, i: int, rng: np.random.Generator) -> bool:
    end = min(i + int(rng.integers(5, 200)), len(w.value) - 6)
    if end <= i:
        return False
    for name in ("at", "true", "value"):
        column = getattr(w, name)
        setattr(w, name, np.concatenate((column[:i], column[end:])))
    w.surprise = i
    return True


SURPRISES: Mapping[str, Spoil] = {
    "none": lambda _w, _i, _rng: True,
    "new line, 20 times as much": _new_line,
    "test run, 1 to 3 readings at 20 times": _test_run,
    "seasonal start": _season,
    "holiday shut-down": _shut_down,
    "catch-up after a gap": _gap,
}
