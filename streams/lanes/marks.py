"""Marks by which Kafka's log is known again: offset, time and checksum of records that were stored.

The newest is that of the last record below the fence; towards the past they get rarer, so that a log that was cut, or
set back to an older copy, is found out to about half the way back to where it parts from what was stored.
"""

from typing import Any, Final

import numpy as np
from crc32c import crc32c
from numpy.typing import NDArray

from ingest.wire import Records

__all__ = ["MARK", "Marks", "from_bytes", "mark_of", "same", "with_mark"]

MARK: Final = np.dtype([("offset", "<i8"), ("time_us", "<i8"), ("sum", "<u4")])
_ALL_OF: Final = 8

Marks = NDArray[np.void]
"""(n,) array of `MARK`, offsets rising."""


def mark_of(records: Records, index: int = -1) -> Marks:
    """Mark of one record, (1,) MARK; none of no records.

    Examples
    --------
    >>> mark_of(Records.of([b"a", b"b"], timestamps_us=[1, 2], offsets=[5, 8])).tolist()
    [(8, 2, 3531649220)]
    """
    mark = np.zeros(min(len(records), 1), MARK)
    if len(records):
        row = records.rows[index]
        mark["offset"], mark["time_us"] = row["offset"], row["timestamp_us"]
        at, size = int(row["at"]), max(int(row["size"]), 0)
        mark["sum"] = crc32c(records.data[at : at + size].tobytes())
    return mark


def with_mark(marks: Marks, mark: Marks) -> Marks:
    """Marks with a newer one: the newest are all kept, of the older ones two an octave of their distance.

    Examples
    --------
    >>> marks = np.zeros(0, MARK)
    >>> for offset in range(1000):
    ...     marks = with_mark(marks, np.array([(offset, 0, 0)], MARK))
    >>> len(marks) < 30, marks["offset"].tolist()[-3:]
    (True, [997, 998, 999])
    """
    if not len(mark):
        return marks
    both = np.concatenate([marks, mark])
    distance = (both["offset"][-1] - both["offset"]).clip(1)
    octave = np.floor(2 * np.log2(distance))
    oldest = np.ones(len(both), np.bool_)
    oldest[1:] = octave[1:] != octave[:-1]
    oldest[-_ALL_OF:] = True
    return both[oldest]


def from_bytes(kept: bytes) -> Marks:
    """Marks as they are kept; their `tobytes` gives them back."""
    return np.frombuffer(kept, MARK).copy()


def same(mark: Any, records: Records) -> bool:
    """Whether one of some records is the one that a mark was taken of."""
    index = int(np.searchsorted(records.rows["offset"], mark["offset"]))
    if index == len(records) or records.rows["offset"][index] != mark["offset"]:
        return False
    return bool(mark_of(records, index)[0] == mark)
