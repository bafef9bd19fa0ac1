"""The rows of a loaded ledger as bytes: exactly what was loaded, with the ids that each row has in the database.

An Arrow stream, compressed: a dictionary a text column, so a million rows are read back in a second.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa

from analytics.domain.ledger import COLUMNS, Cells, LedgerRows, Storage, TextColumn
from streams.rows.layout import Int32s

__all__ = ["ID_COLUMNS", "RowIds", "decode", "encode"]

ID_COLUMNS: Final = ("unit_id", "point_id", "meter_id", "register_id")
"""Ids of a row; meter and register are 0 in the row of a collection point without a meter."""

RowIds = Mapping[str, Int32s]
"""Each of `ID_COLUMNS`, (n,) int32."""

_OPTIONS: Final = pa.ipc.IpcWriteOptions(compression="zstd")


def encode(rows: LedgerRows, ids: RowIds) -> bytes:
    """Rows and their ids as bytes."""
    arrays = {name: _array(cells) for name, cells in rows.columns.items()}
    arrays |= {name: pa.array(np.asarray(ids[name], np.int32)) for name in ID_COLUMNS}
    table = pa.table(arrays)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=_OPTIONS) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def decode(blob: bytes) -> tuple[LedgerRows, RowIds]:
    """Rows and their ids as they were encoded."""
    with pa.ipc.open_stream(blob) as reader:
        table = reader.read_all().combine_chunks()
    columns: dict[str, Cells] = {}
    for name, spec in COLUMNS.items():
        if name not in table.column_names:  # a version that was loaded before there was this column, a number
            columns[name] = np.full(table.num_rows, np.nan)
            continue
        column = table.column(name)
        if spec.storage is Storage.TEXT:
            columns[name] = _text(column)
        else:
            columns[name] = column.to_numpy()
    return LedgerRows.of(columns), {name: table.column(name).to_numpy().astype(np.int32) for name in ID_COLUMNS}


def _array(cells: Cells) -> Any:
    if isinstance(cells, TextColumn):
        codes: Any = pa.array(cells.codes)
        return pa.DictionaryArray.from_arrays(codes, pa.array(cells.values, pa.string()))
    return pa.array(cells)


def _text(column: Any) -> TextColumn:
    if not column.num_chunks:
        return TextColumn.of(())
    chunk = column.chunk(0)
    codes = chunk.indices.to_numpy().astype(np.int32)
    codes.setflags(write=False)
    return TextColumn(codes, tuple(chunk.dictionary.to_pylist()))
