"""Unparsed cells of a file, dictionary-encoded: each distinct cell of a column is kept once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["RawColumn", "RawColumnBuilder"]


class _Places(dict[object, int]):
    """Numbers keys in the order in which they are first asked for."""

    def __missing__(self, key: object) -> int:
        place = self[key] = len(self)
        return place


@dataclass(frozen=True, slots=True)
class Strange:
    """A cell of an unsupported type (a list, say), as text: no parser accepts it, so it becomes a fault."""

    text: str

    def __str__(self) -> str:
        return self.text


def _key(cell: object) -> object:
    """Key that tells 1, 1.0 and True apart; strings are their own."""
    if cell is None or cell.__class__ is str:
        return cell
    if isinstance(cell, float) and cell != cell:  # noqa: PLR0124 - NaN differs from itself
        return None
    try:
        hash(cell)
    except TypeError:
        return (Strange, Strange(repr(cell)))
    return (cell.__class__, cell)


@dataclass(frozen=True, slots=True, eq=False)
class RawColumn:
    """n cells of one column.

    Attributes
    ----------
    codes : (n,) int32
        Index into `values`.
    values : tuple
        Distinct cells: str, int, float, bool, date, datetime or None.
    """

    codes: NDArray[np.int32]
    values: tuple[object, ...]

    def __len__(self) -> int:
        return len(self.codes)

    def cell(self, row: int) -> object:
        """Cell of a row."""
        return self.values[self.codes[row]]

    @classmethod
    def of(cls, cells: Iterable[object]) -> Self:
        """Column of any cells."""
        builder = RawColumnBuilder()
        listed = cells.tolist() if isinstance(cells, np.ndarray) else list(cells)
        if set(map(type, listed)) <= {str, NoneType}:
            builder.extend_text(listed)
        else:
            builder.extend(listed)
        made = builder.column()
        return cls(made.codes, made.values)


class RawColumnBuilder:
    """Column that grows chunk by chunk, so that a large file is never held as objects."""

    def __init__(self) -> None:
        self._places = _Places()
        self._chunks: list[NDArray[np.int32]] = []

    def extend(self, cells: Iterable[object]) -> None:
        """Add cells of any kind."""
        self.extend_text(map(_key, cells))

    def extend_text(self, cells: Iterable[object]) -> None:
        """Add cells that are all strings or None, which are their own keys."""
        self._chunks.append(np.fromiter(map(self._places.__getitem__, cells), np.int32))

    def column(self) -> RawColumn:
        """Column of all cells added."""
        codes = np.concatenate(self._chunks) if self._chunks else np.empty(0, np.int32)
        values: Sequence[object] = [key[1] if isinstance(key, tuple) else key for key in self._places]
        return RawColumn(codes, tuple(values))
