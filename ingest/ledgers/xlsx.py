"""A ledger from the first sheet of an Excel workbook.

A merged cell stands in each of its rows, as a person sees it. A formula counts with the value that the spreadsheet kept
for it; one that was never calculated is a fault, not an empty cell.
"""

import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import openpyxl

from analytics.domain.ledger import LedgerFault
from analytics.domain.ledger.faults import shown
from ingest.ledgers.headers import Header
from ingest.ledgers.table import LedgerTable, table_of, unreadable

__all__ = ["ROW_LIMIT", "xlsx_table"]

ROW_LIMIT = 1_048_576
"""Rows of an Excel sheet."""
_UNPACKED_LIMIT = 4 << 30
_PIECE = 1 << 20
_OVERLAP = 256
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\b[^>]*\bref="([A-Z]{1,3})(\d{1,7}):[A-Z]{1,3}(\d{1,7})"')
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")


class _NotASheetError(Exception):
    """The file is no workbook that can be read; the message says what it is."""


@dataclass(frozen=True, slots=True)
class _SheetFacts:
    """What the sheet's XML says beside its cells: merged ranges by their first row, and whether there are formulas."""

    merged: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    has_formulas: bool = False


def _column_place(letters: bytes) -> int:
    place = 0
    for letter in letters:
        place = place * 26 + letter - 64
    return place - 1


def _sheet_facts(archive: zipfile.ZipFile, part: str) -> _SheetFacts:
    """Merged ranges and formulas, found without parsing the cells."""
    merged: dict[int, list[tuple[int, int]]] = {}
    has_formulas = False
    with archive.open(part) as sheet:
        rest = b""
        while piece := sheet.read(_PIECE):
            text = rest + piece
            has_formulas = has_formulas or _FORMULA.search(text) is not None
            for letters, first, last in _MERGED.findall(text):
                span = (_column_place(letters), int(last))
                spans = merged.setdefault(int(first), [])
                if int(first) < int(last) <= ROW_LIMIT and span not in spans:
                    spans.append(span)
            rest = text[-_OVERLAP:]
    return _SheetFacts(merged, has_formulas)


def _merged_down(rows: Iterator[tuple[object, ...]], facts: _SheetFacts) -> Iterator[tuple[object, ...]]:
    """Rows in which what is merged over several rows stands in each."""
    standing: dict[int, tuple[int, object]] = {}
    for number, row in enumerate(rows, start=1):
        cells = row
        for place, (last, value) in list(standing.items()):
            if number > last:
                del standing[place]
            elif place < len(cells) and cells[place] is None:
                cells = (*cells[:place], value, *cells[place + 1 :])
            elif place >= len(cells):
                cells = (*cells, *[None] * (place - len(cells)), value)
        for place, last in facts.merged.get(number, ()):
            if place < len(cells):
                standing[place] = (last, cells[place])
        yield cells


def _rows(data: bytes, *, values: bool) -> Iterator[tuple[object, ...]]:
    """Rows of the first worksheet; openpyxl's idea of its extent is not used, since some writers state it wrong."""
    sheet: Any = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=values).worksheets[0]
    sheet.reset_dimensions()
    for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
        if number > ROW_LIMIT:
            raise _NotASheetError(f"a sheet of more than {ROW_LIMIT} rows")
        yield row


def _first_part(data: bytes) -> str:
    sheet: Any = openpyxl.load_workbook(io.BytesIO(data), read_only=True).worksheets[0]
    return str(sheet._worksheet_path)  # noqa: SLF001 - openpyxl keeps the part's name to itself


def _uncalculated(data: bytes, header: Header) -> Iterator[LedgerFault]:
    """Cells with a formula for which the workbook keeps no value."""
    required = "a value (the formula was never calculated: open and save the file in a spreadsheet)"
    pairs = zip(_rows(data, values=False), _rows(data, values=True), strict=True)
    for number, (formulas, values) in enumerate(pairs, start=1):
        if number <= header.row:
            continue
        for name, formula, value in zip(header.names, formulas, values, strict=False):
            if formula is not None and value is None and name is not None:
                yield LedgerFault(number, name, required, shown(formula))


def _read(data: bytes) -> LedgerTable:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(part.file_size for part in archive.infolist()) > _UNPACKED_LIMIT:
            raise _NotASheetError(f"a workbook of more than {_UNPACKED_LIMIT >> 30} GiB unpacked")
        facts = _sheet_facts(archive, _first_part(data))
    table = table_of(_merged_down(_rows(data, values=True), facts), text_only=False)
    if table.header is None or not facts.has_formulas:
        return table
    return replace(table, faults=(*table.faults, *_uncalculated(data, table.header)))


def xlsx_table(data: bytes) -> LedgerTable:
    """Raw columns of the first sheet of a workbook; rows are the sheet's."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns of what it does not read: styles, extensions
            return _read(data)
    except _NotASheetError as error:
        return unreadable("a workbook that can be read", str(error))
    except Exception as error:  # noqa: BLE001 - openpyxl raises whatever the XML inside trips over
        return unreadable("an .xlsx workbook", f"one that cannot be read ({type(error).__name__}: {error})"[:200])
