"""Files that are made to cost memory, time or a traceback: one clear error each, and little memory.

The files are made here, and read in a process of their own whose highest use of memory is asked for each.
"""

import csv
import gzip
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.files import UnreadableFile
from ingest.readings import read_readings

GOLDEN = Path(__file__).parents[1] / "golden"
MOST_MIB = 800
"""Of the process; about 200 are the libraries'."""
ROWS = 1_000_000

READ = """
import json, sys, time
from pathlib import Path
from zoneinfo import ZoneInfo
from analytics.domain.errors import MeterwardenError
from ingest.ledgers import read_ledger
from ingest.readings import read_readings

def highest():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) >> 10 for line in lines if line.startswith("VmHWM"))

for line in sys.stdin:
    path = Path(line.strip())
    Path("/proc/self/clear_refs").write_text("5")  # the highest use begins anew
    began = time.monotonic()
    try:
        if "ledger" in path.name:
            faults = read_ledger(path).faults
            said = f"{len(faults)} faults, first: {faults[0]}" if faults else "no fault"
        else:
            parts = read_readings(path, zone=ZoneInfo("UTC"), received_at=0)
            rows = sum(len(block.value) for part in parts for block in part.blocks)
            said = f"{rows} rows"
    except MeterwardenError as error:
        said = str(error)
    print(json.dumps({"said": said, "mib": highest(), "s": time.monotonic() - began}), flush=True)
"""


def readings(**columns: Any) -> pa.Table:
    given: dict[str, Any] = {"unit_code": ["U"], "meter_no": ["M"], "unit": ["kWh"], "value": [1.0]}
    given |= {"measured_at": ["2026-11-21T00:15:00Z"]}
    length = max(len(cells) for cells in columns.values())
    return pa.table({name: columns.get(name, cells * length) for name, cells in given.items()} | columns)


def one_long_cell(path: Path) -> None:
    table = readings(remark=["x" * (160 << 20)])
    pq.write_table(table, path, compression="zstd", use_dictionary=False, write_statistics=False)


def long_cells_by_dictionary(path: Path) -> None:
    """A terabyte of text in some kilobytes."""
    cells = pa.DictionaryArray.from_arrays(np.zeros(ROWS, np.int32), pa.array(["x" * (1 << 20)]))
    table = pa.table({name: pa.array(column * ROWS) for name, column in readings(n=[1]).to_pydict().items()})
    pq.write_table(table.append_column("remark", cells), path, compression="zstd", row_group_size=ROWS)


def many_texts_by_dictionary(path: Path) -> None:
    """Sound cells, 60 GB of them: read in stretches, not refused."""
    cells = pa.DictionaryArray.from_arrays(np.zeros(30_000, np.int32), pa.array(["x" * 60_000]))
    table = pa.table({name: pa.array(column * 30_000) for name, column in readings(n=[1]).to_pydict().items()})
    pq.write_table(table.append_column("remark", cells), path, compression="zstd")


def lying_page(path: Path) -> None:
    """The foot says 300 bytes, the page says two gigabytes."""
    pq.write_table(readings(n=[7]), path, compression="none", use_dictionary=False, write_statistics=False)
    data = bytearray(path.read_bytes())
    place = 4  # the first page's header: type, then the size unpacked as a zigzag varint
    assert data[place : place + 2] == b"\x15\x00"
    assert data[place + 2] == 0x15
    size = data[place + 3]
    assert size < 128
    huge = b"\xfe\xff\xff\xff\x0f"  # 2**31 - 1
    path.write_bytes(bytes(data[: place + 3]) + huge + bytes(data[place + 4 :]))


def sheet(path: Path, xml: str) -> None:
    """A workbook whose only sheet is this."""
    book = io.BytesIO()
    openpyxl.Workbook().save(book)
    with zipfile.ZipFile(book) as whole, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in whole.infolist():
            if "sheet1.xml" in part.filename and "rels" not in part.filename:
                archive.writestr(part.filename, xml)
            else:
                archive.writestr(part, whole.read(part))


MAIN = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
END = "</sheetData></worksheet>"


def far_corners(path: Path) -> None:
    cell = '<row r="{0}"><c r="{1}{0}"><v>1</v></c></row>'
    sheet(path, MAIN + cell.format(1, "A") + cell.format(1_048_576, "XFD") + END)


def far_corner_in_disguise(path: Path) -> None:
    """A row that says 1 with a cell that says otherwise."""
    sheet(path, MAIN + "<x:row xmlns:x='m' r='1'><x:c\tr = 'XFD1048576'/></x:row>" + END)


def swollen_strings(path: Path) -> None:
    sheet(path, MAIN + '<row r="1"><c r="A1" t="s"><v>0</v></c></row>' + END)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/more.xml", "w") as part:
        for _ in range(80):
            part.write(b" " * (1 << 20))


def repeated_cells(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", '<table:table-cell table:number-columns-repeated="16384"/>')


def endless_line(path: Path) -> None:
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b'{"unit_code":"')
        for _ in range(100):
            file.write(b"x" * (1 << 20))


def endless_ledger_line(path: Path) -> None:
    with path.open("wb") as file:
        file.write((GOLDEN / "ledger_plant.csv").read_bytes().rstrip() + b"\n")
        for _ in range(100):
            file.write(b"x" * (1 << 20))


def ledger_of_garbage(path: Path) -> None:
    header = next(csv.reader([(GOLDEN / "ledger_plant.csv").read_text("utf-8-sig").splitlines()[0]]))
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *([f"?{row}"] * len(header) for row in range(100_000))])


HOSTILE: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "a cell of 160 MB": ("a.parquet", one_long_cell, "pages of at most 128 MiB unpacked (got one of 160 MiB"),
    "a terabyte by dictionary": ("b.parquet", long_cells_by_dictionary, "texts of at most 65536 bytes (got"),
    "many long texts": ("c.parquet", many_texts_by_dictionary, "30000 rows"),
    "a page that lies": ("d.parquet", lying_page, "pages of at most 128 MiB unpacked (got one of 2047 MiB"),
    "cells in far corners": ("e.xlsx", far_corners, "one of 1,048,576 rows and 16,384 columns"),
    "cells in far corners of a ledger": ("e ledger.xlsx", far_corners, "one of 1,048,576 rows and 16,384 columns"),
    "a far corner in disguise": ("e2.xlsx", far_corner_in_disguise, "one of 1,048,576 rows and 16,384 columns"),
    "a part that swells": ("f.xlsx", swollen_strings, "other parts of 64 MiB, unpacked (got more in xl/more.xml)"),
    "a part of a ledger that swells": ("f ledger.xlsx", swollen_strings, "other parts of 64 MiB, unpacked"),
    "cells repeated without end": ("g.ods", repeated_cells, "must be an .xlsx workbook (got one of another kind"),
    "a line without end": ("h.jsonl.gz", endless_line, "lines of at most 64 MiB"),
    "a line of a ledger without end": ("i ledger.csv", endless_ledger_line, "line longer than 1048576 letters"),
    "100,000 rows of garbage": ("j ledger.csv", ledger_of_garbage, "at most 5 faults a row in the first 3000 rows"),
}  # fmt: skip


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What was said of each file, and what reading it took."""
    folder = tmp_path_factory.mktemp("hostile")
    said = {}
    with subprocess.Popen(
        [sys.executable, "-c", READ], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        for title, (name, make, _) in HOSTILE.items():
            make(folder / name)
            child.stdin.write(f"{folder / name}\n")
            child.stdin.flush()
            answer = child.stdout.readline()
            said[title] = json.loads(answer) if answer else {"said": "the process is gone", "mib": 0, "s": 0}
            (folder / name).unlink()
    return said


@pytest.mark.parametrize("title", HOSTILE)
def test_a_hostile_file_is_one_clear_error_and_little_memory(title: str, outcomes: dict[str, dict[str, Any]]) -> None:
    outcome = outcomes[title]
    assert HOSTILE[title][2] in outcome["said"]
    assert len(outcome["said"]) < 600
    assert outcome["mib"] < MOST_MIB


def test_a_damaged_parquet_is_said_to_be_one(tmp_path: Path) -> None:
    """Each byte in turn another: read or refused, never a traceback or the end of the process."""
    path = tmp_path / "r.parquet"
    pq.write_table(readings(n=[1, 2, 3], remark=["a", None, "b"]), path, compression="zstd")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableFile, match="whole parquet file"):
        list(read_readings(path, zone=ZoneInfo("UTC"), received_at=0))
    said = []
    for place in range(4, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            list(read_readings(path, zone=ZoneInfo("UTC"), received_at=0))
        except UnreadableFile as error:
            said.append(len(str(error)))
    assert len(said) > 10
    assert max(said) < 2_000
