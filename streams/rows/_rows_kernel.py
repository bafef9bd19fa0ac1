"""Compiled moves between columns and rows: numpy takes a pass over both arrays for each column."""

from typing import Any

from numpy.typing import NDArray

from analytics.compiled import compiled

__all__ = ["apart", "fill", "gather"]


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


@compiled
def gather(out: NDArray[Any], number: NDArray[Any], count: NDArray[Any], columns: Any, meters: Any, units: Any) -> None:
    """Write the readings of some blocks, one below the other.

    Parameters
    ----------
    out : (n,) READING
    number, count : (b,) int32, int64
        Which block each is, and how many readings it has.
    columns : named tuple of (n,) arrays
        `measured_at`, `received_at`, `value`, `quality`, and `meter` and `unit` as numbered by the block.
    meters : named tuple
        `meter` and `register` of the ledger, by the number in the block, of all blocks one below the other, and
        `start`, (b,) int64, where each block's begin.
    units : named tuple
        `code` and `start` likewise.
    """
    at = 0
    for i in range(number.size):
        for row in range(count[i]):
            one, named = out[at], meters.start[i] + columns.meter[at]
            one.measured_at = columns.measured_at[at]
            one.received_at = columns.received_at[at]
            one.value = columns.value[at]
            one.quality = columns.quality[at]
            one.meter = meters.meter[named]
            one.register = meters.register[named]
            one.unit = units.code[units.start[i] + columns.unit[at]]
            one.block = number[i]
            one.row = row
            at += 1


@compiled
def apart(rows: NDArray[Any], point_of: NDArray[Any], columns: Any) -> None:
    """Write columns of readings, each by itself.

    Parameters
    ----------
    rows : (n,) READING
    point_of : (m,) int32
        Point of each installation.
    columns : named tuple of (n,) arrays
        `point`, `installation`, `at_us`, `value` (the dial) and `received_us`.
    """
    for i in range(rows.size):
        one = rows[i]
        columns.point[i] = point_of[one.installation]
        columns.installation[i] = one.installation
        columns.at_us[i] = one.measured_at
        columns.value[i] = one.dial
        columns.received_us[i] = one.received_at
