"""A ledger's rows as CSV for the staging table, in pieces."""

import io
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from analytics.domain.ledger import COLUMNS, NO_DAY, NO_INSTANT, OPEN_END, Cells, Ledger, Storage, TextColumn
from analytics.domain.ledger.derive import group

__all__ = ["CHUNK", "Stage"]

CHUNK: Final = 50_000
"""Rows of one piece."""

_OPTIONS: Final = pa_csv.WriteOptions(include_header=False)


class Stage:
    """Rows of a ledger: ordinal, the point's and the register's unit of measurement, then each of `COLUMNS`."""

    def __init__(self, ledger: Ledger) -> None:
        rows = ledger.rows
        measure_unit = np.zeros(len(rows), np.int16)
        measure_unit[ledger.installations.row] = ledger.installations.unit
        arrays: dict[str, Any] = {
            "ordinal": pa.array(np.arange(len(rows), dtype=np.int32)),
            "amount_unit": pa.array(ledger.point_canonical[group(rows).row_point]),
            "measure_unit": pa.array(measure_unit),
        }
        arrays |= {name: _plain(rows.columns[name], spec.storage) for name, spec in COLUMNS.items()}
        self._table = pa.table(arrays)

    def csv(self, start: int) -> bytes:
        """`CHUNK` rows from `start`; NULL is nothing, empty text is a pair of quotes."""
        sink = io.BytesIO()
        pa_csv.write_csv(self._table.slice(start, CHUNK), sink, _OPTIONS)
        return sink.getvalue()


def _plain(cells: Cells, storage: Storage) -> Any:
    if isinstance(cells, TextColumn):
        codes: Any = pa.array(cells.codes)
        return pa.DictionaryArray.from_arrays(codes, pa.array(cells.values, pa.string())).dictionary_decode()
    match storage:
        case Storage.NUMBER:
            return pa.array(cells, mask=np.isnan(cells))
        case Storage.INSTANT:
            return _instants(cells)
        case Storage.DAY:
            return pa.array(cells, pa.date32(), mask=cells == NO_DAY)
        case _:
            return pa.array(cells)


def _instants(cells: Any) -> Any:
    """Instants as text: an open end is PostgreSQL's infinity, which is no instant to Arrow."""
    open_end, unknown = cells == OPEN_END, cells == NO_INSTANT
    text: Any = pa.array(np.where(open_end | unknown, 0, cells), pa.timestamp("us", "UTC")).cast(pa.string())
    for mask, word in ((open_end, "infinity"), (unknown, "-infinity")):
        text = pc.if_else(pa.array(mask), pa.scalar(word), text)
    return text
