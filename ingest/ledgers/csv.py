"""A ledger from a CSV file: UTF-8, UTF-16 with its mark, or GB 18030; commas, semicolons or tabs."""

import codecs
import csv
import io
from itertools import count
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO

from ingest.ledgers.headers import HEADER_ROWS, column_of
from ingest.ledgers.table import LedgerTable, table_of, unreadable

__all__ = ["csv_table"]

_DELIMITERS = ",;\t"
_PIECE = 1 << 20


def _opened(source: Path | bytes) -> BinaryIO:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def _decodes(source: Path | bytes, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with _opened(source) as file:
            while piece := file.read(_PIECE):
                decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _encoding(source: Path | bytes) -> str | None:
    """Encoding in which the whole file can be read."""
    with _opened(source) as file:
        mark = file.read(2)
    if mark in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
        return "utf-16" if _decodes(source, "utf-16") else None
    return next((encoding for encoding in ("utf-8-sig", "gb18030") if _decodes(source, encoding)), None)


def _delimiter(head: str) -> str:
    """Delimiter by which most of the first rows' cells are columns of the ledger."""

    def known(delimiter: str) -> int:
        try:
            rows = list(csv.reader(io.StringIO(head, newline=""), delimiter=delimiter))
        except csv.Error:
            return 0
        return max((sum(column_of(cell) is not None for cell in row) for row in rows[:HEADER_ROWS]), default=0)

    return max(_DELIMITERS, key=known)  # the first of equals: the comma


def csv_table(source: Path | bytes) -> LedgerTable:
    """Raw columns of a CSV file; rows are its records, empty lines among them, as a spreadsheet counts."""
    encoding = _encoding(source)
    if encoding is None:
        return unreadable("text in UTF-8 or GB 18030", "bytes that are neither")
    with io.TextIOWrapper(_opened(source), encoding=encoding, newline="") as text:
        delimiter = _delimiter(text.read(1 << 16))
        text.seek(0)
        reader = csv.reader(text, delimiter=delimiter)
        records = count()
        try:
            return table_of(map(itemgetter(0), zip(reader, records)), text_only=True)  # noqa: B905 - counts without end
        except csv.Error as error:
            return unreadable("a CSV record (is a quotation mark missing?)", str(error), next(records) + 1)
