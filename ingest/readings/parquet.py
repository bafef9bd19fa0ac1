"""Readings from a parquet file, with its own types: texts, numbers, instants with a zone or without."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ingest.files import Content, UnreadableFile
from ingest.readings.parts import FilePart, columns_of
from ingest.readings.rows import Rows, blocks_and_faults

__all__ = ["read_parquet"]

_ROWS = 131_072


def read_parquet(content: Content, *, zone: ZoneInfo, received_at: int) -> Iterator[FilePart]:
    """Parts of a parquet file, in order; `UnreadableFile` where it lacks a column."""
    try:
        with content.opened() as raw, pq.ParquetFile(raw) as file:
            titles = file.schema_arrow.names
            places = columns_of(titles, content.name)
            total = max(file.metadata.num_rows, 1)
            done = 0
            for batch in file.iter_batches(_ROWS):
                rows = Rows(
                    columns={name: batch.column(place) for name, place in places.items()},
                    others={
                        title: batch.column(i)
                        for i, title in enumerate(titles)
                        if i not in places.values() and not pa.types.is_nested(batch.column(i).type)
                    },
                    number=np.arange(done + 1, done + 1 + batch.num_rows, dtype=np.int64),
                )
                done += batch.num_rows
                blocks, faults = blocks_and_faults(rows, zone=zone, received_at=received_at)
                yield FilePart(blocks=blocks, faults=faults, share=done / total)
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise UnreadableFile(f"{content.name}: must be a whole parquet file (got {error})") from error
