"""Real loads: whole weeks with the mean 1, and hours that keep their total when they are split."""

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.domain.errors import ConfigurationError
from deploy.region import loads
from deploy.region.flows import local_hours, local_offset_us
from deploy.region.loads import Loads, quarters, sample_loads

hours = st.lists(st.floats(0.0, 1e6), min_size=1, max_size=60)


@given(hours, st.integers(0, 2**32 - 1))
def test_the_quarters_of_an_hour_sum_to_it_whatever_its_neighbours_and_noise(values: list[float], seed: int) -> None:
    hourly = np.array(values)
    noise = np.clip(np.random.default_rng(seed).normal(0.0, 0.06, 4 * len(hourly)), -0.15, 0.15)
    split = quarters(hourly, noise)
    assert (split >= 0.0).all()
    assert np.allclose(split.reshape(-1, 4).sum(axis=1), hourly, rtol=1e-12)
    assert (split <= 1.5 * np.repeat(hourly, 4) / 4.0 + 1e-12).all()


def test_no_hours_have_no_quarters() -> None:
    assert len(quarters(np.zeros(0), np.zeros(0))) == 0


def test_samples_are_whole_weeks_with_the_mean_one_and_no_hole() -> None:
    for kind, least in (("electricity", 5), ("gas", 3)):
        series = sample_loads().series[kind]
        assert len(series) == least
        for one in series:
            assert len(one) % 168 == 0
            assert len(one) >= 50 * 168
            assert one.mean() == pytest.approx(1.0)
            assert np.isfinite(one).all()
            assert one.min() >= 0.0


def test_samples_have_their_evenings_and_nights_where_a_clock_on_the_wall_has_them() -> None:
    by_hour = [one.reshape(-1, 24).mean(axis=0) for one in sample_loads().series["electricity"]]
    busy = [course[17:22].mean() > 1.15 * course[2:5].mean() for course in by_hour]
    assert sum(busy) == 4  # the fifth is a home that heats with night storage


def test_a_mix_over_a_longer_time_begins_with_the_shorter_one() -> None:
    wall = np.arange(500_000, 501_000)
    long = sample_loads().mix(np.random.default_rng(3), wall, kind="gas", parts=4)
    short = sample_loads().mix(np.random.default_rng(3), wall[:100], kind="gas", parts=4)
    assert np.array_equal(long[:100], short)


def test_a_mix_is_shifted_by_whole_weeks_only() -> None:
    week = Loads({"electricity": (np.arange(168.0),)})
    monday = (dt.date(2026, 11, 16) - dt.date(1970, 1, 1)).days * 24
    mixed = week.mix(np.random.default_rng(1), monday + np.arange(168), kind="electricity", parts=3)
    assert np.array_equal(mixed, np.arange(168.0))


def test_local_hours_follow_the_zone() -> None:
    start = int(dt.datetime(2026, 11, 1, tzinfo=dt.UTC).timestamp() * 1e6)
    zone = ZoneInfo("Asia/Shanghai")
    assert local_offset_us(start, zone) == 8 * 3_600_000_000
    assert (local_hours(start, 3, zone) % 24).tolist() == [8, 9, 10]


def test_without_the_samples_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loads, "_PACKAGE", "a-package-that-nobody-has-installed")
    with pytest.raises(ConfigurationError, match=r"deploy/locks/samples\.txt"):
        loads._samples_folder()
