"""A million meters: read from a file with every check, and brought back from the bytes that workers start from."""

import csv
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from analytics.domain.ledger import COLUMNS, Ledger, build_ledger, merge
from ingest.ledgers import ledger_table
from streams.store.ledger.blob import ID_COLUMNS, decode, encode

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]

T = TypeVar("T")

METERS = 1_000_000
IN_A_UNIT = 500

REBUILD = r"""
import re, sys
from pathlib import Path
from analytics.domain.ledger import Ledger
from streams.store.ledger.blob import decode

def memory(what):
    return 1024 * int(re.search(what + r":\s+(\d+) kB", Path("/proc/self/status").read_text())[1])

before = memory("VmRSS")
ledger = Ledger.from_rows(decode(Path(sys.argv[1]).read_bytes())[0])
print(len(ledger.meter_nos), memory("VmHWM") - before, memory("VmRSS") - before)
"""


def parent_of(i: int) -> str:
    """Twenty points at the unit's edge, eighty below them, and the equipment below those."""
    return "" if i < 20 else f"P{i % 20:04d}" if i < 100 else f"P{20 + i % 80:04d}"


def row(n: int) -> dict[str, object]:
    """Row of the n-th meter: a plant's usual mix of facts that repeat and facts that do not."""
    unit, i = divmod(n, IN_A_UNIT)
    return {
        "unit_code": f"91320000{unit:010d}",
        "unit_name": f"第{unit}用能单位有限公司",
        "level": "unit" if i < 20 else "sub_unit" if i < 100 else "equipment",
        "sub_unit": "" if i < 20 else f"车间{i // 50}",
        "equipment": "" if i < 100 else f"设备{i}",
        "point": f"P{i:04d}",
        "parent_point": parent_of(i),
        "carrier": "electricity",
        "rated_power_kw": 110 + i,
        "meter_no": f"M{n:07d}",
        "serial_no": f"SN{n * 7919 % 10**9:09d}",
        "name": "三相电能表",
        "model": "DTZ341",
        "range": "3×1.5(6)A",
        "manufacturer": "某仪表厂",
        "place": f"{unit}号配电房{i}柜",
        "instrument": "electricity",
        "accuracy_class": "0.5S",
        "status": "qualified",
        "verified_on": f"2025-{i % 12 + 1:02d}-{i % 28 + 1:02d}",
        "cycle_months": 72,
        "unit": "kWh",
        "multiplier": i % 40 + 1,
        "full_scale": 1000000,
        "interval_s": 900,
        "installed_from": f"2024-{i % 12 + 1:02d}-{i % 28 + 1:02d} 08:00",
        "first_reading": n % 100_000 / 100,
    }


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ledger") / "ledger.csv"
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, list(COLUMNS), restval="")
        writer.writeheader()
        writer.writerows(map(row, range(METERS)))
    return path


def told(bench: str, value: float, unit: str) -> None:
    sys.stdout.write(json.dumps({"bench": bench, "value": round(value, 2), "unit": unit}) + "\n")


def timed(bench: str, work: Callable[[], T]) -> T:
    start = time.perf_counter()
    made = work()
    told(bench, time.perf_counter() - start, "s")
    return made


def test_a_million_meters_are_read_checked_and_brought_back(file: Path, tmp_path: Path) -> None:
    table = timed("ledger_csv_to_columns_1m", lambda: ledger_table(file))
    ledger, faults = timed("ledger_full_check_1m", lambda: build_ledger(table.columns, row_numbers=table.row_numbers))
    assert faults == []
    assert len(ledger.meter_nos) == METERS
    nobody = dict.fromkeys(ID_COLUMNS, np.zeros(METERS, np.int32))
    blob = timed("ledger_to_blob_1m", lambda: encode(ledger.rows, nobody))
    told("ledger_blob_bytes_a_meter", len(blob) / METERS, "bytes")
    again = timed("ledger_from_blob_1m", lambda: Ledger.from_rows(decode(blob)[0]))
    assert again.meter_nos == ledger.meter_nos
    part = timed("ledger_take_an_eighth_of_the_units", lambda: ledger.take_units(range(0, len(ledger.unit_codes), 8)))
    assert len(part.meter_nos) == METERS // 8
    _, faults, changes = timed("ledger_merge_one_unit_into_1m", lambda: merge(ledger, ledger.take_units([7])))
    assert (faults, len(changes.point)) == ([], 0)
    path = tmp_path / "ledger.blob"
    path.write_bytes(blob)
    child = subprocess.run([sys.executable, "-c", REBUILD, path], capture_output=True, text=True, check=True)
    meters, peak, kept = child.stdout.split()
    assert int(meters) == METERS
    told("ledger_from_blob_peak_memory_1m", int(peak) / 1e6, "MB")
    told("ledger_memory_1m", int(kept) / 1e6, "MB")


def test_a_million_faults_are_told(file: Path) -> None:
    columns = dict(ledger_table(file).columns)
    columns["carrier"] = columns["sub_unit"]
    ledger, faults = timed("ledger_full_check_1m_all_faulty", lambda: build_ledger(columns))
    assert len(faults) == METERS
    assert isinstance(ledger, Ledger)
