"""Register readings to hourly consumption, over all metering points of a partition at once.

The rules, in the order in which a reading `(t, v)` meets them; the *anchor* is the last good reading of its point:

1. **Repeat.** The same instant and value again is a duplicate, another value at that instant a conflict; an instant
   before the newest one is late and needs `analytics.columns.register.advance` over its history.
2. **Installation.** If the ledger has another installation in force, the old one ends with its last reading and the
   new one begins with its first; the same meter with another multiplier or unit goes on, its dial interpolated at
   the change. Another serial number, or dials that do not continue each other, are another instrument. Declared dials
   are always used. Between a declared end and the next declared start nothing is known.
3. **Rise.** `v` not below the anchor, and no more above it than the register is believed to count in that time: good.
   The rise is spread evenly over the time since the anchor. A meter's clock may fall back, so where our own clock saw
   more time pass that counts too.
4. **Rollover.** A fall that is a believed rise through the full scale, the declared one or, where none is declared, a
   power of ten or two just above the anchor: good. Where the dial may have turned more often, the rest is unknown.
5. **Spike.** A fall to between the anchor and the good reading before it: the anchor was the spike, and is taken back.
6. **Anything else waits**, as a run, for the next readings: if the register then goes on from the anchor the run was
   a zero dip, a sentinel, a ×10ⁿ slip, a spike or a rollback and is set aside. A ×10ⁿ run is held against the register
   as it would have gone on, for as long as it lasts, and never becomes a level. Where three readings or more agree:

   - they go on at a rate like that of the surprise: a load, all of it is counted;
   - the dial stood still before and the rise is possible since it began to: a gateway repeated a value and caught up;
   - they go on from the anchor that was left for a *false level* before: that level, of whatever length, is taken back;
   - for two hours they go on as the register did before: a surprise of moderate size is counted and marked, a larger
     one is a *jump*: the register goes on from there, and the difference stands apart, unexplained, in no amount;
   - they lie below the anchor: the register was reset, rolled back or replaced.

**What is believed** is learnt from the register's own rises: the highest rate so far (in powers of two, so that it
changes seldom and a recomputation knows it), times a margin that is wide for a meter of which few moves are known. The
ledger's `max_rate` lets more through at once and never less for long: a register that is seen to exceed it is believed.
`full_scale` says where the dial turns, and nothing of how fast.

An hour is written when a good reading reaches its end, and again when it changes. What is spread over an hour's edge
inside a gap (longer than one and a half intervals, at most `measured_span_h`) is estimated.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analytics.columns import _kernel
from analytics.columns._layout import (
    ACCEPTED,
    CONFLICT,
    DUPLICATE,
    HOUR_ROW,
    INSTALLATION_ROW,
    LATE,
    NEVER,
    POINT_STATE,
    RULES_ROW,
    Work,
)
from analytics.columns.events import EVENT_ROW
from analytics.domain.arrays import check_array, check_columns
from analytics.domain.instants import US_PER_HOUR, US_PER_SECOND
from analytics.domain.ledger import Installations
from analytics.domain.quality import DetectionKind

__all__ = [
    "ACCEPTED",
    "CONFLICT",
    "DUPLICATE",
    "EVENT_ROW",
    "HOUR_ROW",
    "LATE",
    "MEMORY",
    "NEVER",
    "POINT_STATE",
    "REGISTER_KINDS",
    "Advanced",
    "RegisterRules",
    "RegisterTable",
    "advance",
    "close",
    "empty_state",
    "last_of_each_hour",
]

_MOST = 4e12  # canonical units: the most whose millionths an int64 can still tell apart and add

REGISTER_KINDS = (
    DetectionKind.GAP,
    DetectionKind.SILENCE,
    DetectionKind.SPIKE,
    DetectionKind.ROLLBACK,
    DetectionKind.RESET,
    DetectionKind.ZERO_DIP,
    DetectionKind.SENTINEL,
    DetectionKind.SCALE,
    DetectionKind.UNDECLARED_REPLACEMENT,
    DetectionKind.ROLLOVER,
    DetectionKind.REPLACEMENT,
    DetectionKind.MULTIPLIER_CHANGE,
    DetectionKind.CATCH_UP,
    DetectionKind.JUMP,
    DetectionKind.INTERVAL,
)
"""What follows from a point's readings in time order, and so from its history. Repeats are refused and leave no trace
there, and habits go by the order of arrival."""

MEMORY = (
    "learnt", "learnt_n", "learnt_day", "digits", "spacing", "spaced_n",
    "kept_at", "kept_value", "kept_run", "kept_amount", "kept_covered", "kept_estimated", "kept_flags",
)  # fmt: skip
"""What a point's state may keep for as long as its register runs. It has been as it is since the beginning of the UTC
day `learnt_day`, but for the spacing of readings that the ledger knows."""

Structured = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterRules:
    """Thresholds of the register rules. Engineering choices, not figures of a standard.

    Parameters
    ----------
    clock_slack_s : float
        How far two times of a meter may be off against each other. [s]
    measured_span_h : float
        Longest span between two readings over which an hour's edge is still called measured. [h]
    opening_span_d : float
        A first reading declared longer than this before the first real one is not spread over the time between. [d]
    longest_gap_d : float
        A gap longer than this has a total but no hours. [d]
    silent_after : float
        Expected intervals without a reading after which a meter is silent. [1]
    partial_after_s : float
        An hour not yet filled is written this long after its end. [s]
    catch_up_d : float
        Longest stillness after which a rise beyond the physical rate may be a catch-up. [d]
    repeat_hold_h : float
        Repeated readings are one detection until none has come for this long. [h]
    """

    clock_slack_s: float = 60.0
    measured_span_h: float = 1.5
    opening_span_d: float = 400.0
    longest_gap_d: float = 400.0
    silent_after: float = 2.0
    partial_after_s: float = 900.0
    catch_up_d: float = 8.0
    repeat_hold_h: float = 24.0


class RegisterTable:
    """The ledger's installations and the rules, in the shape the compiled core takes.

    Parameters
    ----------
    installations : Installations
        Sorted by point and start; `point` indexes the state given to `advance`.
    rules : RegisterRules
    """

    __slots__ = ("rules", "table")

    def __init__(self, installations: Installations, rules: RegisterRules | None = None) -> None:
        rules = rules or RegisterRules()
        full_scale = _full_scale(np.ascontiguousarray(installations.full_scale, np.float64))
        known = np.ascontiguousarray(installations.max_rate, np.float64)
        factor = np.ascontiguousarray(installations.factor, np.float64)
        table = np.empty(factor.size, INSTALLATION_ROW)
        for name in ("point", "meter", "installed_from", "installed_to", "first_reading", "last_reading"):
            table[name] = getattr(installations, name)
        table["interval"] = installations.interval_us
        table["factor"] = factor
        table["unit_factor"] = factor / installations.multiplier
        table["full_scale"] = full_scale
        table["top"] = np.fmin(full_scale, _MOST / factor)
        table["rate"] = np.where(np.isnan(known), np.inf, known)
        table["renewed"] = _renewed(installations)
        self.table = table
        row = np.zeros(1, RULES_ROW)
        row["slack"] = rules.clock_slack_s * US_PER_SECOND
        row["measured_span"] = rules.measured_span_h * US_PER_HOUR
        row["opening_span"] = rules.opening_span_d * 24 * US_PER_HOUR
        row["longest_gap"] = rules.longest_gap_d * 24 * US_PER_HOUR
        row["silent_after"] = rules.silent_after
        row["partial_after"] = rules.partial_after_s * US_PER_SECOND
        row["catch_up"] = rules.catch_up_d * 24 * US_PER_HOUR
        row["repeat_hold"] = rules.repeat_hold_h * US_PER_HOUR
        self.rules = row


def _full_scale(stated: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Smallest value that dials cannot show; who enters the largest they can (99999, 99999.9) means the next one."""
    decade = 10.0 ** np.ceil(np.log10(np.where(stated > 0, stated, 1.0)))
    nines = (stated >= 9.0) & (stated < decade) & (decade - stated <= np.minimum(1.0, 0.01 * decade))
    return np.where(nines, decade, stated)


def _renewed(installations: Installations) -> npt.NDArray[np.int8]:
    """Where an installation is another instrument than the one before though it bears the same number, (m,) int8.

    Another serial number says so, and so do dials that do not continue each other.
    """
    i = installations
    renewed = np.zeros(len(i), np.int8)
    if len(i) < 2:
        return renewed
    follows = (i.point[1:] == i.point[:-1]) & (i.meter[1:] == i.meter[:-1])
    other = (i.serial[1:] != i.serial[:-1]) & (i.serial[1:] >= 0) & (i.serial[:-1] >= 0)
    unit_factor = i.factor / i.multiplier
    end, begin = i.last_reading[:-1] * unit_factor[:-1], i.first_reading[1:] * unit_factor[1:]
    apart = np.abs(end - begin) > 1e-9 * np.maximum(np.abs(end), np.abs(begin))
    renewed[1:] = follows & (other | apart)
    return renewed


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced:
    """What a run of readings gave.

    Attributes
    ----------
    disposition : (n,) uint8
        `ACCEPTED`, `DUPLICATE`, `CONFLICT` or `LATE` for each reading, in the order given.
    hours : (h,) HOUR_ROW
        Hours of points, the last row of each hour only. `hour` counts hours since 1970 UTC, `amount` millionths of
        the point's canonical unit, `covered` and `estimated` microseconds of the hour.
    events : (e,) EVENT_ROW
        Detections and events in dial units; `ended` is `NEVER` while one lasts.
    """

    disposition: npt.NDArray[np.uint8]
    hours: Structured
    events: Structured


def empty_state(n_points: int) -> Structured:
    """State of points of which nothing was read yet.

    Returns
    -------
    (n_points,) POINT_STATE

    Examples
    --------
    >>> int(empty_state(2)["installation"][0]), POINT_STATE.itemsize
    (-1, 220)
    """
    state = np.zeros(n_points, POINT_STATE)
    for name in ("good_at", "prev_at", "seen_at", "flat_at", "kept_at"):
        state[name] = NEVER
    state["installation"] = -1
    state["spaced_n"] = _kernel.UNSPACED
    return state


def last_of_each_hour(hours: Structured) -> Structured:
    """Of rows of the same point and hour only the last, sorted by point and hour.

    An hour is written twice when a reading turns out to have been a spike after it had closed the hour.
    """
    point, hour = hours["point"], hours["hour"]
    if ((point[1:] > point[:-1]) | ((point[1:] == point[:-1]) & (hour[1:] > hour[:-1]))).all():
        return hours.copy()
    order = np.lexsort((np.arange(hours.size), hours["hour"], hours["point"]))
    rows = hours[order]
    last = np.ones(rows.size, bool)
    last[:-1] = (rows["point"][1:] != rows["point"][:-1]) | (rows["hour"][1:] != rows["hour"][:-1])
    return rows[last]


class _Outputs:
    """Output rows that grow when the compiled core says so."""

    def __init__(self, hours: int, events: int) -> None:
        self.hours = np.empty(hours, HOUR_ROW)
        self.events = np.empty(events, EVENT_ROW)
        self.cursor = np.zeros(4, np.int64)

    def grow(self) -> None:
        for name, i in (("hours", 0), ("events", 1)):
            rows = getattr(self, name)
            need = int(self.cursor[2 + i])
            if need > rows.size:
                grown = np.empty(max(need, 2 * rows.size), rows.dtype)
                grown[: self.cursor[i]] = rows[: self.cursor[i]]
                setattr(self, name, grown)

    def taken(self) -> tuple[Structured, Structured]:
        return last_of_each_hour(self.hours[: self.cursor[0]]), self.events[: self.cursor[1]].copy()


def advance(
    state: Structured,
    table: RegisterTable,
    *,
    point: npt.NDArray[np.int32],
    installation: npt.NDArray[np.int32],
    at_us: Ints,
    value: npt.NDArray[np.float64],
    received_us: Ints | None = None,
) -> Advanced:
    """Advance `state` in place by readings in any order; each point's are taken in time order.

    Parameters
    ----------
    state : (p,) POINT_STATE
        Changed in place; copy it first where the result may have to be dropped.
    table : RegisterTable
    point : (n,) int32
        Index into `state`.
    installation : (n,) int32
        Row of the installations that is in force for the reading's meter at its time.
    at_us : (n,) int64
        When measured. [µs since 1970 UTC]
    value : (n,) float64
        Finite register values in the unit of the installation. [dial units]
    received_us : (n,) int64, optional
        When received, of readings that were received in the rhythm of the meter: where its clock fell back, this says
        how long the register had to rise. Of others, and without it, when measured. [µs since 1970 UTC]

    Raises
    ------
    ArrayError
        If an array has another element type or length.
    """
    check_array("state", state, POINT_STATE)
    check_columns(
        np.size(point),
        point=(point, np.int32),
        installation=(installation, np.int32),
        at_us=(at_us, np.int64),
        value=(value, np.float64),
        received_us=(received_us, np.int64),
    )
    order = _kernel.sort_by_point(point, at_us, state.size)
    disposition = np.empty(point.size, np.uint8)
    received = at_us if received_us is None else received_us
    columns = (point[order], installation[order], at_us[order], received[order], value[order])
    sorted_disposition = np.empty(point.size, np.uint8)
    out = _Outputs(hours=point.size // 2 + 1024, events=1024)
    done = 0
    while True:
        work = Work(table.table, table.rules[0], out.hours, out.events, out.cursor)
        done = _kernel.advance(state, *columns, sorted_disposition, work, done)
        if done == point.size:
            break
        out.grow()
    disposition[order] = sorted_disposition
    hours, events = out.taken()
    return Advanced(disposition=disposition, hours=hours, events=events)


def close(
    state: Structured, table: RegisterTable, *, now_us: int, wait_us: Ints | None = None, ends_us: int | None = None
) -> Advanced:
    """Write what the clock alone decides: hours over but not filled, meters fallen silent or taken out for good.

    Parameters
    ----------
    state : (p,) POINT_STATE
        Changed in place: what was reported once is not reported again.
    now_us : int
        The wall clock. [µs since 1970 UTC]
    wait_us : (p,) int64, optional
        How long each point's readings are usually kept back on their way: so much longer it takes to be silent. [µs]
    ends_us : int, optional
        Instant up to which declared ends are counted to their last reading; `now_us` and some time for readings that
        are on their way, without it. [µs since 1970 UTC]

    Raises
    ------
    ArrayError
        If an array has another element type or length.
    """
    check_array("state", state, POINT_STATE)
    check_columns(state.size, wait_us=(wait_us, np.int64))
    wait = np.zeros(state.size, np.int64) if wait_us is None else wait_us
    ends = np.int64(now_us - int(table.rules["partial_after"][0]) if ends_us is None else ends_us)
    out = _Outputs(hours=1024, events=1024)
    done = 0
    while True:
        work = Work(table.table, table.rules[0], out.hours, out.events, out.cursor)
        done = _kernel.close(state, np.int64(now_us), ends, wait, work, done)
        if done == state.size:
            break
        out.grow()
    hours, events = out.taken()
    return Advanced(disposition=np.empty(0, np.uint8), hours=hours, events=events)
