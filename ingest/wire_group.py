"""Readings of many units in one sequence of columns, parted into one block a unit."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice

import numpy as np
from numpy.typing import NDArray

from ingest.wire_block import MAX_UNITS
from ingest.wire_types import Block, MeterList

__all__ = ["Columns", "Ids", "grouped"]

Rows = NDArray[np.intp]


class Ids:
    """Numbers texts in the order they first come.

    Examples
    --------
    >>> ids = Ids()
    >>> ids.column(["kWh", "m3", "kWh"]), list(ids)
    (array([0, 1, 0], dtype=int32), ['kWh', 'm3'])
    """

    def __init__(self) -> None:
        self._number = defaultdict[str, int](count().__next__)
        self._seen = 0

    def __iter__(self) -> Iterator[str]:
        return iter(self._number)

    def column(self, texts: Sequence[str]) -> NDArray[np.int32]:
        """Numbers of many texts."""
        return np.fromiter(map(self._number.__getitem__, texts), np.int32, len(texts))

    def new(self) -> list[str]:
        """Texts that came up since the last call."""
        first, self._seen = self._seen, len(self._number)
        return list(islice(self._number, first, None))


@dataclass(slots=True)
class Columns:
    """Readings of any units, in order; the first three columns are numbers of `Ids`."""

    unit_code: NDArray[np.int32]
    name: NDArray[np.int32]
    unit: NDArray[np.int32]
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
    """Blocks of the units, in the order of their first readings; inside each the order of the readings is kept."""
    if not len(columns.value):
        return []
    if len(unit_codes) > 1:
        narrow = columns.unit_code.astype(np.uint16) if len(unit_codes) <= 65536 else columns.unit_code
        columns = columns.take(np.argsort(narrow, kind="stable"))  # a radix sort for 16 bits
    # the meters of all units at once: pairs of unit and name, sorted by unit, then by first mention
    pair = columns.unit_code.astype(np.int64) * len(names) + columns.name
    pairs, index = _ranked(pair, len(unit_codes) * len(names))
    of_unit = pairs // len(names)
    first_pair = np.searchsorted(of_unit, np.arange(len(unit_codes) + 1))
    first_row = np.searchsorted(columns.unit_code, np.arange(len(unit_codes) + 1))
    meter = (index - first_pair[columns.unit_code]).astype(np.int32)
    pair_names = [names[i] for i in (pairs - of_unit * len(names)).tolist()]
    blocks: list[Block] = []
    for u in range(len(unit_codes)):
        rows = slice(int(first_row[u]), int(first_row[u + 1]))
        if rows.start == rows.stop:
            continue
        meters = MeterList.of(pair_names[first_pair[u] : first_pair[u + 1]])
        blocks += _of_one_unit(unit_codes[u], meters, columns, meter, rows, units)
    blocks.sort(key=lambda block: (int(block.message[0]), int(block.position[0])))
    return blocks


def _ranked(number: NDArray[np.int64], below: int) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """Distinct numbers, sorted, and which of these each one is."""
    if below > 8 * len(number) + 65536:
        return np.unique(number, return_inverse=True)
    seen = np.zeros(below, np.bool_)
    seen[number] = True
    rank = np.cumsum(seen, dtype=np.intp) - 1
    return np.flatnonzero(seen), rank[number]


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
