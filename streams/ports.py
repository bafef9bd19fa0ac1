"""What the agents lean on: a store of partitions that takes results and position in one transaction.

The only promise an agent needs is this: what it writes in a `PartitionTransaction` and the fence it moves there are
committed together or not at all, and a worker whose partition has been assigned to another since can commit nothing.
Rows travel as numpy structured arrays whose fields are the tables' columns.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from analytics.domain.errors import MeterwardenError
from analytics.domain.ledger import Ledger
from analytics.domain.quality import DetectionKind, RejectReason
from analytics.health.sensitivity import StandingVerdict

__all__ = [
    "BALANCE_ROW",
    "HOUR_ROW",
    "POINT_DAY_ROW",
    "READING_ROW",
    "STORED_HOUR",
    "TOTAL_ROW",
    "Assigned",
    "DetectionRow",
    "FenceLost",
    "HourCounts",
    "Hours",
    "Int32s",
    "Int64s",
    "KeptBalance",
    "ObservabilityRow",
    "PartitionStore",
    "PartitionTransaction",
    "PointDays",
    "Readings",
    "RegisterName",
    "RejectedRow",
    "SeriesName",
    "Snapshot",
    "StoreRejected",
    "StoredLedger",
    "TopicPartition",
    "Totals",
    "TotalsTransaction",
]

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]

READING_ROW = np.dtype(
    [
        ("measured_at", "<i8"),  # us
        ("received_at", "<i8"),  # us
        ("value", "<f8"),  # dial
        ("register_id", "<i4"),
        ("quality", "<i2"),  # ReadingFlag
        ("unit", "<i2"),  # analytics.domain.units code, as stated
    ]
)
"""One stored reading: 32 bytes, the columns of table `reading_hot` in their order."""

HOUR_ROW = np.dtype(
    [
        ("point_id", "<i4"),
        ("unit_id", "<i4"),
        ("hour", "<i8"),  # hours since 1970-01-01 UTC
        ("amount", "<i8"),  # micro: 1e-6 of the point's canonical unit
        ("completeness", "<f4"),  # share of the hour with evidence, measured or estimated
        ("measured", "<f4"),  # share without estimation
        ("quality", "<i2"),  # HourFlag
    ]
)
"""One hour of one metering point."""

STORED_HOUR = np.dtype([*HOUR_ROW.descr, ("revision", "<i4")])
"""`HOUR_ROW` and the revision it is stored with, 0 as first written."""

POINT_DAY_ROW = np.dtype(
    [
        ("point_id", "<i4"),
        ("unit_id", "<i4"),
        ("day", "<i4"),  # local, days since 1970-01-01
        ("amount", "<i8"),  # micro
        ("completeness", "<f4"),
        ("measured", "<f4"),
        ("quality", "<i2"),  # all HourFlag bits of its hours
    ]
)
"""One local day of one metering point."""

BALANCE_ROW = np.dtype(
    [
        ("point_id", "<i4"),  # of the parent
        ("hour", "<i8"),  # hours since 1970-01-01 UTC
        ("parent", "<f8"),  # canonical unit, as the others
        ("children", "<f8"),
        ("loss", "<f8"),  # NaN where not known
    ]
)
"""One hour of one balance in which every meter of it was measured."""

TOTAL_ROW = np.dtype(
    [
        ("series", "<i4"),  # index into the names that come with the rows
        ("at", "<i8"),  # hours since 1970-01-01 UTC, or local days since 1970-01-01
        ("amount", "<i8"),  # micro
        ("tce", "<f8"),  # NaN where no factor applies
        ("completeness", "<f4"),  # mean over the points that are expected
        ("measured", "<f4"),
        ("quality", "<i2"),
        ("factor", "<i4"),  # index into the factor texts that come with the rows, -1 for none
    ]
)
"""One hour or day of one series of totals."""

Readings = NDArray[np.void]
"""(n,) array of `READING_ROW`."""

Hours = NDArray[np.void]
"""(n,) array of `HOUR_ROW` or `STORED_HOUR`."""

PointDays = NDArray[np.void]
"""(n,) array of `POINT_DAY_ROW`."""


class FenceLost(MeterwardenError):  # noqa: N818 - named after what happened to the caller
    """The partition belongs to another worker now, or its fence is elsewhere than the caller thinks.

    Nothing was written. Forget the partition's state; if Kafka still assigns it here, call `PartitionStore.assign`
    again, seek and go on from what it returns.
    """


class StoreRejected(MeterwardenError):  # noqa: N818
    """The database refuses what was written: trying again does not help."""


class TopicPartition(NamedTuple):
    """A partition of one incarnation of a topic."""

    topic: str
    topic_id: UUID
    partition: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """State of a partition's meters as it was before `next_offset`."""

    next_offset: int
    ledger_version: int
    state: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """A partition as it was handed over: the fence, and the state to go on from.

    Seek to ``snapshot.next_offset`` (or to 0 without a snapshot), replay to `next_offset` writing nothing, and write
    from there. `epoch` proves the ownership to later transactions.
    """

    partition: TopicPartition
    epoch: int
    next_offset: int
    snapshot: Snapshot | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLedger:
    """The ledger as of a version, and the ids that its rows have in the database.

    Attributes
    ----------
    version : int
    ledger : Ledger
        Of all units, or of those that were asked for.
    unit_ids : (u,) int32
    point_ids : (p,) int32
    meter_ids : (k,) int32
    register_ids : (k,) int32
        The main register of each meter, which `ledger load` makes with the meter.
    """

    version: int
    ledger: Ledger
    unit_ids: Int32s
    point_ids: Int32s
    meter_ids: Int32s
    register_ids: Int32s


class RegisterName(NamedTuple):
    """A register as the sender names it."""

    unit_code: str
    meter_no: str
    register: str


class SeriesName(NamedTuple):
    """What a series of totals is known by; see `analytics.columns.membership`."""

    unit_id: int
    scope: str
    name: str
    sub_unit: str
    carrier: str
    symbol: str


class HourCounts(NamedTuple):
    """What an upsert of hours did; the rest was stored already, as it is."""

    inserted: int
    revised: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionRow:
    """One detection or event; a row of the same point, kind and start replaces the one stored."""

    point_id: int
    unit_id: int
    meter_id: int | None
    kind: DetectionKind
    started_at: int  # us
    ended_at: int | None  # us; None while it lasts: the row is open
    detected_at: int  # us
    magnitude: float | None
    confidence: float | None
    evidence: bytes  # JSON object
    severity: str = "warning"  # analytics.health.severity.Severity
    magnitude_low: float | None = None  # 95 % interval
    magnitude_high: float | None = None
    magnitude_unit: str | None = None
    energy_affected: float | None = None  # canonical unit of the point
    energy_affected_low: float | None = None
    energy_affected_high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptBalance:
    """A unit's balances as they are kept; hours before `next_hour` are in the state. `engine` is its format."""

    engine: int
    ledger_version: int
    next_hour: int
    state: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservabilityRow:
    """What could be seen at a point: `verdict` is ``observable``, ``weak`` or ``not_observable``.

    Smallest errors are shares; hours are those until a stuck dial is told.
    """

    point_id: int
    question: str
    verdict: str
    reason: str
    smallest_30d: float | None
    smallest_90d: float | None
    detail: str  # JSON object; `check` in it names a check of further registers, which the balance does not overwrite
    unit_id: int
    as_of_us: int  # us
    hours_typical: float | None = None
    hours_worst: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRow:
    """One refused record (position -1) or one refused reading of a record, with the bytes to replay it."""

    kafka_offset: int
    position: int
    reason: RejectReason
    required: str
    got: str
    unit_code: str | None
    payload: bytes
    readings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """n totals.

    Attributes
    ----------
    rows : (n,) TOTAL_ROW
    series : sequence of SeriesName
        Which `rows["series"]` indexes.
    factors : sequence of str
        Texts which `rows["factor"]` indexes.
    """

    rows: NDArray[np.void]
    series: Sequence[SeriesName]
    factors: Sequence[str]


class PartitionTransaction(Protocol):
    """What can be done while the partition's fence is locked; all of it is committed at the end, or nothing."""

    @property
    def next_offset(self) -> int:
        """The fence as this transaction found it: what lies below is stored already."""
        ...

    async def readings_of(self, register_ids: Int32s, from_us: Int64s, to_us: Int64s) -> Readings:
        """Stored readings of some windows, whichever layer holds them.

        Parameters
        ----------
        register_ids : (k,) int32
            Register of each window; a register may come again with another window.
        from_us, to_us : (k,) int64
            Half-open windows. [us since 1970-01-01 UTC]

        Returns
        -------
        (n,) READING_ROW
            Sorted by register and time; a reading that lies in two windows comes once.
        """
        ...

    async def write_readings(self, rows: Readings) -> int:
        """Append readings; the number of rows."""
        ...

    async def read_hours(self, point_ids: Int32s, from_hour: Int64s, to_hour: Int64s) -> Hours:
        """Stored hours of half-open windows of points, windows as in `readings_of`.

        Returns
        -------
        (n,) STORED_HOUR
            Sorted by point and hour.
        """
        ...

    async def write_hours(self, rows: Hours) -> HourCounts:
        """Insert new hours (revision 0); an hour that differs from the one stored replaces it with the next revision.

        One row at most for each point and hour.
        """
        ...

    async def remove_hours(self, point_ids: Int32s, hours: Int64s) -> int:
        """Remove hours that have no evidence any more (the ledger was corrected); the number of rows."""
        ...

    async def write_detections(self, rows: Sequence[DetectionRow]) -> int:
        """Insert or replace detections by point, kind and start; the number of rows new or changed."""
        ...

    async def replace_detections(
        self,
        rows: Sequence[DetectionRow],
        point_ids: Int32s,
        from_us: Int64s,
        standing_us: Int64s,
        kinds: Sequence[DetectionKind],
    ) -> int:
        """Write detections, and withdraw those of some points that what is known now does not support any more.

        Parameters
        ----------
        rows : sequence of DetectionRow
        point_ids : (k,) int32
            Points worked out anew, each once.
        from_us : (k,) int64
            What started at or after this and is not among `rows` is withdrawn. [us since 1970-01-01 UTC]
        standing_us : (k,) int64
            But not an open silence that began at or after this: nothing has come since. [us since 1970-01-01 UTC]
        kinds : sequence of DetectionKind
            Of these kinds only.

        Returns
        -------
        int
            Rows new, changed or withdrawn.
        """
        ...

    async def write_rejected(self, rows: Sequence[RejectedRow]) -> int:
        """Keep refused records and readings; the number of rows that are new."""
        ...

    async def write_observability(self, rows: Sequence[ObservabilityRow]) -> None:
        """Say what could be seen at points, where nothing sees better."""
        ...

    async def mark_dirty(self, unit_ids: Int32s, first_hour: Int64s, last_hour: Int64s) -> None:
        """Say that totals of these units are stale for these hours (inclusive, hours since 1970-01-01 UTC)."""
        ...

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """Replace the partition's snapshot; it may not lie above the fence as this transaction leaves it."""
        ...

    async def move_fence(self, next_offset: int) -> None:
        """Say that everything below `next_offset` is stored with this transaction; never backwards."""
        ...


class TotalsTransaction(Protocol):
    """Units whose totals are stale: while it is open nobody else works on them, and leaving it settles their marks.

    Totals replace those of the windows they are given for: what is stored there and not given any more is removed.
    """

    @property
    def unit_ids(self) -> Int32s:
        """(k,) Unit of each stale span, ascending; a unit may have several spans."""
        ...

    @property
    def first_hour(self) -> Int64s:
        """(k,) First hour of each span. [h since 1970-01-01 UTC]"""
        ...

    @property
    def last_hour(self) -> Int64s:
        """(k,) Last hour of each span, inclusive. [h since 1970-01-01 UTC]"""
        ...

    async def read_hours(self, point_ids: Int32s, from_hour: Int64s, to_hour: Int64s) -> Hours:
        """Stored hours of half-open windows of points, as `PartitionTransaction.read_hours` gives them."""
        ...

    async def replace_point_days(
        self, rows: PointDays, unit_ids: Int32s, first_day: Int64s, last_day: Int64s
    ) -> HourCounts:
        """Days of the points of some units in windows of days, both ends inclusive.

        Revisions as for hours.
        """
        ...

    async def replace_unit_hours(self, totals: Totals, unit_ids: Int32s, first_hour: Int64s, last_hour: Int64s) -> int:
        """Hourly totals of some units in windows of hours, both ends inclusive; the number of rows new or changed."""
        ...

    async def replace_unit_days(self, totals: Totals, unit_ids: Int32s, first_day: Int64s, last_day: Int64s) -> int:
        """Daily totals of some units in windows of days, both ends inclusive; the number of rows new or changed."""
        ...


class PartitionStore(Protocol):
    """The store as a worker sees it."""

    async def assign(self, partition: TopicPartition) -> Assigned:
        """Take a partition over: from now on its former owner can write nothing.

        A former owner that was frozen in the middle of a transaction holds the fence's lock for as long as its session
        lives; where the lock is not to be had within two seconds, that session is ended.

        Raises `StoreUnavailable` when trying again may help.
        """
        ...

    def transaction(self, assigned: Assigned, *, at: int) -> AbstractAsyncContextManager[PartitionTransaction]:
        """Open a transaction on a partition whose fence the caller believes to be `at`, and lock that fence.

        Leaving the block commits; an exception rolls everything back. Never write after `StoreUnavailable` came out
        of the commit without asking for the fence (`fence`): the commit may have happened.

        Raises
        ------
        FenceLost
            If the partition was assigned elsewhere since, or its fence is not `at`.
        StoreUnavailable
            If the database is gone or broke off: nothing is stored, or (at the commit) all of it.
        StoreRejected
            If the database refuses the rows.
        """
        ...

    async def fence(self, assigned: Assigned) -> int:
        """The partition's fence now; `FenceLost` where it was assigned elsewhere since."""
        ...

    async def ensure_registers(self, names: Sequence[RegisterName]) -> Int32s:
        """Ids of registers, made where missing; 0 for a meter that the ledger does not have.

        Returns
        -------
        (n,) int32
        """
        ...

    async def newest_verdict(self) -> int:
        """Id of the newest of inspectors' verdicts, 0 before the first."""
        ...

    async def verdicts(self, unit_ids: Int32s) -> Mapping[int, Sequence[StandingVerdict]]:
        """Verdicts that count, by the id of the point, of some units."""
        ...

    async def ledger_version(self) -> int:
        """The newest ledger version, 0 before the first load."""
        ...

    async def ledger(self, version: int, units: Callable[[str], bool]) -> StoredLedger:
        """The ledger as of a version, of the units whose code `units` accepts.

        Runs off the event loop where it takes long; a million installations take some seconds.
        """
        ...

    def totals(
        self, unit_ids: Int32s | None = None, *, limit: int = 100
    ) -> AbstractAsyncContextManager[TotalsTransaction]:
        """Claim units with stale hours (of `unit_ids`, or any), the longest stale first; none may be left to claim.

        An exception in the block leaves the marks as they were.
        """
        ...

    async def close(self) -> None:
        """Give the connections back."""
        ...
