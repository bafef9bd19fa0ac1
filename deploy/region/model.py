"""What a simulated region is made of, as values; everything here is made once and never changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from analytics.domain.instants import US_PER_SECOND
from analytics.domain.quality import DetectionKind, RejectReason

__all__ = [
    "US_PER_QUARTER",
    "Delivery",
    "Event",
    "Fault",
    "LedgerRow",
    "Loss",
    "Meter",
    "Point",
    "RawMessage",
    "Readings",
    "Region",
    "Segment",
    "Truth",
    "Unit",
]

Floats = NDArray[np.float64]
LedgerRow = Mapping[str, str]
"""One row of the ledger, every column of the interchange file by its English name, empty where nothing is said."""

US_PER_QUARTER = 900 * US_PER_SECOND


class Delivery(StrEnum):
    """What a unit's gateway sends."""

    BLOCKS = "blocks"
    JSON = "json"
    ARRAY = "array"


@dataclass(frozen=True, slots=True)
class Unit:
    """An energy-using unit of the region."""

    index: int
    code: str
    name: str
    sector: str
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Loss:
    """Losses between a parent and its children, by the flow `s` in these: ``fixed + linear s + quadratic s²``.

    Attributes
    ----------
    fixed : float
        No-load losses. [canonical unit/h]
    linear : float
        Leaks, and errors of a fixed share. [1]
    quadratic : float
        Copper and friction. [h/canonical unit]
    """

    fixed: float = 0.0
    linear: float = 0.0
    quadratic: float = 0.0

    def of(self, flow: Floats) -> Floats:
        """Loss at a flow in the children. [canonical unit/h, both]"""
        return self.fixed + self.linear * flow + self.quadratic * flow * flow


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A metering point: where it stands, what flows there, and how the flow is made.

    Attributes
    ----------
    index, parent : int
        Place in `Region.points`, and its parent's, -1 for none.
    complete : bool
        Whether its metered children cover it wholly.
    amount_unit : str
        Canonical unit of its amounts.
    rated : float
        Highest flow over an hour; a quarter hour stays below 1.5 times as much. [amount_unit/h]
    own_rated : float
        Rated flow of what is used at the point past its children; 0 where the children are all. [amount_unit/h]
    base, load : float
        Share of that flow that never varies, and mean flow over rated. [1]
    metered : {"", "absent", "exempt"}
        Whether it has a meter, should have one, or need not.
    stream : tuple of int
        Seeds what is random here, apart from every other point.
    """

    index: int
    unit: int
    code: str
    parent: int
    complete: bool
    level: str
    sub_unit: str
    equipment: str
    name: str
    carrier: str
    direction: str
    amount_unit: str
    rated: float
    own_rated: float
    base: float
    load: float
    loss: Loss
    metered: str
    stream: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """An instrument and how it is read; `point` is where it stands.

    Attributes
    ----------
    register_unit, stated_unit : str
        Unit in the ledger, and what its readings state.
    multiplier : float
        CT times PT at the region's start. [1]
    decimals : int
        Decimals of the stated value; the register shows no more.
    full_scale : float
        Smallest value the register cannot show, NaN for none. [register unit]
    float32 : bool
        Whether the register is a single-precision number.
    interval_s, offset_s, jitter_s : int
        Time between readings, how long after the full quarter it is polled, and how much that varies. [s]
    error : float
        Its own gain error, within its class. [1]
    """

    point: int
    meter_no: str
    serial_no: str
    name: str
    model: str
    instrument: str
    purpose: str
    accuracy_class: str
    register_unit: str
    stated_unit: str
    multiplier: float
    decimals: int
    full_scale: float
    float32: bool
    interval_s: int
    offset_s: int
    jitter_s: int
    error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of time over which one register at a point counts on without a break.

    Attributes
    ----------
    meter : Meter
        As it stands in the ledger; an undeclared successor goes under its predecessor's number.
    start_us, end_us : int
        Half open. [us since 1970-01-01 UTC]
    dial_factor : float
        What one unit of the dial is in truth. [canonical unit/register unit]
    first : float
        Dial at `start_us`. [register unit]
    declared : bool
        Whether the ledger tells of its start.
    """

    meter: Meter
    start_us: int
    end_us: int
    dial_factor: float
    first: float
    declared: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault that was put in.

    Attributes
    ----------
    start_us, end_us : int
        Readings of this time are not what a sound meter would say; what stays has the largest int64 as its end.
        [us since 1970-01-01 UTC]
    magnitude : float
        Relative for gain, ratio and scale, dial units for jumps, seconds for clocks, readings for gaps and repeats.
    conserves : bool
        Whether the readings before and after still differ by what was used.
    """

    kind: DetectionKind
    unit_code: str
    point: str
    meter_no: str
    start_us: int
    end_us: int
    magnitude: float
    conserves: bool
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that is no fault: a rollover, a replacement, a multiplier change, late readings."""

    kind: str
    unit_code: str
    point: str
    meter_no: str
    start_us: int
    end_us: int
    magnitude: float


@dataclass(frozen=True, slots=True)
class Readings:
    """n readings in the order in which their unit's gateway sends them; units one after the other.

    Attributes
    ----------
    unit : (n,) int16
        Index into `Region.units`.
    meter : (n,) int32
        Index into `Region.meter_nos`, which also names meters that no ledger knows.
    measured_at, received_at : (n,) int64
        [us since 1970-01-01 UTC]
    value : (n,) float64
        Dial before the multiplier, in the stated unit; NaN where the meter says no number.
    stated : (n,) uint8
        Index into `Region.stated_units`.
    expected : (n,) uint8
        0 where the reading is to be accepted, else the `RejectReason`.
    """

    unit: NDArray[np.int16]
    meter: NDArray[np.int32]
    measured_at: NDArray[np.int64]
    received_at: NDArray[np.int64]
    value: Floats
    stated: NDArray[np.uint8]
    expected: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.value)

    def take(self, rows: slice | NDArray[np.intp] | NDArray[np.bool_]) -> "Readings":
        """Some of the readings, in that order."""
        return Readings(
            self.unit[rows],
            self.meter[rows],
            self.measured_at[rows],
            self.received_at[rows],
            self.value[rows],
            self.stated[rows],
            self.expected[rows],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RawMessage:
    """A message as bytes that no column can hold: what a broken gateway sends.

    Attributes
    ----------
    key : str
        The Kafka key: a unit code, known or not.
    expected : tuple of (RejectReason, int)
        How many readings are refused with it, by reason.
    accepted : int
        How many readings in it are sound.
    wrong_partition : bool
        Whether to send it beside the partition that its key belongs on.
    """

    key: str
    value: bytes
    content_type: str
    received_at: int
    expected: tuple[tuple[RejectReason, int], ...]
    accepted: int = 0
    wrong_partition: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What really happened, before any meter erred.

    Attributes
    ----------
    quarter : (points, quarters) float64
        What flowed at each point, metered or not. [its amount_unit]
    segments : tuple of Segment
        The registers that counted it, by point and time.
    """

    quarter: Floats
    segments: tuple[Segment, ...]
    faults: tuple[Fault, ...]
    events: tuple[Event, ...]

    @property
    def hour(self) -> Floats:
        """Consumption in whole UTC hours from the region's start on, (points, hours); the rest is left out."""
        hours = self.quarter.shape[1] // 4
        summed: Floats = self.quarter[:, : 4 * hours].reshape(len(self.quarter), hours, 4).sum(axis=2)
        return summed


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A simulated region: ledger, readings as they arrive, and the truth behind them."""

    seed: int
    start_us: int
    end_us: int
    zone: str
    units: tuple[Unit, ...]
    points: tuple[Point, ...]
    ledger_rows: tuple[LedgerRow, ...]
    meter_nos: tuple[str, ...]
    stated_units: tuple[str, ...]
    readings: Readings
    raw: tuple[RawMessage, ...]
    truth: Truth

    @property
    def sent(self) -> int:
        """Readings in all messages; a message that cannot be read counts as one."""
        return len(self.readings) + sum(m.accepted + sum(n for _, n in m.expected) for m in self.raw)

    @property
    def accepted(self) -> int:
        """Readings that a sound pipeline accepts."""
        return int((self.readings.expected == 0).sum()) + sum(m.accepted for m in self.raw)

    @property
    def rejected(self) -> dict[RejectReason, int]:
        """Readings that a sound pipeline refuses, by reason."""
        counts = np.bincount(self.readings.expected, minlength=256)
        for message in self.raw:
            for reason, n in message.expected:
                counts[reason] += n
        return {RejectReason(reason): int(counts[reason]) for reason in np.flatnonzero(counts).tolist() if reason}
