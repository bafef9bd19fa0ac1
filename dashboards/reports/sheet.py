"""Tables on sheets of a workbook: heads, widths, how they print."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from openpyxl import Workbook
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

from analytics.domain.words import Phrase
from ingest.files.text_cells import keep_text

__all__ = ["SheetCell", "add_sheet", "empty_book", "heads_of", "number_pages", "print_on_a4", "speaker", "table_of"]

_BOLD: Final = Font(bold=True)
_HEAD: Final = PatternFill("solid", fgColor="DDE5EC")
_WIDEST: Final = 60
_WIDEST_OF_PAPER: Final = 26
_WIDTH_OF_PAGE: Final = 190
"""Widths together that an A4 page on its side shows in letters of some 8 points. [letter]"""
_LINE_HEIGHT: Final = 15.5
_HIGHEST: Final = 409
"""Of a row. [point]"""
_HEAD_OF_PAPER: Final = 10
_TITLE: Final = 1.5
"""Letters of a title are so much wider than those of a cell."""
_LINE: Final = Side(style="thin")
_BOX: Final = Border(left=_LINE, right=_LINE, top=_LINE, bottom=_LINE)


SheetCell = str | int | float | None | object
T = TypeVar("T")


def speaker(language: str) -> Callable[[Phrase], str]:
    """Words in one language."""
    if language not in {"zh", "en"}:
        raise ValueError(f"language must be zh or en (got {language!r})")
    return (lambda phrase: phrase.zh) if language == "zh" else (lambda phrase: phrase.en)


def add_sheet(
    book: Workbook,
    name: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[SheetCell]],
    *,
    title: str = "",
    foot: str = "",
) -> None:
    """A table on a sheet of its own, with a title above and a line for signatures below, where they are given."""
    sheet = book.create_sheet(name)
    if title:
        sheet.append([title])
        sheet.merge_cells(start_row=1, start_column=1, end_row=1, end_column=len(heads))
        sheet["A1"].font, sheet["A1"].alignment = Font(bold=True, size=14), Alignment(horizontal="center")
        keep_text(sheet["A1"])
    sheet.append(list(heads))
    head = sheet.max_row
    widths = [min(_width(head), _HEAD_OF_PAPER) for head in heads]
    for row in rows:
        sheet.append(list(row))
        widths = [max(width, _width(cell)) for width, cell in zip(widths, row, strict=True)]
    for cells in sheet.iter_rows(min_row=head + 1):  # once: to find the last row is to look at all
        for cell in cells:
            keep_text(cell)
            if isinstance(cell.value, float):
                cell.number_format = _format(cell.value)
    widths = _fitted([min(width + 2, _WIDEST_OF_PAPER if title else _WIDEST) for width in widths])
    short = round(_TITLE * _width(title)) - sum(widths)
    widths[-1] += max(short, 0)
    _as_paper(sheet, head, widths)
    for i, width in enumerate(widths, 1):
        sheet.column_dimensions[get_column_letter(i)].width = width
        cell = sheet.cell(row=head, column=i)
        cell.font, cell.fill = _BOLD, _HEAD
    sheet.freeze_panes = f"A{head + 1}"
    print_on_a4(sheet, f"{head}:{head}")
    if foot:
        sheet.append([])
        sheet.append([foot])


def print_on_a4(sheet: Worksheet, heads: str) -> None:
    """Print on A4 pages on their side, all columns on one, these rows on each."""
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", sheet.PAPERSIZE_A4
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.page_margins.left = sheet.page_margins.right = 0.5
    sheet.print_title_rows = heads


def _fitted(widths: Sequence[int]) -> list[int]:
    """Widths of which the widest are made narrower until all of them fit on a page.

    Examples
    --------
    >>> _fitted([10, 60, 60, 100])
    [10, 60, 60, 60]
    """
    most = max(widths, default=0)
    while most > _HEAD_OF_PAPER and sum(min(width, most) for width in widths) > _WIDTH_OF_PAGE:
        most -= 1
    return [min(width, most) for width in widths]


def _as_paper(sheet: Worksheet, head: int, widths: Sequence[int]) -> None:
    """Lines around the cells of a table, long texts over several lines in rows that are high enough."""
    for number, cells in enumerate(sheet.iter_rows(min_row=head, max_row=sheet.max_row, max_col=len(widths)), head):
        for cell in cells:
            cell.border, cell.alignment = _BOX, Alignment(wrap_text=True, vertical="center")
        # a line of Chinese ends up to a letter and a mark before the cell does
        lines = max(-(-_width(cell.value) // max(width - 3, 4)) for cell, width in zip(cells, widths, strict=True))
        sheet.row_dimensions[number].height = min(_LINE_HEIGHT * max(lines, 1), _HIGHEST)


def _format(value: float) -> str:
    """How a number is shown; the cell keeps all of it."""
    if abs(value) >= 1000 or value.is_integer():
        return "#,##0"
    return "#,##0.0" if abs(value) >= 100 else "#,##0.00" if abs(value) >= 1 else "General"


def _width(cell: SheetCell) -> int:
    text = "" if cell is None else str(cell)
    return sum(2 if ord(letter) > 0x2E80 else 1 for letter in text)


def heads_of(say: Callable[[Phrase], str], *phrases: tuple[str, str]) -> list[str]:
    """Heads of a table, each (English, Chinese)."""
    return [say(Phrase(en=en, zh=zh)) for en, zh in phrases]


def table_of(
    say: Callable[[Phrase], str], things: Iterable[T], *columns: tuple[str, str, Callable[[T], SheetCell]]
) -> tuple[list[str], list[list[SheetCell]]]:
    """Heads and rows of a table, a row a thing.

    Parameters
    ----------
    say : callable
        Words in the report's language.
    things : iterable
        What the rows are of.
    *columns : (str, str, callable)
        Head in English and in Chinese, and what the cell of a thing holds.

    Examples
    --------
    >>> table_of(speaker("zh"), [3, 4], ("n", "数", lambda n: n), ("square", "平方", lambda n: n * n))
    (['数', '平方'], [[3, 9], [4, 16]])
    """
    heads = heads_of(say, *((en, zh) for en, zh, _ in columns))
    return heads, [[cell(thing) for _, _, cell in columns] for thing in things]


def number_pages(book: Workbook, name: str, say: Callable[[Phrase], str]) -> None:
    """Print a name above every sheet, and page numbers below."""
    for sheet in book.worksheets:
        head, foot = sheet.HeaderFooter.oddHeader, sheet.HeaderFooter.oddFooter
        assert head is not None, "a new sheet has both"
        assert foot is not None, "a new sheet has both"
        head.left.text, head.right.text = name.replace("&", "&&"), "&A"
        sheet.page_setup.fitToWidth = 1
        foot.center.text = say(Phrase(zh="第 &P 页，共 &N 页", en="page &P of &N"))


def empty_book() -> Workbook:
    """A workbook without any sheet."""
    book = Workbook()
    if book.active is not None:
        book.remove(book.active)
    return book
