"""Records that the compiled register rules work on, and the flags and kinds they write.

Times are int64 microseconds since 1970 UTC, dial values float64 in the register's unit, amounts int64 millionths of
the canonical unit.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.domain.quality import DetectionKind, HourFlag

__all__ = [
    "ACCEPTED",
    "BREAK",
    "CONFIRM",
    "CONFLICT",
    "DUPLICATE",
    "HOUR_ROW",
    "INSTALLATION_ROW",
    "JUMP",
    "LATE",
    "NEVER",
    "POINT_STATE",
    "RHYTHM",
    "RULES_ROW",
    "SCALE",
    "SENTINEL",
    "SPIKE",
    "SUSPECT",
    "Work",
]

NEVER = np.iinfo(np.int64).min
"""Placeholder for an unknown instant."""

POINT_STATE = np.dtype(
    [
        # the last good reading (the anchor), and the good one before it
        ("good_at", "<i8"), ("good_value", "<f8"), ("prev_at", "<i8"), ("prev_value", "<f8"),
        # the hour that holds the anchor, counted up to the anchor
        ("amount", "<i8"), ("covered", "<u4"), ("estimated", "<u4"), ("hour", "<i4"),
        # the same at the reading before, to restore if the anchor turns out to be a spike
        ("prev_amount", "<i8"), ("prev_covered", "<u4"), ("prev_estimated", "<u4"),
        # run of readings that do not fit the anchor and await confirmation: its first and its last
        ("run_at", "<i8"), ("run_value", "<f8"), ("last_at", "<i8"), ("last_value", "<f8"),
        # newest reading of all, and repeats of it [s]
        ("seen_at", "<i8"), ("seen_value", "<f8"), ("repeated_from", "<u4"), ("repeated_to", "<u4"),
        ("installation", "<i4"), ("run_n", "<u2"), ("repeats", "<u2"),
        ("flags", "u1"), ("prev_flags", "u1"), ("flat_flags", "u1"), ("kept_flags", "u1"),
        ("run_kind", "i1"), ("run_scale", "i1"), ("silent", "i1"), ("partial", "i1"), ("repeating", "i1"),
        # finest decimal that the register has shown, as `_digits_kernel` packs it
        ("digits", "u1"),
        # how long after it was measured the anchor was received [s]
        ("good_late", "<i4"),
        # where the dial stopped moving, to restore if the gateway had repeated a value and catches up
        ("flat_at", "<i8"), ("flat_amount", "<i8"), ("flat_covered", "<u4"), ("flat_estimated", "<u4"),
        # the anchor before the current level, to restore if that level is false; first reading of the level
        ("kept_at", "<i8"), ("kept_value", "<f8"), ("kept_run", "<i8"),
        ("kept_amount", "<i8"), ("kept_covered", "<u4"), ("kept_estimated", "<u4"),
        # highest rate believed so far [millionths of the canonical unit/h], moves it was learnt from, and the day from
        # which on it and what is kept have been as they are; how far apart readings are where the ledger is wrong [min]
        ("learnt", "<f4"), ("learnt_n", "u1"), ("spaced_n", "u1"), ("learnt_day", "<u2"), ("spacing", "<u2"),
    ]
)  # fmt: skip
"""One metering point between two batches; 220 bytes."""

HOUR_ROW = np.dtype(
    [("hour", "<i8"), ("amount", "<i8"), ("covered", "<i8"), ("estimated", "<i8"), ("point", "<i4"), ("flags", "<i4")]
)
"""One hour of one metering point: amount in millionths of the canonical unit, covered and estimated time in µs."""

INSTALLATION_ROW = np.dtype(
    [
        ("installed_from", "<i8"), ("installed_to", "<i8"), ("interval", "<i8"),
        ("factor", "<f8"), ("unit_factor", "<f8"), ("full_scale", "<f8"), ("top", "<f8"), ("rate", "<f8"),
        ("first_reading", "<f8"), ("last_reading", "<f8"), ("meter", "<i4"), ("point", "<i4"), ("renewed", "i1"),
    ]
)  # fmt: skip
"""One installation of the ledger. A record: passing arrays between compiled functions costs reference counts."""

RULES_ROW = np.dtype(
    [
        ("slack", "<i8"), ("measured_span", "<i8"), ("opening_span", "<i8"), ("longest_gap", "<i8"),
        ("partial_after", "<i8"), ("silent_after", "<f8"), ("catch_up", "<i8"), ("repeat_hold", "<i8"),
    ]
)  # fmt: skip
"""Thresholds of the register rules, in microseconds and counts."""


class Work(NamedTuple):
    """What all steps of a run share.

    Attributes
    ----------
    tab : (m,) INSTALLATION_ROW
        By point and start.
    rules : RULES_ROW
    hours : (h,) HOUR_ROW
    events : (e,) EVENT_ROW
        Outputs, filled from the front.
    cursor : (4,) int64
        Hours and events written; and how many of each there must be room for, where an output is full.
    """

    tab: NDArray[Any]
    rules: np.void
    hours: NDArray[Any]
    events: NDArray[Any]
    cursor: NDArray[np.int64]


ACCEPTED, DUPLICATE, CONFLICT, LATE = 0, 1, 2, 3
"""What became of a reading."""

SUSPECT = int(HourFlag.SUSPECT)
BREAK = int(HourFlag.BREAK)
SPIKE = int(DetectionKind.SPIKE)
SENTINEL = int(DetectionKind.SENTINEL)
SCALE = int(DetectionKind.SCALE)
JUMP = int(DetectionKind.JUMP)
CONFIRM = 3  # consecutive readings that must agree before a new level is accepted
RHYTHM = 6  # equal spacings in a row that contradict the ledger's interval
