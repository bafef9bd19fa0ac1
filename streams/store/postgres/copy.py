"""PostgreSQL's binary COPY from parallel columns: about 0.1 µs a row where all columns have a fixed width.

A row on the wire is its number of fields and, for each, a length and the big-endian bytes. Rows without NULL and text
all look alike, so they are one numpy structured array. A NULL is a length of -1 without bytes; rows are therefore
grouped by which of their columns are NULL (their order means nothing to COPY), a structured array for each group.
Text goes last in the row, appended in Python: for small tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.domain.instants import US_PER_HOUR

__all__ = ["HEADER", "PG_EPOCH_US", "TRAILER", "WIRE", "Column", "Layout", "from_wire"]

HEADER = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8
"""Signature, flags and the length of an empty extension."""

TRAILER = b"\xff\xff"

PG_EPOCH_US = 946_684_800_000_000
"""2000-01-01 UTC, from which timestamptz counts. [us since 1970-01-01]"""

INFINITY_US = np.iinfo(np.int64).max
"""PostgreSQL's timestamptz 'infinity', and ours for "still there"; the smallest int64 is '-infinity'."""

_PG_EPOCH_DAY = 10_957  # 2000-01-01 [d since 1970-01-01]

WIRE = {
    "int2": ">i2",
    "int4": ">i4",
    "int8": ">i8",
    "float4": ">f4",
    "float8": ">f8",
    "bool": "?",
    "date": ">i4",
    "timestamptz": ">i8",
    "hour": ">i8",  # a timestamptz, given as hours since 1970-01-01 UTC
    "xid": ">u4",
}
"""What a type is on the wire."""

_TEXT = frozenset({"text", "bytea", "jsonb"})


@dataclass(frozen=True, slots=True)
class Column:
    """A column as COPY sends it.

    Parameters
    ----------
    name : str
        Field of the structured array, or key of the mapping.
    kind : str
        PostgreSQL's type, ``hour`` for a timestamptz given as an hour index.
    null : int or float, optional
        The value that stands for NULL; NaN for floats.
    """

    name: str
    kind: str
    null: float | None = None


class Layout:
    """How rows of one table are packed. Columns of text come last.

    Examples
    --------
    >>> layout = Layout(Column("id", "int4"), Column("share", "float4", null=float("nan")))
    >>> rows = {"id": np.array([1, 2]), "share": np.array([0.5, np.nan])}
    >>> packed = layout.pack(rows)
    >>> len(packed) - len(HEADER) - len(TRAILER)
    32
    """

    def __init__(self, *columns: Column) -> None:
        self.columns = columns
        self._fixed = tuple(c for c in columns if c.kind not in _TEXT)
        self._text = columns[len(self._fixed) :]
        if any(c.kind not in _TEXT for c in self._text):
            msg = f"columns of text must come last (got {[c.kind for c in columns]})"
            raise ValueError(msg)
        self._nullable = tuple(c for c in self._fixed if c.null is not None)
        self._dtypes: dict[int, np.dtype[np.void]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The columns in the order they are sent."""
        return tuple(c.name for c in self.columns)

    def blank(self) -> NDArray[np.void]:
        """A row on the wire in which only the values are missing, which are its fields v0, v1 and so on, (1,).

        Of a layout without text, for rows without NULL.
        """
        row = np.zeros(1, self._dtype(0))
        row["n"] = len(self.columns)
        for i in range(len(self._fixed)):
            row[f"l{i}"] = row[f"v{i}"].dtype.itemsize
        return row

    def turned(self) -> np.dtype[np.void]:
        """A row on the wire with the columns' names, each an unsigned whole number whose bytes are turned."""
        fields = self._dtype(0).fields
        assert fields is not None, "a structured type has fields"
        places = [fields[f"v{i}"] for i in range(len(self._fixed))]
        formats, offsets = [f"<u{place[0].itemsize}" for place in places], [place[1] for place in places]
        return np.dtype(
            {"names": list(self.names), "formats": formats, "offsets": offsets, "itemsize": self._dtype(0).itemsize}
        )

    def pack(self, rows: Mapping[str, Any] | NDArray[np.void]) -> bytes:
        """Pack parallel columns (or a structured array) into a whole COPY stream."""
        return b"".join((HEADER, *self._groups(rows), TRAILER))

    def _groups(self, rows: Mapping[str, Any] | NDArray[np.void]) -> list[bytes]:
        count = len(rows[self.columns[0].name])
        if not count:
            return []
        pattern = np.zeros(count, np.int64)
        for bit, column in enumerate(self._nullable):
            given = np.asarray(rows[column.name])
            absent = np.isnan(given) if given.dtype.kind == "f" else given == column.null
            pattern |= absent.astype(np.int64) << bit
        patterns = np.unique(pattern) if self._nullable else pattern[:1]
        if len(patterns) == 1:
            return [self._group(rows, None, int(patterns[0]))]
        return [self._group(rows, np.flatnonzero(pattern == p), int(p)) for p in patterns]

    def _group(self, rows: Mapping[str, Any] | NDArray[np.void], take: NDArray[np.intp] | None, pattern: int) -> bytes:
        count = len(rows[self.columns[0].name]) if take is None else len(take)
        packed = np.empty(count, self._dtype(pattern))
        packed["n"] = len(self.columns)
        for i, column in enumerate(self._fixed):
            if f"v{i}" not in packed.dtype.fields:  # type: ignore[operator]  # a structured dtype has fields
                packed[f"l{i}"] = -1
                continue
            value = packed[f"v{i}"]
            packed[f"l{i}"] = value.dtype.itemsize
            given = np.asarray(rows[column.name])
            value[...] = _to_wire(given if take is None else given[take], column.kind)
        if not self._text:
            return packed.tobytes()
        return self._append_text(packed, rows, take)

    def _append_text(
        self, packed: NDArray[np.void], rows: Mapping[str, Any] | NDArray[np.void], take: NDArray[np.intp] | None
    ) -> bytes:
        fixed, width = packed.tobytes(), packed.dtype.itemsize
        columns = [(rows[c.name], b"\x01" if c.kind == "jsonb" else b"") for c in self._text]
        parts = []
        for k, row in enumerate(range(len(packed)) if take is None else take.tolist()):
            parts.append(fixed[k * width : (k + 1) * width])
            parts.extend(_text(given[row], prefix) for given, prefix in columns)
        return b"".join(parts)

    def _dtype(self, pattern: int) -> np.dtype[np.void]:
        if pattern not in self._dtypes:
            absent = {c.name for bit, c in enumerate(self._nullable) if pattern >> bit & 1}
            fields = [("n", ">i2")]
            for i, column in enumerate(self._fixed):
                fields.append((f"l{i}", ">i4"))
                if column.name not in absent:
                    fields.append((f"v{i}", WIRE[column.kind]))
            self._dtypes[pattern] = np.dtype(fields)
        return self._dtypes[pattern]


def _to_wire(given: NDArray[Any], kind: str) -> NDArray[Any]:
    if kind == "timestamptz":
        return _shifted(given.astype(np.int64, copy=False), -PG_EPOCH_US)
    if kind == "hour":
        return given.astype(np.int64) * US_PER_HOUR - PG_EPOCH_US
    if kind == "date":
        return given - _PG_EPOCH_DAY
    return given


def _shifted(given: NDArray[np.int64], us: int) -> NDArray[np.int64]:
    """Instants in the other epoch; the infinite ones, which both sides write alike, stay."""
    moved = given + us
    if given.max(initial=0) == INFINITY_US or given.min(initial=0) == -INFINITY_US - 1:
        infinite = (given == INFINITY_US) | (given == -INFINITY_US - 1)
        moved[infinite] = given[infinite]
    return moved


def _text(value: str | bytes | None, prefix: bytes) -> bytes:
    if value is None:
        return b"\xff\xff\xff\xff"
    raw = prefix + (value.encode() if isinstance(value, str) else value)
    return len(raw).to_bytes(4, "big") + raw


def from_wire(given: NDArray[Any], kind: str) -> NDArray[Any]:
    """Values as PostgreSQL sends them, in native byte order, as this project has them: the way back of a column."""
    if kind == "timestamptz":
        return _shifted(given.astype(np.int64), PG_EPOCH_US)
    if kind == "hour":
        return (given.astype(np.int64) + PG_EPOCH_US) // US_PER_HOUR
    if kind == "date":
        return given.astype(np.int64) + _PG_EPOCH_DAY
    return given
