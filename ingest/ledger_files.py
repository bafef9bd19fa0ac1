"""Ledgers from files and into files: CSV, Excel, and the compact form that the database and the workers keep."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from analytics.domain.ledger import (
    COLUMNS,
    DEFAULT_ZONE,
    Cells,
    Ledger,
    LedgerFault,
    Storage,
    TextColumn,
    build_ledger,
)
from analytics.domain.ledger.faults import in_order
from ingest.ledger_csv import csv_table
from ingest.ledger_table import LedgerTable, unreadable
from ingest.ledger_xlsx import xlsx_table

__all__ = ["LedgerReport", "ledger_from_bytes", "ledger_table", "ledger_to_bytes", "read_ledger"]

_ZIP = b"PK\x03\x04"
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_FORMAT_KEY = b"meterwarden.ledger"
_FORMAT = b"1"


@dataclass(frozen=True, slots=True, eq=False)
class LedgerReport:
    """What a ledger file holds, or everything that is wrong with it.

    Attributes
    ----------
    ledger : Ledger
        Complete; empty where there are faults.
    faults : list of LedgerFault
        By row and column.
    ignored : tuple of str
        Headers that are no column of the ledger.
    titles : mapping of str to str
        What the file calls each column, by English name.
    rows : int
        Rows read, without header and empty ones.
    """

    ledger: Ledger
    faults: list[LedgerFault]
    ignored: tuple[str, ...]
    titles: Mapping[str, str]
    rows: int


def ledger_table(source: Path | bytes) -> LedgerTable:
    """Raw columns of a ledger file; what kind of file it is, its first bytes say."""
    if isinstance(source, bytes):
        mark = source[:4]
    else:
        with source.open("rb") as file:
            mark = file.read(4)
    if mark == _ZIP:
        return xlsx_table(source if isinstance(source, bytes) else source.read_bytes())
    if mark == _OLD_EXCEL:
        return unreadable("an .xlsx or .csv file (save the workbook as .xlsx)", "an old .xls workbook")
    return csv_table(source)


def read_ledger(source: Path | bytes, *, zone: tzinfo = DEFAULT_ZONE) -> LedgerReport:
    """Ledger of a CSV or Excel file, with all its faults at once.

    Any bytes give a ledger or faults; only a file that cannot be opened raises (`OSError`).

    Parameters
    ----------
    source : Path or bytes
        The file, or what it holds.
    zone : tzinfo
        Zone of dates and times that say none.
    """
    table = ledger_table(source)
    if table.header is None:
        return LedgerReport(Ledger.empty(), list(table.faults), (), {}, 0)
    ledger, faults = build_ledger(table.columns, zone=zone, row_numbers=table.row_numbers)
    said = {(fault.row, fault.column) for fault in table.faults}
    faults = [fault for fault in faults if (fault.row, fault.column) not in said]
    all_faults = in_order([*table.faults, *faults])
    return LedgerReport(
        Ledger.empty() if all_faults else ledger,
        all_faults,
        table.header.unknown,
        table.header.titles,
        len(table.row_numbers),
    )


def ledger_to_bytes(ledger: Ledger) -> bytes:
    """Normalised rows of a ledger as a zstd-compressed parquet file."""
    arrays: list[Any] = []
    for cells in ledger.to_columns().values():
        if isinstance(cells, TextColumn):
            arrays.append(pa.DictionaryArray.from_arrays(cells.codes, pa.array(cells.values, pa.string())))
        else:
            arrays.append(pa.array(cells))
    table = pa.Table.from_arrays(arrays, names=list(COLUMNS)).replace_schema_metadata({_FORMAT_KEY: _FORMAT})
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def ledger_from_bytes(blob: bytes) -> Ledger:
    """Ledger that `ledger_to_bytes` wrote; trusted, so that a million installations take seconds.

    Raises
    ------
    ValueError
        If the bytes are something else.
    """
    text = [name for name, spec in COLUMNS.items() if spec.storage is Storage.TEXT]
    try:
        table = pq.read_table(pa.BufferReader(blob), read_dictionary=text)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"a ledger's bytes must be parquet (got {error})") from error
    found = (table.schema.metadata or {}).get(_FORMAT_KEY)
    if found != _FORMAT:
        raise ValueError(f"a ledger's bytes must be of format {_FORMAT.decode()} (got {found!r})")
    return Ledger.from_columns({name: _cells(table.column(name), spec.storage) for name, spec in COLUMNS.items()})


def _cells(column: Any, storage: Storage) -> Cells:
    if storage is not Storage.TEXT:
        cells: Cells = column.to_numpy()
        return cells
    chunks: list[Any] = column.unify_dictionaries().chunks
    if not chunks:
        return TextColumn.of(())
    codes = np.concatenate([chunk.indices.to_numpy() for chunk in chunks])
    return TextColumn.normalised(codes, chunks[0].dictionary.to_pylist())
