"""The command on 46 real water registers: every reading accounted for, every litre kept."""

from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

from analytics.columns.intervals import local_day
from analytics.domain.quality import HourFlag
from deploy.cli import cli
from ingest.result_files import read_results
from tests.streams.backfill.daiad import ZONE, Registers, registers, write_files


@pytest.fixture(scope="module")
def data(request: pytest.FixtureRequest) -> Registers:
    return registers(request)


@pytest.fixture(scope="module")
def summary_and_results(data: Registers, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    place = tmp_path_factory.mktemp("registers")
    ledger, readings = write_files(data, place)
    ran = CliRunner().invoke(
        cli,
        ["backfill", "--ledger", str(ledger), "--readings", *map(str, readings), "--out", str(place / "out"),
         "--zone", ZONE.key],
        catch_exceptions=False,
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    return ran.output, place / "out"


def test_every_reading_is_accepted_or_rejected(data: Registers, summary_and_results: tuple[str, Path]) -> None:
    output, out = summary_and_results
    rejected = read_results(out, "rejected")
    accepted = len(data.litres) - rejected.num_rows
    assert f"sent={len(data.litres)} accepted={accepted} rejected={rejected.num_rows} " in output
    # in the hour that the clocks gave twice, 12 meters were read twice at one wall-clock time: their registers tell
    assert rejected.num_rows == 0


def test_a_meters_hours_add_up_to_its_register(data: Registers, summary_and_results: tuple[str, Path]) -> None:
    hours = read_results(summary_and_results[1], "consumption_hour")
    point = np.array(hours["point"].to_pylist())
    micro = np.rint(hours["amount"].to_numpy() * 1e6).astype(np.int64)
    broken = (hours["quality"].to_numpy() & HourFlag.BREAK) != 0
    exact = 0
    for meter in np.unique(data.meter).tolist():
        mine = point == f"P{meter:02d}"
        register = data.litres[data.meter == meter]
        if broken[mine].any():
            continue
        exact += 1
        assert micro[mine].sum() == round((register[-1] - register[0]) * 1000), f"meter {meter}"
    assert exact >= 44


def test_where_a_register_fell_for_good_only_that_fall_is_left_out(
    data: Registers, summary_and_results: tuple[str, Path]
) -> None:
    hours = read_results(summary_and_results[1], "consumption_hour")
    point = np.array(hours["point"].to_pylist())
    for meter in np.unique(data.meter).tolist():
        litres = hours["amount"].to_numpy()[point == f"P{meter:02d}"].sum() * 1000
        register = data.litres[data.meter == meter]
        falls = -np.diff(register).clip(max=0).sum()
        assert register[-1] - register[0] - 1e-6 <= litres <= register[-1] - register[0] + falls + 1e-6, (
            f"meter {meter}"
        )


def test_hours_are_complete_from_a_meters_first_reading_to_its_last(
    data: Registers, summary_and_results: tuple[str, Path]
) -> None:
    hours = read_results(summary_and_results[1], "consumption_hour")
    point = np.array(hours["point"].to_pylist())
    completeness, measured = (hours[name].to_numpy().astype(np.float64) for name in ("completeness", "measured"))
    broken = (hours["quality"].to_numpy() & HourFlag.BREAK) != 0
    for meter in np.unique(data.meter).tolist():
        mine = point == f"P{meter:02d}"
        wall = data.wall_us[data.meter == meter]
        span_h = (wall[-1] - wall[0]) / 3.6e9  # one hour too many where summer time began more often than it ended
        assert (completeness[mine] <= 1).all()
        assert (measured[mine] <= completeness[mine]).all()
        waits = np.diff(wall)
        assert measured[mine].sum() <= span_h - waits[waits > 3 * 3.6e9].sum() / 3.6e9 + 2.1, f"meter {meter}"
        if not broken[mine].any():
            assert completeness[mine].sum() == pytest.approx(span_h, abs=1.01), f"meter {meter}"


def test_days_of_a_unit_are_the_sums_of_its_meters(summary_and_results: tuple[str, Path]) -> None:
    out = summary_and_results[1]
    hours, days = read_results(out, "consumption_hour"), read_results(out, "unit_energy_day").to_pylist()
    summed: Counter[tuple[str | None, date]] = Counter()
    starts = hours["start"].cast(pa.int64()).to_numpy() // 3_600_000_000
    local = (local_day(starts, ZONE) + date(1970, 1, 1).toordinal()).tolist()
    micro = np.rint(hours["amount"].to_numpy() * 1e6).astype(np.int64).tolist()
    for unit_code, day, amount in zip(hours["unit_code"].to_pylist(), local, micro, strict=True):
        summed[unit_code, date.fromordinal(day)] += amount
    assert {(row["unit_code"], row["day"]): round(row["amount"] * 1e6) for row in days} == summed
    assert {row["tce"] for row in days} == {None}
    assert all("making consumes energy" in row["factor"] for row in days)
    assert max(row["completeness"] for row in days) == 1.0
    middle = [row for row in days if date(2016, 3, 6) < row["day"] < date(2016, 11, 1)]
    assert min(row["completeness"] for row in middle) > 0.7
