"""Rows and values as the store takes and gives them.

Rows travel as numpy structured arrays whose fields are the tables' columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from analytics.domain.ledger import Ledger
from analytics.domain.quality import DetectionKind, RejectReason

__all__ = [
    "BALANCE_ROW",
    "HOUR_ROW",
    "MAIN_REGISTER",
    "POINT_DAY_ROW",
    "READING",
    "READING_ROW",
    "STORED_HOUR",
    "TOTAL_ROW",
    "Assigned",
    "DetectionRow",
    "DeviceStatus",
    "Doing",
    "HourCounts",
    "Hours",
    "Incident",
    "IncidentKind",
    "Int32s",
    "Int64s",
    "KeptBalance",
    "Left",
    "ObservabilityRow",
    "PartitionReport",
    "PassedOn",
    "PointDays",
    "Readings",
    "Refusal",
    "RegisterName",
    "RejectedRow",
    "SeriesName",
    "Snapshot",
    "StoredLedger",
    "StoredReadings",
    "TopicPartition",
    "Totals",
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

MAIN_REGISTER = 0
"""Index of the main register among `PartitionState.register_names`."""

READING = np.dtype(
    [
        ("measured_at", "<i8"), ("received_at", "<i8"), ("value", "<f8"), ("dial", "<f8"),
        ("meter", "<i4"), ("installation", "<i4"), ("block", "<i4"), ("row", "<i4"),
        ("unit", "<i2"), ("quality", "<i2"), ("register", "<i2"),
    ]
)  # fmt: skip
"""A reading on its way: `value` as stated in `unit`, `dial` in the unit of the installation's register; `block` and
`row` give where in the batch it came from, `register` points into `PartitionState.register_names`."""

Readings = NDArray[np.void]
"""(n,) array of `READING_ROW`."""

Hours = NDArray[np.void]
"""(n,) array of `HOUR_ROW` or `STORED_HOUR`."""

PointDays = NDArray[np.void]
"""(n,) array of `POINT_DAY_ROW`."""


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
class Left:
    """What another incarnation of a topic, or another layout of it, left behind: the state of one of its partitions."""

    partition: "TopicPartition"
    partitions: int
    snapshot: Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReadings:
    """Stored readings of any registers of a partition, in the order in which they were stored.

    Attributes
    ----------
    rows : (n,) READING_ROW
    registers : sequence of (int, int, str)
        Id, meter's id and name of each register that may occur.
    """

    rows: Readings
    registers: Sequence[tuple[int, int, str]]


class IncidentKind(StrEnum):
    """What can happen to a log."""

    LOG_SHORTER = "log_shorter"
    """It ends below what is stored."""
    LOG_OTHER = "log_other"
    """It holds other records than those that were stored."""
    HOLE = "hole"
    """Kafka dropped records before they were read."""
    TOPIC_ANEW = "topic_anew"
    """The topic was deleted and made again."""
    REGROWN = "regrown"
    """It has more partitions, and the units were moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Something that happened to a log, about offsets [from_offset, to_offset)."""

    kind: IncidentKind
    from_offset: int
    to_offset: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOn:
    """Readings of a unit that lie in the partition it had before the topic grew, as a block."""

    unit_code: str
    payload: bytes
    readings: int


class Doing(StrEnum):
    """What a partition's owner is doing with it."""

    READING = "reading"
    REPLAYING = "replaying"
    RESTORING = "restoring"
    RECOMPUTING = "recomputing"
    WAITING = "waiting"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionReport:
    """How a partition does."""

    partition: "TopicPartition"
    doing: Doing
    detail: str
    next_offset: int
    end_offset: int | None
    moved_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """A partition as it was handed over: the fence, and the state to go on from.

    Seek to ``snapshot.next_offset`` (or to 0 without a snapshot), replay to `next_offset` writing nothing, and write
    from there. `epoch` proves the ownership to later transactions.

    Attributes
    ----------
    partitions : int
        Over which the topic's units are spread; not always what Kafka has.
    former : int or None
        How many it had before.
    marks : bytes
        Marks of stored records (`streams.lanes.marks`).
    reread_until : int
        Offsets below are read a second time.
    reread_before_us : int
        Of these, records that are newer than this were not there the first time. [us since 1970-01-01 UTC]
    left : sequence of Left
        Where there is no snapshot: what the newest incarnation before left behind.
    """

    partition: TopicPartition
    epoch: int
    next_offset: int
    snapshot: Snapshot | None
    partitions: int = 0
    former: int | None = None
    marks: bytes = b""
    reread_until: int = 0
    reread_before_us: int = 0
    left: Sequence[Left] = ()


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


class DeviceStatus(NamedTuple):
    """What a gateway stated about a device; `at_us` is when. [us since 1970-01-01 UTC]"""

    register_id: int
    code: int
    at_us: int


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

    Smallest errors are shares; hours are those until a stuck dial is detected.
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
class Refusal:
    """Readings of one message that were refused for one reason.

    Attributes
    ----------
    block : int
        Index of the block in the batch.
    message : int
        Ordinal of the Kafka record in the decoded batch, as in `Block.message`.
    rows : (n,) int64
        Rows of the block, ascending.
    reason : RejectReason
    required, got : str
        Of the first of them.
    """

    block: int
    message: int
    rows: NDArray[np.int64]
    reason: RejectReason
    required: str
    got: str


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
