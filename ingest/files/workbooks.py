"""Limits on workbooks, checked before reading: unpacked size of the parts, extent of the sheets.

A reader holds a sheet as rows times columns, however few of its cells are filled; two cells in far corners are a
sheet of 17,000 million.
"""

import re
import zipfile
from collections.abc import Callable
from itertools import pairwise
from typing import BinaryIO, Final

from ingest.files.opening import DAMAGED, UnreadableFile

__all__ = ["CELLS", "require_bounded"]

CELLS: Final = 32_000_000
"""Rows times columns of a sheet: a million rows of thirty columns."""
_PIECE: Final = 1 << 20
_OVERLAP: Final = 64
"""More than the name of a row has. [byte]"""
_ROW_BYTES: Final = 4 << 20
_TOTAL_BYTES: Final = 4 << 30
_PART_BYTES: Final = 256 << 20
"""Of a part that is held whole, such as the texts of all sheets. [byte]"""
_XML_BYTES: Final = 64 << 20
"""Of a part that becomes a tree, such as styles. [byte]"""
_PARTS: Final = 10_000
_SHEET: Final = re.compile(r"xl/worksheets/.*\.xml", re.IGNORECASE)
_WHOLE: Final = re.compile(r"xl/(sharedStrings\.xml|media/.*|embeddings/.*)", re.IGNORECASE)
_ROW: Final = re.compile(rb"<(?:\w+:)?row[\s/>]")
_ROW_NUMBER: Final = re.compile(rb"<(?:\w+:)?row\s[^<]*?\br\s*=\s*[\"'](\d{1,10})")
_CELL: Final = re.compile(rb"<(?:\w+:)?c[\s/>]")
_PLAIN: Final = re.compile(rb'<c r="([A-Za-z]{1,4})(\d{1,10})"')
_UNCOMMON: Final = (b"<c>", b"<c/", b"<c\t", b"<c\n", b"<c\r", b":c ", b":c>", b":c/", b":c\t", b":c\n", b":c\r")
_PLACE: Final = re.compile(rb"<(?:\w+:)?c\s[^<]*?\br\s*=\s*[\"']([A-Za-z]{1,4})(\d{1,10})")


def require_bounded(opened: Callable[[], BinaryIO], name: str) -> None:
    """Refuse a workbook that is damaged, or unpacks to more than the limits.

    Raises
    ------
    UnreadableFile
        With what is too large.
    """
    try:
        with opened() as raw, zipfile.ZipFile(raw) as archive:
            _require_kind(archive, name)
            total = 0
            for part in archive.infolist():
                total += _size(archive, part, name, _TOTAL_BYTES - total)
    except (*DAMAGED, NotImplementedError, RuntimeError) as error:  # the latter: a method zipfile has not; a password
        if isinstance(error, FileNotFoundError):
            raise
        raise UnreadableFile(f"{name}: must be a whole workbook (got {error})"[:300]) from error


def _require_kind(archive: zipfile.ZipFile, name: str) -> None:
    """Accept .xlsx only: the memory that other kinds need cannot be known in advance."""
    parts = {part.filename for part in archive.infolist()}
    if "xl/workbook.xml" not in parts or parts & {"content.xml", "xl/workbook.bin"}:
        raise UnreadableFile(
            f"{name}: must be an .xlsx workbook (got one of another kind, such as .ods or .xlsb: save it as .xlsx; "
            "请另存为 .xlsx)"
        )
    if len(parts) > _PARTS:
        raise UnreadableFile(f"{name}: must have at most {_PARTS} parts (got {len(parts)})")


def _size(archive: zipfile.ZipFile, part: zipfile.ZipInfo, name: str, left: int) -> int:
    """Bytes of a part unpacked, counted, not as the archive says."""
    whole = _PART_BYTES if _WHOLE.fullmatch(part.filename) else _XML_BYTES
    limit = left if _SHEET.fullmatch(part.filename) else min(left, whole)
    reach = _Reach(name)
    size = 0
    with archive.open(part) as file:
        while piece := file.read(_PIECE):
            size += len(piece)
            if size > limit:
                raise UnreadableFile(
                    f"{name}: must hold sheets of at most {_TOTAL_BYTES >> 30} GiB together, texts of "
                    f"{_PART_BYTES >> 20} MiB and other parts of {_XML_BYTES >> 20} MiB, unpacked (got more in "
                    f"{part.filename[:80]})"
                )
            reach.look(piece)  # in each part: any may be named as a sheet
    return size


class _Reach:
    """The last row and column of a sheet, from its XML as it comes."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._rest = b""
        self._rows = self._columns = 0
        self._bare = 0  # cells of a row, where some do not say where they are: they come after those before them

    def look(self, piece: bytes) -> None:
        """Count what another piece has; its last row waits for the next."""
        text = self._rest + piece
        starts = [found.start() for found in _ROW.finditer(text)]
        if not starts:
            self._rest = text[-_OVERLAP:]
            return
        self._rest = text[starts[-1] :]
        if len(self._rest) > _ROW_BYTES:
            raise UnreadableFile(f"{self._name}: must have rows of at most {_ROW_BYTES >> 20} MiB (got a longer one)")
        self._rows, self._columns = self._reached(text[: starts[-1]], starts)
        rows, columns = self._reached(self._rest, [0, 0])
        self._require(rows, columns + self._bare)

    def _reached(self, text: bytes, starts: list[int]) -> tuple[int, int]:
        """Rows and columns when some rows are added, by their numbers, by the places of cells and by their count."""
        places, every = _places(text)
        letters, numbers = map(set, zip(*places, strict=True)) if places else (set(), set())
        numbers |= set(_ROW_NUMBER.findall(text))
        rows = max([self._rows + len(starts) - 1, *map(int, numbers)])
        columns = max([self._columns, *map(_place_of, letters)])
        if not every:
            bare = max(len(_CELL.findall(text, start, end)) for start, end in pairwise([*starts[:-1], len(text)]))
            self._bare = max(self._bare, bare)
        return rows, columns

    def _require(self, rows: int, columns: int) -> None:
        if rows * columns > CELLS:
            raise UnreadableFile(
                f"{self._name}: must have sheets that reach over at most {CELLS:,} cells (got one of {rows:,} rows and "
                f"{columns:,} columns: delete what is far below and beside the table, or save it as .csv; "
                "请删除表格以外的空行、空列，或另存为 .csv)"
            )


def _places(text: bytes) -> tuple[list[tuple[bytes, bytes]], bool]:
    """Letters and numbers of cells' places, and whether every cell has one; fast in the common spelling."""
    if not any(text.count(mark) for mark in _UNCOMMON):
        plain = text.count(b'<c r="')
        if plain == text.count(b"<c "):
            places = _PLAIN.findall(text)
            if len(places) == plain:
                return places, True
    places = _PLACE.findall(text)
    return places, len(places) == len(_CELL.findall(text))


def _place_of(letters: bytes) -> int:
    place = 0
    for letter in letters.upper():
        place = place * 26 + letter - 64
    return place
