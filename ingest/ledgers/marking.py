"""Workbooks that go back to who keeps a ledger: the same sheet with what is wrong coloured, or filled in and marked."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter

from analytics.domain.ledger import COLUMNS, LedgerFault
from analytics.domain.ledger.cells import is_empty
from ingest.files.encodings import encoding_of
from ingest.files.ranges import SHEET_ROWS
from ingest.files.text_cells import keep_text, keep_texts
from ingest.ledgers import LedgerReport
from ingest.ledgers.csv import delimiter_of
from ingest.ledgers.headers import Header
from ingest.ledgers.wording import in_chinese

__all__ = ["write_completed", "write_marked"]

_WRONG = PatternFill("solid", fgColor="FFC7CE")
_INFERRED = PatternFill("solid", fgColor="FFF2CC")
_HEADING = PatternFill("solid", fgColor="DDEBF7")
_BOLD = Font(bold=True)
_MOST_WIDTH = 60
_NAMES_OF_LEVELS = {"sub_unit", "equipment"}


def write_marked(source: Path, report: LedgerReport, target: Path, *, language: str = "zh") -> int:
    """Write the file as it is, cells at fault coloured, what is wrong beside them; returns the number of cells.

    Parameters
    ----------
    source : Path
        The ledger that was read.
    report : LedgerReport
        What was found in it.
    target : Path
        An ``.xlsx`` file.
    """
    book, sheet = _opened(source, report)
    if report.table.parts:
        for k, (name, header) in enumerate(report.table.parts):
            mine = [fault for fault in report.faults if fault.row // SHEET_ROWS == k]
            _mark(book[name], header, mine, report.titles, language)
    else:
        _mark(sheet, report.table.header, report.faults, report.titles, language)
    book.save(target)
    return len(report.faults)


def _mark(
    sheet: Any, header: Header | None, faults: Sequence[LedgerFault], titles: Mapping[str, str], language: str
) -> None:
    """Colour cells of a sheet, and say beside them what is wrong."""
    place = {name: k + 1 for k, name in enumerate(header.names) if name is not None} if header else {}
    beside = sheet.max_column + 1
    if header is not None:
        head = sheet.cell(row=header.row, column=beside, value="问题" if language == "zh" else "what is wrong")
        head.font, head.fill = _BOLD, _WRONG
    reasons: dict[int, list[str]] = {}
    for fault in faults:
        row = max(fault.row % SHEET_ROWS, 1)
        title = titles.get(fault.column) or (
            COLUMNS[fault.column].chinese if language == "zh" and fault.column in COLUMNS else fault.column
        )
        said = f"要求{in_chinese(fault.required)}" if language == "zh" else f"must be {fault.required}"
        reasons.setdefault(row, []).append(f"{title}：{said}" if language == "zh" else f"{title}: {said}")
        if fault.column in place:
            cell = sheet.cell(row=row, column=place[fault.column])
            cell.fill = _WRONG
            if cell.comment is None:
                cell.comment = Comment(said, "Meterwarden")
    for row, texts in reasons.items():
        cell = sheet.cell(row=row, column=beside, value="；".join(texts) if language == "zh" else "; ".join(texts))
        cell.fill = _WRONG
        keep_text(cell)
    sheet.column_dimensions[get_column_letter(beside)].width = _MOST_WIDTH


def _opened(source: Path, report: LedgerReport) -> tuple[Any, Any]:
    with source.open("rb") as file:
        packed = file.read(2) == b"PK"
    if packed:
        book: Any = openpyxl.load_workbook(source)
        name = report.table.sheet
        sheet: Any = book[name] if name in book.sheetnames else book.worksheets[0]
        keep_texts(sheet, formulas=True)  # those of the book are its own
        return book, sheet
    book = openpyxl.Workbook()
    sheet = book.active
    text = source.read_bytes().decode(encoding_of(lambda: source.open("rb")), "replace").removeprefix("\ufeff")
    for cells in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text[: 1 << 16])):
        sheet.append([ILLEGAL_CHARACTERS_RE.sub("\ufffd", text) for text in cells])
    keep_texts(sheet)
    return book, sheet


def write_completed(report: LedgerReport, target: Path, *, language: str = "zh") -> int:
    """Write the ledger in the columns of the form with what was inferred filled in and marked.

    It can be loaded where nothing is open. A column that is asked and of which the file says nothing stands empty, its
    header coloured, to be filled in. Returns the number of cells marked.
    """
    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.title = "台账" if language == "zh" else "ledger"
    asked = {one.field for one in report.questions}
    asked |= _NAMES_OF_LEVELS if "level" in asked else set()
    names = [name for name in COLUMNS if name in report.columns or name in asked]
    for k, name in enumerate(names, start=1):
        head = sheet.cell(row=1, column=k, value=COLUMNS[name].chinese if language == "zh" else name)
        head.font, head.fill = _BOLD, _WRONG if name in asked else _HEADING
        sheet.column_dimensions[get_column_letter(k)].width = 18
    marks = _marks(report, names, language)
    lines = report.table.row_numbers.tolist()
    for row, cells in enumerate(_rows(report, names), start=2):
        for k, value in enumerate(cells, start=1):
            cell = sheet.cell(row=row, column=k, value=None if is_empty(value) else value)
            if isinstance(value, str):
                cell.number_format = "@"
                keep_text(cell)
            why = marks.get((lines[row - 2], names[k - 1]))
            if why is not None:
                cell.fill = _INFERRED
                cell.comment = Comment(why, "Meterwarden")
    sheet.freeze_panes = "A2"
    book.save(target)
    return len(marks)


def _rows(report: LedgerReport, names: Sequence[str]) -> Iterable[Sequence[Any]]:
    nothing = [None] * len(report.table.row_numbers)
    columns = [
        [raw.values[code] for code in raw.codes.tolist()] if (raw := report.columns.get(name)) is not None else nothing
        for name in names
    ]
    return zip(*columns, strict=True)


def _marks(report: LedgerReport, names: Sequence[str], language: str) -> Mapping[tuple[int, str], str]:
    prefix = "推断：" if language == "zh" else "inferred: "
    return {
        (one.row, one.column): prefix + (one.why.zh if language == "zh" else one.why.en)
        for one in report.inferred
        if one.column in names
    }
