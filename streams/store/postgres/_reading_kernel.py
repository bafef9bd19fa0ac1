"""Compiled packing of readings for COPY: each row of the table as its bytes on the wire, in one pass."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.compiled import compiled, compiled_plain

__all__ = ["pack"]

_INFINITE = np.iinfo(np.int64).max
_SECOND_BYTES = np.uint64(0x00FF00FF00FF00FF)
_SECOND_PAIRS = np.uint64(0x0000FFFF0000FFFF)
_8, _16, _32, _48 = np.uint64(8), np.uint64(16), np.uint64(32), np.uint64(48)


@compiled_plain
def _turned(value: Any) -> Any:
    """The eight bytes of a whole number, the highest first."""
    value = ((value >> _8) & _SECOND_BYTES) | ((value & _SECOND_BYTES) << _8)
    value = ((value >> _16) & _SECOND_PAIRS) | ((value & _SECOND_PAIRS) << _16)
    return (value >> _32) | (value << _32)


@compiled_plain
def _instant(us: Any, epoch: int) -> Any:
    """An instant in PostgreSQL's epoch, turned; the infinite ones, which both sides write alike, stay."""
    if us in (_INFINITE, -_INFINITE - 1):
        return _turned(np.uint64(us))
    return _turned(np.uint64(us - epoch))


@compiled
def pack(rows: NDArray[Any], epoch: int, out: NDArray[Any]) -> None:
    """Write the values of readings into rows of the wire, whose bytes between them are there already.

    Parameters
    ----------
    rows : (n,) READING_ROW
        With `value` as its bits.
    epoch : int
        That of PostgreSQL. [us since 1970-01-01 UTC]
    out : (n,) with the same fields
        Each as an unsigned whole number.
    """
    for i in range(rows.size):
        one, wire = rows[i], out[i]
        wire.measured_at = _instant(one.measured_at, epoch)
        wire.received_at = _instant(one.received_at, epoch)
        wire.value = _turned(one.value)
        wire.register_id = np.uint32(_turned(np.uint64(one.register_id)) >> _32)
        wire.quality = np.uint16(_turned(np.uint64(one.quality)) >> _48)
        wire.unit = np.uint16(_turned(np.uint64(one.unit)) >> _48)
