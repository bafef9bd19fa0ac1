"""Registers to hours in one call, in whichever frames a notebook has."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import analytics
from analytics.domain.errors import InvalidReading
from analytics.domain.units import UnitError

START = datetime(2026, 11, 21, tzinfo=UTC)
AT = [START + timedelta(minutes=15 * i) for i in range(10)]


def readings(**columns: Any) -> dict[str, Any]:
    both = {"meter": ["B"] * 10 + ["A"] * 10, "measured_at": AT * 2,
            "value": [*np.arange(100.0, 110.0), *np.arange(5.0, 15.0)]}  # fmt: skip
    return both | columns


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_each_kind_of_frame_comes_back_as_it_came(make: Any) -> None:
    hours, events = analytics.register_hours(make(readings()), multiplier=200.0, interval_min=15)
    assert type(hours) is type(make(readings()))
    assert type(events) is type(hours)
    rows = pa.table(hours) if make is not pd.DataFrame else pa.Table.from_pandas(hours)
    assert rows.to_pylist()[:2] == [
        {"meter": "A", "start": START, "amount": 800.0, "unit": "kWh", "completeness": 1.0, "quality": "measured"},
        {"meter": "A", "start": START + timedelta(hours=1), "amount": 800.0, "unit": "kWh", "completeness": 1.0,
         "quality": "measured"},
    ]  # fmt: skip
    assert rows.num_rows == 4


def test_order_and_zone_do_not_matter() -> None:
    frame = pl.DataFrame(readings())
    there = frame.with_columns(pl.col("measured_at").dt.convert_time_zone("Asia/Shanghai")).sample(
        fraction=1.0, shuffle=True, seed=7
    )
    assert analytics.register_hours(there).hours.equals(analytics.register_hours(frame).hours)


def test_a_frame_without_meters_is_of_one() -> None:
    frame = pl.DataFrame(readings()).filter(pl.col("meter") == "A").drop("meter")
    assert analytics.register_hours(frame, unit="MWh").hours["amount"].to_list() == [4000.0, 4000.0]


def test_what_is_wrong_with_a_register_stands_beside_its_hours() -> None:
    frame = pl.DataFrame({"measured_at": AT, "value": [10.0, 11.0, 12.0, 13.0, 0.0, 15.0, 16.0, 17.0, 18.0, 19.0]})
    followed = analytics.register_hours(frame)
    assert followed.hours["amount"].to_list() == [4.0, 4.0]
    assert followed.events["kind"].to_list() == ["zero_dip"]


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"measured_at": [at.replace(tzinfo=None) for at in AT * 2]}, "with a time zone"),
        ({"measured_at": ["yesterday"] * 20}, "with a time zone"),
        ({"measured_at": [None, *(AT * 2)[1:]]}, "row 0 has none"),
        ({"value": ["1"] * 20}, "must be numbers"),
        ({"value": [1.0, float("inf"), *range(18)]}, "row 1 is inf, 1 in all"),
    ],
)
def test_a_frame_that_cannot_be_used_says_why(columns: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidReading, match=says):
        analytics.register_hours(pl.DataFrame(readings(**columns), strict=False))


def test_a_missing_column_and_a_unit_that_does_not_fit_say_so() -> None:
    with pytest.raises(InvalidReading, match="missing: value"):
        analytics.register_hours(pl.DataFrame({"measured_at": AT}))
    with pytest.raises(UnitError, match="does not fit"):
        analytics.register_hours(pl.DataFrame(readings()), unit="t")
