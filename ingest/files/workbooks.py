"""What a workbook would take when it is read is known before it is: its parts unpacked, and the reach of its sheets.

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
_ROW_BYTES: Final = 16 << 20
_TOTAL_BYTES: Final = 4 << 30
_PART_BYTES: Final = 256 << 20
"""Of a part that is held whole, which all but sheets are. [byte]"""
_PARTS: Final = 10_000
_SHEET: Final = re.compile(r"xl/worksheets/.*\.xml", re.IGNORECASE)
_ROW: Final = re.compile(rb"<(?:\w+:)?row[\s/>]")
_ROW_NUMBER: Final = re.compile(rb"<[^<]*?\sr\s*=\s*[\"'](\d{1,10})[\"']")
_CELL: Final = re.compile(rb"<(?:\w+:)?c[\s/>](?:[^<]*?\br\s*=\s*[\"']([A-Za-z]{1,4})\d)?")


def require_bounded(opened: Callable[[], BinaryIO], name: str) -> None:
    """Refuse a workbook that is damaged, or swells beyond what a machine holds.

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
    # NotImplementedError: packed by a method that zipfile has not; RuntimeError: with a password
    except (*DAMAGED, NotImplementedError, RuntimeError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise UnreadableFile(f"{name}: must be a whole workbook (got {error})"[:300]) from error


def _require_kind(archive: zipfile.ZipFile, name: str) -> None:
    """Nothing but .xlsx: what others take is not known before, and a reader tries each kind in turn."""
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
    sheet = _SHEET.fullmatch(part.filename) is not None
    reach = _Reach(name)
    limit = left if sheet else min(left, _PART_BYTES)
    size = 0
    with archive.open(part) as file:
        while piece := file.read(_PIECE):
            size += len(piece)
            if size > limit:
                raise UnreadableFile(
                    f"{name}: must hold sheets of at most {_TOTAL_BYTES >> 30} GiB together and other parts of "
                    f"{_PART_BYTES >> 20} MiB, unpacked (got more in {part.filename[:80]})"
                )
            reach.look(piece)  # in each part: any may be named as a sheet
    return size


class _Reach:
    """The last row and column of a sheet, from its XML as it comes."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._rest = b""
        self._rows = self._columns = 0

    def look(self, piece: bytes) -> None:
        """Count what another piece has; its last row waits for the next."""
        text = self._rest + piece
        starts = [found.start() for found in _ROW.finditer(text)]
        if not starts:
            self._rest = text if self._rows else text[-_PIECE:]
        else:
            self._count(text, starts)
            self._rest = text[starts[-1] :]
        if len(self._rest) > _ROW_BYTES:
            raise UnreadableFile(f"{self._name}: must have rows of at most {_ROW_BYTES >> 20} MiB (got a longer one)")
        if starts:
            self._require(self._number(self._rest, 0, len(self._rest)), max(self._columns, self._width(self._rest)))

    def _count(self, text: bytes, starts: list[int]) -> None:
        for start, end in pairwise(starts):
            self._rows = self._number(text, start, end)
            self._columns = max(self._columns, self._width(text[start:end]))

    def _number(self, text: bytes, start: int, end: int) -> int:
        said = _ROW_NUMBER.match(text, start, end)
        return max(self._rows + 1, int(said[1]) if said else 0)

    @staticmethod
    def _width(row: bytes) -> int:
        cells = _CELL.findall(row)
        last = max(cells, key=lambda letters: (len(letters), letters.upper()), default=b"")
        place = 0
        for letter in last.upper():
            place = place * 26 + letter - 64
        return max(place, len(cells))

    def _require(self, rows: int, columns: int) -> None:
        if rows * columns > CELLS:
            raise UnreadableFile(
                f"{self._name}: must have sheets that reach over at most {CELLS:,} cells (got one of {rows:,} rows and "
                f"{columns:,} columns: delete what is far below and beside the table, or save it as .csv; "
                "请删除表格以外的空行、空列，或另存为 .csv)"
            )
