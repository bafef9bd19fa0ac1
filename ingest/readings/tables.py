"""Tables of text, whatever file they come from: the first rows to look at, and all rows column by column."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["HEAD_ROWS", "BrokenRow", "RawBatch", "RawTable", "text_columns"]

HEAD_ROWS = 200
"""Rows that are looked at to find the header and what the columns are."""


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A row that has not the cells that its table has."""

    row: int
    cells: tuple[str, ...]
    required: str
    got: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RawBatch:
    """Some rows of a table.

    Attributes
    ----------
    columns : list of pyarrow Array of str
        Cells as they stand.
    number : (n,) int64
        Row numbers.
    share : float
        How much of the file has been read, 0 to 1.
    broken : sequence of BrokenRow
        Rows between them that could not be read.
    """

    columns: list[Any]
    number: NDArray[np.int64]
    share: float
    broken: Sequence[BrokenRow] = field(default_factory=tuple)


class RawTable(Protocol):
    """A table of a file.

    Attributes
    ----------
    where : str
        What it is called beside the file's name: its sheet, or nothing.
    title : str
        What may name its meter: name of the sheet or of the file.
    typed : bool
        Whether its cells had types of their own, as those of a workbook have.
    delimiter : str
        What parts its columns, nothing in a workbook.
    uncalculated : sequence of str
        Names of cells whose formula has no value; none but in a workbook.
    """

    where: str
    title: str
    typed: bool
    delimiter: str

    @property
    def uncalculated(self) -> Sequence[str]:
        """As above."""
        ...

    @property
    def head(self) -> Sequence[Sequence[str]]:
        """Its first rows, empty ones among them."""
        ...

    def batches(self, below: int, width: int, needed: int) -> Iterator[RawBatch]:
        """Rows below the row with the index `below`, `width` columns each; sound from `needed` cells on."""
        ...


def text_columns(rows: Sequence[Sequence[str]], width: int) -> list[Any]:
    """Columns of rows that are each made `width` cells long."""
    padded = [(*row[:width], *[""] * (width - len(row))) if len(row) != width else row for row in rows]
    return [pa.array(column, pa.string()) for column in zip(*padded, strict=True)] or [
        pa.array([], pa.string()) for _ in range(width)
    ]
