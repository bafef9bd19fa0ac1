"""Properties of a single dial value: its resolution, whether it is an error value, a factor of 10ⁿ to another."""

import numpy as np

from analytics.compiled import compiled_plain

__all__ = ["FILLS", "SENTINELS", "is_filled", "is_sentinel", "micro_of", "resolution", "scale_of"]


def _fills() -> set[float]:
    """Frames of one byte repeated, read as BCD of 6 to 12 digits: FF, EE … and what DL/T 645's 0x33 makes of them."""
    fills = set()
    for byte in (0x99, 0x33, 0xAA, 0xBB, 0xCC, 0xCD, 0xDD, 0xEE, 0xFF):
        pair = 10 * (byte >> 4) + (byte & 15)
        for n in range(3, 7):
            whole = pair * sum(100**i for i in range(n))
            fills |= {float(whole) / 10**decimals for decimals in range(5)}
    return fills


SENTINELS = np.array(
    sorted(
        {float(bits) / 10**decimals for bits in (0xFFFF, 0xFFFFFF, 0x7FFFFFFF, 0xFFFFFFFF) for decimals in range(4)}
        | {float(nines) / 10**decimals for nines in (99_999_999, 999_999_999) for decimals in range(4)}
    )
)
"""What devices send when they have no value: all bits set in 16, 24, 31 and 32 bits, at the usual decimals, and the
same in BCD. No first reading is one of these; of later ones, only a value that does not fit the register."""

FILLS = np.array(
    sorted(
        _fills()
        | {float(10**digits - 1) / 10**decimals for digits in range(4, 13) for decimals in range(5)}
        | {
            float(bits) / 10**decimals
            for bits in (
                0x7FFF, 0x8000, 0x7FFFFF, 0x800000, 0x80000000, 2**31 + 1, 2**48 - 1, 2**53, 2**63, 2**64, 0xFFFFFFFE,
                0xFFFE, 0x7FFFFFFE,
            )
            for decimals in range(5)
        }
    )
)  # fmt: skip
"""Further error values, accepted if the register rises to them: all nines, sign bits, repeated bytes."""

_MAX_SCALE = 6
DIGITS = 50.0  # steps that a value must have to be held against another to the accuracy of its step


@compiled_plain
def micro_of(value, factor):
    """A dial value in whole millionths of the canonical unit."""
    return np.rint(value * (factor * 1e6))


@compiled_plain
def resolution(v):
    """Resolution of the dial, from the decimals of the value; not below that of a float32. [dial]"""
    step = 0.001
    if v == np.floor(v):
        step = 1.0
    elif v * 10.0 == np.floor(v * 10.0):
        step = 0.1
    elif v * 100.0 == np.floor(v * 100.0):
        step = 0.01
    if v > 0.0:
        step = max(step, 2.0 ** (np.floor(np.log2(v)) - 22.0))
    return step


@compiled_plain
def scale_of(v0, v1, reach):
    """Exponent n for which v1 * 10**n lies between v0 and v0 + `reach` [dial], or 0."""
    if v0 <= 0.0 or v1 <= 0.0:
        return 0
    decades = np.rint(np.log10(v0) - np.log10(v1))
    if decades == 0.0 or abs(decades) > _MAX_SCALE:
        return 0
    n = int(decades)
    w = v1 * 10.0**n
    step = resolution(v0)
    if v1 >= DIGITS * resolution(v1):
        step = max(step, resolution(v1) * 10.0**n)
    if w < v0 - step or w > v0 + reach + step:
        return 0
    return n


@compiled_plain
def _is_one_of(v, known):
    at = np.searchsorted(known, v)
    for i in range(max(at - 1, 0), min(at + 1, known.size)):
        if v == known[i]:
            return True
        # equal as float32; but 99999999 becomes 10**8 then, which a register may well show
        if np.float32(v) == np.float32(known[i]) and v != 1000.0 * np.floor(v / 1000.0):
            return True
    return False


@compiled_plain
def is_sentinel(v):
    return v < 0.0 or _is_one_of(v, SENTINELS)


@compiled_plain
def is_filled(v):
    """Whether it may be an error value; a register may also reach it by counting."""
    return is_sentinel(v) or _is_one_of(v, FILLS)
