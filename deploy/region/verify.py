"""A pipeline's outcome against the truth: every reading accounted for, every total conserved, every hour right."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.domain.instants import US_PER_HOUR
from analytics.domain.quality import DetectionKind, HourFlag, RejectReason
from deploy.region.meters import stated_factor
from deploy.region.model import Fault, Point, Region, Segment
from deploy.region.outcome import FOUND_READING, Outcome
from deploy.region.registered import registered_micro

__all__ = [
    "NOT_LOOKED_FOR",
    "Account",
    "Check",
    "KindScore",
    "account",
    "check_conserved",
    "check_hours",
    "check_totals",
    "score_detections",
]

Floats = NDArray[np.float64]

NOT_LOOKED_FOR = frozenset(
    {
        DetectionKind.GAIN_STEP,
        DetectionKind.GAIN_DRIFT,
        DetectionKind.BALANCE_CHANGE,
    }
)
"""Kinds of faults that nothing looks for yet, or that only a balance shows, which learns longer than a demo lasts."""

_SOUND_FLAGS = int(HourFlag.ROLLOVER | HourFlag.REPLACEMENT)
_MATCH_US = 2 * US_PER_HOUR
_WHOLE = 0.9999


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Account of all readings.

    Attributes
    ----------
    sent, accepted, rejected : int
        Readings in all messages, stored, and refused.
    lost, doubled : int
        Readings that should be stored and are not, and rows beyond one each.
    by_reason : dict of RejectReason to (int, int)
        Refused, and how many should have been.
    """

    sent: int
    accepted: int
    rejected: int
    lost: int
    doubled: int
    by_reason: dict[RejectReason, tuple[int, int]]

    @property
    def ok(self) -> bool:
        """Whether every reading is where it belongs."""
        right = all(found == expected for found, expected in self.by_reason.values())
        return right and self.lost == self.doubled == 0 and self.sent == self.accepted + self.rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was compared; `compared` says on how much evidence, `worst` what was furthest off."""

    name: str
    compared: int
    failed: int
    worst: str

    @property
    def ok(self) -> bool:
        """Whether all of it was right, and there was something to compare."""
        return self.failed == 0 and self.compared > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KindScore:
    """One kind of fault: how many were put in, how many of these found, and how often it was reported elsewhere."""

    kind: DetectionKind
    injected: int
    found: int
    elsewhere: int

    @property
    def looked_for(self) -> bool:
        """Whether anything looks for it."""
        return self.kind not in NOT_LOOKED_FOR or self.found > 0 or self.elsewhere > 0


def account(region: Region, outcome: Outcome) -> Account:
    """Compare the stored readings with those that should be stored, one by one, by meter, time and value."""
    accepted = region.readings.take(region.readings.expected == 0)
    due = np.empty(len(accepted), FOUND_READING)
    due["meter"], due["measured_at"], due["value"] = accepted.meter, accepted.measured_at, accepted.value
    both = np.concatenate([due, outcome.readings])
    sign = np.concatenate([np.ones(len(due), np.int64), -np.ones(len(outcome.readings), np.int64)])
    order = np.lexsort((both["value"], both["measured_at"], both["meter"]))
    rows = both[order]
    first = np.ones(len(rows), bool)
    first[1:] = rows[1:] != rows[:-1]
    balance = np.add.reduceat(sign[order], np.flatnonzero(first)) if len(rows) else np.zeros(0, np.int64)
    rejected = dict(outcome.rejected)
    reasons = sorted({*rejected, *region.rejected})
    return Account(
        sent=region.sent,
        accepted=len(outcome.readings),
        rejected=sum(rejected.values()),
        lost=int(balance[balance > 0].sum()),
        doubled=int(-balance[balance < 0].sum()),
        by_reason={reason: (rejected.get(reason, 0), region.rejected.get(reason, 0)) for reason in reasons},
    )


def _segments(region: Region) -> dict[int, list[Segment]]:
    found: dict[int, list[Segment]] = {}
    for segment in region.truth.segments:
        found.setdefault(segment.meter.point, []).append(segment)
    return found


def _faults(region: Region) -> dict[int, list[Fault]]:
    places = {(region.units[p.unit].code, p.code): p.index for p in region.points}
    found: dict[int, list[Fault]] = {}
    for fault in region.truth.faults:
        found.setdefault(places[fault.unit_code, fault.point], []).append(fault)
    return found


def _by_point(rows: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    order = np.argsort(rows["point"], kind="stable")
    ordered = rows[order]
    edges = np.flatnonzero(np.diff(ordered["point"])) + 1
    for part in np.split(ordered, edges):
        if len(part):
            yield int(part["point"][0]), part


def check_hours(region: Region, outcome: Outcome) -> Check:
    """Hourly consumption against what really flowed, in hours that are measured through and through.

    Allowed is what the meter's class, its last digit, and reading some seconds past the hour explain. Hours within
    two hours of a fault are left out, and so is what is weighed up once a day.
    """
    segments, faults = _segments(region), _faults(region)
    compared = failed = 0
    worst, where = 0.0, ""
    for index, rows in _by_point(outcome.hours):
        if segments[index][0].meter.interval_s > 3_600:
            continue
        point = region.points[index]
        place, amount = _sound_hours(region, rows, faults.get(index, []))
        if not len(place):
            continue
        flow = region.truth.quarter[index]
        truth = flow[4 * place[:, None] + np.arange(4)].sum(axis=1)
        share = np.abs(amount - truth) / _allowed(point, segments[index], flow, place, truth)
        compared += len(share)
        failed += int((share > 1.0).sum())
        if share.max() > worst:
            k = int(share.argmax())
            worst = float(share[k])
            where = (
                f"{worst:.2f} of what is allowed at {region.units[point.unit].name} {point.code}: "
                f"{amount[k]:.3f} for {truth[k]:.3f} {point.amount_unit}"
            )
    return Check(name="hours as they really were", compared=compared, failed=failed, worst=where)


def _sound_hours(region: Region, rows: NDArray[Any], faults: list[Fault]) -> tuple[NDArray[np.int64], Floats]:
    """Hours that can be held against the truth: their place in the region, and their amounts."""
    place = rows["hour"] - region.start_us // US_PER_HOUR
    kept = (place >= 1) & (place < region.truth.quarter.shape[1] // 4 - 1)
    kept &= (rows["completeness"] > _WHOLE) & (rows["measured"] > _WHOLE)
    kept &= (rows["quality"] & ~_SOUND_FLAGS) == 0
    kept &= ~_near_fault(rows["hour"], faults)
    return place[kept], rows["micro"][kept] / 1e6


def _near_fault(hour: NDArray[np.int64], faults: list[Fault]) -> NDArray[np.bool_]:
    near = np.zeros(len(hour), bool)
    at = hour * US_PER_HOUR
    for fault in faults:
        end = fault.end_us if fault.end_us > np.iinfo(np.int64).max - _MATCH_US else fault.end_us + _MATCH_US
        near |= (at >= fault.start_us - _MATCH_US) & (at < end)
    return near


def _allowed(point: Point, segments: list[Segment], flow: Floats, place: NDArray[np.int64], truth: Floats) -> Floats:
    """How far an hour may be off. [amount unit]"""
    meter = segments[0].meter
    limit = float(meter.accuracy_class.rstrip("S")) / 100.0
    step = max(_step(s) for s in segments)
    rate = flow / 900.0
    back = max(meter.interval_s // 900, 1)
    behind = np.convolve(rate, np.ones(back) / back, "full")[: len(rate)]  # mean over the interval up to a quarter
    late = meter.offset_s + meter.jitter_s
    edges = 4 * place[:, None] + np.array([0, 4])
    turn = np.abs(rate[edges] - behind[np.maximum(edges - 1, 0)]).sum(axis=1) * late
    # within an interval the rate may swing as much again while the clock is some seconds off
    allowed: Floats = limit * truth + 2.0 * step + 1.1 * turn + 1e-6 * point.rated
    return allowed


def _step(segment: Segment) -> float:
    """Smallest change that the register shows. [amount unit]"""
    meter = segment.meter
    if meter.float32:
        return float(np.spacing(np.float32(2.0 * segment.first))) * segment.dial_factor
    return 10.0**-meter.decimals / stated_factor(meter) * segment.dial_factor


def check_conserved(region: Region, outcome: Outcome) -> Check:
    """Hours sum to the registers' differences to the last millionth, where no register was broken off unsaid."""
    faults = _faults(region)
    breaking = {index for index, found in faults.items() if not all(_keeps_the_register(f) for f in found)}
    rows_of = dict(_by_point(outcome.hours))
    compared = failed = 0
    worst, where = 0, ""
    for index, (until_hour, due) in registered_micro(region).items():
        if index in breaking or index not in rows_of:
            continue
        rows = rows_of[index]
        counted = int(rows["micro"][rows["hour"] < until_hour].sum())
        compared += 1
        failed += counted != due
        if abs(counted - due) > worst:
            worst = abs(counted - due)
            point = region.points[index]
            where = (
                f"{region.units[point.unit].name} {point.code}: {counted} for {due} millionths of {point.amount_unit}"
            )
    return Check(name="totals of the registers, exactly", compared=compared, failed=failed, worst=where)


def _keeps_the_register(fault: Fault) -> bool:
    return fault.conserves and fault.kind not in {DetectionKind.STUCK, DetectionKind.CLOCK, DetectionKind.SILENCE}


def check_totals(region: Region, outcome: Outcome) -> Check:
    """A unit's totals are the sums of its points' hours, exactly: what comes in less what goes out."""
    due: dict[tuple[int, str, str, int], int] = {}
    level = np.array([p.level == "unit" for p in region.points])
    sign = {"in": 1, "out": -1, "own": 0}
    for row in outcome.hours[level[outcome.hours["point"]]].tolist():
        point = region.points[row[0]]
        factor = sign[point.direction]
        if factor:
            key = (point.unit, point.carrier, point.amount_unit, row[1])
            due[key] = due.get(key, 0) + factor * row[2]
    got: Mapping[tuple[int, str, str, int], int] = {
        (row[0], *outcome.series[row[1]], row[2]): row[3] for row in outcome.totals.tolist()
    }
    wrong = [key for key in {*due, *got} if due.get(key) != got.get(key)]
    where = ""
    if wrong:
        key = min(wrong)
        where = f"{region.units[key[0]].name} {key[1]} [{key[2]}] hour {key[3]}: {got.get(key)} for {due.get(key)}"
    return Check(name="totals of units are the sums of their points", compared=len(due), failed=len(wrong), worst=where)


def score_detections(region: Region, outcome: Outcome) -> list[KindScore]:
    """For every kind of fault: put in, found there and then, and reported elsewhere."""
    faults = _faults(region)
    scores = []
    for kind in DetectionKind:
        if not kind.is_fault:
            continue
        said = [d for d in outcome.detections if d.kind is kind]
        matched = {
            (f.point, f.start_us): [d for d in said if d.point == index and _during(d.started_us, f)]
            for index, of_point in faults.items()
            for f in of_point
            if f.kind is kind
        }
        hits = {id(d) for found in matched.values() for d in found}
        scores.append(
            KindScore(
                kind=kind,
                injected=len(matched),
                found=sum(bool(found) for found in matched.values()),
                elsewhere=sum(id(d) not in hits for d in said),
            )
        )
    return scores


def _during(at_us: int, fault: Fault) -> bool:
    return fault.start_us - _MATCH_US <= at_us and at_us - _MATCH_US <= fault.end_us
