"""Ledgers in Excel workbooks: types, merged cells, formulas, and workbooks that are none."""

import io
import re
import zipfile
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.domain.ledger import COLUMNS
from ingest.ledgers import LedgerOptions, LedgerReport, read_ledger
from ingest.ledgers.folding import lines_of
from ingest.ledgers.marking import write_completed, write_marked
from ingest.ledgers.xlsx import ROW_LIMIT

PLANT = Path(__file__).parents[2] / "golden" / "ledger_plant.csv"

HEADER = ["unit_code", "level", "point", "carrier", "meter_no", "instrument", "unit", "installed_from", "multiplier"]
ROW = ["U1", "unit", "P1", "electricity", "M1", "electricity", "kWh", datetime(2024, 1, 1), 20]  # noqa: DTZ001 - as Excel


def workbook(*rows: list[Any], header: list[Any] | None = None) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.append(HEADER if header is None else header)
    for row in rows:
        sheet.append(row)
    return book


def saved(book: openpyxl.Workbook) -> bytes:
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def read(*rows: list[Any], header: list[Any] | None = None) -> LedgerReport:
    return read_ledger(saved(workbook(*rows, header=header)))


def with_part(data: bytes, name: str, change: Any) -> bytes:
    """Workbook in which the text of one part is changed."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(made, "w") as new:
        for part in old.namelist():
            text = old.read(part)
            new.writestr(part, change(text) if part == name else text)
    return made.getvalue()


def with_sheet(data: bytes, change: Any) -> bytes:
    return with_part(data, "xl/worksheets/sheet1.xml", change)


def golden_workbook() -> bytes:
    """The golden plant as a person keeps it in Excel: numbers, dates and times as such, a title, merged unit cells."""
    text = PLANT.read_text("utf-8").splitlines()
    header, *rows = [line.split(",") for line in text]
    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.append(["能源计量器具一览表"])
    sheet.append([COLUMNS[name].chinese for name in header])
    for row in rows:
        sheet.append([typed(name, cell) for name, cell in zip(header, row, strict=True)])
    sheet.merge_cells(start_row=1, end_row=1, start_column=1, end_column=9)
    for column in (1, 2):
        sheet.merge_cells(start_row=3, end_row=13, start_column=column, end_column=column)
    return saved(book)


def typed(name: str, cell: str) -> object:
    if re.fullmatch(r"\d{4}-\d\d-\d\d", cell):
        return datetime.strptime(cell, "%Y-%m-%d")  # noqa: DTZ007 - as Excel
    if name in {"multiplier", "full_scale", "max_rate", "interval_s", "first_reading", "rated_power_kw", "serial_no"}:
        return float(cell) if re.fullmatch(r"[\d.]+", cell) else cell or None
    return cell or None


def test_the_golden_plant_in_excel_is_the_same_ledger() -> None:
    report = read_ledger(golden_workbook())
    assert report.faults == []
    expected = read_ledger(PLANT).ledger
    for name in COLUMNS:
        assert report.ledger.rows.values(name) == expected.rows.values(name), name


def test_cells_keep_what_excel_makes_of_them() -> None:
    report = read(
        ["U1", "unit", "P1", "electricity", 1001, "electricity", "kWh", date(2024, 1, 1), 2.5],
        ["U1", "unit", 7.0, "electricity", "M2", "electricity", "kWh", "2024年1月1日", "1,200"],
    )
    assert report.faults == []
    assert report.ledger.meter_nos == ("1001", "M2")
    assert report.ledger.point_codes == ("7", "P1")
    assert sorted(report.ledger.installations.multiplier.tolist()) == [2.5, 1200.0]
    assert report.ledger.rows.values("installed_from") == [datetime(2023, 12, 31, 16, tzinfo=UTC)] * 2


@pytest.mark.parametrize(
    ("place", "cell", "column"),
    [
        (0, 913205837353123456, "unit_code"),
        (2, datetime(2024, 1, 2), "point"),  # noqa: DTZ001 - what Excel makes of a point called 1-2
        (4, True, "meter_no"),
        (7, 4529.5, "installed_from"),
        (7, time(8), "installed_from"),
        (8, "#DIV/0!", "multiplier"),
        (5, "#REF!", "instrument"),
    ],
)
def test_what_excel_spoilt_is_told(place: int, cell: object, column: str) -> None:
    row = [*ROW[:place], cell, *ROW[place + 1 :]]
    found = read([*ROW[:2], "P0", *ROW[3:4], "M0", *ROW[5:]], row).faults
    assert (3, column) in [(fault.row, fault.column) for fault in found]


def test_rows_are_those_of_the_sheet_past_empty_ones() -> None:
    book = workbook()
    sheet: Any = book.active
    for place, cell in enumerate([*ROW[:3], "tea"], start=1):
        sheet.cell(row=9, column=place, value=cell)
    sheet.cell(row=5, column=1, value="  ")
    report = read_ledger(saved(book))
    assert [(fault.row, fault.column) for fault in report.faults] == [(9, "carrier")]
    assert report.rows == 1


def test_a_merged_cell_stands_in_all_its_rows() -> None:
    book = workbook(
        ["U1", "unit", "P1", "water"], [None, None, "P2"], [None, None, "P3", "tea"], [None, None, "P4", "water"]
    )
    sheet: Any = book.active
    sheet.merge_cells("A2:A4")
    sheet.merge_cells("B2:B4")
    sheet.merge_cells("D2:D3")
    report = read_ledger(saved(book))
    assert [(fault.row, fault.column) for fault in report.faults] == [
        (4, "carrier"),
        (5, "unit_code"),
        (5, "level"),
    ]


def test_a_cell_merged_past_the_rows_own_end_stands_there() -> None:
    book = workbook(["U1", "unit", "P1", "water", None, None, None, None, None, "note"], [None, None, "P2"])
    sheet: Any = book.active
    sheet["J1"] = "place"
    for column in "ABDJ":
        sheet.merge_cells(f"{column}2:{column}3")
    report = read_ledger(saved(book))
    assert report.faults == []
    assert report.ledger.rows.values("place") == ["note", "note"]


def test_a_formula_without_a_value_is_told_and_one_with_a_value_is_used() -> None:
    data = saved(workbook([*ROW[:8], "=10*2"], [*ROW[:2], "P2", *ROW[3:4], "M2", *ROW[5:8], "=10*3"]))
    report = read_ledger(data)
    assert [(fault.row, fault.column, fault.got) for fault in report.faults] == [
        (2, "multiplier", "'=10*2'"),
        (3, "multiplier", "'=10*3'"),
    ]
    assert all("never calculated" in fault.required for fault in report.faults)
    kept = with_sheet(data, lambda text: re.sub(rb"(<f>10\*(\d)</f>)(?:<v ?/>|<v></v>)", rb"\1<v>\g<2>0</v>", text))
    report = read_ledger(kept)
    assert report.faults == []
    assert report.ledger.installations.multiplier.tolist() == [20.0, 30.0]


def test_a_needed_cell_with_an_uncalculated_formula_is_told_once() -> None:
    report = read(["=A9", *ROW[1:]])
    assert [(fault.row, fault.column) for fault in report.faults] == [(2, "unit_code")]


def test_a_row_of_nothing_but_uncalculated_formulas_is_not_passed_over() -> None:
    report = read(ROW, ["=A2", "=B2", "=C2"])
    assert [(fault.row, fault.column) for fault in report.faults] == [
        (3, "unit_code"),
        (3, "level"),
        (3, "point"),
    ]


def test_a_formula_whose_value_is_an_empty_text_is_an_empty_cell() -> None:
    data = saved(workbook([*ROW[:8], '=IF(A1="","",20)']))
    empty = with_sheet(
        data, lambda text: re.sub(rb'<c r="I2">(<f>.*?</f>)(?:<v ?/>|<v></v>)', rb'<c r="I2" t="str">\1<v></v>', text)
    )
    assert [fault.column for fault in read_ledger(data).faults] == ["multiplier"]
    report = read_ledger(empty)
    assert report.faults == []
    assert report.ledger.installations.multiplier.tolist() == [1.0]


def test_only_the_first_sheet_is_read() -> None:
    book = workbook(ROW)
    other = book.create_sheet("old")
    other.append(["unit_code", "nonsense"])
    other.append([None, "x"])
    assert read_ledger(saved(book)).faults == []


def two_sheets(*second: list[Any]) -> bytes:
    """Meters of electricity on one sheet, of water on another with its columns in another order and one less."""
    book = workbook(ROW, [*ROW[:2], "P2", ROW[3], "M2", *ROW[5:]])
    book.worksheets[0].title = "电表"
    sheet: Any = book.create_sheet("水表")
    sheet.append(["水表台账"])
    sheet.append(["meter_no", "point", "unit_code", "level", "carrier", "instrument", "unit", "installed_from"])
    for row in second or (["W1", "P9", "U1", "unit", "water", "water_flow", "m3", datetime(2024, 1, 1)],):  # noqa: DTZ001 - as Excel
        sheet.append(row)
    return saved(book)


def test_sheets_that_each_hold_points_are_one_ledger() -> None:
    report = read_ledger(two_sheets())
    assert report.faults == []
    assert report.sheet == "1 电表, 2 水表"
    assert report.ledger.meter_nos == ("M1", "M2", "W1")
    multipliers = dict(zip(report.ledger.meter_nos, report.ledger.installations.multiplier.tolist(), strict=True))
    assert multipliers == {"M1": 20, "M2": 20, "W1": 1}
    alone = read_ledger(two_sheets(), options=LedgerOptions(sheet="水表"))
    assert (alone.faults, alone.ledger.meter_nos) == ([], ("W1",))


def test_a_fault_names_its_sheet_and_is_marked_there(tmp_path: Path) -> None:
    source = tmp_path / "two.xlsx"
    date_ = datetime(2024, 1, 1)  # noqa: DTZ001 - as Excel
    source.write_bytes(
        two_sheets(
            ["W1", "P9", "U1", "unit", "water", "water_flow", "kWh", date_],
            ["M1", "P1", "U1", "unit", "electricity", "electricity", "kWh", date_],
        )
    )
    report = read_ledger(source)
    lines = lines_of(report.faults, report.titles, "en")
    assert any(line.startswith("row 2:3: unit") for line in lines), lines
    assert any(line.startswith("row 2:4") for line in lines), lines
    assert all("10000" not in line for line in lines + lines_of(report.faults, report.titles, "zh"))
    write_marked(source, report, tmp_path / "marked.xlsx")
    book = openpyxl.load_workbook(tmp_path / "marked.xlsx")
    assert book["水表"]["G3"].fill.fgColor.rgb == "00FFC7CE"
    assert book["电表"]["G2"].fill.fgColor.rgb != "00FFC7CE"
    write_completed(report, tmp_path / "completed.xlsx")
    assert openpyxl.load_workbook(tmp_path / "completed.xlsx").worksheets[0].max_row == 5


def test_a_sheet_that_states_its_extent_wrong_is_read_whole() -> None:
    data = with_sheet(
        saved(workbook(ROW)), lambda text: re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1"', text)
    )
    report = read_ledger(data)
    assert report.faults == []
    assert report.ledger.meter_nos == ("M1",)


def test_a_row_beyond_the_last_of_a_sheet_is_refused_and_not_waited_for() -> None:
    far = str(ROW_LIMIT + 5).encode()
    data = with_sheet(saved(workbook(ROW)), lambda text: text.replace(b'<row r="2"', b'<row r="' + far + b'"'))
    (fault,) = read_ledger(data).faults
    assert fault.got == f"a sheet of more than {ROW_LIMIT} rows"


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04",
        b"PK\x03\x04 and nothing that follows",
        saved(workbook(ROW))[:-200],
        with_part(saved(workbook(ROW)), "xl/workbook.xml", lambda _: b"<not xml"),
        with_sheet(saved(workbook(ROW)), lambda text: text[: len(text) // 2]),
        with_part(saved(workbook(ROW)), "[Content_Types].xml", lambda _: b""),
    ],
)
def test_what_is_no_workbook_is_told_plainly(data: bytes) -> None:
    (fault,) = read_ledger(data).faults
    assert (fault.row, fault.required) == (0, "an .xlsx workbook")


def test_an_empty_workbook_has_no_header() -> None:
    (fault,) = read_ledger(saved(openpyxl.Workbook())).faults
    assert (fault.row, fault.got) == (1, "none")


@given(st.data())
@settings(max_examples=60)
def test_a_workbook_with_any_bytes_changed_is_a_ledger_or_faults(data: st.DataObject) -> None:
    content = bytearray(SMALL)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(4, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    report = read_ledger(bytes(content))
    assert bool(report.faults) != bool(len(report.ledger.point_codes))


@given(st.data())
@settings(max_examples=60)
def test_a_sheet_with_any_text_changed_is_a_ledger_or_faults(data: st.DataObject) -> None:
    def change(text: bytes) -> bytes:
        place = data.draw(st.integers(0, len(text) - 1))
        return text[:place] + data.draw(st.binary(max_size=4)) + text[place + data.draw(st.integers(0, 4)) :]

    report = read_ledger(with_sheet(SMALL, change))
    assert bool(report.faults) != bool(len(report.ledger.point_codes))


SMALL = saved(workbook(ROW))
