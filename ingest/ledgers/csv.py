"""A ledger from a CSV file: UTF-8, UTF-16 with its mark, or GB 18030; commas, semicolons or tabs."""

import codecs
import csv
import io
from collections.abc import Iterator, Mapping
from itertools import count
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, TextIO

from ingest.files.encodings import encoding_of, known_words
from ingest.ledgers.headers import HEADER_ROWS, WORDS, column_of
from ingest.ledgers.table import LedgerTable, table_of, unreadable

__all__ = ["csv_table", "delimiter_of"]

_DELIMITERS = ",;\t|，；"
_PIECE = 1 << 20
_LONGEST_LINE = 1 << 20
"""Letters of a line; a cell has at most 131,072."""


def _opened(source: Path | bytes) -> BinaryIO:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def delimiter_of(head: str) -> str:
    """Delimiter by which most of the first rows' cells are columns of the ledger."""

    def known(delimiter: str) -> int:
        try:
            rows = list(csv.reader(io.StringIO(head, newline=""), delimiter=delimiter))
        except csv.Error:
            return 0
        return max((sum(column_of(cell) is not None for cell in row) for row in rows[:HEADER_ROWS]), default=0)

    return max(_DELIMITERS, key=known)  # the first of equals: the comma


def _is_utf_8(source: Path | bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with _opened(source) as file:
            while piece := file.read(_PIECE):
                decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _lines(text: TextIO) -> Iterator[str]:
    """Lines, none of which is held where it has no end."""
    while line := text.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE and not line.endswith("\n"):
            raise csv.Error(f"line longer than {_LONGEST_LINE} letters")
        yield line


def csv_table(source: Path | bytes, said: Mapping[str, str] | None = None, *, most: int | None = None) -> LedgerTable:
    """Raw columns of a CSV file; rows are its records, empty lines among them, as a spreadsheet counts.

    Parameters
    ----------
    said : mapping of str to str, optional
        Meanings of headers as stated by a person.
    most : int, optional
        Rows to read.
    """
    encoding = encoding_of(lambda: _opened(source), known_words(WORDS))
    if encoding == "utf-8" and not _is_utf_8(source):
        return unreadable("text in UTF-8 or GB 18030", "bytes that are neither")
    try:
        with io.TextIOWrapper(_opened(source), encoding=encoding, newline="") as text:
            head = text.read(1 << 16)
            delimiter = delimiter_of(head)
            text.seek(0)
            reader = csv.reader(_lines(text), delimiter=delimiter)
            records = count()
            try:
                rows = map(itemgetter(0), zip(reader, records))  # noqa: B905 - counts without end
                return table_of(rows, text_only=True, said=said, most=most)
            except csv.Error as error:
                return unreadable("a CSV record (is a quotation mark missing?)", str(error), next(records) + 1)
    except UnicodeDecodeError:
        return unreadable("text in UTF-8 or GB 18030", "bytes that are neither")
