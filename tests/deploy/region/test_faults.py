"""Every fault that is put in can be seen in the data, where and when the truth says."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.domain.quality import DetectionKind, RejectReason
from deploy.region.model import Fault
from tests.deploy.region.regions import clean_month, month, rows_of

_K = DetectionKind


class _Series:
    """A meter's accepted readings by time, with the fault and without."""

    def __init__(self, fault: Fault) -> None:
        region, clean = month(), clean_month()
        rows, sound = rows_of(region, fault.meter_no), rows_of(clean, fault.meter_no)
        self.sent_at = region.readings.measured_at[rows]
        order = np.argsort(self.sent_at, kind="stable")
        self.at, self.value = self.sent_at[order], region.readings.value[rows][order]
        self.clean_at, self.clean = clean.readings.measured_at[sound], clean.readings.value[sound]
        self.fault = fault
        self.end_us = region.end_us

    def inside(self, at: NDArray[np.int64]) -> NDArray[np.bool_]:
        return (at >= self.fault.start_us) & (at < self.fault.end_us)

    @property
    def said(self) -> NDArray[np.float64]:
        return self.value[self.inside(self.at)]

    @property
    def true(self) -> NDArray[np.float64]:
        return self.clean[self.inside(self.clean_at)]

    def used(self, values: NDArray[np.float64], at: NDArray[np.int64], *, since: int, until: int) -> float:
        inside = values[(at >= since) & (at < until)]
        return float(inside[-1] - inside[0])


def _missing(s: _Series) -> bool:
    return len(s.said) == 0 and len(s.true) == s.fault.magnitude > 0


def _gap_ends_again(s: _Series) -> bool:
    return _missing(s) and bool((s.at > s.fault.end_us).any())


def _silent_to_the_end(s: _Series) -> bool:
    return _missing(s) and not (s.at > s.fault.start_us).any() and s.fault.end_us > s.end_us


def _stands_still(s: _Series) -> bool:
    return len(set(s.said[:-1].tolist())) == 1 and s.true[-1] > s.true[0]


def _too_high_for_a_moment(s: _Series) -> bool:
    after = s.value[s.at >= s.fault.end_us]
    return bool((s.said > s.true + 0.9 * s.fault.magnitude).all() and (after < s.said.min()).all())


def _falls_back_a_little(s: _Series) -> bool:
    fall = np.diff(s.value)
    return int((fall < 0).sum()) == 1 and -fall.min() == pytest.approx(s.fault.magnitude, rel=0.3)


def _falls_to_zero_and_goes_on(s: _Series) -> bool:
    falls = np.flatnonzero(np.diff(s.value) < 0)
    return len(falls) == 1 and s.value[falls[0] + 1] < 0.01 * s.value[falls[0]] and s.value[-1] > 0


def _zero_then_as_before(s: _Series) -> bool:
    return bool(
        (s.said == 0).all() and len(s.said) == s.fault.magnitude and (s.value[s.at >= s.fault.end_us] > 0).all()
    )


def _says_no_number(s: _Series) -> bool:
    return bool((s.said == s.fault.magnitude).all()) and len(s.said) >= 1


def _off_by_a_power_of_ten(s: _Series) -> bool:
    return bool(np.allclose(s.said / s.true, s.fault.magnitude, rtol=1e-3)) and len(s.said) > 10


def _counts_another_share(s: _Series) -> bool:
    since = s.fault.start_us
    share = s.used(s.value, s.at, since=since, until=s.end_us) / s.used(
        s.clean, s.clean_at, since=since, until=s.end_us
    )
    before = s.value[s.at < since], s.clean[s.clean_at < since]
    return bool(np.array_equal(*before)) and share - 1.0 == pytest.approx(s.fault.magnitude, rel=0.05)


def _drifts(s: _Series) -> bool:
    middle = (s.fault.start_us + s.end_us) // 2
    late = s.used(s.value, s.at, since=s.end_us - 10**11, until=s.end_us)
    true_late = s.used(s.clean, s.clean_at, since=s.end_us - 10**11, until=s.end_us)
    half = s.used(s.value, s.at, since=s.fault.start_us, until=middle)
    true_half = s.used(s.clean, s.clean_at, since=s.fault.start_us, until=middle)
    last, first = late / true_late - 1.0, half / true_half - 1.0
    return last == pytest.approx(s.fault.magnitude, rel=0.1) and 0.1 < first / s.fault.magnitude < 0.5


def _shifted(s: _Series) -> bool:
    moved = np.setdiff1d(s.at, s.clean_at)
    true = s.clean_at[s.inside(s.clean_at)]
    return bool(np.array_equal(moved, np.setdiff1d(true + int(s.fault.magnitude * 1e6), s.clean_at)))


def _sent_twice(s: _Series) -> bool:
    region = month()
    meter = region.meter_nos.index(s.fault.meter_no)
    twice = (region.readings.meter == meter) & (region.readings.expected == RejectReason.DUPLICATE)
    again = region.readings.measured_at[twice]
    return len(again) == s.fault.magnitude > 0 and bool(s.inside(again).all()) and bool(np.isin(again, s.at).all())


def _another_register(s: _Series) -> bool:
    jump = np.abs(np.diff(s.value))
    return jump.max() > 100 * np.median(jump) and np.array_equal(
        s.value[s.at < s.fault.start_us], s.clean[s.clean_at < s.fault.start_us]
    )


_SEEN: dict[DetectionKind, Callable[[_Series], bool]] = {
    _K.GAP: _gap_ends_again,
    _K.SILENCE: _silent_to_the_end,
    _K.STUCK: _stands_still,
    _K.SPIKE: _too_high_for_a_moment,
    _K.ROLLBACK: _falls_back_a_little,
    _K.RESET: _falls_to_zero_and_goes_on,
    _K.ZERO_DIP: _zero_then_as_before,
    _K.SENTINEL: _says_no_number,
    _K.SCALE: _off_by_a_power_of_ten,
    _K.RATIO: _counts_another_share,
    _K.CLOCK: _shifted,
    _K.DUPLICATE: _sent_twice,
    _K.UNDECLARED_REPLACEMENT: _another_register,
    _K.JUMP: _another_register,
    _K.GAIN_STEP: _counts_another_share,
    _K.GAIN_DRIFT: _drifts,
}


# a change of a balance is what others see of a meter's fault or of a load without a meter; no meter has it
@pytest.mark.parametrize("kind", [kind for kind in DetectionKind if kind.is_fault and kind is not _K.BALANCE_CHANGE])
def test_a_fault_of_each_kind_is_visible_where_the_truth_says(kind: DetectionKind) -> None:
    faults = [f for f in month().truth.faults if f.kind is kind]
    assert len(faults) == (3 if kind is _K.RATIO else 2)
    for fault in faults:
        assert _SEEN[kind](_Series(fault)), fault


def test_meters_without_a_fault_say_what_they_say_in_a_region_without_faults() -> None:
    region, clean = month(), clean_month()
    touched = {f.meter_no for f in region.truth.faults}
    for number in clean.meter_nos:
        if number in touched:
            continue
        rows, sound = rows_of(region, number), rows_of(clean, number)
        order = np.argsort(region.readings.measured_at[rows], kind="stable")
        assert np.array_equal(region.readings.value[rows][order], clean.readings.value[sound])


def test_faults_that_conserve_leave_the_last_reading_right() -> None:
    region, clean = month(), clean_month()
    conserving = [f for f in region.truth.faults if f.conserves and f.end_us < region.end_us]
    assert len(conserving) >= 10
    for fault in conserving:
        last = region.readings.value[rows_of(region, fault.meter_no)][-1]
        assert last == clean.readings.value[rows_of(clean, fault.meter_no)][-1], fault


def test_what_arrives_late_was_measured_when_the_truth_says() -> None:
    region = month()
    readings = region.readings
    late = [e for e in region.truth.events if e.kind == "late"]
    assert len(late) == 3
    for event in late:
        rows = rows_of(region, event.meter_no)
        behind = readings.received_at[rows] - readings.measured_at[rows] > 3_600_000_000
        assert behind.sum() >= 10
        measured = readings.measured_at[rows][behind]
        assert measured.min() >= event.start_us - 60_000_000
        assert measured.max() <= event.end_us
        assert (np.diff(readings.measured_at[rows]) < 0).any()


def test_each_unit_is_sent_in_the_order_in_which_it_was_received() -> None:
    readings = month().readings
    assert (np.diff(readings.unit) >= 0).all()
    same = np.diff(readings.unit) == 0
    assert (np.diff(readings.received_at)[same] >= 0).all()
