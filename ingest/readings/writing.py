"""Readings into files, as `read_readings` takes them back."""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ingest.files.text_cells import csv_text
from ingest.readings.parts import UnreadableFile
from ingest.wire.times import format_utc

__all__ = ["ReadingColumns", "write_readings"]


_TEXTS = frozenset({"unit_code", "meter_no", "unit", "register"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadingColumns:
    """n readings of any units and meters as columns; None for an optional one that is not stated.

    Attributes
    ----------
    unit_code, meter_no, unit, register : (n,) sequence of str
    measured_at, received_at : (n,) int64
        [us since 1970-01-01 UTC]
    value : (n,) float64
        The dial, before the multiplier. [`unit`]
    quality : (n,) int
        0 to 255 as stated, plus 256 where a zone was assumed.
    """

    unit_code: Sequence[str]
    meter_no: Sequence[str]
    measured_at: NDArray[np.int64]
    value: NDArray[np.float64]
    unit: Sequence[str]
    register: Sequence[str] | None = None
    quality: NDArray[np.integer] | None = None
    received_at: NDArray[np.int64] | None = None


def write_readings(path: Path, readings: ReadingColumns) -> None:
    """Write a CSV, parquet or JSON-lines file (the latter also as ``.gz``), by the suffix of `path`; times in UTC."""
    name = path.name.lower()
    if name.endswith(".parquet"):
        pq.write_table(_table(readings, as_text=False), path)
    elif name.endswith(".csv"):
        pacsv.write_csv(_kept_texts(_table(readings, as_text=True)), path)
    elif name.endswith((".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")):
        text = b"".join(_lines(_table(readings, as_text=True)))
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    else:
        raise UnreadableFile(f"{path.name}: must end in .csv, .parquet, .jsonl, .ndjson or the latter's .gz")


def _kept_texts(table: pa.Table) -> pa.Table:
    """The same with texts that no spreadsheet takes for formulas."""
    for place, name in enumerate(table.column_names):
        if name in _TEXTS:
            cells = table.column(name).to_pylist()
            if any(cell and csv_text(cell) != cell for cell in cells):
                kept = [None if cell is None else csv_text(cell) for cell in cells]
                table = table.set_column(place, name, pa.array(kept, pa.string()))
    return table


def _table(readings: ReadingColumns, *, as_text: bool) -> pa.Table:
    def times(us: NDArray[np.int64]) -> Any:
        return pa.array(format_utc(us)) if as_text else pa.array(us).cast(pa.timestamp("us", "UTC"))

    columns: dict[str, Any] = {
        "unit_code": pa.array(readings.unit_code, pa.string()),
        "meter_no": pa.array(readings.meter_no, pa.string()),
        "measured_at": times(readings.measured_at),
        "value": pa.array(readings.value, pa.float64()),
        "unit": pa.array(readings.unit, pa.string()),
    }
    if readings.register is not None:
        columns["register"] = pa.array(readings.register, pa.string())
    if readings.quality is not None:
        columns["quality"] = pa.array(readings.quality, pa.int16())
    if readings.received_at is not None:
        columns["received_at"] = times(readings.received_at)
    return pa.table(columns)


def _lines(table: pa.Table) -> Sequence[bytes]:
    encode = msgspec.json.Encoder().encode
    return [encode(row) + b"\n" for row in table.to_pylist()]
