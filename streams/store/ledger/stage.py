"""A ledger's rows as CSV for the staging table, in pieces."""

import io
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from analytics.domain.ledger import COLUMNS, NO_DAY, NO_INSTANT, OPEN_END, Ledger, LedgerRows, Storage, TextColumn
from analytics.domain.ledger.derive import group

__all__ = ["CHUNK", "Stage", "plain"]

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
        arrays |= {name: plain(rows, name) for name in COLUMNS}
        self._table = pa.table(arrays)

    def csv(self, start: int) -> bytes:
        """`CHUNK` rows from `start`; NULL is nothing, empty text is a pair of quotes."""
        sink = io.BytesIO()
        pa_csv.write_csv(self._table.slice(start, CHUNK), sink, _OPTIONS)
        return sink.getvalue()


def plain(rows: LedgerRows, name: str, index: NDArray[np.integer] | None = None) -> Any:
    """A column as Arrow writes it to CSV for PostgreSQL, of the rows at `index` or of all."""
    cells = rows.columns[name]
    if isinstance(cells, TextColumn):
        codes: Any = pa.array(cells.codes if index is None else cells.codes[index])
        return pa.DictionaryArray.from_arrays(codes, pa.array(cells.values, pa.string())).dictionary_decode()
    return _array(cells if index is None else cells[index], COLUMNS[name].storage)


def _array(cells: NDArray[Any], storage: Storage) -> Any:
    match storage:
        case Storage.NUMBER:
            return pa.array(cells, mask=np.isnan(cells))
        case Storage.INSTANT:
            return _instants(cells)
        case Storage.DAY:
            return pa.array(cells, pa.date32(), mask=cells == NO_DAY)
        case _:
            return pa.array(cells)


def _instants(cells: NDArray[np.int64]) -> Any:
    """Instants as text, of which there are few: an open end is PostgreSQL's infinity, which is no instant to Arrow."""
    distinct, place = np.unique(cells, return_inverse=True)
    open_end, unknown = distinct == OPEN_END, distinct == NO_INSTANT
    text: Any = pa.array(np.where(open_end | unknown, 0, distinct), pa.timestamp("us", "UTC")).cast(pa.string())
    for mask, word in ((open_end, "infinity"), (unknown, "-infinity")):
        text = pc.if_else(pa.array(mask), pa.scalar(word), text)
    return text.take(pa.array(place))
