"""Readings from a CSV file, streamed: UTF-8, UTF-16 with its mark or GB 18030; commas, semicolons or tabs."""

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from analytics.domain.quality import RejectReason
from ingest.readings.parts import FilePart, RowFault, UnreadableFile, column_of, columns_of
from ingest.readings.rows import Rows, blocks_and_faults

__all__ = ["read_csv"]

_HEAD_BYTES = 1 << 16
_BLOCK_BYTES = 1 << 22


def read_csv(path: Path, *, zone: ZoneInfo, received_at: int) -> Iterator[FilePart]:
    """Parts of a CSV file, in order; `UnreadableFile` where it lacks a column."""
    size = max(path.stat().st_size, 1)
    with path.open("rb") as raw:
        head = _Head.of(path, raw)
        titles = head.titles
        places = columns_of(titles, path.name)
        if head.is_all:
            return
        broken: list[pacsv.InvalidRow] = []

        def note(row: pacsv.InvalidRow) -> Literal["skip"]:
            broken.append(row)
            return "skip"

        raw.seek(0)
        try:
            reader = pacsv.open_csv(
                _as_utf8(_unzipped(path, raw), head.encoding),
                # in this thread: only then does Arrow know the numbers of the rows it skips
                read_options=pacsv.ReadOptions(
                    use_threads=False, block_size=_BLOCK_BYTES, skip_rows=1, column_names=_columns(len(titles))
                ),
                parse_options=pacsv.ParseOptions(delimiter=head.delimiter, invalid_row_handler=note),
                convert_options=pacsv.ConvertOptions(
                    column_types=dict.fromkeys(_columns(len(titles)), pa.binary()), strings_can_be_null=False
                ),
            )
        except pa.ArrowInvalid as error:
            raise UnreadableFile(f"{path.name}: must be a CSV file (got {error})") from error
        rows = 2
        for batch in _batches(reader, path.name):
            number, rows = _numbers(rows, batch.num_rows, broken)
            columns = [_text(column) for column in batch.columns]
            here = Rows(
                columns={name: columns[place] for name, place in places.items()},
                others={title: columns[i] for i, title in enumerate(titles) if i not in places.values() and title},
                number=number,
            )
            blocks, faults = blocks_and_faults(here, zone=zone, received_at=received_at)
            yield FilePart(blocks=blocks, faults=faults, share=min(raw.tell() / size, 1.0))
        yield FilePart(blocks=(), faults=[_of_broken(row, head.delimiter) for row in broken], share=1.0)


def _batches(reader: pacsv.CSVStreamingReader, name: str) -> Iterator[pa.RecordBatch]:
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        except pa.ArrowInvalid as error:
            raise UnreadableFile(f"{name}: must be a CSV file to its end (got {error})") from error
        yield batch


def _columns(n: int) -> list[str]:
    return [str(i) for i in range(n)]


def _numbers(first: int, n: int, broken: list[pacsv.InvalidRow]) -> tuple[NDArray[np.int64], int]:
    """Numbers of the next n sound rows, and the number to go on with; broken rows between keep theirs."""
    skipped = sorted(row.number for row in broken if row.number is not None and row.number >= first)
    number = np.arange(first, first + n + len(skipped), dtype=np.int64)
    number = number[~np.isin(number, skipped)][:n]
    return number, int(number[-1]) + 1 if n else first


def _of_broken(row: pacsv.InvalidRow, delimiter: str) -> RowFault:
    number = row.number or 0
    return RowFault(
        row=number,
        column="",
        reason=RejectReason.MISSING_FIELD,
        required=f"{row.expected_columns} cells",
        got=f"{row.actual_columns} cells",
        payload=msgspec.json.encode({"row": number, "cells": row.text.split(delimiter)}),
        readings=1,
        unit_code="",
    )


def _text(column: Any) -> Any:
    try:
        return column.cast(pa.string())
    except pa.ArrowInvalid:  # one cell is no UTF-8: what it says instead no ledger will know
        return pa.array([cell.decode("utf-8", "replace") for cell in column.to_pylist()], pa.string())


def _unzipped(path: Path, raw: BinaryIO) -> BinaryIO:
    return gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw  # type: ignore[return-value]  # reads alike


@dataclass(frozen=True, slots=True)
class _Head:
    encoding: str
    delimiter: str
    titles: list[str]
    is_all: bool  # nothing follows the titles

    @classmethod
    def of(cls, path: Path, raw: BinaryIO) -> "_Head":
        try:
            head = _unzipped(path, raw).read(_HEAD_BYTES)
        except (OSError, EOFError, zlib.error) as error:
            raise UnreadableFile(f"{path.name}: must be a whole file (got {error})") from error
        encoding = _encoding(head)
        text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(head)
        lines = text.splitlines() or [""]
        titles = {d: next(csv.reader(lines[:1], delimiter=d), []) for d in ",;\t"}
        delimiter = max(titles, key=lambda d: sum(column_of(title) is not None for title in titles[d]))
        is_all = len(head) < _HEAD_BYTES and not any(line.strip() for line in lines[1:])
        return cls(encoding, delimiter, titles[delimiter], is_all)


def _encoding(head: bytes) -> str:
    if head[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
        return "utf-16"
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            codecs.getincrementaldecoder(encoding)().decode(head)
        except UnicodeDecodeError:
            continue
        return encoding
    return "utf-8-sig"  # then cells that are not are faults one by one


def _as_utf8(raw: BinaryIO, encoding: str) -> Any:
    return raw if encoding == "utf-8-sig" else _Recoded(raw, encoding)


class _Recoded(io.RawIOBase):
    """Text of another encoding as UTF-8."""

    def __init__(self, raw: BinaryIO, encoding: str) -> None:
        self._raw = raw
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            piece = self._raw.read(_BLOCK_BYTES)
            self._rest += self._decoder.decode(piece, final=not piece).encode()
            if not piece:
                break
        taken, self._rest = (self._rest, b"") if size < 0 else (self._rest[:size], self._rest[size:])
        return taken
