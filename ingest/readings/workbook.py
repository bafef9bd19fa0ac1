"""Sheets of a workbook as tables of text: true times and numbers become the text that says the same.

A cell whose formula was never calculated stands as its formula: it is no value, and no blank either.
"""

import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from ingest.files import Content, UnreadableFile
from ingest.files.formulas import cell_name, sheet_parts, uncalculated
from ingest.files.workbooks import require_bounded
from ingest.readings.tables import HEAD_ROWS, RawBatch

__all__ = ["SheetTable", "sheet_tables"]

_ROWS = 50_000
_HEADERS = 3
_CHINESE_MONTHS = frozenset({27, 36, 50, 52, 57})
"""Number formats 年月 that a Chinese spreadsheet has without defining them (ECMA-376-1, 18.8.30)."""
_FORMAT_TEXT = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]')
"""What a number format shows as it stands, and its conditions."""


class SheetTable:
    """One sheet.

    Parameters
    ----------
    content : Content
    book : CalamineWorkbook
    name : str
    formulas : mapping of int to mapping of int to str
        Formulas without a value by row and column, from 0.
    """

    typed = True
    delimiter = ""

    def __init__(self, content: Content, book: Any, name: str, formulas: Mapping[int, Mapping[int, str]]) -> None:
        self._content = content
        self._formulas = formulas
        self._months: frozenset[tuple[int, int]] = frozenset()
        self.where = self.title = name
        self._sheet = book.get_sheet_by_name(name)
        self._top = (self._sheet.start or (0, 0))[0]
        self._total = max(self._sheet.total_height or 1, 1)
        first = list(islice(self._iterate(), HEAD_ROWS))
        if any(_is_first_of_month(cell) for row in first for cell in row):
            self._months = _shown_as_months(content, name)
            first = list(islice(self._iterate(), HEAD_ROWS))
        self._rows = [[_cell(cell) for cell in row] for row in first]

    @property
    def uncalculated(self) -> Sequence[str]:
        """Names of the cells whose formula has no value."""
        return [cell_name(row, place) for row, cells in sorted(self._formulas.items()) for place in sorted(cells)]

    def _iterate(self) -> Iterator[Sequence[object]]:
        if not self._formulas and not self._months:
            yield from self._stored()
            return
        months = {place for row, place in self._months if row >= _HEADERS}  # those of the rows that are not looked at
        number = -1
        for number, row in enumerate(self._stored()):
            here = _with_months(row, number, self._months, months) if self._months else row
            yield _with_formulas(here, self._formulas.get(number, {}))
        for below in range(number + 1, max(self._formulas, default=0) + 1):
            yield _with_formulas((), self._formulas.get(below, {}))

    def _stored(self) -> Iterator[Sequence[object]]:
        """Rows with the values that the workbook keeps."""
        for _ in range(self._top):
            yield ()
        left = (self._sheet.start or (0, 0))[1]
        margin = ("",) * left
        for row in self._sheet.iter_rows():
            yield (*margin, *row) if left else row

    @property
    def head(self) -> Sequence[Sequence[str]]:
        """Its first rows."""
        return self._rows

    def _filled(self) -> Iterator[Sequence[object]]:
        """Rows in which what is merged over several stands in each, as a person sees it."""
        begun: dict[int, list[tuple[int, int]]] = {}
        for (top, left), (bottom, _) in self._sheet.merged_cell_ranges or ():
            if bottom > top:
                begun.setdefault(top, []).append((left, bottom))
        if not begun:
            yield from self._iterate()
            return
        standing: dict[int, tuple[int, object]] = {}
        for number, row in enumerate(self._iterate()):
            standing = {place: one for place, one in standing.items() if number <= one[0]}
            cells = list(row)
            for place, (_, value) in standing.items():
                cells += [""] * (place + 1 - len(cells))
                cells[place] = value if cells[place] in {"", None} else cells[place]
            for place, bottom in begun.get(number, ()):
                if place < len(cells):
                    standing[place] = bottom, cells[place]
            yield cells

    def batches(self, below: int, width: int, needed: int) -> Iterator[RawBatch]:  # noqa: ARG002 - a sheet is as wide as it is
        """All rows below one of the first."""
        rows = islice(self._filled(), below + 1, None)
        first = below + 2
        while chunk := list(islice(rows, _ROWS)):
            columns = [_column(cells) for cells in _turned(chunk, width)]
            number = np.arange(first, first + len(chunk), dtype=np.int64)
            first += len(chunk)
            yield RawBatch(columns=columns, number=number, share=min(first / self._total, 1.0))


def _is_first_of_month(cell: object) -> bool:
    """Whether a cell holds the midnight that a spreadsheet makes of a month that is typed."""
    if isinstance(cell, datetime):
        return cell.day == 1 and cell.time() == time()
    return isinstance(cell, date) and cell.day == 1


def _shown_as_months(content: Content, name: str) -> frozenset[tuple[int, int]]:
    """Cells of the first rows whose date is shown without its day: row and column, from 0."""
    import openpyxl  # noqa: PLC0415 - few workbooks need it

    found = set()
    with content.opened() as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl warns of what it does not read
        sheet: Any = openpyxl.load_workbook(file, read_only=True)[name]
        sheet.reset_dimensions()
        for row, cells in enumerate(sheet.iter_rows(max_row=HEAD_ROWS)):
            for place, cell in enumerate(cells):
                if cell.value is not None and _shows_month(cell):
                    found.add((row, place))
    return frozenset(found)


def _shows_month(cell: Any) -> bool:
    if cell.style_array.numFmtId in _CHINESE_MONTHS:
        return True
    shown = _FORMAT_TEXT.sub("", cell.number_format).lower()
    return bool(cell.is_date) and "m" in shown and not set("dhs") & set(shown)


def _with_months(
    row: Sequence[object], number: int, cells: frozenset[tuple[int, int]], places: AbstractSet[int]
) -> Sequence[object]:
    """Row in which a date that is shown as its month is that month."""
    known = number < HEAD_ROWS
    return [
        f"{cell:%Y-%m}"
        if _is_first_of_month(cell) and ((number, place) in cells if known else place in places)
        else cell
        for place, cell in enumerate(row)
    ]


def sheet_tables(content: Content, wanted: str | None) -> list[SheetTable]:
    """Visible sheets of a workbook that hold anything, or the one that is asked for."""
    from python_calamine import CalamineError, SheetVisibleEnum, load_workbook  # noqa: PLC0415 - CSV needs none of it

    require_bounded(content.opened, content.name)
    try:
        with content.opened() as file:
            book = load_workbook(file)
        names = [one.name for one in book.sheets_metadata if one.visible == SheetVisibleEnum.Visible]
        if wanted is not None:
            names = [name for name in book.sheet_names if name.strip() == wanted.strip()]
            if not names:
                raise UnreadableFile(
                    f"{content.name}: --sheet must be one of {', '.join(book.sheet_names)} (got {wanted})"
                )
        formulas = _formulas(content, book.sheet_names)
        tables = [SheetTable(content, book, name, formulas.get(name, {})) for name in names]
    except (CalamineError, OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise UnreadableFile(f"{content.name}: must be a workbook that can be read (got {error})") from error
    return [table for table in tables if any(any(row) for row in table.head)]


def _formulas(content: Content, names: Sequence[str]) -> dict[str, Mapping[int, Mapping[int, str]]]:
    """Formulas without a value of each sheet."""
    with content.opened() as raw, zipfile.ZipFile(raw) as archive:
        try:
            parts = sheet_parts(archive)
        except KeyError:
            return {}
        there = set(archive.namelist())
        found = {name: uncalculated(archive, part) for name, part in zip(names, parts, strict=False) if part in there}
    return {name: formulas for name, formulas in found.items() if formulas}


def _with_formulas(row: Sequence[object], formulas: Mapping[int, str]) -> Sequence[object]:
    if not formulas:
        return row
    cells = [*row, *[""] * (max(formulas) + 1 - len(row))]
    for place, formula in formulas.items():
        cells[place] = formula
    return cells


def _turned(rows: Sequence[Sequence[object]], width: int) -> Iterator[Sequence[object]]:
    if all(len(row) == width for row in rows):
        return zip(*rows, strict=True)
    return zip(*((*row[:width], *[""] * (width - len(row))) for row in rows), strict=True)


def _column(cells: Sequence[object]) -> Any:
    kinds = set(map(type, cells))
    if kinds == {datetime}:
        return pa.array(map(_moment, cells), pa.string())  # type: ignore[arg-type]  # all are
    if kinds == {str}:
        return pa.array(cells, pa.string())
    if kinds == {float}:
        return pa.array(cells, pa.float64()).cast(pa.string())
    return pa.array(map(_cell, cells), pa.string())


def _cell(cell: object) -> str:  # noqa: PLR0911 - a line a type
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime):
        return _moment(cell)
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        seconds = round(cell.total_seconds())
        return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return "" if cell is None else str(cell)


def _moment(cell: datetime) -> str:
    """Time to the nearest second where that is what was meant: day numbers hold no more."""
    micro = cell.microsecond
    if micro and (micro < 2_000 or micro > 998_000):
        cell = (cell + timedelta(microseconds=500_000)).replace(microsecond=0)
    return cell.isoformat(sep=" ")
