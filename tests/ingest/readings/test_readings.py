import gzip
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.domain.quality import ReadingFlag, RejectReason
from ingest.files import is_blank, tidy
from ingest.readings import ReadingColumns, RowFault, UnreadableFile, read_readings, write_readings
from ingest.wire import Block
from tests.ingest.wire.messages import SHANGHAI, T0, decode, rows, texts

AT = 1_795_220_100_000_000  # 2026-11-21T08:15:00+08:00 [us]
HEADER = "unit_code,meter_no,measured_at,value,unit"
WHEN = "2026-11-21T08:15:00+08:00"
GOOD = f"9111,M-1,{WHEN},1.5,kWh"


def read(path: Path) -> tuple[list[Block], list[RowFault]]:
    parts = list(read_readings(path, zone=SHANGHAI, received_at=T0))
    assert [part.share for part in parts] == sorted(part.share for part in parts)
    assert not parts or parts[-1].share == 1.0
    return [block for part in parts for block in part.blocks], [fault for part in parts for fault in part.faults]


def read_text(folder: Path, text: str | bytes, name: str = "readings.csv") -> tuple[list[Block], list[RowFault]]:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read(path)


def in_order(blocks: list[Block]) -> list[tuple[Any, ...]]:
    """Readings by row number, with it."""
    found: list[tuple[Any, ...]] = [
        (int(i), *row) for block in blocks for i, row in zip(block.message, rows(block), strict=True)
    ]
    return sorted(found, key=lambda row: row[0])


SAME = {
    "plain": f"{HEADER}\n{GOOD}\n",
    "byte order mark": f"\ufeff{HEADER}\n{GOOD}\n",
    "Windows lines": f"{HEADER}\r\n{GOOD}\r\n",
    "no last line end": f"{HEADER}\n{GOOD}",
    "empty lines": f"{HEADER}\n\n{GOOD}\n\n",
    "quoted": f"{HEADER}\n{GOOD}\n".replace(",", '","').replace("\n", '"\n"')[:-1].join(['"', ""]),
    "other order and more": f"note,unit,value,measured_at,meter_no,unit_code\nx,kWh,1.5,{WHEN},M-1,9111\n",
    "Chinese": f"用能单位代码,管理编号,采集时间,示值,计量单位\n{GOOD}\n",
    "GB 18030": f"用能单位代码,管理编号,采集时间,示值,计量单位\n{GOOD}\n".encode("gb18030"),
    "UTF-16": f"{HEADER}\n{GOOD}\n".encode("utf-16"),
    "semicolons": f"{HEADER}\n{GOOD}\n".replace(",", ";"),
    "tabs": f"{HEADER}\n{GOOD}\n".replace(",", "\t"),
    "blanks around": f"{HEADER}\n 9111 , M-1 ,2026-11-21T08:15:00+08:00 , 1.5 ,kWh \n",
    "leading zeros": f"{HEADER}\n9111,M-1,2026-11-21T08:15:00+08:00,0001.50,kWh\n",
    "optional ones empty": f"{HEADER},register,quality,received_at\n{GOOD},,,\n",
    "main register": f"{HEADER},register\n{GOOD},main\n",
}


@pytest.mark.parametrize("text", SAME.values(), ids=SAME)
def test_csv_is_read_as_people_write_it(tmp_path: Path, text: str | bytes) -> None:
    blocks, faults = read_text(tmp_path, text)
    assert not faults
    assert in_order(blocks) == [(2, "9111", "M-1", AT, 1.5, "kWh", T0, 0)]


def test_optional_columns_are_read(tmp_path: Path) -> None:
    text = f"{HEADER},register,quality,received_at\n{GOOD},reverse,17,2026-11-21T08:15:02+08:00\n"
    blocks, faults = read_text(tmp_path, text)
    assert not faults
    assert in_order(blocks) == [(2, "9111", "M-1\x1freverse", AT, 1.5, "kWh", AT + 2_000_000, 17)]


def test_time_without_an_offset_is_of_the_zone_and_says_so(tmp_path: Path) -> None:
    (block,), _ = read_text(tmp_path, f"{HEADER}\n9111,M-1,2026-11-21 08:15:00,1.5,kWh\n")
    assert (block.measured_at.tolist(), block.quality.tolist()) == ([AT], [ReadingFlag.ZONE_ASSUMED])


BAD_ROWS = {
    "time": ("9111,M-1,noon,1.5,kWh", "measured_at", RejectReason.BAD_TIME, "noon"),
    "epoch": ("9111,M-1,1763000000,1.5,kWh", "measured_at", RejectReason.BAD_TIME, "1763000000"),
    "no time": ("9111,M-1,,1.5,kWh", "measured_at", RejectReason.MISSING_FIELD, "null"),
    "value": ("9111,M-1,2026-11-21T08:15:00Z,defect,kWh", "value", RejectReason.NOT_A_NUMBER, '"defect"'),
    "infinite": ("9111,M-1,2026-11-21T08:15:00Z,inf,kWh", "value", RejectReason.NOT_A_NUMBER, '"inf"'),
    "too huge": ("9111,M-1,2026-11-21T08:15:00Z,1e999,kWh", "value", RejectReason.NOT_A_NUMBER, "1e999"),
    "no meter": ("9111,,2026-11-21T08:15:00Z,1.5,kWh", "meter_no", RejectReason.MISSING_FIELD, "null"),
    "no unit_code": (",M-1,2026-11-21T08:15:00Z,1.5,kWh", "unit_code", RejectReason.MISSING_FIELD, "nothing"),
    "no unit": ("9111,M-1,2026-11-21T08:15:00Z,1.5,", "unit", RejectReason.MISSING_FIELD, "null"),
    "separator": ("9111,M\x1f1,2026-11-21T08:15:00Z,1.5,kWh", "meter_no", RejectReason.MISSING_FIELD, "M\\x1f1"),
    "short": ("9111,M-1", "", RejectReason.MISSING_FIELD, "2 cells"),
    "long": (f"{GOOD},,x", "", RejectReason.MISSING_FIELD, "7 cells"),
}


@pytest.mark.parametrize(("row", "column", "reason", "got"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_bad_row_is_a_fault_with_its_number_and_the_worker_will_say_the_same(
    tmp_path: Path, row: str, column: str, reason: RejectReason, got: str
) -> None:
    blocks, (fault,) = read_text(tmp_path, f"{HEADER}\n{GOOD}\n{row}\n{GOOD}\n")
    assert [i for i, *_ in in_order(blocks)] == [2, 4]
    assert (fault.row, fault.column, fault.reason, fault.got, fault.readings) == (3, column, reason, got, 1)
    nothing, (at_the_worker,) = decode(fault.payload)
    assert not nothing
    assert (at_the_worker.reason, at_the_worker.readings) == (reason, 1)
    assert at_the_worker.unit_code == fault.unit_code


def test_bad_row_is_kept_with_all_its_cells(tmp_path: Path) -> None:
    text = f"{HEADER},note,readings\n9111,M-1,noon,001.50,kWh,see below,3\n"
    _, (fault,) = read_text(tmp_path, text)
    assert json.loads(fault.payload) == {
        "unit_code": "9111",
        "meter_no": "M-1",
        "measured_at": "noon",
        "value": 1.5,
        "unit": "kWh",
        "note": "see below",
        "readings ": "3",
    }


def test_odd_optional_columns_are_faults(tmp_path: Path) -> None:
    more = ["a\x1fb,,", ",512,", ",1.5,", ",,soon", ",19,"]
    text = "\n".join([f"{HEADER},register,quality,received_at", *(f"{GOOD},{cells}" for cells in more)])
    blocks, faults = read_text(tmp_path, text)
    assert [i for i, *_ in in_order(blocks)] == [6]
    assert [(fault.row, fault.column) for fault in faults] == [
        (2, "register"),
        (3, "quality"),
        (4, "quality"),
        (5, "received_at"),
    ]


def test_cell_that_is_not_utf_8_harms_its_row_alone(tmp_path: Path) -> None:
    text = HEADER.encode() + b"\n" + GOOD.encode() + b"\n" + GOOD.encode().replace(b"1.5", b"1\xff5") + b"\n"
    blocks, (fault,) = read_text(tmp_path, text)
    assert (sum(map(len, blocks)), fault.row, fault.reason) == (1, 3, RejectReason.NOT_A_NUMBER)


def test_rows_keep_their_numbers_in_a_long_file_with_broken_rows(tmp_path: Path) -> None:
    n = 200_000  # several blocks of the reader
    broken = set(range(5, n, 997))
    lines = [f"U{i % 3},M-{i % 50},2026-11-21T08:15:00+08:00,{i},kWh" if i not in broken else "oops" for i in range(n)]
    blocks, faults = read_text(tmp_path, "\n".join([HEADER, *lines]))
    assert sum(map(len, blocks)) + len(faults) == n
    assert sorted(fault.row for fault in faults) == sorted(i + 2 for i in broken)
    for block in blocks:
        assert block.value.tolist() == (block.message - 2).tolist()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("r.csv", "", "unit_code, meter_no, measured_at, value, unit missing"),
        ("r.csv", "unit_code,meter_no,value,unit\n", "measured_at missing; got unit_code, meter_no, value, unit"),
        ("r.csv", f"{HEADER},管理编号\n{GOOD},M-1\n", "one column must be meter_no .got 'meter_no' and '管理编号'"),
        ("r.csv", "\x00\x01", "missing"),
        ("r.csv.gz", gzip.compress(HEADER.encode(), mtime=0)[:-9], "r.csv.gz: must be a whole file"),
        ("r.jsonl.gz", gzip.compress(b"{}", mtime=0)[:-9], "r.jsonl.gz: must be a whole file"),
        ("r.parquet", "plain", "r.parquet: must be a whole parquet file"),
        ("r.xlsx", "plain", "r.xlsx: columns must be unit_code"),
        ("r.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "old .xls workbook: open it .* save it as .xlsx"),
        ("r.xls", "<html><table><tr><td>1</td></tr></table></html>", "a web page, whatever its name ends in"),
        ("readings", "plain", "readings: columns must be unit_code"),
    ],
)
def test_file_that_cannot_be_readings_is_refused_with_a_reason(
    tmp_path: Path, name: str, text: str | bytes, said: str
) -> None:
    with pytest.raises(UnreadableFile, match=said):
        read_text(tmp_path, text, name)


@pytest.mark.parametrize("name", ["r.csv", "r.parquet", "r.jsonl"])
def test_file_that_is_not_there_is_an_os_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / name)


def test_file_with_a_header_alone_holds_nothing(tmp_path: Path) -> None:
    assert read_text(tmp_path, HEADER) == ([], [])
    assert read_text(tmp_path, HEADER + "\n") == ([], [])
    assert read_text(tmp_path, "", "r.jsonl") == ([], [])


def test_compressed_csv_is_read(tmp_path: Path) -> None:
    blocks, faults = read_text(tmp_path, gzip.compress(f"{HEADER}\n{GOOD}\n".encode()), "r.csv.gz")
    assert (len(in_order(blocks)), faults) == (1, [])


def test_lines_of_json_may_be_readings_arrays_and_envelopes(tmp_path: Path) -> None:
    one = dict(zip(HEADER.split(","), ["9111", "M-1", "2026-11-21T08:15:00+08:00", 1.5, "kWh"], strict=True))
    lines = [json.dumps(one), "", json.dumps([one, one | {"value": "x"}]), "{", json.dumps({"readings": [one]})]
    for name, text in (
        ("r.ndjson", "\n".join(lines).encode()),
        ("r.jsonl.gz", gzip.compress("\r\n".join(lines).encode())),
    ):
        blocks, faults = read_text(tmp_path, text, name)
        assert [i for i, *_ in in_order(blocks)] == [1, 3, 5]
        assert [(f.row, f.column, f.reason) for f in faults] == [
            (3, "value", RejectReason.NOT_A_NUMBER),
            (4, "", RejectReason.MALFORMED),
        ]
        assert faults[1].payload == b"{"


def parquet(folder: Path, columns: Mapping[str, Any]) -> tuple[list[Block], list[RowFault]]:
    defaults = {
        "unit_code": ["9111"],
        "meter_no": ["M-1"],
        "measured_at": ["2026-11-21T08:15:00+08:00"],
        "value": [1.5],
    }
    pq.write_table(pa.table(defaults | {"unit": ["kWh"]} | dict(columns)), folder / "r.parquet")
    return read(folder / "r.parquet")


when = datetime(2026, 11, 21, 0, 15, tzinfo=UTC)
PARQUET: dict[str, dict[str, Callable[[], Any]]] = {
    "texts": {},
    "dictionaries": {"unit_code": lambda: pa.array(["9111"]).dictionary_encode()},
    "large texts": {"meter_no": lambda: pa.array(["M-1"], pa.large_string())},
    "seconds": {"measured_at": lambda: pa.array([when], pa.timestamp("s", "UTC"))},
    "milliseconds": {"measured_at": lambda: pa.array([when], pa.timestamp("ms", "Asia/Shanghai"))},
    "nanoseconds": {"measured_at": lambda: pa.array([AT * 1000 + 7], pa.timestamp("ns", "UTC"))},
    "float32": {"value": lambda: pa.array([1.5], pa.float32())},
    "decimal": {"value": lambda: pa.array([1.5]).cast(pa.decimal128(10, 3))},
    "text values": {"value": lambda: pa.array(["1.5"])},
    "all optional empty": {
        "register": lambda: pa.array([None], pa.string()),
        "quality": lambda: pa.array([None], pa.int32()),
        "received_at": lambda: pa.array([None], pa.timestamp("us", "UTC")),
    },
}


@pytest.mark.parametrize("columns", PARQUET.values(), ids=PARQUET)
def test_parquet_may_have_types_of_its_own(tmp_path: Path, columns: dict[str, Callable[[], Any]]) -> None:
    blocks, faults = parquet(tmp_path, {name: column() for name, column in columns.items()})
    assert not faults
    assert in_order(blocks) == [(1, "9111", "M-1", AT, 1.5, "kWh", T0, 0)]


def test_numbers_as_meter_numbers_are_read_as_they_are_written(tmp_path: Path) -> None:
    blocks, _ = parquet(tmp_path, {"meter_no": [17]})
    assert in_order(blocks)[0][2] == "17"


def test_instants_without_a_zone_are_of_the_zone_and_say_so(tmp_path: Path) -> None:
    wall = datetime(2026, 11, 21, 8, 15)  # noqa: DTZ001 - a wall clock
    (block,), _ = parquet(tmp_path, {"measured_at": pa.array([wall], pa.timestamp("us"))})
    assert (block.measured_at.tolist(), block.quality.tolist()) == ([AT], [ReadingFlag.ZONE_ASSUMED])


PARQUET_FAULTS: dict[str, tuple[str, Callable[[], Any], RejectReason]] = {
    "NaN": ("value", lambda: pa.array([float("nan")]), RejectReason.NOT_A_NUMBER),
    "infinite": ("value", lambda: pa.array([float("-inf")]), RejectReason.NOT_A_NUMBER),
    "null": ("value", lambda: pa.array([None], pa.float64()), RejectReason.NOT_A_NUMBER),
    "true": ("value", lambda: pa.array([True]), RejectReason.NOT_A_NUMBER),
    "no time": ("measured_at", lambda: pa.array([None], pa.timestamp("us")), RejectReason.MISSING_FIELD),
    "number as time": ("measured_at", lambda: pa.array([1763000000]), RejectReason.BAD_TIME),
    "date as time": ("measured_at", lambda: pa.array([when.date()]), RejectReason.BAD_TIME),
    "no meter": ("meter_no", lambda: pa.array([None], pa.string()), RejectReason.MISSING_FIELD),
    "quality": ("quality", lambda: pa.array([-1]), RejectReason.MISSING_FIELD),
}


@pytest.mark.parametrize(("column", "cells", "reason"), PARQUET_FAULTS.values(), ids=PARQUET_FAULTS)
def test_parquet_row_that_is_no_reading_is_a_fault(
    tmp_path: Path, column: str, cells: Callable[[], Any], reason: RejectReason
) -> None:
    blocks, (fault,) = parquet(tmp_path, {column: cells()})
    assert not blocks
    assert (fault.row, fault.column, fault.reason) == (1, column, reason)
    assert [f.reason for f in decode(fault.payload)[1]] == [reason]


@st.composite
def columns(draw: st.DrawFn) -> ReadingColumns:
    n = draw(st.integers(1, 30))
    printable = texts.filter(lambda text: text == tidy(text) and text.isprintable() and not is_blank(text))
    names = draw(st.lists(printable, min_size=1, max_size=4))

    def column(elements: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(elements, min_size=n, max_size=n))

    instants = st.integers(0, 4_000_000_000_000_000)
    return ReadingColumns(
        unit_code=column(st.sampled_from(names)),
        meter_no=column(st.sampled_from(names)),
        measured_at=np.array(column(instants)),
        value=np.array(column(st.floats(allow_nan=False, allow_infinity=False)), np.float64),
        unit=column(st.sampled_from(names)),
        register=draw(st.none() | st.just(column(st.sampled_from(["main", *names])))),
        quality=draw(st.none() | st.just(np.array(column(st.integers(0, 511))))),
        received_at=draw(st.none() | st.just(np.array(column(instants)))),
    )


@given(columns(), st.sampled_from(["r.csv", "r.parquet", "r.jsonl", "r.ndjson.gz"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_what_is_written_is_read_back(tmp_path: Path, sent: ReadingColumns, name: str) -> None:
    write_readings(tmp_path / name, sent)
    blocks, faults = read(tmp_path / name)
    n = len(sent.value)
    assert not faults
    register = sent.register or ["main"] * n
    assert [row[1:] for row in in_order(blocks)] == [
        (
            sent.unit_code[i],
            sent.meter_no[i] if register[i] == "main" else f"{sent.meter_no[i]}\x1f{register[i]}",
            sent.measured_at[i],
            sent.value[i],
            sent.unit[i],
            T0 if sent.received_at is None else sent.received_at[i],
            0 if sent.quality is None else sent.quality[i],
        )
        for i in range(n)
    ]


@given(st.binary(max_size=300) | st.text('9,;\n"M-1kWh.5\x00', max_size=200).map(lambda t: f"{HEADER}\n{t}".encode()))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_any_bytes_in_a_csv_file_give_readings_or_faults_or_a_reason(tmp_path: Path, text: bytes) -> None:
    try:
        _, faults = read_text(tmp_path, text)
    except UnreadableFile:
        return  # it says what is wrong; nothing else may be raised
    assert all(fault.readings == 1 and decode(fault.payload)[1] for fault in faults)


def test_a_code_like_a_formula_is_a_text_in_a_csv_file(tmp_path: Path) -> None:
    one = ReadingColumns(
        unit_code=["=U"], meter_no=["-M"], measured_at=np.zeros(1, int), value=np.array([-1.5]), unit=["kWh"]
    )
    write_readings(tmp_path / "r.csv", one)
    _, row = (tmp_path / "r.csv").read_text().splitlines()
    assert row.replace('"', "") == "'=U,'-M,1970-01-01T00:00:00Z,-1.5,kWh"
    (block,), _ = read(tmp_path / "r.csv")
    assert (block.unit_code, block.meters.names) == ("=U", ("-M",))


def test_unknown_suffix_is_not_written(tmp_path: Path) -> None:
    one = ReadingColumns(unit_code=["u"], meter_no=["m"], measured_at=np.zeros(1, int), value=np.zeros(1), unit=["t"])
    with pytest.raises(UnreadableFile, match="must end in"):
        write_readings(tmp_path / "r.xlsx", one)
