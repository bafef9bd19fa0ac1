"""Result files: the columns of the interchange format in parquet, and a directory that appears whole or not at all.

Text columns are plain strings (parquet keeps each distinct one once), instants are UTC, days are local dates. The
first columns are those of the interchange format in its order; what stands after them was added. A column that has no
value in a row is null there: `tce` where no factor applies, `magnitude` where it is not known.
"""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from analytics.domain.errors import ConfigurationError
from analytics.domain.quality import HOUR_FLAG_MEANING

__all__ = ["SCHEMAS", "Column", "Labels", "ResultDirectory", "read_results"]

_INSTANT = pa.timestamp("us", tz="UTC")
_QUALITY = {b"bits": "; ".join(f"{int(flag)}: {words}" for flag, words in HOUR_FLAG_MEANING.items()).encode()}
_Columns: TypeAlias = Sequence[tuple[str, pa.DataType]]
_DETECTION: _Columns = [
    ("unit_code", pa.string()),
    ("point", pa.string()),
    ("meter_no", pa.string()),
    ("kind", pa.string()),
    ("started_at", _INSTANT),
    ("detected_at", _INSTANT),
    ("magnitude", pa.float64()),
    ("confidence", pa.float64()),
    ("evidence", pa.string()),
    ("ended_at", _INSTANT),
]


def _schema(columns: _Columns) -> pa.Schema:
    return pa.schema([pa.field(name, kind, metadata=_QUALITY if name == "quality" else None) for name, kind in columns])


SCHEMAS: Mapping[str, pa.Schema] = {
    "consumption_hour": _schema(
        [
            ("unit_code", pa.string()),
            ("point", pa.string()),
            ("carrier", pa.string()),
            ("start", _INSTANT),
            ("amount", pa.float64()),
            ("unit", pa.string()),
            ("completeness", pa.float32()),
            ("quality", pa.int16()),
            ("revision", pa.int32()),
            ("measured", pa.float32()),
            ("unexplained", pa.float64()),
        ]
    ),
    "unit_energy_day": _schema(
        [
            ("unit_code", pa.string()),
            ("scope", pa.string()),
            ("name", pa.string()),
            ("carrier", pa.string()),
            ("day", pa.date32()),
            ("amount", pa.float64()),
            ("unit", pa.string()),
            ("tce", pa.float64()),
            ("completeness", pa.float32()),
            ("factor", pa.string()),
            ("sub_unit", pa.string()),
            ("measured", pa.float32()),
            ("quality", pa.int16()),
            ("unexplained", pa.float64()),
        ]
    ),
    "detections": _schema(_DETECTION),
    "events": _schema(_DETECTION),
    "findings": _schema(
        [
            ("unit_code", pa.string()),
            ("edition", pa.string()),
            ("clause", pa.string()),
            ("level", pa.string()),
            ("carrier", pa.string()),
            ("required", pa.string()),
            ("found", pa.string()),
            ("verdict", pa.string()),
            ("meters", pa.list_(pa.string())),
            ("as_of", pa.date32()),
            ("rule", pa.string()),
            ("severity", pa.string()),
            ("mandatory", pa.bool_()),
            ("point", pa.string()),
            ("meter_no", pa.string()),
            ("points", pa.list_(pa.string())),
            ("next_step", pa.string()),
            ("required_zh", pa.string()),
            ("found_zh", pa.string()),
            ("next_step_zh", pa.string()),
        ]
    ),
    "standings": _schema(
        [
            ("unit_code", pa.string()),
            ("state", pa.string()),
            ("grade", pa.string()),
            ("as_of", pa.date32()),
            ("edition", pa.string()),
        ]
    ),
    "observability": _schema(
        [
            ("unit_code", pa.string()),
            ("point", pa.string()),
            ("question", pa.string()),
            ("verdict", pa.string()),
            ("reason", pa.string()),
            ("share", pa.float64()),
            ("smallest_30d", pa.float64()),
            ("smallest_90d", pa.float64()),
            ("hours_typical", pa.float64()),
            ("hours_worst", pa.float64()),
        ]
    ),
    "rejected": _schema(
        [
            ("row", pa.int64()),
            ("reason", pa.string()),
            ("required", pa.string()),
            ("got", pa.string()),
            ("unit_code", pa.string()),
            ("meter_no", pa.string()),
            ("measured_at", _INSTANT),
            ("value", pa.float64()),
            ("unit", pa.string()),
            ("register", pa.string()),
            ("reading", pa.string()),
            ("file", pa.string()),
            ("readings", pa.int64()),
        ]
    ),
}
"""Columns of each file. `events` holds what is no fault: rollovers, declared replacements, new multipliers."""

_REPLACEABLE = frozenset(f"{name}.parquet" for name in SCHEMAS)


class Labels:
    """A text column of n rows over few distinct texts.

    Parameters
    ----------
    codes : (n,) int
        Index into `texts`.
    texts : sequence of str
    """

    __slots__ = ("codes", "texts")

    def __init__(self, codes: npt.NDArray[np.integer], texts: Sequence[str]) -> None:
        self.codes = codes
        self.texts = texts

    def __len__(self) -> int:
        return len(self.codes)

    def to_arrow(self) -> "pa.Array[Any]":
        """The texts row by row."""
        return pa.array(self.texts, pa.string()).take(pa.array(self.codes))


Column: TypeAlias = Labels | npt.NDArray[np.generic] | Sequence[object] | None
"""One column: texts by code, numbers, plain values, or None for nothing in any row. NaN in numbers becomes null."""


class ResultDirectory:
    """Result files that are written beside their place and put there together when the block ends well.

    A directory that is there already is replaced if nothing but result files lies in it.

    Parameters
    ----------
    path : Path
        Where the files are wanted.

    Raises
    ------
    ConfigurationError
        On entering, if something else lies at `path`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._work = self.path.parent / f".{self.path.name}.{uuid4().hex[:8]}"
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._open = ExitStack()
        self.rows: dict[str, int] = {}

    @property
    def scratch(self) -> Path:
        """A directory for whatever has to be laid aside meanwhile; it is gone afterwards."""
        place = self._work / "scratch"
        place.mkdir(exist_ok=True)
        return place

    def __enter__(self) -> Self:
        _refuse_strangers(self.path)
        self._work.mkdir(parents=True)
        for name, schema in SCHEMAS.items():
            self._writers[name] = self._open.enter_context(
                pq.ParquetWriter(self._work / f"{name}.parquet", schema, compression="zstd")
            )
            self.rows[name] = 0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._open.close()
            if kind is None:
                self._put_in_place()
        finally:
            shutil.rmtree(self._work, ignore_errors=True)

    def write(self, name: str, columns: Mapping[str, Column]) -> int:
        """Append rows to a file; the number of rows.

        Parameters
        ----------
        name : str
            One of `SCHEMAS`.
        columns : mapping of str to Column
            Every column of the file, equally long.
        """
        schema = SCHEMAS[name]
        if set(columns) != set(schema.names):
            wrong = sorted(set(columns) ^ set(schema.names))
            raise ValueError(f"{name} must have exactly its columns (missing or unknown: {', '.join(wrong)})")
        n = next(len(column) for column in columns.values() if column is not None)
        if n:
            arrays = [_arrow(columns[field.name], field.type, n) for field in schema]
            self._writers[name].write_table(pa.table(arrays, schema=schema))
            self.rows[name] += n
        return n

    def _put_in_place(self) -> None:
        shutil.rmtree(self._work / "scratch", ignore_errors=True)
        aside = self._work.with_name(self._work.name + ".old")
        if self.path.exists():
            _refuse_strangers(self.path)
            self.path.rename(aside)
        try:
            self._work.rename(self.path)
        except OSError:
            if aside.exists():
                aside.rename(self.path)
            raise
        shutil.rmtree(aside, ignore_errors=True)


def read_results(directory: Path, name: str) -> pa.Table:
    """Read one result file.

    Raises
    ------
    ConfigurationError
        If it is not there, or its columns are not those of the format; columns that were added are allowed.
    """
    file = directory / f"{name}.parquet"
    if not file.is_file():
        raise ConfigurationError(f"a result file must be at {file}")
    table = pq.read_table(file)
    for field in SCHEMAS[name]:
        if field.name not in table.column_names or table.schema.field(field.name).type != field.type:
            raise ConfigurationError(f"{file} must have the column {field.name} of type {field.type}")
    return table


def _refuse_strangers(path: Path) -> None:
    if not path.exists():
        return
    if not path.is_dir():
        raise ConfigurationError(f"the output must be a directory (got the file {path})")
    strangers = sorted(entry.name for entry in path.iterdir() if entry.name not in _REPLACEABLE)
    if strangers:
        raise ConfigurationError(
            f"the output directory must be new, or hold only result files that may be replaced "
            f"({path} holds {', '.join(strangers[:5])})"
        )


def _arrow(column: Column, kind: pa.DataType, n: int) -> "pa.Array[Any]":
    if column is None:
        return pa.array([None] * n, kind)
    if isinstance(column, Labels):
        return column.to_arrow()
    if isinstance(column, np.ndarray):
        raw = pa.array(column, from_pandas=True)
        return raw.cast(pa.int64()).cast(kind) if pa.types.is_timestamp(kind) else raw.cast(kind)
    return pa.array(column, kind)
