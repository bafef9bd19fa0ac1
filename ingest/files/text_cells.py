"""Texts in workbooks and CSV files that we write: one that begins like a formula stays a text when it is edited."""

from typing import Final

from openpyxl.cell import Cell, MergedCell
from openpyxl.worksheet.worksheet import Worksheet

__all__ = ["csv_text", "keep_text", "keep_texts"]

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def csv_text(text: str) -> str:
    """A text as a CSV cell that no spreadsheet takes for a formula; our readers leave the mark out again.

    Examples
    --------
    >>> csv_text("=1+1"), csv_text("-DB-1"), csv_text("M-1")
    ("'=1+1", "'-DB-1", 'M-1')
    """
    return f"'{text}" if text.startswith(_FORMULA) else text


def keep_text(cell: Cell | MergedCell) -> None:
    """Let a text that begins like a formula be a text, also after somebody edits the cell."""
    if isinstance(cell, Cell) and isinstance(cell.value, str) and cell.value.startswith(_FORMULA):
        cell.data_type, cell.quotePrefix = "s", True


def keep_texts(sheet: Worksheet, *, formulas: bool = False) -> None:
    """Let all texts of a sheet be texts; with `formulas`, what is one already stays one."""
    for row in sheet.iter_rows():
        for cell in row:
            if not (formulas and cell.data_type == "f"):
                keep_text(cell)
