"""`findings`: units judged by what a backfill has worked out, as the live system judges them by what is stored."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, tzinfo
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analytics.columns.aggregation import (
    MICRO,
    PointDays,
    PointHours,
    consumption_day,
    shares,
    totals_by_day,
    totals_by_hour,
)
from analytics.columns.intervals import local_day
from analytics.columns.membership import Membership
from analytics.columns.register import NEVER
from analytics.domain.instants import US_PER_HOUR
from analytics.domain.ledger import NO_DAY, NO_INSTANT, Ledger
from analytics.domain.quality import DetectionKind
from analytics.standards.assessment import Assessment, assess
from analytics.standards.documents import Standards
from analytics.standards.factors import EPOCH_ORDINAL
from analytics.standards.scene import Evidence, Use, UseKey, certificate_in_force, days_between_readings
from ingest.result_files import Column

__all__ = ["evidence_of", "finding_columns", "judged", "standing_columns"]

_YEAR: Final = 365
_LASTING: Final = (DetectionKind.SILENCE, DetectionKind.GAP, DetectionKind.STUCK)


def judged(
    hours: NDArray[Any], events: NDArray[Any], ledger: Ledger, *, standards: Standards, until_us: int, zone: tzinfo
) -> Assessment:
    """Judgement of some units.

    Parameters
    ----------
    hours : (n,) analytics.columns.register.HOUR_ROW
        All of them.
    events : (e,) analytics.columns.register.EVENT_ROW
    ledger : Ledger
        That both index.
    until_us : int
        Instant up to which was read; its local day is judged. [us since 1970-01-01 UTC]
    """
    at_us = until_us - 1
    day = int(local_day(np.array([at_us // US_PER_HOUR]), zone)[0])
    evidence = evidence_of(
        hours,
        events,
        ledger,
        day=day,
        window_days=standards.rules.data_quality.window_days,
        until_us=until_us,
        zone=zone,
    )
    return assess(
        ledger,
        book=standards.book,
        rules=standards.rules,
        facts=standards.facts,
        evidence=evidence,
        day=day,
        at_us=at_us,
        zone=zone,
        water=standards.water,
    )


def standing_columns(assessment: Assessment) -> Mapping[str, Column]:
    """`standings`: how each unit stands."""
    ledger, standings = assessment.scene.ledger, assessment.standings
    return {
        "unit_code": [ledger.unit_codes[one.unit] for one in standings],
        "state": [one.state for one in standings],
        "grade": [one.grade or None for one in standings],
        "as_of": [date.fromordinal(assessment.day + EPOCH_ORDINAL)] * len(standings),
        "edition": [one.edition for one in standings],
    }


def finding_columns(assessment: Assessment) -> Mapping[str, Column]:
    """`findings`: every answer, clause by clause."""
    ledger, found, day = assessment.scene.ledger, assessment.findings, assessment.day
    return {
        "unit_code": [ledger.unit_codes[one.unit] for one in found],
        "edition": [one.edition for one in found],
        "clause": [one.clause for one in found],
        "level": [one.level or None for one in found],
        "carrier": [one.carrier or None for one in found],
        "required": [one.required.en for one in found],
        "found": [one.found.en for one in found],
        "verdict": [one.verdict.value for one in found],
        "meters": [list(one.meters) for one in found],
        "as_of": [date.fromordinal(day + EPOCH_ORDINAL)] * len(found),
        "rule": [one.rule for one in found],
        "severity": [one.severity.value for one in found],
        "mandatory": [one.mandatory for one in found],
        "point": [one.point or None for one in found],
        "meter_no": [one.meter_no or None for one in found],
        "points": [list(one.points) for one in found],
        "next_step": [one.next_step.en or None for one in found],
        "required_zh": [one.required.zh for one in found],
        "found_zh": [one.found.zh for one in found],
        "next_step_zh": [one.next_step.zh or None for one in found],
    }


def evidence_of(
    hours: NDArray[Any],
    events: NDArray[Any],
    ledger: Ledger,
    *,
    day: int,
    window_days: int,
    until_us: int,
    zone: tzinfo,
) -> Evidence:
    """Evidence from hours and events on a day; starts and delays would need readings and are not evaluated."""
    known = PointHours.from_register(hours)
    days = consumption_day(known, zone)
    silent, fault = _lasting(events, len(ledger.point_codes))
    over = until_us // US_PER_HOUR  # of the day under way nothing counts in completeness
    whole = int(local_day(np.array([over]), zone)[0]) - 1
    return replace(
        Evidence.none(ledger),
        uses=_uses(known, ledger, day, zone),
        completeness=_completeness(hours, ledger, last=whole, window_days=window_days, zone=zone),
        silent_since=silent,
        fault_since=fault,
        at_risk=_at_risk(days, ledger, day),
    )


def _uses(hours: PointHours, ledger: Ledger, day: int, zone: tzinfo) -> Mapping[UseKey, Use]:
    membership = Membership.from_ledger(ledger)
    keys = membership.keys()
    by_day, by_hour = totals_by_day(hours, membership, zone), totals_by_hour(hours, membership)
    inside = (by_day.at > day - _YEAR) & (by_day.at <= day)
    series = by_day.series[inside]
    amount = np.bincount(series, by_day.amount_micro[inside], minlength=len(keys)) / MICRO
    count = np.bincount(series, minlength=len(keys))
    most = np.full(len(keys), np.nan)
    lately = local_day(by_hour.at, zone) if len(by_hour.at) else np.empty(0, np.int32)
    lately_inside = (lately > day - _YEAR) & (lately <= day)
    np.fmax.at(most, by_hour.series[lately_inside], by_hour.amount_micro[lately_inside] / MICRO)
    found: dict[UseKey, Use] = {}
    for i, key in enumerate(keys):
        if not count[i]:
            continue
        part = {"unit": "", "sub_unit": key.name, "equipment": key.sub_unit}[key.scope]
        whose = UseKey(key.unit, key.scope, part, key.name, key.carrier)
        hourly = float(most[i]) if key.scope != "unit" else np.nan  # no limit is asked of a unit's hours
        use = Use(amount=float(amount[i]), days=int(count[i]), most_in_an_hour=hourly, symbol=key.symbol)
        if whose not in found or use.amount > found[whose].amount:  # of steam in t and in GJ the greater one
            found[whose] = use
    return found


def _completeness(
    hours: NDArray[Any], ledger: Ledger, *, last: int, window_days: int, zone: tzinfo
) -> NDArray[np.float64]:
    points, made = len(ledger.point_codes), ledger.installations
    evident, measured = shares(hours["covered"], hours["estimated"])
    slow = np.zeros(points, np.bool_)  # read less than hourly: every hour between is an estimate
    slow[made.point[(made.interval_us > US_PER_HOUR) | (made.interval_us == 0)]] = True
    share = np.where(slow[hours["point"]], evident, measured)
    at = local_day(hours["hour"], zone) if len(hours) else np.empty(0, np.int32)
    first = np.full(len(ledger.unit_codes), np.iinfo(np.int64).max)
    np.minimum.at(first, ledger.point_unit[hours["point"]], at)
    began = np.full(points, np.iinfo(np.int64).max)
    np.minimum.at(began, made.point, made.installed_from // (24 * US_PER_HOUR) + 1)
    start = np.maximum(np.maximum(first[ledger.point_unit], last - window_days + 1), began)
    apart = days_between_readings(made, points)
    due = last - apart - start + 1
    inside = (at <= last) & (at > last - window_days)
    received = np.bincount(hours["point"][inside], share[inside], minlength=points) / 24
    rare = 2 * apart > window_days  # read so seldom that the window says nothing: its own, twice as long
    if rare.any():
        own = np.maximum(np.maximum(first[ledger.point_unit], last - 2 * apart + 1), began)
        due = np.where(rare, last - apart - own + 1, due)
        mine = (at <= last) & (at > last - 2 * apart[hours["point"]])
        received[rare] = (np.bincount(hours["point"][mine], evident[mine], minlength=points) / 24)[rare]
    return np.where(due > 0, np.minimum(received / np.maximum(due, 1), 1.0), np.nan)


def _lasting(events: NDArray[Any], points: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    never = np.iinfo(np.int64).max
    silent, fault = np.full(points, never), np.full(points, never)
    lasting = events[(events["ended"] == NEVER) & np.isin(events["kind"], [kind.value for kind in _LASTING])]
    np.minimum.at(fault, lasting["point"], lasting["started"])
    quiet = lasting[lasting["kind"] == DetectionKind.SILENCE.value]
    np.minimum.at(silent, quiet["point"], quiet["started"])
    return np.where(silent == never, NO_INSTANT, silent), np.where(fault == never, NO_INSTANT, fault)


def _at_risk(days: PointDays, ledger: Ledger, day: int) -> NDArray[np.float64]:
    made = ledger.installations
    _, due, _ = certificate_in_force(ledger, None, day)
    over = np.full(len(ledger.point_codes), np.iinfo(np.int64).max)
    stands = np.flatnonzero(due[made.meter] != NO_DAY)
    over[made.point[stands]] = due[made.meter[stands]]  # by start, so the last meter of a point stays
    after = (days.day > over[days.point]) & (days.day <= day)
    total = np.bincount(days.point[after], days.amount_micro[after], minlength=len(over)) / MICRO
    return np.where(np.bincount(days.point[after], minlength=len(over)) > 0, total, np.nan)
