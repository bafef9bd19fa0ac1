"""Formulas of a sheet that were never calculated: a program wrote them, and no spreadsheet has opened the file since.

A reader of values sees such a cell as empty, or as the 0 that some programs put there for want of a value.
"""

import re
import zipfile
from collections.abc import Mapping
from html import unescape
from posixpath import join, normpath
from typing import Final

from ingest.files.opening import UnreadableFile

__all__ = ["cell_name", "sheet_parts", "uncalculated"]

_PIECE: Final = 1 << 20
_OVERLAP: Final = 64 << 10
"""More than a cell with the longest formula has. [byte]"""
_MOST: Final = 1_000_000
_SHEET: Final = re.compile(rb"<(?:\w+:)?sheet\s[^>]*?\br:id\s*=\s*[\"']([^\"']+)")
_RELATION: Final = re.compile(rb"<(?:\w+:)?Relationship\s[^>]*>")
_ID: Final = re.compile(rb"\sId\s*=\s*[\"']([^\"']+)")
_TARGET: Final = re.compile(rb"\sTarget\s*=\s*[\"']([^\"']+)")
_TO_BE_CALCULATED: Final = re.compile(rb"<(?:\w+:)?calcPr\s[^>]*\bfullCalcOnLoad\s*=\s*[\"'](?:1|true)[\"']")
_HAS_FORMULA: Final = re.compile(rb"<(?:\w+:)?f[\s/>]")
_CELL: Final = re.compile(
    rb"<(?:\w+:)?c\s([^>]*)>\s*<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>([^<]*)</(?:\w+:)?f>)\s*"
    rb"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*(0?)\s*</(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
_PLACE: Final = re.compile(rb"\br\s*=\s*[\"']([A-Za-z]{1,3})(\d{1,7})")
_IS_TEXT: Final = re.compile(rb"\bt\s*=\s*[\"']str[\"']")


def sheet_parts(archive: zipfile.ZipFile) -> list[str]:
    """Parts of the sheets of a workbook in their order, empty where it does not say which part a sheet is."""
    relations = {}
    for found in _RELATION.findall(archive.read("xl/_rels/workbook.xml.rels")):
        name, target = _ID.search(found), _TARGET.search(found)
        if name is not None and target is not None:
            relations[name[1]] = normpath(join("xl", unescape(target[1].decode("utf-8", "replace")))).lstrip("/")
    return [relations.get(name, "") for name in _SHEET.findall(archive.read("xl/workbook.xml"))]


def uncalculated(archive: zipfile.ZipFile, part: str) -> Mapping[int, Mapping[int, str]]:
    """Formulas without a value: by index of the row, then of the column, both from 0.

    A formula whose value is an empty text was calculated. A value of 0 counts as none where the workbook asks to be
    calculated when it is opened: no spreadsheet leaves it so, programs that write formulas without values do.

    Raises
    ------
    UnreadableFile
        If there are more than a million.
    """
    zero_too = _TO_BE_CALCULATED.search(archive.read("xl/workbook.xml")) is not None
    found: dict[int, dict[int, str]] = {}
    n = 0
    with archive.open(part) as sheet:
        rest = b""
        while piece := sheet.read(_PIECE):
            text = rest + piece
            end = 0
            for match in _CELL.finditer(text) if _HAS_FORMULA.search(text) is not None else ():
                end = match.end()
                place = _PLACE.search(match[1])
                if place is None or (match[3] == b"0" and not zero_too) or _IS_TEXT.search(match[1]) is not None:
                    continue
                formula = unescape((match[2] or b"").decode("utf-8", "replace"))
                found.setdefault(int(place[2]) - 1, {})[_column(place[1])] = f"={formula[:100]}"
                n += 1
            if n > _MOST:
                raise UnreadableFile(
                    f"{part}: must have formulas with their values (got more than {_MOST:,} that were never "
                    "calculated: open and save the file in a spreadsheet; 公式从未计算，请用表格软件打开并保存)"
                )
            rest = text[max(end, len(text) - _OVERLAP) :]
    return found


def _column(letters: bytes) -> int:
    place = 0
    for letter in letters.upper():
        place = place * 26 + letter - 64
    return place - 1


def cell_name(row: int, column: int) -> str:
    """Name of a cell.

    Examples
    --------
    >>> cell_name(4, 2), cell_name(0, 27)
    ('C5', 'AB1')
    """
    letters = ""
    place = column + 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row + 1}"
