from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deploy.cli import cli
from ingest.result_files import SCHEMAS, read_results

LEDGER = """\
用能单位代码,计量级别,计量点编号,能源种类,管理编号,器具类别,计量单位,倍率,采集周期,启用日期
A,unit,in,electricity,M1,electricity,kWh,10,3600,2026-01-01
A,unit,gas,natural_gas,M2,gas_flow,Nm3,1,3600,2026-01-01
"""
READINGS = """\
unit_code,meter_no,measured_at,value,unit
A,M1,2026-11-20 00:00,100,kWh
A,M1,2026-11-20 02:00,104,kWh
A,M2,2026-11-20T00:00:00+08:00,7,Nm3
A,M2,2026-11-20T01:00:00+08:00,9,Nm3
A,M2,noon,9,Nm3
A,M1,2026-11-21 01:00,200,kWh
"""
FACTORS = """\
[[factor]]
carrier = "natural_gas"
per = "Nm3"
kgce = 1.2
source = "supply contract"
"""


def run(place: Path, *more: str, ledger: str = LEDGER) -> Result:
    (place / "ledger.csv").write_text(ledger, encoding="utf-8")
    (place / "readings.csv").write_text(READINGS)
    (place / "factors.toml").write_text(FACTORS)
    fixed = (
        "--ledger",
        str(place / "ledger.csv"),
        "--readings",
        str(place / "readings.csv"),
        "--out",
        str(place / "out"),
    )
    return CliRunner().invoke(cli, ["backfill", *fixed, *more])


def test_a_ledger_and_readings_become_result_files_and_an_account(tmp_path: Path) -> None:
    ran = run(tmp_path)
    assert ran.exit_code == 0, ran.output
    assert "backfill: sent=6 accepted=5 rejected=1 in" in ran.output
    assert "rejected: bad_time 1" in ran.output
    assert {entry.name for entry in (tmp_path / "out").iterdir()} == {f"{name}.parquet" for name in SCHEMAS}
    (row,) = read_results(tmp_path / "out", "rejected").to_pylist()
    assert (row["row"], row["file"], row["reason"]) == (6, str(tmp_path / "readings.csv"), "bad_time")
    assert '"noon"' in row["reading"]


def test_a_day_to_stop_at_is_a_local_day(tmp_path: Path) -> None:
    ran = run(tmp_path, "--as-of", "2026-11-20")
    assert "backfill: sent=5 accepted=4 rejected=1 later=1 in" in ran.output
    days = read_results(tmp_path / "out", "unit_energy_day").to_pylist()
    assert {row["day"] for row in days} == {date(2026, 11, 20)}
    assert {row["carrier"]: row["amount"] for row in days} == {"electricity": 40.0, "natural_gas": 2.0}


def test_an_entered_factor_gives_natural_gas_its_coal_equivalent(tmp_path: Path) -> None:
    run(tmp_path, "--as-of", "2026-11-20", "--factors", str(tmp_path / "factors.toml"))
    tce = {row["carrier"]: row["tce"] for row in read_results(tmp_path / "out", "unit_energy_day").to_pylist()}
    assert tce == {"electricity": pytest.approx(40 * 0.0001229), "natural_gas": pytest.approx(0.0024)}


def test_several_files_may_follow_each_other(tmp_path: Path) -> None:
    (tmp_path / "more.jsonl").write_text(
        '{"unit_code":"A","meter_no":"M2","measured_at":"2026-11-20T02:00:00+08:00","value":10,"unit":"Nm3"}\n'
    )
    ran = run(tmp_path, str(tmp_path / "more.jsonl"))
    assert "sent=7 accepted=6 rejected=1" in ran.output


def test_a_faulty_ledger_is_told_whole_and_nothing_is_written(tmp_path: Path) -> None:
    faulty = LEDGER.replace("natural_gas", "phlogiston").replace(",10,3600", ",-10,3600")
    ran = run(tmp_path, ledger=faulty)
    assert ran.exit_code == 1
    assert "phlogiston" in ran.output
    assert "-10" in ran.output
    assert "nothing is written" in ran.output
    assert not (tmp_path / "out").exists()


def test_a_file_that_holds_no_readings_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    ran = run(tmp_path, str(tmp_path / "ledger.csv"))
    assert ran.exit_code == 2
    assert "ledger.csv" in ran.output
    assert "Traceback" not in ran.output
    assert not (tmp_path / "out").exists()


def test_a_zone_without_whole_hours_is_refused_with_the_reason(tmp_path: Path) -> None:
    ran = run(tmp_path, "--zone", "Asia/Kolkata")
    assert ran.exit_code == 2
    assert "+5.50 h" in ran.output
    assert not (tmp_path / "out").exists()
