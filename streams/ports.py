"""Interfaces that the agents depend on: a store of partitions that takes results and position in one transaction.

The only promise an agent needs is this: what it writes in a `PartitionTransaction` and the fence it moves there are
committed together or not at all, and a worker whose partition has been assigned to another since can commit nothing.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from analytics.domain.errors import MeterwardenError
from analytics.domain.quality import DetectionKind
from analytics.health.sensitivity import StandingVerdict
from streams.rows.layout import (
    Assigned,
    DetectionRow,
    DeviceStatus,
    HourCounts,
    Hours,
    Incident,
    Int32s,
    Int64s,
    ObservabilityRow,
    PartitionReport,
    PassedOn,
    PointDays,
    Readings,
    RegisterName,
    RejectedRow,
    Snapshot,
    StoredLedger,
    StoredReadings,
    TopicPartition,
    Totals,
)

__all__ = [
    "FenceLost",
    "LedgersInUse",
    "PartitionStore",
    "PartitionTransaction",
    "StoreRejected",
    "StoredWindows",
    "TotalsTransaction",
]


class FenceLost(MeterwardenError):  # noqa: N818 - named after what happened to the caller
    """The partition belongs to another worker now, or its fence is elsewhere than the caller thinks.

    Nothing was written. Forget the partition's state; if Kafka still assigns it here, call `PartitionStore.assign`
    again, seek and go on from what it returns.
    """


class StoreRejected(MeterwardenError):  # noqa: N818
    """The database refuses what was written: trying again does not help."""


class LedgersInUse(Protocol):
    """The ledgers of the partitions that this worker has, and whether it keeps up with their readings."""

    def ledgers(self) -> Sequence[StoredLedger]:
        """One for each partition."""
        ...

    def behind(self) -> bool:
        """Whether readings pile up: then whatever can be done later as well waits."""
        ...


class StoredWindows(Protocol):
    """Whoever can be asked for stored readings: a transaction, or the store outside of one."""

    async def readings_of(self, register_ids: Int32s, from_us: Int64s, to_us: Int64s) -> Readings:
        """Stored readings of half-open windows, as `PartitionTransaction.readings_of` gives them."""
        ...


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

    async def write_device_statuses(self, rows: Sequence[DeviceStatus]) -> None:
        """Keep the state of devices, as their gateways report it."""
        ...

    async def write_observability(self, rows: Sequence[ObservabilityRow]) -> None:
        """Store what could be seen at points, where nothing sees better."""
        ...

    async def mark_dirty(self, unit_ids: Int32s, first_hour: Int64s, last_hour: Int64s) -> None:
        """Mark totals of these units as stale for these hours (inclusive, hours since 1970-01-01 UTC)."""
        ...

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """Replace the partition's snapshot; it may not lie above the fence as this transaction leaves it."""
        ...

    async def move_fence(self, next_offset: int, marks: bytes) -> None:
        """Record that everything below `next_offset` is stored with this transaction; never backwards.

        Parameters
        ----------
        marks : bytes
            What the log can be known by again (`streams.lanes.marks`).
        """
        ...

    async def rewind(self, to: int, marks: bytes, *, until: int, before_us: int) -> None:
        """Move the fence to where the log parts from what is stored: what follows is read, or read again.

        Parameters
        ----------
        until : int
            Offsets below may hold records that are stored already,
        before_us : int
            if they are not newer than this. [us since 1970-01-01 UTC]
        """
        ...

    async def note(self, incident: Incident) -> None:
        """Keep what happened to the log."""
        ...

    async def pass_on(self, rows: Sequence[PassedOn]) -> None:
        """Keep readings that the partition which their unit has now must take; they are sent there."""
        ...

    async def count_repeated(self, readings: int) -> None:
        """Count readings that were read again and are stored already."""
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

    async def newest_factors(self) -> int:
        """Number of the document of factors that came last, 0 for none; no other comes into force meanwhile.

        Raises `StoreUnavailable` while others are being put in force.
        """
        ...

    async def factor_documents(self) -> Sequence[tuple[str, str]]:
        """Source and content of the documents of factors, in the order in which they came."""
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

    async def assign(self, partition: TopicPartition, *, partitions: int) -> Assigned:
        """Take a partition over: from now on its former owner can write nothing.

        Parameters
        ----------
        partitions : int
            How many Kafka has of a topic that nobody has seen before.

        A former owner that was frozen in the middle of a transaction holds the fence's lock for as long as its session
        lives; where the lock is not to be had within two seconds, that session is ended.

        Raises `StoreUnavailable` when trying again may help.
        """
        ...

    async def report(self, reports: Sequence[PartitionReport]) -> None:
        """Tell how partitions do, for people and for `status`."""
        ...

    def stored_since(
        self, stored: StoredLedger, after: TopicPartition | None
    ) -> AbstractAsyncContextManager[AsyncIterator[StoredReadings]]:
        """Portions of the readings of a ledger's meters that were stored later than a partition's snapshot.

        Parameters
        ----------
        after : TopicPartition or None
            Whose snapshot; None for all readings there are.
        """
        ...

    async def readings_of(self, register_ids: Int32s, from_us: Int64s, to_us: Int64s) -> Readings:
        """Stored readings of half-open windows, as `PartitionTransaction.readings_of` gives them."""
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

    async def first_reading(self) -> int:
        """When the first of all stored readings was measured, or later than any. [us since 1970-01-01 UTC]"""
        ...

    async def asked_again(self, after: int, until: int, point_ids: Int32s) -> Mapping[int, int]:
        """Start of the recomputation of points, by id, asked for by the versions after one until another.

        [us since 1970-01-01 UTC]
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
