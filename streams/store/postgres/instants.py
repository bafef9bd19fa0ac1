"""Conversion of instants for the database driver."""

from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from streams.rows.layout import Int64s

__all__ = ["instant", "within_reach"]


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST_US: Final = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_LATEST_US: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


def instant(us: int) -> datetime:
    """`us` since 1970-01-01 UTC as an aware datetime, the nearest there is.

    Examples
    --------
    >>> instant(-1).isoformat(), instant(2**63 - 1).year
    ('1969-12-31T23:59:59.999999+00:00', 9999)
    """
    return _EPOCH + timedelta(microseconds=min(max(us, _EARLIEST_US), _LATEST_US))


def within_reach(us: Int64s) -> Int64s:
    """Bounds of half-open windows; those outside the years 1 to 9999, which have no names, are moved to their ends."""
    return np.clip(us.astype(np.int64), _EARLIEST_US, _LATEST_US + 1)
