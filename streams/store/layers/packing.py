"""Readings packed into runs: what a run holds comes back bit by bit, in a tenth of the room.

Times and scaled values are kept as a line (base, step) and small whole deviations from it; see the migration of table
`reading_history`. All is done for all runs at once; a loop goes only over the few shapes that rows have.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streams.rows.layout import Int64s, Readings
from streams.store.postgres.copy import HEADER, PG_EPOCH_US, TRAILER

__all__ = ["COPY_IN", "PERIOD_US", "RUN_LIMIT", "pack"]

Mask = NDArray[np.bool_]

RUN_LIMIT: Final = 240
"""Readings of one run at most: four hours of minutes, two and a half days of quarter-hours."""

PERIOD_US: Final = 86_400_000_000
"""A run never reaches across a UTC day. [us]"""

COPY_IN: Final = """
copy reading_history (start, received_from, stored_at, measured_step, received_step, value_base, value_step, divisor,
                      day, register_id, measured_scale, received_scale, readings, quality, unit,
                      measured2, measured4, received2, received4, value2, value4, value8, qualities, units)
from stdin (format binary)
"""

_SCALES: Final = (1_000_000, 1_000, 1)  # of deviations of times [us]
_DIGITS: Final = 7  # up to six decimals
_EXACT: Final = 2**53
_PG_EPOCH_DAY: Final = 10_957
_OID: Final = {2: 21, 4: 23, 8: 701}  # int2, int4, float8
_WIRE: Final = {2: ">i2", 4: ">i4", 8: ">f8"}
_UNKNOWN: Final = int(np.iinfo(np.int64).min)


@dataclass(frozen=True, slots=True)
class _Line:
    """Whole numbers of runs as lines; `width` is the bytes of a deviation, 0 where all are 0, 8 where none will do."""

    base: Int64s
    step: Int64s
    scale: Int64s
    deviation: Int64s  # of each reading
    width: Int64s


def pack(rows: Readings, stored_at: Int64s) -> bytes:
    """Runs of readings as a COPY stream for `COPY_IN`.

    Parameters
    ----------
    rows : (n,) READING_ROW
        Sorted by register and time, no two alike in both.
    stored_at : (n,) int64
        When each was stored, the smallest int64 where nobody knows. [us since 1970-01-01 UTC]
    """
    if not len(rows):
        return HEADER + TRAILER
    start = _runs(rows)
    measured, received, start = _times(rows, start)
    return b"".join((HEADER, *_groups(rows, stored_at, start, measured, received), TRAILER))


def _runs(rows: Readings) -> Int64s:
    """Where runs begin: at another register, another day, and after `RUN_LIMIT` readings."""
    day = rows["measured_at"] // PERIOD_US
    fresh = np.ones(len(rows), np.bool_)
    fresh[1:] = (rows["register_id"][1:] != rows["register_id"][:-1]) | (day[1:] != day[:-1])
    start = np.flatnonzero(fresh)
    place = np.arange(len(rows)) - np.repeat(start, _counts(start, len(rows)))
    return np.flatnonzero(place % RUN_LIMIT == 0)


def _counts(start: Int64s, total: int) -> Int64s:
    return np.diff(np.append(start, total))


def _times(rows: Readings, start: Int64s) -> tuple[_Line, _Line, Int64s]:
    """Lines of both clocks; runs whose deviations are too large are halved until they are not."""
    while True:
        measured = _line(rows["measured_at"], start, _SCALES)
        received = _line(rows["received_at"], start, _SCALES)
        broken = np.flatnonzero((measured.width == 8) | (received.width == 8))
        if not len(broken):
            return measured, received, start
        middle = start[broken] + _counts(start, len(rows))[broken] // 2
        start = np.sort(np.concatenate([start, middle]))


def _line(numbers: Int64s, start: Int64s, scales: tuple[int, ...]) -> _Line:
    count = _counts(start, len(numbers))
    base = numbers[start]
    risen = numbers - np.repeat(base, count)
    scale = np.ones(len(start), np.int64)
    for candidate in reversed(scales[:-1]):
        scale[np.logical_and.reduceat(risen % candidate == 0, start)] = candidate
    last = risen[start + count - 1]
    step = last // np.maximum(count - 1, 1) // scale * scale
    place = np.arange(len(numbers)) - np.repeat(start, count)
    deviation: Int64s = np.floor_divide(risen - np.repeat(step, count) * place, np.repeat(scale, count), dtype=np.int64)
    low, high = np.minimum.reduceat(deviation, start), np.maximum.reduceat(deviation, start)
    width = np.full(len(start), 8, np.int64)
    for bits in (4, 2):
        info = np.iinfo(f"i{bits}")
        width[(low >= info.min) & (high <= info.max)] = bits
    width[(low == 0) & (high == 0)] = 0
    width[np.maximum.reduceat(np.abs(risen), start) >= _EXACT] = 8  # the database multiplies intervals as float8
    return _Line(base, step, scale, deviation, width)


def _scaled(values: NDArray[np.float64], start: Int64s) -> tuple[Int64s, NDArray[np.float64]]:
    """Values times a run's power of ten where that makes all of it whole and exact; 0 and divisor 0 where none does."""
    count = _counts(start, len(values))
    whole = np.zeros(len(values), np.int64)
    divisor = np.zeros(len(start), np.float64)
    bits = values.view(np.int64)
    for digits in range(_DIGITS):
        power = 10.0**digits
        with np.errstate(over="ignore"):  # a value too large for this is too large to be exact
            numbers = np.rint(values * power)
        exact = ((numbers / power).view(np.int64) == bits) & (np.abs(numbers) < _EXACT) & ((numbers != 0) | (bits == 0))
        found = np.logical_and.reduceat(exact, start) & (divisor == 0)
        divisor[found] = power
        of_run = np.repeat(found, count)
        whole[of_run] = numbers[of_run].astype(np.int64)
        if divisor.all():
            break
    return whole, divisor


def _groups(rows: Readings, stored_at: Int64s, start: Int64s, measured: _Line, received: _Line) -> list[bytes]:
    count = _counts(start, len(rows))
    values = np.ascontiguousarray(rows["value"])
    whole, divisor = _scaled(values, start)
    value = _line(whole, start, (1,))
    value_width = np.where(divisor == 0, 8, value.width)
    mixed_quality = _mixed(rows["quality"], start)
    mixed_unit = _mixed(rows["unit"], start)
    shapes = np.stack([count, measured.width, received.width, value_width, mixed_quality, mixed_unit], axis=1)
    kinds, member = np.unique(shapes, axis=0, return_inverse=True)
    stored = np.maximum.reduceat(stored_at, start)
    fixed: dict[str, tuple[str, NDArray[Any]]] = {
        "start": (">i8", measured.base - PG_EPOCH_US),
        "received_from": (">i8", received.base - PG_EPOCH_US),
        "stored_at": (">i8", np.where(stored == _UNKNOWN, _UNKNOWN, stored - PG_EPOCH_US)),
        "measured_step": (">i8", measured.step),
        "received_step": (">i8", received.step),
        "value_base": (">i8", value.base),
        "value_step": (">i8", value.step),
        "divisor": (">f8", np.where(value_width == 8, 1.0, divisor)),
        "day": (">i4", measured.base // PERIOD_US - _PG_EPOCH_DAY),
        "register_id": (">i4", rows["register_id"][start]),
        "measured_scale": (">i4", measured.scale),
        "received_scale": (">i4", received.scale),
        "readings": (">i2", count),
        "quality": (">i2", rows["quality"][start]),
        "unit": (">i2", rows["unit"][start]),
    }
    packed = []
    for kind, (length, measured_width, received_width, width, qualities, units) in enumerate(kinds.tolist()):
        runs = np.flatnonzero(member.ravel() == kind)
        arrays = (
            (2, measured.deviation if measured_width == 2 else None),
            (4, measured.deviation if measured_width == 4 else None),
            (2, received.deviation if received_width == 2 else None),
            (4, received.deviation if received_width == 4 else None),
            (2, value.deviation if width == 2 else None),
            (4, value.deviation if width == 4 else None),
            (8, values if width == 8 else None),
            (2, rows["quality"] if qualities else None),
            (2, rows["unit"] if units else None),
        )
        packed.append(_group(runs, start[runs], length, fixed, arrays))
    return packed


def _mixed(column: NDArray[Any], start: Int64s) -> Mask:
    mixed: Mask = np.minimum.reduceat(column, start) != np.maximum.reduceat(column, start)
    return mixed


def _group(
    runs: Int64s,
    start: Int64s,
    length: int,
    fixed: dict[str, tuple[str, NDArray[Any]]],
    arrays: tuple[tuple[int, NDArray[Any] | None], ...],
) -> bytes:
    """Rows of one shape: the same readings a run and the same arrays."""
    fields: list[tuple[Any, ...]] = [("fields", ">i2")]
    for name, (wire, _) in fixed.items():
        fields += [(f"{name}#", ">i4"), (name, wire)]
    for i, (width, column) in enumerate(arrays):
        fields.append((f"{i}#", ">i4"))
        if column is not None:
            element = np.dtype([("length", ">i4"), ("value", _WIRE[width])])
            fields += [(f"{i}head", ">i4", (5,)), (f"{i}body", element, (length,))]
    out = np.zeros(len(runs), np.dtype(fields))
    out["fields"] = len(fixed) + len(arrays)
    for name, (_, column) in fixed.items():
        out[f"{name}#"] = out.dtype[name].itemsize
        out[name] = column[runs]
    places = start[:, np.newaxis] + np.arange(length)
    for i, (width, column) in enumerate(arrays):
        if column is None:
            out[f"{i}#"] = -1
            continue
        out[f"{i}#"] = 20 + length * (4 + width)
        out[f"{i}head"] = (1, 0, _OID[width], length, 1)
        out[f"{i}body"]["length"] = width
        out[f"{i}body"]["value"] = column[places]
    return out.tobytes()
