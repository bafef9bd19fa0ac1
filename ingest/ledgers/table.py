"""A ledger file as columns of raw cells, whatever kind of file it was."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from analytics.domain.ledger import LedgerFault, RawColumn, RawColumnBuilder
from ingest.files.ranges import SHEET_ROWS
from ingest.ledgers.headers import HEADER_ROWS, Header, find_header

__all__ = ["LedgerTable", "joined", "kind_of_row", "table_of", "unreadable"]

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
    sections : tuple of str
        For each row the heading of its block, as a line of its own above it; empty where no row has one.
    passed_over : int
        Rows of totals and remarks.
    sheet : str
        Sheet of a workbook that was taken.
    other_sheets : tuple of str
        Its other sheets.
    has_more : bool
        Whether there are rows that were not asked for.
    parts : tuple of (str, Header)
        Sheets that were joined, each with its header; empty where the file is one table. Rows of the second are
        numbered from `ingest.files.ranges.SHEET_ROWS` on, and so forth.
    """

    columns: Mapping[str, RawColumn]
    row_numbers: NDArray[np.int64]
    header: Header | None = None
    faults: tuple[LedgerFault, ...] = ()
    sections: tuple[str, ...] = ()
    passed_over: int = 0
    sheet: str = ""
    other_sheets: tuple[str, ...] = ()
    has_more: bool = False
    parts: tuple[tuple[str, Header], ...] = ()


def unreadable(required: str, got: str, row: int = 0) -> LedgerTable:
    """Table of a file that cannot be read at all."""
    return LedgerTable({}, np.empty(0, np.int64), faults=(LedgerFault(row, "", required, got),))


def _blank(cell: object) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


_TOTAL = re.compile(r"(合\s*计|总\s*计|小\s*计|累\s*计|共计|total|sub-?total|sum)\s*[:：(]?.{0,20}", re.IGNORECASE)
_NOTE = re.compile(
    r"(备\s*注|注\s*[:：\d]|说\s*明|填\s*表|审\s*核|制\s*表|编\s*制|填\s*报|审\s*批|批\s*准|日\s*期\s*[:：]|盖\s*章|第\s*\d+\s*页|note|remark|prepared|checked|"
    r"approved|page\s*\d)",
    re.IGNORECASE,
)
_FEW = 3


def _said(row: Sequence[object]) -> list[str]:
    return [str(cell).strip() for cell in row if not _blank(cell)]


def _is_sparse(row: Sequence[object]) -> bool:
    """Whether so few cells say something that the row can be no point."""
    empty = row.count(None) + row.count("")
    return len(row) - empty <= _FEW or empty * 2 > len(row)


def kind_of_row(row: Sequence[object]) -> str:
    """What a row is: ``total``, ``note``, ``section`` (a heading over the rows below it) or nothing of these."""
    said = _said(row)
    if not said:
        return ""
    if any(_TOTAL.fullmatch(text) for text in said[:_FEW]):
        return "total"
    if len(said) <= _FEW and _NOTE.match(said[0]):
        return "note"
    if len(set(said)) == 1 and not said[0].replace(".", "").isdigit():
        return "note" if len(said[0]) > _LONGEST_SECTION or _NOTE.search(said[0]) else "section"
    return ""


_LONGEST_SECTION = 40


class _Filling:
    """Columns that grow by chunks of rows, for one header."""

    def __init__(self, header: Header, *, text_only: bool) -> None:
        self._width = len(header.names)
        self._builders = [
            (place, name, RawColumnBuilder()) for place, name in enumerate(header.names) if name is not None
        ]
        self._text_only = text_only
        self._numbers: list[NDArray[np.int64]] = []
        self._section = ""
        self._sections: list[tuple[str, int]] = []
        self._passed_over = 0
        self.faults: list[LedgerFault] = []

    def add(self, first: int, rows: Sequence[Sequence[object]]) -> None:
        """Add rows, the first of which has the number `first`; empty ones are left out."""
        if any(map(_is_sparse, rows)):
            self._add_with_care(first, rows)
        else:
            self._add(first, rows)

    def _add_with_care(self, first: int, rows: Sequence[Sequence[object]]) -> None:
        """Add rows of which some may be headings of blocks, totals or remarks."""
        run: list[Sequence[object]] = []
        start = first
        for number, row in enumerate(rows, start=first):
            kind = kind_of_row(row) if self._width > _FEW and _is_sparse(row) else ""
            if not kind:
                run.append(row)
                continue
            if run:
                self._add(start, run)
            run, start = [], number + 1
            if kind == "section":
                self._section = _said(row)[0]
            else:
                self._passed_over += 1
        if run:
            self._add(start, run)

    def _add(self, first: int, rows: Sequence[Sequence[object]]) -> None:
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
        self._sections.append((self._section, len(numbers)))

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
            tuple(section for section, n in self._sections for _ in range(n)) if self._section else (),
            self._passed_over,
        )


def table_of(
    rows: Iterable[Sequence[object]],
    *,
    text_only: bool,
    said: Mapping[str, str] | None = None,
    most: int | None = None,
) -> LedgerTable:
    """Table of a file's rows, from row 1 on.

    Parameters
    ----------
    rows : iterable of rows
        Cells in the order of the file; shorter and empty rows are well.
    text_only : bool
        Whether every cell is a string or None.
    said : mapping of str to str, optional
        Meanings of headers as stated by a person.
    most : int, optional
        Rows below the header to read.
    """
    iterator: Iterator[Sequence[object]] = iter(rows)
    head = list(islice(iterator, HEADER_ROWS))
    header = find_header(head, said or {})
    if header is None:
        return unreadable("a header row with the ledger's columns (unit_code, point, … or 用能单位代码, …)", "none", 1)
    filling = _Filling(header, text_only=text_only)
    first = header.row + 1
    wanted = islice(iterator, most)
    for chunk in chain([head[header.row :]], iter(lambda: list(islice(wanted, _CHUNK)), [])):
        filling.add(first, chunk)
        first += len(chunk)
    return replace(filling.table(header), has_more=most is not None and next(iterator, None) is not None)


def joined(tables: Sequence[tuple[str, LedgerTable]]) -> LedgerTable | None:
    """Tables of several sheets as one, below each other; None where their headers contradict each other.

    Parameters
    ----------
    tables : sequence of (sheet, LedgerTable)
        Each with a header.
    """
    parts = tuple((name, one.header) for name, one in tables if one.header is not None)
    headers = [header for _, header in parts]
    if len({header.unit for header in headers}) > 1:
        return None
    names = list(dict.fromkeys(name for _, one in tables for name in one.columns))
    sizes = [len(one.row_numbers) for _, one in tables]
    titles: dict[str, str] = {}
    for header in headers:
        titles = {**header.titles, **titles}
    header = replace(
        headers[0],
        titles=titles,
        unknown=tuple(dict.fromkeys(title for one in headers for title in one.unknown)),
        understood={title: name for one in headers for title, name in one.understood.items()},
        proposed={title: name for one in headers for title, name in one.proposed.items() if name not in titles},
        faults=(),
    )
    return LedgerTable(
        {
            name: _below([one.columns.get(name, _nothing(n)) for (_, one), n in zip(tables, sizes, strict=True)])
            for name in names
        },
        np.concatenate([one.row_numbers + k * SHEET_ROWS for k, (_, one) in enumerate(tables)]),
        header,
        tuple(
            replace(fault, row=fault.row + k * SHEET_ROWS) for k, (_, one) in enumerate(tables) for fault in one.faults
        ),
        tuple(section for (_, one), n in zip(tables, sizes, strict=True) for section in one.sections or [""] * n)
        if any(one.sections for _, one in tables)
        else (),
        sum(one.passed_over for _, one in tables),
        parts=parts,
        has_more=any(one.has_more for _, one in tables),
    )


def _nothing(n: int) -> RawColumn:
    return RawColumn(np.zeros(n, np.int32), (None,))


def _below(columns: Sequence[RawColumn]) -> RawColumn:
    """Columns below each other."""
    builder = RawColumnBuilder()
    for column in columns:
        builder.extend(column.values[code] for code in column.codes.tolist())
    return builder.column()
