"""Five million readings in one file, as a gateway and as a spreadsheet write them: time and memory of the whole way."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

pytestmark = pytest.mark.benchmark

METERS, TIMES = 100, 50_000
LEDGER = (
    "unit_code,unit_name,level,point,carrier,meter_no,instrument,accuracy_class,unit,multiplier,required,status,"
    "installed_from,interval_s"
)
FORMS: dict[str, tuple[str, str, Callable[[datetime], str]]] = {
    "ISO 8601, UTF-8": (
        "unit_code,meter_no,measured_at,value,unit", "utf-8", lambda at: at.strftime("%Y-%m-%dT%H:%M:%S+08:00"),
    ),
    "spreadsheet, GB 18030": (
        "用能单位代码,表计编号,采集时间,示值,单位", "gb18030",
        lambda at: f"{at.year}/{at.month}/{at.day} {at.hour}:{at.minute:02d}",
    ),
}  # fmt: skip
_MEASURED = """
import json, resource, subprocess, sys, time
began = time.perf_counter()
done = subprocess.run(sys.argv[1:], capture_output=True, text=True, check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({"wall_s": round(time.perf_counter() - began, 1), "cpu_s": round(used.ru_utime + used.ru_stime, 1),
                  "peak_mb": round(used.ru_maxrss / 1024), "said": done.stdout + done.stderr}))
"""


def written(folder: Path, form: str) -> tuple[Path, Path]:
    head, encoding, said = FORMS[form]
    ledger, readings = folder / "ledger.csv", folder / "readings.csv"
    facts = "electricity,1.0,kWh,1,yes,qualified,2020-01-01,900"
    rows = [f"U1,Works,unit,P{m:03d},electricity,M{m:03d},{facts}" for m in range(METERS)]
    ledger.write_text("\n".join([LEDGER, *rows]) + "\n", encoding="utf-8")
    with readings.open("w", encoding=encoding, newline="") as file:
        file.write(head + "\n")
        for i in range(TIMES):
            at = said(datetime(2024, 1, 1) + timedelta(minutes=15 * i))  # noqa: DTZ001 - a wall clock
            file.writelines(f"U1,M{m:03d},{at},{(1 + m % 7) * i:.2f},kWh\n" for m in range(METERS))
    return ledger, readings


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("command", ["check", "backfill"])
def test_five_million_rows(tmp_path: Path, form: str, command: str) -> None:
    ledger, readings = written(tmp_path, form)
    program = Path(sys.executable).with_name("meterwarden")
    words = {
        "check": ("ingest", "--check", readings, "--ledger", ledger),
        "backfill": ("backfill", "--ledger", ledger, "--readings", readings, "--out", tmp_path / "out"),
    }[command]
    called = [sys.executable, "-c", _MEASURED, str(program), *map(str, words), "--zone", "Asia/Shanghai"]
    found = json.loads(subprocess.run(called, capture_output=True, text=True, check=True).stdout)
    said = found.pop("said")
    assert ("5000000 readings, 5000000 of them sound" if command == "check" else "accepted=5000000 rejected=0") in said
    line = {"bench": f"5 M rows, {form}: {command}", "value": found.pop("wall_s"), "unit": "s", **found}
    sys.stdout.write(json.dumps(line) + "\n")
