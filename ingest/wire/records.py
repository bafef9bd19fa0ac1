"""Kafka records as columns: one run of bytes, and where in it each record's value lies.

A fetch of single JSON readings is ten thousands of records; an object for each would cost more than reading it does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self, overload

import numpy as np
from numpy.typing import NDArray

from ingest.wire.block import CONTENT_TYPE, CONTENT_TYPE_BLOCK, CONTENT_TYPE_JSON, RECEIVED_AT, Headers

__all__ = ["CALLED_BLOCK", "CALLED_JSON", "RECORD", "UNREADABLE", "Record", "Records"]

CALLED_JSON, CALLED_BLOCK, UNREADABLE = 1, 2, 3
_KINDS = {CONTENT_TYPE_JSON: CALLED_JSON, CONTENT_TYPE_BLOCK: CALLED_BLOCK}
_INT64_DIGITS = 18
_BEHIND = bytes(8)
"""Behind the last value, for those who look at whole words (`_json_kernel.SPARE`)."""

RECORD = np.dtype(
    [
        ("offset", "<i8"), ("timestamp_us", "<i8"), ("received_us", "<i8"),
        ("at", "<i8"), ("size", "<i4"), ("kind", "<i4"),
    ]
)  # fmt: skip
"""`at` and `size` say where the value is (size -1: a tombstone has none); `received_us` is the header
`received-at-us`, or the record's time without one; `kind` is what the header `content-type` calls it, 0 if nothing
known, and `UNREADABLE` where the value is a whole batch that cannot be read. Times are [us since 1970-01-01 UTC]."""


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka record, as far as anybody looks.

    Attributes
    ----------
    offset : int
        In its partition.
    timestamp_us : int
        When Kafka got it. [us since 1970-01-01 UTC]
    value : bytes or None
        None is a tombstone.
    """

    offset: int
    timestamp_us: int
    value: bytes | None


@dataclass(frozen=True, slots=True, eq=False)
class Records(Sequence[Record]):
    """Records in order; a slice shares the bytes.

    Attributes
    ----------
    data : (b,) uint8
        Bytes that hold the values.
    rows : (n,) RECORD
        One for each record.

    Examples
    --------
    >>> records = Records.of([b"{}", None, b"[]"], timestamps_us=[5, 6, 7])
    >>> records[0], [record.offset for record in records[1:]], records.sizes().tolist()
    (Record(offset=0, timestamp_us=5, value=b'{}'), [1, 2], [2, 0, 2])
    """

    data: NDArray[np.uint8]
    rows: NDArray[Any]

    @classmethod
    def of(
        cls,
        values: Sequence[bytes | None],
        *,
        timestamps_us: Sequence[int] | NDArray[np.int64],
        headers: Sequence[Headers | None] | None = None,
        offsets: Sequence[int] | None = None,
    ) -> Self:
        """Records out of values; offsets count from 0 where they are not given."""
        rows = np.zeros(len(values), RECORD)
        rows["offset"] = np.arange(len(values)) if offsets is None else offsets
        rows["timestamp_us"] = rows["received_us"] = timestamps_us
        sizes = np.fromiter((-1 if value is None else len(value) for value in values), np.int64, len(values))
        rows["size"] = sizes
        rows["at"][1:] = np.cumsum(np.maximum(sizes, 0))[:-1]
        for i, of_record in enumerate(headers or ()):
            kind, received_us = _stated(of_record or ())
            rows["kind"][i] = kind
            if received_us is not None:
                rows["received_us"][i] = received_us
        return cls(np.frombuffer(b"".join([*(value or b"" for value in values), _BEHIND]), np.uint8), rows)

    @classmethod
    def joined(cls, parts: "Sequence[Records]") -> "Records":
        """Records of one part after the other."""
        if len(parts) == 1:
            return parts[0]
        rows = np.concatenate([part.rows for part in parts])
        lengths = [len(part.data) for part in parts]
        rows["at"] += np.repeat(np.cumsum([0, *lengths[:-1]]), [len(part) for part in parts])
        return cls(np.frombuffer(b"".join([*(part.data.data for part in parts), _BEHIND]), np.uint8), rows)

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> "Records": ...
    def __getitem__(self, index: "int | slice") -> "Record | Records":
        if isinstance(index, slice):
            return Records(self.data, self.rows[index])
        return Record(int(self.rows["offset"][index]), int(self.rows["timestamp_us"][index]), self.value(index))

    def __iter__(self) -> Iterator[Record]:
        return (self[i] for i in range(len(self)))

    def value(self, index: int) -> bytes | None:
        """Value of one record."""
        at, size = int(self.rows["at"][index]), int(self.rows["size"][index])
        return None if size < 0 else self.data[at : at + size].tobytes()

    def sizes(self) -> NDArray[np.int64]:
        """Bytes of each value."""
        sizes: NDArray[np.int64] = np.maximum(self.rows["size"], 0).astype(np.int64)
        return sizes


def _stated(headers: Headers) -> tuple[int, int | None]:
    """What headers call the value, and when they say it was received; the last of repeated ones counts."""
    kind, received_us = 0, None
    for name, value in headers:
        if name == CONTENT_TYPE and value:
            kind = _KINDS.get(value.decode("ascii", "replace").partition(";")[0].strip().lower(), 0)
        elif name == RECEIVED_AT and value and value.isdigit() and len(value) <= _INT64_DIGITS:
            received_us = int(value)
    return kind, received_us
