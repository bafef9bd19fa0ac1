"""Results of the pure steps as the rows the store takes: ledger indices become database ids."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.columns.aggregation import shares
from analytics.columns.register import NEVER
from analytics.domain.quality import DetectionKind
from analytics.health.habit import stuck_verdict
from analytics.health.redundancy import Check
from analytics.health.rises import learnt_rates, rise_verdict
from analytics.health.severity import severity_of
from analytics.health.visible import verdict_of
from ingest.wire import Block, Fault, Record, encode_readings_json, encode_rows
from streams.rows._rows_kernel import fill
from streams.rows.detections import (
    energy_affected,
    evidence_json,
    last_of_each_event,
    magnitude,
    magnitude_range,
    magnitude_unit,
)
from streams.rows.layout import (
    HOUR_ROW,
    MAIN_REGISTER,
    READING,
    READING_ROW,
    DetectionRow,
    DeviceStatus,
    Hours,
    Int32s,
    ObservabilityRow,
    Readings,
    Refusal,
    RegisterName,
    RejectedRow,
    StoredLedger,
)

__all__ = [
    "Registers",
    "detection_rows",
    "device_statuses",
    "dirty_spans",
    "fault_rows",
    "hour_rows",
    "part_of",
    "reading_rows",
    "refusal_rows",
    "rise_rows",
    "sight_rows",
]

STATUS_REGISTER = "device_status"
"""Name of the register by which gateways report the state of a device; `ingest.gateway.rounds` has the codes."""

_BLOCK_MARK = range(0x90, 0xA0)
_KEPT_BYTES = 2**20
"""So much of a message that was too large, or too broken to be taken apart, is kept with its rejection. [byte]"""


@dataclass(slots=True)
class Registers:
    """Database ids of registers: the main ones come with the ledger, others are made when first seen."""

    stored: StoredLedger
    others: dict[tuple[int, str], int] = field(default_factory=dict)
    _all_main: bool = field(init=False)

    def __post_init__(self) -> None:
        self._all_main = bool(self.stored.register_ids.all())

    def missing(self, rows: NDArray[Any], names: Sequence[str]) -> list[tuple[int, str]]:
        """Registers that have no id yet, as (meter, name).

        Parameters
        ----------
        rows : (n,) streams.rows.layout.READING
        names : sequence of str
            What `register` points into.
        """
        if self._only_main(names):
            return []
        other = rows[(rows["register"] != MAIN_REGISTER) | (self.stored.register_ids[rows["meter"]] == 0)]
        pairs = np.unique(np.stack([other["meter"], other["register"].astype(np.int32)]), axis=1)
        found = [(int(meter), names[register]) for meter, register in pairs.T.tolist()]
        return [key for key in found if key not in self.others]

    def _only_main(self, names: Sequence[str]) -> bool:
        """Whether there is no other register, as nearly always: then no reading has to be looked at."""
        return self._all_main and len(names) == 1

    def name_of(self, key: tuple[int, str]) -> RegisterName:
        """What the store calls a register."""
        ledger = self.stored.ledger
        meter, name = key
        return RegisterName(ledger.unit_codes[ledger.meter_unit[meter]], ledger.meter_nos[meter], name)

    def ids(self, rows: NDArray[Any], names: Sequence[str]) -> Int32s:
        """Id of the register of each reading."""
        ids: Int32s = self.stored.register_ids[rows["meter"]]
        if self._only_main(names):
            return ids
        other = np.flatnonzero((rows["register"] != MAIN_REGISTER) | (ids == 0))
        if other.size:
            ids = ids.copy()
            meters, registers = rows["meter"][other].tolist(), rows["register"][other].tolist()
            ids[other] = [
                self.others[meter, names[register]] for meter, register in zip(meters, registers, strict=True)
            ]
        return ids


def reading_rows(rows: NDArray[Any], register_ids: Int32s) -> Readings:
    """Stored readings of accepted ones.

    Parameters
    ----------
    rows : (n,) streams.rows.layout.READING
    register_ids : (n,) int32
    """
    out = np.empty(len(rows), READING_ROW)
    fill(out, np.require(rows, READING, ["C", "W"]), np.require(register_ids, np.int32, ["C", "W"]))
    return out


def device_statuses(rows: NDArray[Any], register_ids: Int32s, names: Sequence[str]) -> list[DeviceStatus]:
    """What gateways stated about their devices among accepted readings.

    Parameters
    ----------
    rows : (n,) streams.rows.layout.READING
    names : sequence of str
        What `register` points into.
    """
    if STATUS_REGISTER not in names:
        return []
    of_status = np.flatnonzero(rows["register"] == names.index(STATUS_REGISTER))
    ids, codes = register_ids[of_status].tolist(), np.clip(rows["value"][of_status], 0, 2**15 - 1).astype(int).tolist()
    at_us = rows["measured_at"][of_status].tolist()
    return [DeviceStatus(*one) for one in zip(ids, codes, at_us, strict=True)]


def hour_rows(hours: NDArray[Any], stored: StoredLedger) -> Hours:
    """Stored hours of points.

    Parameters
    ----------
    hours : (n,) analytics.columns.register.HOUR_ROW
    """
    out = np.empty(len(hours), HOUR_ROW)
    out["point_id"] = stored.point_ids[hours["point"]]
    out["unit_id"] = stored.unit_ids[stored.ledger.point_unit[hours["point"]]]
    out["hour"] = hours["hour"]
    out["amount"] = hours["amount"]
    out["completeness"], out["measured"] = shares(hours["covered"], hours["estimated"])
    out["quality"] = hours["flags"]
    return out


def dirty_spans(hours: Hours) -> tuple[Int32s, NDArray[np.int64], NDArray[np.int64]]:
    """Units whose totals the hours make stale, and from which to which hour.

    Returns
    -------
    unit_id, first_hour, last_hour : (u,) int32, int64, int64
        Inclusive.
    """
    if not len(hours):
        nothing = np.empty(0, np.int64)
        return nothing.astype(np.int32), nothing, nothing
    order = np.lexsort((hours["hour"], hours["unit_id"]))
    unit = hours["unit_id"][order]
    hour = hours["hour"][order]
    first = np.flatnonzero(np.r_[True, unit[1:] != unit[:-1]])
    last = np.r_[first[1:], len(unit)] - 1
    return unit[first], hour[first], hour[last]


def detection_rows(events: NDArray[Any], stored: StoredLedger) -> list[DetectionRow]:
    """Stored detections of events, the last word on each.

    Parameters
    ----------
    events : (n,) analytics.columns.register.EVENT_ROW
    """
    ledger = stored.ledger
    rows = []
    for event in last_of_each_event(events):
        point, installation = int(event["point"]), int(event["installation"])
        meter = int(ledger.installations.meter[installation]) if installation >= 0 else None
        kind = DetectionKind(int(event["kind"]))
        low, high = magnitude_range(event)
        rows.append(
            DetectionRow(
                point_id=int(stored.point_ids[point]),
                unit_id=int(stored.unit_ids[ledger.point_unit[point]]),
                meter_id=None if meter is None else int(stored.meter_ids[meter]),
                kind=kind,
                started_at=int(event["started"]),
                ended_at=_ended_at(event, kind),
                detected_at=int(event["decided"]),
                magnitude=magnitude(event),
                confidence=None,  # a rule fired; how often it is right has not been measured
                evidence=evidence_json(event, ledger),
                severity=severity_of(kind).value,
                magnitude_low=low,
                magnitude_high=high,
                magnitude_unit=magnitude_unit(event, ledger),
                energy_affected=energy_affected(event),
            )
        )
    return rows


def _ended_at(event: Any, kind: DetectionKind) -> int | None:
    """When it ended; repeats are a summary of what came until now and do not last: sending a file again is normal."""
    if event["ended"] != NEVER:
        return int(event["ended"])
    return max(int(event["decided"]), int(event["started"])) if kind is DetectionKind.DUPLICATE else None


def sight_rows(sights: NDArray[Any], stored: StoredLedger) -> list[ObservabilityRow]:
    """Stored verdicts of what further registers let see, the last of each point and check.

    Parameters
    ----------
    sights : (s,) analytics.health.redundancy.SIGHT_ROW
    """
    newest = {(int(row["point"]), int(row["check"])): row for row in sights}
    rows = []
    for (point, check), row in newest.items():
        one = verdict_of(row)
        smallest = None if np.isnan(one.smallest_30d) else one.smallest_30d
        detail = {"check": Check(check).name.lower(), "windows": int(row["n"])}
        if np.isfinite(row["ratio"]):
            detail |= {"ratio": round(float(row["ratio"]), 4)}
        rows.append(
            ObservabilityRow(
                point_id=int(stored.point_ids[point]),
                question=one.question.value,
                verdict=one.verdict.value,
                reason=one.reason.value,
                smallest_30d=smallest,
                smallest_90d=smallest,
                detail=json.dumps(detail),
                unit_id=int(stored.unit_ids[stored.ledger.point_unit[point]]),
                as_of_us=int(row["at"]),
            )
        )
    return rows


def habit_rows(habits: NDArray[Any], stored: StoredLedger) -> list[ObservabilityRow]:
    """Stored verdicts on stuck dials.

    Parameters
    ----------
    habits : (h,) analytics.health.arrival.HABIT_ROW
        At most one row a point.
    """
    return [
        ObservabilityRow(
            point_id=int(stored.point_ids[one.point]),
            question=one.question.value,
            verdict=one.verdict.value,
            reason=one.reason.value,
            smallest_30d=None,
            smallest_90d=None,
            hours_typical=None if np.isnan(one.hours_typical) else one.hours_typical,
            hours_worst=None if np.isnan(one.hours_worst) else one.hours_worst,
            detail=json.dumps({"check": "habit", "still_share": round(float(habit["still"]), 3)}),
            unit_id=int(stored.unit_ids[stored.ledger.point_unit[one.point]]),
            as_of_us=int(habit["at"]),
        )
        for one, habit in zip(map(stuck_verdict, habits), habits, strict=True)
    ]


def rise_rows(
    points: NDArray[Any], chosen: NDArray[np.integer], at_us: NDArray[np.integer], stored: StoredLedger
) -> list[ObservabilityRow]:
    """Stored verdicts on impossible rises, with the rate that was learnt.

    Parameters
    ----------
    points : (p,) register state
    chosen : (k,) int
        Points of the ledger, each once.
    at_us : (k,) int64
        As of when. [us since 1970-01-01 UTC]
    """
    at = dict(zip(chosen.tolist(), at_us.tolist(), strict=True))
    rows = []
    for rate in learnt_rates(points, chosen, stored.ledger):
        one = rise_verdict(rate)
        detail: dict[str, object] = {"check": "rise", "rises": rate.rises}
        detail |= {
            name: float(f"{value:.4g}")
            for name, value in (("declared_per_h", rate.declared), ("learnt_per_h", rate.learnt))
            if np.isfinite(value)
        }
        rows.append(
            ObservabilityRow(
                point_id=int(stored.point_ids[rate.point]),
                question=one.question.value,
                verdict=one.verdict.value,
                reason=one.reason.value,
                smallest_30d=None,
                smallest_90d=None,
                detail=json.dumps(detail),
                unit_id=int(stored.unit_ids[stored.ledger.point_unit[rate.point]]),
                as_of_us=int(at[rate.point]),
            )
        )
    return rows


def fault_rows(faults: Sequence[Fault], records: Sequence[Record]) -> list[RejectedRow]:
    """Rejected rows of what could not be decoded."""

    def cut(fault: Fault) -> bool:
        return len(fault.payload) > _KEPT_BYTES and not fault.whole

    return [
        RejectedRow(
            kafka_offset=records[fault.message].offset,
            position=fault.position,
            reason=fault.reason,
            required=fault.required,
            got=fault.got + (f" (the first {_KEPT_BYTES} are kept)" if cut(fault) else ""),
            unit_code=fault.unit_code or None,
            payload=fault.payload[:_KEPT_BYTES] if cut(fault) else fault.payload,
            readings=fault.readings,
        )
        for fault in faults
    ]


def refusal_rows(refusals: Sequence[Refusal], blocks: Sequence[Block], records: Sequence[Record]) -> list[RejectedRow]:
    """Rejected rows of readings that were decoded and refused; the payload holds just these readings."""
    if not refusals:
        return []
    sizes = np.bincount(np.concatenate([block.message for block in blocks]), minlength=len(records))
    return [_refusal_row(refusal, blocks[refusal.block], records[refusal.message], sizes) for refusal in refusals]


def _refusal_row(refusal: Refusal, block: Block, record: Record, sizes: NDArray[np.int64]) -> RejectedRow:
    whole = len(refusal.rows) == sizes[refusal.message]
    return RejectedRow(
        kafka_offset=record.offset,
        position=int(block.position[refusal.rows[0]]),
        reason=refusal.reason,
        required=refusal.required,
        got=refusal.got,
        unit_code=block.unit_code,
        payload=(record.value or b"") if whole else part_of(block, refusal.rows, record.value or b""),
        readings=len(refusal.rows),
    )


def part_of(block: Block, rows: NDArray[np.intp], value: bytes) -> bytes:
    """Just some readings of a message, in its own format."""
    if value[:1] and value[0] in _BLOCK_MARK:
        return encode_rows(block, rows)
    return b"[" + b",".join(encode_readings_json(block, rows)) + b"]"
