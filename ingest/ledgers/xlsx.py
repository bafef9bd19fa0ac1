"""A ledger from the sheets of an Excel workbook that have a ledger's header, behind covers and hidden lists.

A merged cell stands in each of its rows, as a person sees it. A formula counts with the value that the spreadsheet kept
for it; one that was never calculated is a fault, not an empty cell.
"""

import io
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import openpyxl

from analytics.domain.ledger import LedgerFault
from analytics.domain.ledger.faults import shown
from ingest.files import UnreadableFile
from ingest.files.formulas import uncalculated
from ingest.files.workbooks import require_bounded
from ingest.ledgers.headers import HEADER_ROWS, Header, find_header
from ingest.ledgers.table import LedgerTable, joined, table_of, unreadable

__all__ = ["ROW_LIMIT", "xlsx_table"]

ROW_LIMIT = 1_048_576
"""Rows of an Excel sheet."""
_PIECE = 1 << 20
_OVERLAP = 256
_MOST_MERGED = 100_000
"""Rows with a merged range; each costs time in all rows that it reaches over."""
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\b[^>]*\bref="([A-Z]{1,3})(\d{1,7}):[A-Z]{1,3}(\d{1,7})"')


class _NotASheetError(Exception):
    """The file is no workbook that can be read; the message says what it is."""


_LEDGER_WEIGHT = 4
"""A sheet with the header of so many columns is a ledger."""
_ALIKE = 0.8
"""Sheets whose headers hold so large a share of the most columns are parts of one ledger."""


@dataclass(frozen=True, slots=True)
class _SheetFacts:
    """What the sheet's XML says beside its cells: merged ranges by their first row, and formulas without a value."""

    merged: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    formulas: Mapping[int, Mapping[int, str]] = field(default_factory=dict)


def _column_place(letters: bytes) -> int:
    place = 0
    for letter in letters:
        place = place * 26 + letter - 64
    return place - 1


def _sheet_facts(archive: zipfile.ZipFile, part: str) -> _SheetFacts:
    """Merged ranges and formulas, found without parsing the cells."""
    merged: dict[int, list[tuple[int, int]]] = {}
    with archive.open(part) as sheet:
        rest = b""
        while piece := sheet.read(_PIECE):
            text = rest + piece
            for letters, first, last in _MERGED.findall(text):
                span = (_column_place(letters), int(last))
                spans = merged.setdefault(int(first), [])
                if int(first) < int(last) <= ROW_LIMIT and span not in spans:
                    spans.append(span)
            if len(merged) > _MOST_MERGED:
                raise _NotASheetError(f"a sheet of more than {_MOST_MERGED} merged ranges")
            rest = text[-_OVERLAP:]
    return _SheetFacts(merged, uncalculated(archive, part))


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


def _rows(data: bytes, name: str) -> Iterator[tuple[object, ...]]:
    """Rows of a worksheet; openpyxl's idea of its extent is not used, since some writers state it wrong."""
    sheet: Any = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)[name]
    sheet.reset_dimensions()
    for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
        if number > ROW_LIMIT:
            raise _NotASheetError(f"a sheet of more than {ROW_LIMIT} rows")
        yield row


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The sheet that holds the ledger, its part of the archive, and the names of the others."""

    name: str
    part: str
    others: tuple[str, ...]


def _chosen(data: bytes, wanted: str | None, said: Mapping[str, str] | None) -> list[_Chosen]:
    """The visible sheets with a ledger's header; the first visible one where none has."""
    book: Any = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"] or book.worksheets
    if wanted is not None:
        sheets = [sheet for sheet in book.worksheets if sheet.title.strip() == wanted.strip()]
        if not sheets:
            raise _NotASheetError(f"no sheet {wanted!r} (there are {', '.join(book.sheetnames)})")
    weights = {sheet.title: _weight(sheet, said) for sheet in sheets} if len(sheets) > 1 else {}
    best = max(sheets, key=lambda sheet: weights.get(sheet.title, 0))  # the first of equals
    least = max(_LEDGER_WEIGHT, _ALIKE * weights.get(best.title, 0))
    alike = [sheet for sheet in sheets if weights.get(sheet.title, 0) >= least]
    taken = alike or [best]
    others = tuple(name for name in book.sheetnames if name not in {sheet.title for sheet in taken})
    return [_Chosen(one.title, str(one._worksheet_path), others) for one in taken]  # noqa: SLF001 - openpyxl keeps the part's name to itself


def _weight(sheet: Any, said: Mapping[str, str] | None) -> int:
    sheet.reset_dimensions()
    header = find_header(list(islice(sheet.iter_rows(values_only=True), HEADER_ROWS)), said or {})
    return 0 if header is None else header.weight


def _uncalculated(formulas: Mapping[int, Mapping[int, str]], header: Header) -> Iterator[LedgerFault]:
    """Cells below the header whose formula has no value."""
    required = "a value (the formula was never calculated: open and save the file in a spreadsheet)"
    for row, cells in sorted(formulas.items()):
        for place, formula in sorted(cells.items()):
            column = header.names[place] if place < len(header.names) else None
            if row >= header.row and column is not None:
                yield LedgerFault(row + 1, column, required, shown(formula))


def _read(data: bytes, wanted: str | None, said: Mapping[str, str] | None, most: int | None) -> LedgerTable:
    require_bounded(lambda: io.BytesIO(data), "the workbook")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        chosen = _chosen(data, wanted, said)
        facts = [_sheet_facts(archive, one.part.lstrip("/")) for one in chosen]
    tables = [_table(data, one, of, said, most) for one, of in zip(chosen, facts, strict=True)]
    if len(tables) == 1:
        return tables[0]
    names = [one.name for one in chosen]
    made = joined(list(zip(names, tables, strict=True)))
    if made is None:
        required = "one sheet with a ledger, or several that count in the same unit (--sheet NAME picks one)"
        return unreadable(required, f"several: {', '.join(names)}")
    return replace(made, sheet=", ".join(names), other_sheets=chosen[0].others)


def _table(
    data: bytes, chosen: _Chosen, facts: _SheetFacts, said: Mapping[str, str] | None, most: int | None
) -> LedgerTable:
    """One sheet."""
    rows = _merged_down(_rows(data, chosen.name), facts)
    table = replace(
        table_of(rows, text_only=False, said=said, most=most), sheet=chosen.name, other_sheets=chosen.others
    )
    if table.header is None or table.has_more or not facts.formulas:
        return table
    return replace(table, faults=(*table.faults, *_uncalculated(facts.formulas, table.header)))


def xlsx_table(
    data: bytes, *, sheet: str | None = None, said: Mapping[str, str] | None = None, most: int | None = None
) -> LedgerTable:
    """Raw columns of the sheet of a workbook that holds the ledger; rows are the sheet's.

    Parameters
    ----------
    sheet : str, optional
        Its name; without it, the visible sheets whose headers are a ledger's, joined.
    said : mapping of str to str, optional
        Meanings of headers as stated by a person.
    most : int, optional
        Rows to read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns of what it does not read: styles, extensions
            return _read(data, sheet, said, most)
    except (_NotASheetError, UnreadableFile) as error:
        if error.__cause__ is not None:  # damaged, not too large
            return unreadable("an .xlsx workbook", f"one that cannot be read ({error})"[:200])
        return unreadable("a workbook that can be read", str(error))
    except Exception as error:  # noqa: BLE001 - openpyxl raises whatever the XML inside trips over
        return unreadable("an .xlsx workbook", f"one that cannot be read ({type(error).__name__}: {error})"[:200])
