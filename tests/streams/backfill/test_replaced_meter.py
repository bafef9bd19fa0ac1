"""A replaced meter that keeps its management number, as plants keep it."""

from pathlib import Path

from click.testing import CliRunner

from deploy.cli import cli
from ingest.result_files import read_results

LEDGER = """unit_code,level,point,carrier,meter_no,serial_no,instrument,unit,multiplier,installed_from,installed_to,\
first_reading,last_reading,interval_s
U1,unit,P1,electricity,M1,A1,electricity,kWh,1,2020-01-01,2024-01-01 03:00,0,1003,3600
U1,unit,P1,electricity,M1,B2,electricity,kWh,2,2024-01-01 03:00,,0,,3600
"""
READINGS = "unit_code,meter_no,measured_at,value,unit\n" + "".join(
    f"U1,M1,2024-01-01 {hour:02d}:00,{value},kWh\n"
    for hour, value in [(0, 1000), (1, 1001), (2, 1002), (4, 1), (5, 2), (6, 3)]
)


def test_two_rows_of_one_number_are_two_registers_joined_at_the_replacement(tmp_path: Path) -> None:
    (tmp_path / "ledger.csv").write_text(LEDGER)
    (tmp_path / "r.csv").write_text(READINGS)
    out = tmp_path / "out"
    words = ["--ledger", tmp_path / "ledger.csv", "--readings", tmp_path / "r.csv", "--out", out]
    result = CliRunner().invoke(cli, ["backfill", *map(str, words), "--zone", "Asia/Shanghai"])
    assert result.exit_code == 0, result.output
    amounts = [row["amount"] for row in read_results(out, "consumption_hour").to_pylist()]
    assert sum(amounts) == 9.0
    assert [row["kind"] for row in read_results(out, "events").to_pylist()] == ["replacement"]
    assert not {row["kind"] for row in read_results(out, "detections").to_pylist()} & {"reset", "scale", "rollback"}
