"""Readings of many units in one sequence of columns, parted into one block a unit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ingest.wire.block import Block, MeterList
from ingest.wire.block_format import MAX_UNITS

__all__ = ["Columns", "grouped", "parted"]

Rows = NDArray[np.intp]
Longs = NDArray[np.int64]


@dataclass(slots=True)
class Columns:
    """Readings of any units, in order; the first three columns are indices into lists of texts."""

    unit_code: Longs
    meter: Longs
    unit: Longs
    measured_at: NDArray[np.int64]
    value: NDArray[np.float64]
    received_at: NDArray[np.int64]
    quality: NDArray[np.int16]
    message: NDArray[np.int32]
    position: NDArray[np.int32]

    @classmethod
    def joined(cls, parts: Sequence["Columns"]) -> "Columns":
        """Columns of one part after the other."""
        if len(parts) == 1:
            return parts[0]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__))

    def take(self, rows: "Rows | NDArray[np.bool_]") -> "Columns":
        """Some of the rows."""
        return Columns(*(getattr(self, name)[rows] for name in self.__slots__))


def grouped(columns: Columns, unit_codes: Sequence[str], names: Sequence[str], units: Sequence[str]) -> list[Block]:
    """Blocks of the units, where `columns.meter` is an index into names that all units share."""
    # the meters of all units at once: pairs of unit and name, sorted by unit, then by first mention
    pairs, index = _ranked(columns.unit_code * len(names) + columns.meter, len(unit_codes) * len(names))
    of_unit, name = np.divmod(pairs, max(len(names), 1))
    first = np.searchsorted(of_unit, np.arange(len(unit_codes) + 1))
    pair_names = [names[i] for i in name.tolist()]
    columns = replace(columns, meter=index - first[columns.unit_code])
    return parted(columns, unit_codes, lambda unit: MeterList.of(pair_names[first[unit] : first[unit + 1]]), units)


def _ranked(number: Longs, below: int) -> tuple[Longs, Longs]:
    """Distinct numbers, sorted, and which of these each one is."""
    if below > 8 * len(number) + 65536:
        return np.unique(number, return_inverse=True)
    seen = np.zeros(below, np.bool_)
    seen[number] = True
    rank = np.cumsum(seen, dtype=np.int64) - 1
    return np.flatnonzero(seen), rank[number]


def parted(
    columns: Columns, unit_codes: Sequence[str], meters: Callable[[int], MeterList], units: Sequence[str]
) -> list[Block]:
    """Blocks of the units, in the order of their first readings; inside each the order of the readings is kept.

    `columns.meter` is an index into the `meters` of its unit.
    """
    if not len(columns.value):
        return []
    if (columns.unit_code != columns.unit_code[0]).any():
        # a radix sort for 16 bits
        narrow = columns.unit_code.astype(np.uint16) if len(unit_codes) <= 65536 else columns.unit_code
        columns = columns.take(np.argsort(narrow, kind="stable"))
    meter = columns.meter.astype(np.int32)
    edges = [0, *(np.flatnonzero(np.diff(columns.unit_code)) + 1).tolist(), len(columns.value)]
    blocks: list[Block] = []
    for low, high in pairwise(edges):
        unit = int(columns.unit_code[low])
        blocks += _of_one_unit(unit_codes[unit], meters(unit), columns, meter, slice(low, high), units)
    blocks.sort(key=lambda block: (int(block.message[0]), int(block.position[0])))
    return blocks


def _of_one_unit(
    unit_code: str, meters: MeterList, columns: Columns, meter: NDArray[np.int32], rows: slice, units: Sequence[str]
) -> list[Block]:
    """One block, or several where more units are stated than one can hold."""
    unit: NDArray[np.integer] = columns.unit[rows]
    if len(units) > MAX_UNITS:
        stated, unit = np.unique(unit, return_inverse=True)
        if len(stated) > MAX_UNITS:
            middle = (rows.start + rows.stop) // 2
            return [
                block
                for half in (slice(rows.start, middle), slice(middle, rows.stop))
                for block in _of_one_unit(unit_code, meters, columns, meter, half, units)
            ]
        units = [units[i] for i in stated.tolist()]
    return [
        Block(
            unit_code,
            meters,
            meter[rows],
            columns.measured_at[rows],
            columns.value[rows],
            tuple(units),
            unit.astype(np.uint8),
            columns.received_at[rows],
            columns.quality[rows],
            columns.message[rows],
            columns.position[rows],
        )
    ]
