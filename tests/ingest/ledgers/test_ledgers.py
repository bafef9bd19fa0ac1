"""Ledger files as people hand them in: golden ones, odd ones, broken ones."""

import codecs
import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.domain.ledger import COLUMNS, Ledger
from analytics.domain.units import unit_of
from ingest.ledgers import read_ledger
from ingest.ledgers.headers import column_of
from ingest.ledgers.wording import in_chinese
from ingest.ledgers.writing import MEANING, write_ledger_csv, write_ledger_template

GOLDEN = Path(__file__).parents[2] / "golden"
PLANT = GOLDEN / "ledger_plant.csv"
PLANT_ZH = GOLDEN / "ledger_plant_zh.csv"
FAULTY = GOLDEN / "ledger_faults.csv"

EXPECTED_FAULTS = """
3 unit_name; 4 unit_code; 5 point
6 level parent_complete carrier direction annual_use rated_power_kw required; 7 level carrier
8 sub_unit equipment; 9 sub_unit equipment; 10 equipment
11 parent_point; 12 parent_point; 13 parent_point; 14 parent_point; 15 parent_point; 16 exemption
17 instrument unit installed_from; 18 meter_no; 19 parent_complete carrier; 20 installed_from; 21 installed_from
22 installed_from
23 serial_no accuracy_class status verified_on cycle_months verification_due unit multiplier full_scale max_rate
23 interval_s installed_from installed_to first_reading last_reading
24 verification_due unit installed_to; 25 verification_due unit multiplier installed_to first_reading
27 point; 28 meter_no; 30 unit; 31 instrument; 32 parent_point installed_from
"""


def same(one: Ledger, other: Ledger) -> bool:
    return all(one.rows.values(name) == other.rows.values(name) for name in COLUMNS)


def us(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()) * 1_000_000


def plant_rows() -> list[list[str]]:
    with PLANT.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def as_csv(rows: list[list[str]], delimiter: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue()


def test_the_golden_plant_is_what_a_person_reads_in_it() -> None:
    report = read_ledger(PLANT)
    assert report.faults == []
    assert report.ignored == ()
    assert report.rows == 12
    ledger = report.ledger
    assert ledger.unit_codes == ("91320583735312345X", "A2")
    assert ledger.unit_names == ("云澜示范化工有限公司", "A2")
    points = ("P-E0", "P-E1", "P-E2", "P-E3", "P-E4", "P-G0", "P-S0", "P-S1", "P-W0", "P-E0")
    assert ledger.point_codes == points
    assert [points[i] if i >= 0 else "" for i in ledger.point_parent] == [
        "", "P-E0", "P-E1", "P-E0", "P-E3", "", "", "P-S0", "", "",
    ]  # fmt: skip
    assert [unit_of(code).symbol for code in ledger.point_canonical] == [
        "kWh", "kWh", "kWh", "kWh", "kWh", "Nm3", "GJ", "t", "m3", "kWh",
    ]  # fmt: skip
    assert ledger.point_required.tolist() == [True] * 4 + [False] + [True] * 5
    assert ledger.point_exemption[4] == "表3注3：辅助用电且低于限定值"
    assert ledger.meter_nos == ("M-E0", "M-E1", "M-E1R", "M-E2", "M-G0", "M-S0", "M-S1", "M-W0", "M-E0")
    installed = ledger.installations
    assert installed.factor.tolist() == [2000.0, 40.0, 40.0, 20.0, 30.0, 1.0, 3.6, 1.0, 10.0, 1000.0]
    assert installed.installed_from[1:5].tolist() == [
        us(2024, 3, 31, 16),
        us(2026, 2, 1, 2, 30),
        us(2024, 3, 31, 16),
        us(2025, 6, 30, 16),
    ]
    assert installed.installed_to[1] == installed.installed_from[2]
    assert installed.installed_to[3] == installed.installed_from[4]
    assert installed.max_rate[0] == 6.0
    assert ledger.rows.values("verification_due")[:3] == [datetime(2030, 3, 14, tzinfo=UTC).date()] * 2 + [
        datetime(2032, 1, 14, tzinfo=UTC).date()
    ]
    assert ledger.rows.values("cycle_months")[1] == 72.0
    assert ledger.rows.values("verified_on")[2] == datetime(2026, 1, 15, tzinfo=UTC).date()


def test_the_same_plant_in_chinese_is_the_same_ledger() -> None:
    report = read_ledger(PLANT_ZH)
    assert report.faults == []
    assert report.ignored == ("备注",)
    assert report.titles["max_rate"] == "最大流量（功率）"
    assert same(report.ledger, read_ledger(PLANT).ledger)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encoding_and_delimiter_are_found_out(encoding: str, delimiter: str) -> None:
    report = read_ledger(as_csv(plant_rows(), delimiter).encode(encoding))
    assert report.faults == []
    assert same(report.ledger, read_ledger(PLANT).ledger)


def test_thirty_different_faults_are_told_at_once_with_row_and_column() -> None:
    expected = [
        (int(row), column)
        for part in EXPECTED_FAULTS.replace("\n", ";").split(";")
        if part.strip()
        for row, *columns in [part.split()]
        for column in columns
    ]
    report = read_ledger(FAULTY)
    inferred = [(one.row, one.column) for one in report.inferred]
    assert inferred == [(7, "level"), (17, "instrument"), (17, "unit")]  # what the rest of the row decides
    expected = [fault for fault in expected if fault not in inferred]
    assert [(fault.row, fault.column) for fault in report.faults if fault.column] == expected
    assert [(fault.row, fault.got) for fault in report.faults if not fault.column] == [(31, "34 cells")]
    assert len({(fault.column, fault.required) for fault in report.faults}) >= 30
    assert len(report.ledger.point_codes) == 0


def test_faults_keep_their_rows_when_columns_are_in_another_order() -> None:
    with FAULTY.open(encoding="utf-8", newline="") as file:
        rows = [row[:33] for row in csv.reader(file)]
    turned = as_csv([row[::-1] for row in rows]).encode()
    before = [fault for fault in read_ledger(FAULTY).faults if fault.column]
    assert read_ledger(turned).faults == before


def test_rows_are_counted_as_a_spreadsheet_does_past_empty_lines_and_broken_cells() -> None:
    text = 'unit_code,level,point,carrier,name\n\nU1,unit,P1,electricity,"two\nlines"\n,,,,\nU1,unit,P2,tea,\n'
    report = read_ledger(text.encode())
    assert [(fault.row, fault.column) for fault in report.faults] == [(5, "carrier")]
    assert report.rows == 2


def test_a_title_above_the_header_is_no_header() -> None:
    title = "云澜公司能源计量器具台账,,,\n2026年,,,\n"
    text = f"{title}用能单位代码,计量级别,计量点编号,能源种类\nU1,用能单位,P1,水\nU1,用能单位,P2,茶\n"
    report = read_ledger(text.encode())
    assert [(fault.row, fault.column, fault.got) for fault in report.faults] == [(5, "carrier", "'茶'")]


@pytest.mark.parametrize(
    ("data", "row", "got"),
    [
        (b"", 1, "none"),
        (b"\n\n\n", 1, "none"),
        (b"a,b,c\n1,2,3\n", 1, "none"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and so on", 0, "an old .xls workbook"),
        (b"\xff\xff\xff\xff\x80", 0, "bytes that are neither"),
        (codecs.BOM_UTF16_LE + b"\x00\xd8\x00", 0, "bytes that are neither"),
    ],
)
def test_a_file_that_is_no_ledger_is_told_plainly(data: bytes, row: int, got: str) -> None:
    report = read_ledger(data)
    assert [(fault.row, fault.got) for fault in report.faults] == [(row, got)]


def test_a_quotation_mark_that_is_never_closed_is_told_with_its_record() -> None:
    rows = b"unit_code,level,point,carrier\nU1,unit,P1,water\n" + b'U1,unit,"P2,water\n' + b"U1,unit,P3,water\n" * 9000
    (fault,) = read_ledger(rows).faults
    assert fault.row == 3
    assert "quotation mark" in fault.required


def test_a_column_that_stands_twice_is_a_fault() -> None:
    (fault,) = read_ledger("unit_code,level,point,carrier,计量点编号\nU1,unit,P1,water,P9\n".encode()).faults
    assert (fault.row, fault.column, fault.got) == (1, "point", "point and 计量点编号")


def test_short_rows_are_well_and_long_ones_are_not() -> None:
    text = (
        b"unit_code,level,point,carrier,name,model\nU1,unit,P1,water\nU1,unit,P2,water,n,m,,,\nU1,unit,P3,water,n,m,x\n"
    )
    assert [(fault.row, fault.got) for fault in read_ledger(text).faults] == [(4, "7 cells")]


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("Unit Code", "unit_code"),
        ("unit-code", "unit_code"),
        (" 用能单位代码 * ", "unit_code"),
        ("最大流量(功率)", "max_rate"),
        ("最大流量（功率）", "max_rate"),
        ("采集周期(秒)", "interval_s"),
        ("倍率（CT×PT）", "multiplier"),
        ("INTERVAL_S", "interval_s"),
        ("interval_s [s]", "interval_s"),
        ("备注", None),
        ("", None),
        (None, None),
        (3, None),
    ],
)
def test_headers_are_recognised_as_people_write_them(header: object, column: str | None) -> None:
    assert column_of(header) == column


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Europe/Berlin"])
def test_a_written_ledger_is_read_back_the_same(tmp_path: Path, language: str, zone: str) -> None:
    ledger = read_ledger(PLANT).ledger
    path = tmp_path / "ledger.csv"
    written = write_ledger_csv(ledger, path, language="zh" if language == "zh" else "en", zone=ZoneInfo(zone))
    assert written == 12
    report = read_ledger(path, zone=ZoneInfo(zone))
    assert report.faults == []
    assert same(report.ledger, ledger)
    assert path.read_bytes().startswith(codecs.BOM_UTF8)


def test_a_name_like_a_formula_is_a_text_in_a_csv_file_and_comes_back(tmp_path: Path) -> None:
    heads = "unit_code,level,point,carrier,meter_no,name,place,instrument,unit,installed_from"
    row = "U1,unit,-P1,electricity,+M1,=1+1,@屋顶,electricity,kWh,2020-01-01"
    ledger = read_ledger(f"{heads}\n{row}\n".encode()).ledger
    assert len(ledger.rows) == 1
    path = tmp_path / "ledger.csv"
    write_ledger_csv(ledger, path)
    written = path.read_text("utf-8-sig").splitlines()[1].split(",")
    assert not [cell for cell in written if cell.startswith(("=", "+", "-", "@"))]
    assert same(read_ledger(path).ledger, ledger)


def test_where_a_unit_is_is_read_by_its_chinese_headers_and_comes_back(tmp_path: Path) -> None:
    heads = "用能单位代码,经度,纬度,计量级别,计量点编号,能源种类"
    report = read_ledger(f"{heads}\nU1,118.7969,32.0603,进出用能单位,P1,电力\nU1,,,进出用能单位,P2,水\n".encode())
    assert report.faults == []
    assert report.ledger.unit_longitude.tolist() == [118.7969]
    path = tmp_path / "ledger.csv"
    write_ledger_csv(report.ledger, path, language="zh")
    assert same(read_ledger(path).ledger, report.ledger)
    rows = [f"{where},进出用能单位,P1,电力" for where in ("U1,181,32", "U2,0,0", "U3,,9")]
    faulty = read_ledger("\n".join([heads, *rows]).encode())
    assert [in_chinese(fault.required) for fault in faulty.faults] == [
        "十进制度的经度，−180 至 180，如 118.7969", "陆地上的位置；不知道时经度、纬度都留空", "填有纬度时必须填写经度",
    ]  # fmt: skip


def test_a_midnight_is_written_as_a_date_and_any_other_time_with_its_offset(tmp_path: Path) -> None:
    path = tmp_path / "ledger.csv"
    write_ledger_csv(read_ledger(PLANT).ledger, path)
    text = path.read_text("utf-8-sig")
    assert ",2024-04-01,2026-02-01 10:30:00+08:00," in text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_template_has_every_column_with_its_choices(tmp_path: Path, language: str) -> None:
    path = tmp_path / "template.xlsx"
    write_ledger_template(path, language="zh" if language == "zh" else "en")
    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[0]
    headers = [cell.value for cell in sheet[1]]
    assert headers == [spec.chinese if language == "zh" else name for name, spec in COLUMNS.items()]
    lists = [rule.formula1 for rule in sheet.data_validations.dataValidation]
    assert len(lists) == 7
    assert all(len(choices) < 256 for choices in lists)
    explained = list(book.worksheets[1].iter_rows(min_row=2, values_only=True))
    assert len(explained) == len(COLUMNS)
    assert set(MEANING) == set(COLUMNS)
    assert read_ledger(path).faults[0].required == "at least one row below the header"


def test_a_filled_template_is_a_ledger(tmp_path: Path) -> None:
    path = tmp_path / "template.xlsx"
    write_ledger_template(path)
    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[0]
    place = {spec.name: i for i, spec in enumerate(COLUMNS.values(), start=1)}
    facts = {
        "unit_code": "913205837353123451",
        "level": "进出用能单位",
        "point": "1-2",
        "carrier": "电力",
        "required": "是",
    }
    for name, value in facts.items():
        sheet.cell(row=2, column=place[name], value=value)
    book.save(path)
    report = read_ledger(path)
    assert report.faults == []
    assert report.ledger.unit_codes == ("913205837353123451",)
    assert report.ledger.point_codes == ("1-2",)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_ledger_or_faults(data: bytes) -> None:
    report = read_ledger(data)
    assert report.faults


@given(st.data())
def test_a_ledger_file_with_any_bytes_changed_is_a_ledger_or_faults(data: st.DataObject) -> None:
    content = bytearray(PLANT.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    report = read_ledger(bytes(content))
    assert bool(report.faults) != bool(len(report.ledger.point_codes))
    assert all(fault.row >= 0 and fault.required for fault in report.faults)
