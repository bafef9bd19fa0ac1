"""A ledger file as columns of raw cells, whatever kind of file it was."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from analytics.domain.ledger import LedgerFault, RawColumn, RawColumnBuilder
from ingest.ledgers.headers import HEADER_ROWS, Header, find_header

__all__ = ["LedgerTable", "table_of", "unreadable"]

_CHUNK = 1000


@dataclass(frozen=True, slots=True, eq=False)
class LedgerTable:
    """Raw columns of a ledger file.

    Attributes
    ----------
    columns : mapping of str to RawColumn
        n cells each, by English name.
    row_numbers : (n,) int64
        As a person counts the rows of the file.
    header : Header or None
        What the file calls its columns; None where it has no such row.
    faults : tuple of LedgerFault
        What is wrong with the file itself, beside what its cells say.
    """

    columns: Mapping[str, RawColumn]
    row_numbers: NDArray[np.int64]
    header: Header | None = None
    faults: tuple[LedgerFault, ...] = ()


def unreadable(required: str, got: str, row: int = 0) -> LedgerTable:
    """Table of a file that cannot be read at all."""
    return LedgerTable({}, np.empty(0, np.int64), faults=(LedgerFault(row, "", required, got),))


def _blank(cell: object) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


class _Filling:
    """Columns that grow by chunks of rows, for one header."""

    def __init__(self, header: Header, *, text_only: bool) -> None:
        self._width = len(header.names)
        self._builders = [
            (place, name, RawColumnBuilder()) for place, name in enumerate(header.names) if name is not None
        ]
        self._text_only = text_only
        self._numbers: list[NDArray[np.int64]] = []
        self.faults: list[LedgerFault] = []

    def add(self, first: int, rows: Sequence[Sequence[object]]) -> None:
        """Add rows, the first of which has the number `first`; empty ones are left out."""
        numbers = np.arange(first, first + len(rows))
        columns = list(zip(*rows, strict=True)) if set(map(len, rows)) == {self._width} else []
        if not columns or any(map(_blank, columns[0])):
            numbers, columns = self._mended(first, rows)
        for place, _, builder in self._builders:
            if self._text_only:
                builder.extend_text(columns[place])
            else:
                builder.extend(columns[place])
        self._numbers.append(numbers)

    def _mended(
        self, first: int, rows: Sequence[Sequence[object]]
    ) -> tuple[NDArray[np.int64], list[tuple[object, ...]]]:
        """Numbers and columns of rows that are not empty, all as long as the header."""
        numbers: list[int] = []
        full: list[Sequence[object]] = []
        for number, row in enumerate(rows, start=first):
            cells = row
            if len(cells) != self._width:
                if not all(map(_blank, cells[self._width :])):
                    required = f"at most {self._width} cells, as the header has"
                    self.faults.append(LedgerFault(number, "", required, f"{len(cells)} cells"))
                cells = (*cells[: self._width], *[None] * (self._width - len(cells)))
            if not all(map(_blank, cells)):
                numbers.append(number)
                full.append(cells)
        return np.array(numbers, np.int64), list(zip(*full, strict=True)) or [()] * self._width

    def table(self, header: Header) -> LedgerTable:
        """Table of all rows added."""
        return LedgerTable(
            {name: builder.column() for _, name, builder in self._builders},
            np.concatenate([np.empty(0, np.int64), *self._numbers]),
            header,
            (*header.faults, *self.faults),
        )


def table_of(rows: Iterable[Sequence[object]], *, text_only: bool) -> LedgerTable:
    """Table of a file's rows, from row 1 on.

    Parameters
    ----------
    rows : iterable of rows
        Cells in the order of the file; shorter and empty rows are well.
    text_only : bool
        Whether every cell is a string or None.
    """
    iterator: Iterator[Sequence[object]] = iter(rows)
    head = list(islice(iterator, HEADER_ROWS))
    header = find_header(head)
    if header is None:
        return unreadable("a header row with the ledger's columns (unit_code, point, … or 用能单位代码, …)", "none", 1)
    filling = _Filling(header, text_only=text_only)
    first = header.row + 1
    for chunk in chain([head[header.row :]], iter(lambda: list(islice(iterator, _CHUNK)), [])):
        filling.add(first, chunk)
        first += len(chunk)
    return filling.table(header)
