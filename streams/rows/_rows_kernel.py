"""Compiled filling of rows: numpy takes one pass over both arrays for each column."""

from typing import Any

from numpy.typing import NDArray

from analytics.compiled import compiled

__all__ = ["fill"]


@compiled
def fill(out: NDArray[Any], rows: NDArray[Any], register_id: NDArray[Any]) -> None:
    """Write what is stored of readings.

    Parameters
    ----------
    out : (n,) READING_ROW
    rows : (n,) READING
    register_id : (n,) int32
    """
    for i in range(rows.size):
        one, stored = rows[i], out[i]
        stored.measured_at = one.measured_at
        stored.received_at = one.received_at
        stored.value = one.value
        stored.register_id = register_id[i]
        stored.quality = one.quality
        stored.unit = one.unit
