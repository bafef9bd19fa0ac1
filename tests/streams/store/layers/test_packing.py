"""Runs give back every bit of every reading, and take little room."""

import asyncio
from typing import Any

import hypothesis.strategies as st
import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings

from streams.rows.layout import READING_ROW, Readings
from streams.store.layers import packing
from streams.store.readings import of_registers
from tests.streams.store.conftest import connected

pytestmark = pytest.mark.integration

MINUTE = 60_000_000
DAY = 86_400_000_000
T0 = 1_790_000_000_000_000 // DAY * DAY
UNKNOWN = np.iinfo(np.int64).min


def registers(*series: list[tuple[int, int, float, int, int]]) -> Readings:
    rows = [
        (at, received, value, register, quality, unit)
        for register, one in enumerate(series, start=1)
        for at, received, value, quality, unit in sorted(one)
    ]
    return np.array(rows, READING_ROW)


def every_minute(values: np.ndarray[Any, Any], *, unit: int = 1, start: int = T0) -> Readings:
    rows = np.zeros(len(values), READING_ROW)
    rows["measured_at"] = start + np.arange(len(values)) * MINUTE
    rows["received_at"] = rows["measured_at"] + 1_500_000
    rows["value"] = values
    rows["register_id"] = 1
    rows["unit"] = unit
    return rows


def put(dsn: str, rows: Readings, stored_at: int = UNKNOWN) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("truncate reading_history")
        with connection.cursor().copy(packing.COPY_IN) as copy:
            copy.write(packing.pack(rows, np.full(len(rows), stored_at)))


def back(dsn: str) -> Readings:
    async def scenario() -> Readings:
        everything = np.arange(1, 6, dtype=np.int32)
        early, late = np.full(5, -(2**60)), np.full(5, 2**60)
        async with connected(dsn) as connection:
            return await of_registers(connection, everything, early, late)

    return asyncio.run(scenario())


def runs(dsn: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(
            "select readings, divisor, measured2 is null, value2 is not null, value4 is not null, value8 is not null "
            "from reading_history order by register_id, start"
        ).fetchall()


def test_minutes_of_a_meter_with_two_decimals_are_small_deviations(empty: str) -> None:
    rows = every_minute(np.round(123_456.78 + np.cumsum(np.full(120, 0.37)), 2))
    put(empty, rows)
    assert back(empty).tobytes() == rows.tobytes()
    assert runs(empty) == [(120, 100.0, True, False, False, False)]  # 0.37 a minute is a line


def test_uneven_use_needs_two_bytes_and_wild_use_four(empty: str) -> None:
    generator = np.random.default_rng(3)
    small = np.round(np.cumsum(generator.random(60)), 3)
    wild = np.round(np.cumsum(generator.random(60) * 1e4), 3)
    put(empty, every_minute(small))
    assert runs(empty) == [(60, 1000.0, True, True, False, False)]
    put(empty, every_minute(wild))
    assert runs(empty) == [(60, 1000.0, True, False, True, False)]
    assert back(empty).tobytes() == every_minute(wild).tobytes()


@pytest.mark.parametrize("value", [0.1 + 0.2, -0.0, 1e300, 5e-324, 2.0**53 + 2, 1 / 3, float(np.float32(0.1))])
def test_a_value_that_no_power_of_ten_makes_whole_is_kept_as_it_is(empty: str, value: float) -> None:
    rows = every_minute(np.array([1.0, value, 2.5]))
    put(empty, rows)
    assert back(empty).tobytes() == rows.tobytes()
    assert runs(empty)[0][5]


def test_a_run_ends_with_its_day_its_register_and_its_length(empty: str) -> None:
    rows = every_minute(np.arange(1440.0), start=T0 + DAY - 300 * MINUTE)
    put(empty, rows)
    assert [run[0] for run in runs(empty)] == [240, 60, 240, 240, 240, 240, 180]
    assert back(empty).tobytes() == rows.tobytes()


def test_clocks_that_no_scale_can_hold_part_a_run(empty: str) -> None:
    rows = every_minute(np.arange(8.0))
    rows["received_at"] = T0 + np.array([0, 1, 2, 3, 10**16 + 1, 5, 6, 10**17 + 3])
    put(empty, rows)
    assert back(empty).tobytes() == rows.tobytes()
    assert len(runs(empty)) > 1


def test_a_quality_and_a_unit_that_change_are_kept_for_each(empty: str) -> None:
    rows = every_minute(np.arange(10.0))
    rows["quality"][3] = 256
    rows["unit"][7:] = 3
    put(empty, rows)
    assert back(empty).tobytes() == rows.tobytes()


def test_one_reading_is_a_run(empty: str) -> None:
    rows = every_minute(np.array([7.25]))
    put(empty, rows, stored_at=T0)
    assert back(empty).tobytes() == rows.tobytes()
    with psycopg.connect(empty) as connection:
        stored = connection.execute("select extract(epoch from stored_at)::int8 from reading_unpacked").fetchone()
    assert stored == (T0 // 1_000_000,)


def test_no_readings_are_no_runs(empty: str) -> None:
    put(empty, np.empty(0, READING_ROW))
    assert runs(empty) == []


INSTANTS = st.integers(-3_000 * DAY, 3_000 * DAY).map(lambda us: T0 + us)
NEAR = st.integers(0, 2 * DAY).map(lambda us: T0 + us)
VALUES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(0, 10**9).map(lambda number: number / 100),
    st.integers(0, 100).map(float),
)
READING = st.tuples(
    st.one_of(NEAR, INSTANTS, st.integers(0, 3000).map(lambda minute: T0 + minute * MINUTE)),
    st.one_of(NEAR, INSTANTS),
    VALUES,
    st.sampled_from([0, 0, 0, 256, -1]),
    st.sampled_from([1, 1, 3]),
)
SERIES = st.lists(READING, max_size=40, unique_by=lambda reading: reading[0])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(SERIES, min_size=1, max_size=4))
def test_whatever_is_packed_comes_back(empty: str, series: list[list[tuple[int, int, float, int, int]]]) -> None:
    rows = registers(*series)
    put(empty, rows)
    assert back(empty).tobytes() == rows.tobytes()
