from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analytics.domain.errors import ConfigurationError
from ingest.result_files import SCHEMAS, Column, Labels, ResultDirectory, read_results

HOUR_US = 3_600_000_000
DAY_COLUMNS: dict[str, Column] = {
    "unit_code": Labels(np.array([0, 1]), ["A", "B"]),
    "scope": ["unit", "equipment"],
    "name": ["", "泵"],
    "carrier": Labels(np.array([1, 0]), ["water", "electricity"]),
    "day": np.array([20_779, 20_780], np.int32),
    "amount": np.array([1.5, -2.0]),
    "unit": ["kWh", "m3"],
    "tce": np.array([0.25, np.nan]),
    "completeness": np.array([1.0, 0.5], np.float32),
    "factor": ["0.1229", "unknown"],
    "sub_unit": ["", "W"],
    "measured": np.array([1.0, 0.25], np.float32),
    "quality": np.array([0, 9], np.int16),
    "unexplained": np.array([np.nan, 3.5]),
}


def listed(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir())


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    with ResultDirectory(tmp_path / "out") as results:
        assert results.write("unit_energy_day", DAY_COLUMNS) == 2
        results.write("unit_energy_day", DAY_COLUMNS)
    table = read_results(tmp_path / "out", "unit_energy_day")
    assert table.to_pylist()[1] == {
        "unit_code": "B",
        "scope": "equipment",
        "name": "泵",
        "carrier": "water",
        "day": date(2026, 11, 23),
        "amount": -2.0,
        "unit": "m3",
        "tce": None,
        "completeness": 0.5,
        "factor": "unknown",
        "sub_unit": "W",
        "measured": 0.25,
        "quality": 9,
        "unexplained": 3.5,
    }
    assert table.num_rows == 4
    assert results.rows["unit_energy_day"] == 4


def test_instants_are_utc_and_may_be_missing(tmp_path: Path) -> None:
    columns: dict[str, Column] = dict.fromkeys(SCHEMAS["detections"].names)
    columns |= {"started_at": np.array([HOUR_US, 2 * HOUR_US]), "ended_at": [None, 3 * HOUR_US]}
    with ResultDirectory(tmp_path / "out") as results:
        results.write("detections", columns)
    rows = read_results(tmp_path / "out", "detections").to_pylist()
    assert rows[0]["started_at"] == datetime(1970, 1, 1, 1, tzinfo=UTC)
    assert [row["ended_at"] for row in rows] == [None, datetime(1970, 1, 1, 3, tzinfo=UTC)]


def test_every_file_is_there_even_without_rows(tmp_path: Path) -> None:
    with ResultDirectory(tmp_path / "out"):
        pass
    assert listed(tmp_path) == ["out"]
    assert listed(tmp_path / "out") == sorted(f"{name}.parquet" for name in SCHEMAS)
    for name in SCHEMAS:
        assert read_results(tmp_path / "out", name).num_rows == 0


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("consumption_hour", "unit_code point carrier start amount unit completeness quality revision"),
        ("unit_energy_day", "unit_code scope name carrier day amount unit tce completeness factor"),
        ("detections", "unit_code point meter_no kind started_at detected_at magnitude confidence evidence"),
        ("rejected", "row reason required got"),
    ],
)
def test_a_file_begins_with_the_columns_of_the_interchange_format(name: str, columns: str) -> None:
    wanted = columns.split()
    assert SCHEMAS[name].names[: len(wanted)] == wanted


def test_files_are_compressed_with_zstd_and_say_what_their_quality_bits_mean(tmp_path: Path) -> None:
    with ResultDirectory(tmp_path / "out") as results:
        results.write("unit_energy_day", DAY_COLUMNS)
    file = pq.ParquetFile(tmp_path / "out" / "unit_energy_day.parquet")
    assert {file.metadata.row_group(0).column(i).compression for i in range(len(DAY_COLUMNS))} == {"ZSTD"}
    meaning = file.schema_arrow.field("quality").metadata
    assert meaning is not None
    assert b"1: an edge of the hour lies inside a gap" in meaning[b"bits"]


def test_nothing_appears_when_the_work_fails(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="exactly"), ResultDirectory(tmp_path / "out") as results:
        results.write("unit_energy_day", {})
    assert listed(tmp_path) == []


def test_earlier_results_stay_when_the_work_fails_and_go_when_it_ends_well(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with ResultDirectory(out) as results:
        results.write("unit_energy_day", DAY_COLUMNS)
    with pytest.raises(RuntimeError), ResultDirectory(out):
        raise RuntimeError
    assert read_results(out, "unit_energy_day").num_rows == 2
    with ResultDirectory(out):
        assert read_results(out, "unit_energy_day").num_rows == 2
    assert read_results(out, "unit_energy_day").num_rows == 0
    assert listed(tmp_path) == ["out"]


def test_a_directory_with_anything_else_in_it_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("years of work")
    with pytest.raises(ConfigurationError, match=r"thesis\.docx"), ResultDirectory(tmp_path):
        pytest.fail("entered")
    assert listed(tmp_path) == ["thesis.docx"]


def test_a_file_at_the_place_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ConfigurationError, match="must be a directory"), ResultDirectory(tmp_path / "out"):
        pytest.fail("entered")
    assert (tmp_path / "out").read_text() == "mine"


def test_what_was_laid_aside_is_gone_afterwards(tmp_path: Path) -> None:
    with ResultDirectory(tmp_path / "out") as results:
        (results.scratch / "notes").write_text("1")
        assert (results.scratch / "notes").exists()
    assert listed(tmp_path / "out") == sorted(f"{name}.parquet" for name in SCHEMAS)


def test_a_missing_or_unknown_column_is_an_error(tmp_path: Path) -> None:
    columns = {name: column for name, column in DAY_COLUMNS.items() if name != "tce"} | {"extra": None}
    with ResultDirectory(tmp_path / "out") as results, pytest.raises(ValueError, match="extra, tce"):
        results.write("unit_energy_day", columns)


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="must be at"):
        read_results(tmp_path, "rejected")
    pq.write_table(pa.table({"row": [1.5]}), tmp_path / "rejected.parquet")
    with pytest.raises(ConfigurationError, match="column row of type int64"):
        read_results(tmp_path, "rejected")
