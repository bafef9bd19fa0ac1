"""Readings from a parquet file, with its own types: texts, numbers, instants with a zone or without.

How much memory a file takes is bounded whatever it holds: a page is unpacked only when its size is known to be sound,
texts stay in their dictionary until the length of each is known, and rows are taken in stretches of some megabytes.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, BinaryIO, Final, cast
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from ingest.files import DAMAGED, Content, UnreadableFile
from ingest.files.parquet_pages import page_sizes
from ingest.readings.parts import FilePart, columns_of
from ingest.readings.rows import Rows, blocks_and_faults

__all__ = ["read_parquet"]

_compute: Any = pyarrow.compute
_ROWS: Final = 131_072
_PAGE_BYTES: Final = 128 << 20
"""Largest page; writers make them of 1 MB, some of 100. [byte]"""
_CELL_BYTES: Final = 1 << 16
"""Longest text, as in a CSV file. [byte]"""
_STRETCH_BYTES: Final = 64 << 20
"""Texts of the rows that are looked at together. [byte]"""
_BUFFER_BYTES: Final = 1 << 20
_DAMAGED: Final = (*DAMAGED, pa.ArrowException, ValueError, MemoryError, OverflowError)
"""What Arrow raises where a byte is not what it should be; sizes that no machine has are among them."""


def read_parquet(content: Content, *, zone: ZoneInfo, received_at: int) -> Iterator[FilePart]:
    """Parts of a parquet file, in order; `UnreadableFile` where it lacks a column, is damaged or swells."""
    done = 0
    for titles, batch, total in _batches(content):
        places = columns_of(titles, content.name)
        rows = Rows(
            columns={name: batch.column(place) for name, place in places.items()},
            others={title: batch.column(i) for i, title in enumerate(titles) if i not in places.values()},
            number=np.arange(done + 1, done + 1 + batch.num_rows, dtype=np.int64),
        )
        done += batch.num_rows
        blocks, faults = blocks_and_faults(rows, zone=zone, received_at=received_at)
        yield FilePart(blocks=blocks, faults=faults, share=done / max(total, 1))


def _batches(content: Content) -> Iterator[tuple[Sequence[str], pa.RecordBatch, int]]:
    """Titles, some rows and the number of all of them; of plain columns alone."""
    try:
        with content.opened() as raw:
            _require_pages(content.name, raw)
            with pq.ParquetFile(raw) as file:
                schema, total = file.schema_arrow, file.metadata.num_rows
            _require_cells(content.name, schema)
            plain = [field for field in schema if not pa.types.is_nested(field.type)]
            titles = [field.name for field in plain]
        texts = [field.name for field in plain if _is_text(field.type)]
        with (
            content.opened() as raw,
            pq.ParquetFile(raw, buffer_size=_BUFFER_BYTES, read_dictionary=texts) as file,
        ):
            for batch in file.iter_batches(_ROWS, columns=titles, use_threads=False):
                for part in _stretches(content.name, batch):
                    yield part.schema.names, part, total
    except UnreadableFile:
        raise
    except _DAMAGED as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise UnreadableFile(f"{content.name}: must be a whole parquet file (got {error})"[:500]) from error


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    )


def _require_cells(name: str, schema: pa.Schema) -> None:
    """Our columns hold one value a cell, and no type makes cells longer than texts may be."""
    for name_of, place in columns_of(schema.names, name).items():
        if pa.types.is_nested(schema.field(place).type):
            raise UnreadableFile(
                f"{name}: must have one value a cell in {name_of} (got {schema.field(place).type})"[:300]
            )
    for field in schema:
        if pa.types.is_fixed_size_binary(field.type) and field.type.byte_width > _CELL_BYTES:
            raise UnreadableFile(f"{name}: must have cells of at most {_CELL_BYTES} bytes (got {field.type})")


def _require_pages(name: str, raw: BinaryIO) -> None:
    for column, size in page_sizes(raw):
        if size > _PAGE_BYTES:
            raise UnreadableFile(
                f"{name}: must have pages of at most {_PAGE_BYTES >> 20} MiB unpacked (got one of {size >> 20} MiB in "
                f"the column {column[:80]}: is a cell as long as that?)"
            )


def _stretches(name: str, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The rows with texts as texts, some megabytes at a time."""
    batch.validate(full=True)  # a damaged place in a dictionary would be read where it points
    sizes = np.zeros(batch.num_rows, np.int64)
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if pa.types.is_dictionary(column.type) and _is_text(column.type.value_type):
            lengths = _lengths(column)
            if lengths.max(initial=0) > _CELL_BYTES:
                raise UnreadableFile(
                    f"{name}: must have texts of at most {_CELL_BYTES} bytes (got one of {lengths.max()} in the "
                    f"column {field.name[:80]})"
                )
            sizes += lengths
    cuts = np.cumsum(sizes) // _STRETCH_BYTES
    starts = [0, *(np.flatnonzero(np.diff(cuts)) + 1).tolist(), batch.num_rows]
    for start, end in pairwise(starts):
        if end > start or batch.num_rows == 0:
            part = batch.slice(start, end - start)
            columns: list[Any] = [
                column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
                for column in cast("list[Any]", part.columns)
            ]
            yield pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _lengths(column: Any) -> Any:
    """Bytes of each text, 0 of none."""
    known = np.append(np.asarray(_compute.binary_length(column.dictionary).fill_null(0), np.int64), 0)
    return known[np.asarray(column.indices.fill_null(len(known) - 1), np.int64)]
