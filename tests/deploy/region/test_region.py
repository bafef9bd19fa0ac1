"""The simulated region: the same by seed, and consistent from the flow in the pipe to the digits on the dial."""

import dataclasses
from collections import Counter

import numpy as np
import pytest

from analytics.domain.instants import US_PER_HOUR
from analytics.domain.quality import DetectionKind, RejectReason
from analytics.domain.units import canonical_unit, parse_unit
from deploy.region import Region, build_region
from deploy.region.entries import meter_of_entry
from deploy.region.meters import stated_factor
from deploy.region.model import Readings
from tests.deploy.region.regions import clean_month, month, rows_of


def _same(left: Readings, right: Readings) -> bool:
    return all(
        np.array_equal(getattr(left, f.name), getattr(right, f.name), equal_nan=f.name == "value")
        for f in dataclasses.fields(Readings)
    )


def _small(seed: int = 7, **more: float) -> Region:
    return build_region(seed, days=more.get("days", 4.0), units=3, horizon_days=more.get("horizon_days"))


def test_the_same_seed_gives_the_same_region_to_the_last_byte() -> None:
    one, two = _small(), _small()
    assert _same(one.readings, two.readings)
    assert one.ledger_rows == two.ledger_rows
    assert one.raw == two.raw
    assert one.truth.faults == two.truth.faults
    assert np.array_equal(one.truth.quarter, two.truth.quarter)


def test_another_seed_gives_another_region() -> None:
    assert not np.array_equal(_small(7).truth.quarter, _small(8).truth.quarter)


def test_a_longer_region_begins_with_the_shorter_one() -> None:
    short, long = _small(days=4.0, horizon_days=3.0), _small(days=7.0, horizon_days=3.0)
    quarters = short.truth.quarter.shape[1]
    assert np.array_equal(long.truth.quarter[:, :quarters], short.truth.quarter)
    known = {(f.kind, f.meter_no, f.start_us, f.end_us) for f in long.truth.faults}
    assert {(f.kind, f.meter_no, f.start_us, f.end_us) for f in short.truth.faults} <= known
    assert short.ledger_rows == long.ledger_rows
    assert short.raw == long.raw
    for unit in range(3):
        early = [
            r.readings.take(np.flatnonzero((r.readings.unit == unit) & (r.readings.received_at < short.end_us)))
            for r in (short, long)
        ]
        assert _same(*early)


def test_fewer_units_are_the_first_of_more() -> None:
    two, three = (build_region(5, days=2.0, units=n, with_faults=False) for n in (2, 3))
    assert three.units[:2] == two.units
    assert three.points[: len(two.points)] == two.points
    assert np.array_equal(three.truth.quarter[: len(two.points)], two.truth.quarter)


def test_more_units_than_the_table_has_get_names_and_codes_of_their_own() -> None:
    region = build_region(5, days=0.25, units=25, with_faults=False)
    assert len({u.code for u in region.units}) == len({u.name for u in region.units}) == 25
    meters = {meter_of_entry(entry)[0] for entry in region.meter_nos}
    assert {row["meter_no"] for row in region.ledger_rows if row["meter_no"]} == meters


def test_the_default_region_is_as_large_as_promised() -> None:
    region = month()
    assert len(region.units) == 12
    assert 300 <= len({meter_of_entry(entry)[0] for entry in region.meter_nos}) <= 400
    assert {"power", "power_primary", "power_l1", "volume"} <= {meter_of_entry(entry)[1] for entry in region.meter_nos}
    assert len(region.readings) > 900_000
    assert {p.carrier for p in region.points} >= {"electricity", "natural_gas", "steam", "water", "coal", "other"}
    assert all(len(u.code) == 18 and "O" in u.code for u in region.units)  # no real code holds an O


@pytest.mark.parametrize("days", [0.0, 0.05])
def test_a_region_shorter_than_two_hours_is_refused(days: float) -> None:
    with pytest.raises(ValueError, match="two hours"):
        build_region(days=days)


def test_a_region_that_does_not_start_at_a_full_hour_is_refused() -> None:
    with pytest.raises(ValueError, match="full hour"):
        build_region(start_us=1)


def test_every_parent_is_its_children_and_what_is_lost_on_the_way() -> None:
    region = month()
    flow = region.truth.quarter
    for point in region.points:
        children = [p.index for p in region.points if p.parent == point.index]
        if not children or point.own_rated:
            continue
        below = flow[children].sum(axis=0)
        assert np.allclose(flow[point.index], below + point.loss.of(4.0 * below) / 4.0, rtol=1e-12)
        assert flow[point.index].sum() <= 1.06 * below.sum()


def test_a_parent_with_an_unmetered_rest_uses_more_than_its_children() -> None:
    region = month()
    with_rest = [p for p in region.points if p.own_rated and any(c.parent == p.index for c in region.points)]
    assert with_rest
    for point in with_rest:
        assert not point.complete
        children = [p.index for p in region.points if p.parent == point.index]
        assert region.truth.quarter[point.index].sum() > region.truth.quarter[children].sum()


def test_nothing_flows_backwards_nor_faster_than_the_ledger_allows() -> None:
    region = month()
    rated = np.array([p.rated for p in region.points])
    assert region.truth.quarter.min() >= 0.0
    assert (4.0 * region.truth.quarter.max(axis=1) < 1.5 * rated).all()
    assert (region.truth.hour.max(axis=1) < 1.01 * rated).all()


def test_register_differences_times_multiplier_are_what_flowed_within_class_and_resolution() -> None:
    region = clean_month()
    edges = region.start_us + 900_000_000 * np.arange(region.truth.quarter.shape[1] + 1)
    for segment in region.truth.segments:
        meter, point = segment.meter, region.points[segment.meter.point]
        rows = rows_of(region, meter.meter_no)
        at, value = region.readings.measured_at[rows], region.readings.value[rows]
        inside = (at >= segment.start_us) & (at < segment.end_us) & (at <= region.end_us)
        at, value = at[inside], value[inside] / stated_factor(meter)
        used = np.diff(value)
        used[used < 0] += meter.full_scale
        counted = np.interp(at, edges, np.concatenate(([0.0], np.cumsum(region.truth.quarter[point.index]))))
        truth = np.diff(counted) * (1.0 + meter.error) / segment.dial_factor
        step = 10.0**-meter.decimals / stated_factor(meter)
        if meter.float32:
            step = float(np.spacing(np.float32(value.max())))
        assert np.abs(used - truth).max() <= 1.001 * step, meter
        assert abs(used.sum() - truth.sum()) <= 1.001 * step, meter


def test_every_meter_errs_within_its_class() -> None:
    for segment in month().truth.segments:
        limit = float(segment.meter.accuracy_class.rstrip("S")) / 100.0
        assert abs(segment.meter.error) <= limit


def test_readings_come_at_their_interval_with_a_jitter_of_seconds() -> None:
    region = clean_month()
    for segment in region.truth.segments:
        meter = segment.meter
        gaps = np.diff(region.readings.measured_at[rows_of(region, meter.meter_no)]) / 1e6
        gaps = gaps[gaps < 1.5 * meter.interval_s]
        assert np.abs(gaps - meter.interval_s).max() <= meter.jitter_s, meter


def test_coal_is_weighed_up_once_a_day_at_local_midnight() -> None:
    region = clean_month()
    daily = [s.meter for s in region.truth.segments if s.meter.interval_s == 86_400]
    assert daily
    for meter in daily:
        local = region.readings.measured_at[rows_of(region, meter.meter_no)] + 8 * US_PER_HOUR
        assert len(local) in {30, 31}
        assert (local % (24 * US_PER_HOUR) < 60_000_000).all()


def test_some_registers_pass_their_full_scale_and_say_so_in_the_truth() -> None:
    region = month()
    rolled = [e for e in region.truth.events if e.kind == "rollover"]
    assert len(rolled) >= 5
    for event in rolled:
        rows = rows_of(region, event.meter_no)
        at, value = region.readings.measured_at[rows], region.readings.value[rows]
        before = value[at == event.start_us][0]
        after = value[at == event.end_us][0]
        assert after < before


def test_some_registers_are_single_precision_and_go_in_large_steps() -> None:
    region = clean_month()
    stepping = [s.meter for s in region.truth.segments if s.meter.float32]
    assert stepping
    for meter in stepping:
        value = region.readings.value[rows_of(region, meter.meter_no)]
        assert (value == value.astype(np.float32)).all()
        assert np.spacing(np.float32(value.min())) >= 0.25


def test_meters_state_what_a_point_of_their_carrier_may_count() -> None:
    region = month()
    stated = set()
    for segment in region.truth.segments:
        meter, point = segment.meter, region.points[segment.meter.point]
        assert canonical_unit(point.carrier, parse_unit(meter.stated_unit)).symbol == point.amount_unit
        stated.add(meter.stated_unit)
    assert stated >= {"kWh", "MWh", "L", "m3", "GJ", "t", "kg", "Nm3"}
    assert any(s.meter.stated_unit != s.meter.register_unit for s in region.truth.segments)


def test_every_fault_kind_is_put_in_twice_each_at_a_meter_of_its_own() -> None:
    faults = month().truth.faults
    of_meters = set(DetectionKind) - {DetectionKind.BALANCE_CHANGE}
    twice = {kind: 2 for kind in of_meters if kind.is_fault}
    assert Counter(f.kind for f in faults) == twice | {DetectionKind.RATIO: 3}  # the third at a heat meter
    assert len({f.meter_no for f in faults}) == len(faults)


def test_what_is_to_be_refused_covers_every_reason_that_a_sender_can_cause() -> None:
    expected = month().rejected
    # the gateways of the region send units of their own alone
    not_sent = {RejectReason.TOO_LARGE, RejectReason.CONFLICT, RejectReason.FOREIGN_UNIT}
    assert set(expected) == set(RejectReason) - not_sent
    assert month().sent == month().accepted + sum(expected.values())


def test_a_region_without_faults_has_nothing_to_refuse() -> None:
    assert clean_month().rejected == {}
    assert clean_month().accepted == clean_month().sent
