"""Text files as tables: any encoding, commas, semicolons, tabs or bars; rows as a spreadsheet counts them."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import Any, BinaryIO, Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from ingest.files import DAMAGED, Content, UnreadableFile
from ingest.files.encodings import Recoded, encoding_of, known_words
from ingest.readings.tables import HEAD_ROWS, BrokenRow, RawBatch, text_columns
from ingest.readings.words import WORDS, title_of

__all__ = ["CsvTable"]

_HEAD_BYTES = 1 << 18
_BLOCK_BYTES = 1 << 22
_DELIMITERS = ",;\t|，；"
_LONGEST_CELL = 1 << 16
_MANY_LINES = 20
_LATE = b"\x1a"


class CsvTable:
    """A text file.

    Parameters
    ----------
    content : Content
    encoding, delimiter : str, optional
        As stated by a person; found out without it.
    """

    where = ""
    typed = False
    uncalculated: Sequence[str] = ()

    def __init__(self, content: Content, *, encoding: str | None = None, delimiter: str | None = None) -> None:
        self._content = content
        self.title = content.stem
        try:
            self.encoding = encoding or encoding_of(content.opened, known_words(WORDS))
            self._text = self._head_text()
        except DAMAGED as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise UnreadableFile(f"{content.name}: must be a whole file (got {error})") from error
        except LookupError as error:
            raise UnreadableFile(f"--encoding must be one such as utf-8 or gb18030 (got {encoding!r})") from error
        said = _separator_line(self._text)
        self._skipped = said is not None
        self.delimiter = delimiter or said or _delimiter(self._text)
        self._rows, self._ends = self._parsed()

    @property
    def head(self) -> Sequence[Sequence[str]]:
        """Its first rows."""
        return self._rows

    def _stream(self) -> BinaryIO:
        raw = self._content.opened()
        if self.encoding in {"utf-8", "ascii"}:
            return raw
        return Recoded(raw, "utf-8-sig" if self.encoding == "utf-8-sig" else self.encoding)  # type: ignore[return-value]

    def _head_text(self) -> str:
        with self._stream() as stream:
            return stream.read(_HEAD_BYTES).decode("utf-8", "replace")

    def _parsed(self) -> tuple[list[list[str]], list[int]]:
        """First rows, and how many bytes of UTF-8 end each."""
        rows: list[list[str]] = []
        ends: list[int] = []
        used = 0

        def lines() -> Iterator[str]:
            nonlocal used
            for line in io.StringIO(self._text, newline=""):
                used += len(line.encode("utf-8", "replace"))
                yield line

        source = lines()
        if self._skipped:
            next(source)
            rows.append([])
            ends.append(used)
        try:
            for row in csv.reader(source, delimiter=self.delimiter):
                if len(rows) >= HEAD_ROWS:
                    break
                rows.append(row)
                ends.append(used)
                _check_lines(row, len(rows), self._content.name)
        except csv.Error as error:
            raise UnreadableFile(_unclosed(self._content.name, len(rows) + 1)) from error
        return rows or [[]], ends or [0]

    @cached_property
    def is_all(self) -> bool:
        """Whether nothing follows the rows that were looked at."""
        return len(self._text.encode()) < _HEAD_BYTES and len(self._rows) < HEAD_ROWS

    def batches(self, below: int, width: int, needed: int) -> Iterator[RawBatch]:
        """All rows below one of the first."""
        if self.is_all and not any(any(cell.strip() for cell in row) for row in self._rows[below + 1 :]):
            return
        broken: list[pacsv.InvalidRow] = []

        def note(row: pacsv.InvalidRow) -> Literal["skip"]:
            broken.append(row)
            return "skip"

        with self._stream() as stream:
            yield from self._read(stream, below, width, needed, broken, note)

    def _read(
        self,
        stream: BinaryIO,
        below: int,
        width: int,
        needed: int,
        broken: list[pacsv.InvalidRow],
        note: Callable[[pacsv.InvalidRow], Literal["skip"]],
    ) -> Iterator[RawBatch]:
        _skip(stream, self._ends[below])
        names = [str(i) for i in range(width)]
        try:
            reader = pacsv.open_csv(
                stream,
                # in this thread: only then does Arrow know the numbers of the rows it skips
                read_options=pacsv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES, column_names=names),
                parse_options=pacsv.ParseOptions(
                    delimiter=self.delimiter, invalid_row_handler=note, newlines_in_values=True
                ),
                convert_options=pacsv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.binary()), strings_can_be_null=False
                ),
            )
        except pa.ArrowInvalid as error:
            raise UnreadableFile(self._not_csv(error)) from error
        first = rows = below + 2
        done = 0
        for batch in self._arrow_batches(reader):
            here, done = broken[done:], len(broken)
            number, rows = _numbers(rows, batch.num_rows, broken, first)
            columns = [_text(column) for column in batch.columns]
            self._check_cells(columns, number)
            yield self._batch(columns, number, here, width, first, needed)
        if broken[done:]:
            yield self._batch(text_columns([], width), np.empty(0, np.int64), broken[done:], width, first, needed)

    def _batch(
        self,
        columns: list[Any],
        number: NDArray[np.int64],
        broken: list[pacsv.InvalidRow],
        width: int,
        first: int,
        needed: int,
    ) -> RawBatch:
        mended, lost = self._mended(broken, width, first, needed)
        if mended:
            more = text_columns([cells for _, cells in mended], width)
            columns = [pa.concat_arrays([a, b]) for a, b in zip(columns, more, strict=True)]
            number = np.concatenate([number, np.array([row for row, _ in mended], np.int64)])
        return RawBatch(columns=columns, number=number, share=self._content.told(), broken=lost)

    def _mended(
        self, broken: list[pacsv.InvalidRow], width: int, first: int, needed: int
    ) -> tuple[list[tuple[int, list[str]]], list[BrokenRow]]:
        """Rows with blank cells too many, or too few to matter; and the others."""
        mended, lost = [], []
        for one in broken:
            row = first - 1 + (one.number or 1)
            cells = next(csv.reader([one.text], delimiter=self.delimiter), [])
            while len(cells) > width and not cells[-1].strip():
                cells.pop()
            if needed <= len(cells) <= width or _is_note(cells):
                mended.append((row, cells))
            else:
                got = f"{one.actual_columns} cells"
                lost.append(BrokenRow(row, tuple(cells), f"{one.expected_columns} cells", got))
        return mended, lost

    def _arrow_batches(self, reader: pacsv.CSVStreamingReader) -> Iterator[pa.RecordBatch]:
        while True:
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                return
            except (pa.ArrowInvalid, *DAMAGED) as error:
                raise UnreadableFile(self._not_csv(error)) from error
            yield batch

    def _not_csv(self, error: Exception) -> str:
        if "straddl" in str(error) or "quot" in str(error):
            return _unclosed(self._content.name, 0)
        return f"{self._content.name}: must be a CSV file to its end (got {error})"

    def _check_cells(self, columns: list[Any], number: NDArray[np.int64]) -> None:
        """A quotation mark that is never closed swallows the rows behind it: no cell has so many lines."""
        for column in columns:
            if column.nbytes < 64:
                continue
            lines = pa.compute.count_substring(column, "\n")
            most = pa.compute.max(lines).as_py() or 0
            if most == 0:
                continue
            at = int(pa.compute.index(lines, most).as_py())
            _check_lines(
                [str(column[at].as_py())],
                int(number[at]) if at < len(number) else 0,
                self._content.name,
                self.delimiter,
            )


def _is_note(cells: Sequence[str]) -> bool:
    """Whether a row of one cell is a remark such as who made the table, not a reading that broke off."""
    return (
        len(cells) <= 1
        and re.search(r"[:：]|合计|总计|以上|以下|共|total|generated|end of", " ".join(cells), re.IGNORECASE)
        is not None
    )


def _check_lines(row: Sequence[str], number: int, name: str, delimiter: str = ",") -> None:
    for cell in row:
        lines = cell.count("\n")
        if lines >= _MANY_LINES or (lines >= 2 and cell.count(delimiter) >= 2 * lines) or len(cell) > _LONGEST_CELL:
            raise UnreadableFile(_unclosed(name, number))


def _unclosed(name: str, row: int) -> str:
    where = f"row {row}" if row else "a row"
    return (
        f"{name}: each quotation mark must be closed (got one in {where} that is not: the rows behind it would vanish; "
        f"引号未闭合)"
    )


def _separator_line(text: str) -> str | None:
    first = text.split("\n", 1)[0].strip().strip('"')
    return first[4] if first.lower().startswith("sep=") and len(first) == 5 else None


def _delimiter(text: str) -> str:
    """Delimiter that gives most known headers, then the most columns that rows agree on; else the comma."""
    sample = text[: text.rfind("\n") + 1] or text

    def score(delimiter: str) -> tuple[int, float]:
        try:
            rows = list(islice(csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter), 60))
        except csv.Error:
            return 0, 0.0
        known = max((sum(title_of(cell).role is not None for cell in row) for row in rows[:30]), default=0)
        widths = Counter(len(row) for row in rows if row)
        width, n = widths.most_common(1)[0] if widths else (1, 0)
        return known if width > 1 or known > 1 else 0, (width - 1) * n / max(len(rows), 1)

    return max(_DELIMITERS, key=lambda delimiter: (*score(delimiter), delimiter == ","))


def _skip(stream: BinaryIO, size: int) -> None:
    while size > 0:
        piece = stream.read(min(size, 1 << 20))
        if not piece:
            return
        size -= len(piece)


def _numbers(first: int, n: int, broken: list[pacsv.InvalidRow], base: int) -> tuple[NDArray[np.int64], int]:
    """Numbers of the next n sound rows, and the number to go on with; broken rows between keep theirs."""
    skipped = sorted(base - 1 + row.number for row in broken if row.number is not None)
    skipped = [row for row in skipped if row >= first]
    number = np.arange(first, first + n + len(skipped), dtype=np.int64)
    number = number[~np.isin(number, skipped)][:n]
    return number, int(number[-1]) + 1 if n else first


def _text(column: Any) -> Any:
    try:
        return column.cast(pa.string())
    except pa.ArrowInvalid:  # one cell is no UTF-8: what it says instead no ledger will know
        return pa.array([cell.decode("utf-8", "replace") for cell in column.to_pylist()], pa.string())
