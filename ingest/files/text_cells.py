"""Texts in workbooks that we write: one that begins like a formula stays a text, in the file and when it is edited."""

from typing import Final

from openpyxl.cell import Cell, MergedCell
from openpyxl.worksheet.worksheet import Worksheet

__all__ = ["keep_text", "keep_texts"]

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


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
