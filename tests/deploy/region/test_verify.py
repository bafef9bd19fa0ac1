"""Holding an outcome against the truth: what is right passes, and every way of being wrong is noticed."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from analytics.domain.ledger import COLUMNS, build_ledger
from analytics.domain.quality import DetectionKind, HourFlag, RejectReason
from deploy.region import Region, build_region
from deploy.region.messages import region_messages
from deploy.region.outcome import FOUND_HOUR, FOUND_READING, FOUND_TOTAL, Detected, Outcome
from deploy.region.registered import registered_micro
from deploy.region.verify import (
    account,
    check_conserved,
    check_hours,
    check_totals,
    score_detections,
)
from ingest.wire import decode_records
from streams.steps.state import PartitionState
from streams.steps.step import step
from tests.deploy.region.test_messages import SHANGHAI


@cache
def _region() -> Region:
    return build_region(3, days=6.0, units=3, with_faults=False)


@cache
def _faulty() -> Region:
    return build_region(3, days=6.0, units=3)


def _outcome(region: Region) -> Outcome:
    """What the pure steps make of a region whose readings come in order, without any server."""
    rows = region.ledger_rows
    ledger, faults = build_ledger({name: [row[name] or None for row in rows] for name in COLUMNS})
    assert faults == []
    state = PartitionState.empty(ledger)
    messages = region_messages(region)
    blocks, _ = decode_records(
        [m.value for m in messages],
        headers=[m.headers for m in messages],
        timestamps_us=[m.at for m in messages],
        zone=SHANGHAI,
    )
    result = step(state, blocks)
    places = {(region.units[p.unit].code, p.code): p.index for p in region.points}
    codes = [(ledger.unit_codes[u], c) for u, c in zip(ledger.point_unit.tolist(), ledger.point_codes, strict=True)]
    hours = np.empty(len(result.hours), FOUND_HOUR)
    hours["point"] = np.array([places[code] for code in codes])[result.hours["point"]]
    hours["hour"], hours["micro"] = result.hours["hour"], result.hours["amount"]
    hours["completeness"] = result.hours["covered"] / 3.6e9
    hours["measured"] = (result.hours["covered"] - result.hours["estimated"]) / 3.6e9
    hours["quality"] = result.hours["flags"]
    sound = region.readings.take(region.readings.expected == 0)
    readings = np.empty(len(sound), FOUND_READING)
    readings["meter"], readings["measured_at"], readings["value"] = sound.meter, sound.measured_at, sound.value
    series, totals = _totals(region, hours)
    return Outcome(
        readings=readings, rejected=region.rejected, hours=hours, series=series, totals=totals, detections=()
    )


def _totals(region: Region, hours: np.ndarray) -> tuple[tuple[tuple[str, str], ...], np.ndarray]:
    sign = {"in": 1, "out": -1}
    sums: dict[tuple[int, str, str, int], int] = {}
    for row in hours.tolist():
        point = region.points[row[0]]
        if point.level == "unit" and point.direction in sign:
            key = (point.unit, point.carrier, point.amount_unit, row[1])
            sums[key] = sums.get(key, 0) + sign[point.direction] * row[2]
    series = tuple(sorted({key[1:3] for key in sums}))
    rows = [(u, series.index((c, s)), hour, micro, 1.0, 0.0) for (u, c, s, hour), micro in sums.items()]
    return series, np.array(rows, FOUND_TOTAL)


@cache
def _right() -> Outcome:
    return _outcome(_region())


def test_what_the_pure_steps_make_of_a_sound_region_is_right_in_every_respect() -> None:
    region, outcome = _region(), _right()
    assert account(region, outcome).ok
    for check in (check_hours(region, outcome), check_conserved(region, outcome), check_totals(region, outcome)):
        assert check.ok, check
    metered = {s.meter.point for s in region.truth.segments}
    assert check_conserved(region, outcome).compared >= len(metered) - 1  # one change may be without a dial
    assert check_hours(region, outcome).compared > 0.9 * len(metered) * 24 * 5


def test_a_lost_and_a_doubled_reading_are_counted_even_where_the_number_is_right() -> None:
    region, outcome = _region(), _right()
    readings = outcome.readings.copy()
    readings[7] = readings[8]
    found = account(region, replace(outcome, readings=readings))
    assert (found.lost, found.doubled) == (1, 1)
    assert found.accepted + found.rejected == found.sent
    assert not found.ok


def test_a_changed_value_is_one_lost_and_one_too_many() -> None:
    region, outcome = _region(), _right()
    readings = outcome.readings.copy()
    readings["value"][100] += 0.01
    found = account(region, replace(outcome, readings=readings))
    assert (found.lost, found.doubled) == (1, 1)


def test_a_reading_of_a_meter_that_the_region_does_not_have_is_one_too_many() -> None:
    region, outcome = _region(), _right()
    readings = np.append(outcome.readings, np.array([(-1, 0, 0.0)], FOUND_READING))
    assert account(region, replace(outcome, readings=readings)).doubled == 1


def test_refusals_for_another_reason_are_noticed() -> None:
    region = _faulty()
    swapped = dict(region.rejected)
    swapped[RejectReason.FUTURE] -= 1
    swapped[RejectReason.MALFORMED] += 1
    sound = region.readings.take(region.readings.expected == 0)
    readings = np.empty(len(sound), FOUND_READING)
    readings["meter"], readings["measured_at"], readings["value"] = sound.meter, sound.measured_at, sound.value
    right = replace(_right(), readings=readings, rejected=region.rejected)
    assert account(region, right).ok
    found = account(region, replace(right, rejected=swapped))
    assert found.accepted + found.rejected == found.sent
    assert not found.ok


def test_an_hour_that_is_off_by_three_percent_is_noticed() -> None:
    region, outcome = _region(), _right()
    hours = outcome.hours.copy()
    meter = next(s.meter for s in region.truth.segments if s.meter.accuracy_class == "0.5S" and s.meter.decimals == 2)
    place = np.flatnonzero((hours["point"] == meter.point) & (hours["completeness"] > 0.999))[20]
    hours["micro"][place] = round(hours["micro"][place] * 1.2)
    check = check_hours(region, replace(outcome, hours=hours))
    assert check.failed == 1
    assert region.points[meter.point].code in check.worst


@pytest.mark.parametrize("flag", [HourFlag.ESTIMATED, HourFlag.SUSPECT, HourFlag.BREAK])
def test_an_hour_that_says_it_is_doubtful_is_not_held_against_the_truth(flag: HourFlag) -> None:
    region, outcome = _region(), _right()
    hours = outcome.hours.copy()
    hours["micro"] = 0
    hours["quality"] = int(flag)
    check = check_hours(region, replace(outcome, hours=hours))
    assert (check.compared, check.failed) == (0, 0)
    assert not check.ok  # nothing compared is nothing shown


def test_a_total_that_is_off_by_one_millionth_is_noticed() -> None:
    region, outcome = _region(), _right()
    hours = outcome.hours.copy()
    hours["micro"][len(hours) // 2] += 1
    assert check_conserved(region, replace(outcome, hours=hours)).failed == 1
    totals = outcome.totals.copy()
    totals["micro"][0] -= 1
    assert check_totals(region, replace(outcome, totals=totals)).failed == 1
    assert check_totals(region, replace(outcome, totals=outcome.totals[1:])).failed == 1


def test_registers_count_across_rollover_and_replacement() -> None:
    region = _region()
    used = registered_micro(region)
    kinds = {e.kind: e for e in region.truth.events}
    assert {"rollover", "replacement"} <= set(kinds)
    places = {(region.units[p.unit].code, p.code): p for p in region.points}
    for event in region.truth.events:
        point = places[event.unit_code, event.point]
        if point.index not in used:
            continue
        until_hour, micro = used[point.index]
        quarters = (until_hour * 3_600_000_000 - region.start_us) // 900_000_000
        truth = region.truth.quarter[point.index][:quarters].sum()
        assert micro / 1e6 == pytest.approx(truth, rel=0.03)


def test_detections_are_matched_by_kind_place_and_time() -> None:
    region = _faulty()
    gap = next(f for f in region.truth.faults if f.kind is DetectionKind.GAP)
    places = {(region.units[p.unit].code, p.code): p.index for p in region.points}
    here, elsewhere = places[gap.unit_code, gap.point], places[gap.unit_code, "E1"]
    said = (
        Detected(kind=DetectionKind.GAP, point=here, started_us=gap.start_us - 10**9, ended_us=gap.end_us),
        Detected(kind=DetectionKind.GAP, point=here, started_us=gap.end_us + 10**11, ended_us=None),
        Detected(kind=DetectionKind.GAP, point=elsewhere, started_us=gap.start_us, ended_us=None),
        Detected(kind=DetectionKind.ROLLOVER, point=here, started_us=gap.start_us, ended_us=None),
    )
    scores = {s.kind: s for s in score_detections(region, replace(_right(), detections=said))}
    injected = sum(f.kind is DetectionKind.GAP for f in region.truth.faults)
    assert (scores[DetectionKind.GAP].injected, scores[DetectionKind.GAP].found) == (injected, 1)
    assert scores[DetectionKind.GAP].elsewhere == 2
    assert not scores[DetectionKind.GAIN_DRIFT].looked_for
    assert scores[DetectionKind.SPIKE].looked_for
    assert DetectionKind.ROLLOVER not in scores
