"""Exports as plants, makers and historians write them: taken as a person reads them, or refused with the reason."""

import csv
import io
import re
import zipfile
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import openpyxl
import pytest

from analytics.domain.ledger import build_ledger
from ingest.readings import MeterDirectory, ReadingOptions, UnreadableFile, Unsettled, open_readings
from ingest.readings.check import ReadingCheck, check_readings

ZONE = ZoneInfo("Asia/Shanghai")
NOW = 1_795_220_100_000_000
BEGIN = datetime(2026, 6, 13, 22)  # noqa: DTZ001 - a wall clock
METERS = ("DB-001", "DB-002", "SB-007", "QB-003")
NAMES = ("总进线电能表", "空压机房电能表", "厂区总水表", "锅炉房天然气流量计")
POINTS = ("JD-01", "JD-02", "JS-01", "JQ-01")
SERIALS = ("20230001", "20230002", "W778812", "G00917")
UNITS = ("kWh", "kWh", "m3", "Nm3")
BASE = (12345.25, 2345.5, 901.75, 88012.5)
N = 5
ALL, POWER = (0, 1, 2, 3), (0, 1)

Table = Sequence[Sequence[object]]
Found = list[tuple[str, int, float]]


def directory() -> MeterDirectory:
    ledger, faults = build_ledger(
        {
            "unit_code": ["9132X"] * 4, "unit_name": ["东海纺织有限公司"] * 4, "level": ["unit"] * 4,
            "point": list(POINTS), "carrier": ["electricity", "electricity", "water", "natural_gas"],
            "meter_no": list(METERS), "serial_no": list(SERIALS), "name": list(NAMES),
            "instrument": ["electricity", "electricity", "water_flow", "gas_flow"], "unit": list(UNITS),
            "installed_from": ["2020-01-01"] * 4,
        }
    )  # fmt: skip
    assert not faults
    return MeterDirectory.of(ledger)


def value(k: int, i: int) -> float:
    """Dial of meter k at time i."""
    return BASE[k] + i * (k + 1)


def at(i: int, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    return (BEGIN + timedelta(hours=i)).strftime(form)


def day(i: int) -> datetime:
    return datetime(2026, 6, 13) + timedelta(days=i)  # noqa: DTZ001 - a wall clock


def hour(i: int) -> datetime:
    return BEGIN + timedelta(hours=i)


def long(
    heads: Sequence[str], row: Callable[[int, int], list[object]], which: Sequence[int] = ALL, times: int = N
) -> Table:
    return [heads, *(row(k, i) for i in range(times) for k in which)]


def wide(*heads: Sequence[object]) -> Table:
    return [*heads, *([at(i), *(value(k, i) for k in ALL)] for i in range(N))]


def as_csv(rows: Table, delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue().encode(encoding)


def as_xlsx(rows: Table, *merged: str) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append([cell if cell != "" else None for cell in row])
    for span in merged:
        sheet.merge_cells(span)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def checked(data: bytes, name: str) -> ReadingCheck:
    opened = open_readings(data, name=name, directory=directory(), latest_us=NOW)
    return check_readings(opened, name, zone=ZONE, received_at=NOW, directory=directory())


PLAIN = ReadingOptions()


def found(data: bytes, name: str, options: ReadingOptions = PLAIN) -> Found:
    """Meter, instant and value of what is taken as the main register; nothing may be refused."""
    opened = open_readings(data, name=name, directory=directory(), options=options, latest_us=NOW)
    parts = list(opened.parts(zone=ZONE, received_at=NOW))
    faults = [fault for part in parts for fault in part.faults]
    assert not faults, faults[:2]
    return sorted(
        (block.meters.names[int(block.meter[i])], int(block.measured_at[i]), float(block.value[i]))
        for part in parts
        for block in part.blocks
        for i in range(len(block))
        if "\x1f" not in block.meters.names[int(block.meter[i])]
    )


def expected(which: Sequence[int] = ALL, when: Callable[[int], datetime] = hour) -> Found:
    return sorted(
        (METERS[k], int(when(i).replace(tzinfo=ZONE).timestamp()) * 1_000_000, value(k, i))
        for k in which
        for i in range(N)
    )


TAKEN: dict[str, tuple[bytes, str, Found]] = {
    "names for numbers": (
        as_csv(long(["仪表名称", "时间", "读数"], lambda k, i: [NAMES[k], at(i), value(k, i)])), "a.csv", expected(),
    ),
    "serial numbers for numbers, a date and a time of day": (
        as_csv(
            long(
                ["Meter Serial", "Read Date", "Read Time", "Reading (kWh)"],
                lambda k, i: [SERIALS[k], at(i, "%d/%m/%Y"), at(i, "%H:%M"), value(k, i)],
                POWER,
            )
        ),
        "a.csv",
        expected(POWER),
    ),
    "dashes of a word processor": (
        as_csv(long(["表号", "时间", "示值"], lambda k, i: [METERS[k].replace("-", "–"), at(i), value(k, i)])),
        "a.csv",
        expected(),
    ),
    "two header rows, kinds over numbers": (
        as_xlsx(
            wide(["日期", "电表(kWh)", "", "水表(m³)", "天然气(Nm³)"], ["", *METERS]), "A1:A2", "B1:C1"
        ),
        "a.xlsx",
        expected(),
    ),
    "two header rows, names over numbers": (
        as_xlsx(wide(["采集时间", *NAMES], ["", *METERS]), "A1:A2"), "a.xlsx", expected(),
    ),
    "three header rows": (
        as_xlsx(wide(["采集时间", *METERS], ["", *NAMES], ["", *UNITS]), "A1:A3"), "a.xlsx", expected(),
    ),
    "a row of units below the header": (as_csv(wide(["时间", *METERS], ["", *UNITS])), "a.csv", expected()),
    "dial and use side by side": (
        as_xlsx(
            [
                ["时间", "DB-001", "", "DB-002", ""],
                ["", "表底", "电量", "表底", "电量"],
                *([at(i), value(0, i), 1, value(1, i), 2] for i in range(N)),
            ],
            "A1:A2", "B1:C1", "D1:E1",
        ),
        "a.xlsx",
        expected(POWER),
    ),
    "times across": (
        as_csv([["表号", *(at(i) for i in range(N))], *([METERS[k], *(value(k, i) for i in range(N))] for k in ALL)]),
        "a.csv",
        expected(),
    ),
    "a sheet named after its meter, whose names the ledger does not know": (
        as_csv([["设备名称", "时间", "示值"], *(["1#柜", at(i), value(1, i)] for i in range(N))]),
        "DB-002.csv",
        expected((1,)),
    ),
    "times across and a column of sums": (
        as_csv(
            [
                ["表号", *(at(i) for i in range(N)), "合计"],
                *([METERS[k], *(value(k, i) for i in range(N)), 99.0] for k in ALL),
            ]
        ),
        "a.csv",
        expected(),
    ),
    "the time of all in a line above": (
        as_csv(
            [["6月抄表记录"], ["抄表日期：2026年6月13日"], ["表号", "示值"], *([METERS[k], value(k, 0)] for k in ALL)]
        ),
        "a.csv",
        expected(when=day)[::N],
    ),
    "the time of all in a cell above": (
        as_xlsx([["抄表时间", BEGIN], ["表号", "示值"], *([METERS[k], value(k, 0)] for k in ALL)]),
        "a.xlsx",
        expected()[::N],
    ),
    "hours across, a row a day": (
        as_csv(
            [
                ["表号", "日期", *(f"{hour}时" for hour in range(N))],
                *([METERS[k], "2026-06-13", *(value(k, i) for i in range(N))] for k in ALL),
            ]
        ),
        "a.csv",
        expected(when=lambda i: day(0) + timedelta(hours=i)),
    ),
    "a column of hours": (
        as_csv(long(["表号", "日期", "小时", "示值"], lambda k, i: [METERS[k], "2026-06-13", i, value(k, i)])),
        "a.csv",
        expected(when=lambda i: day(0) + timedelta(hours=i)),
    ),
    "dates only": (
        as_csv(long(["表号", "日期", "表底"], lambda k, i: [METERS[k], f"{day(i):%Y/%m/%d}", value(k, i)])),
        "a.csv",
        expected(when=day),
    ),
    "merged numbers": (
        as_xlsx(
            [
                ["表号", "时间", "示值"],
                *([METERS[k] if i == 0 else "", hour(i), value(k, i)] for k in ALL for i in range(N)),
            ],
            *(f"A{2 + N * k}:A{1 + N * (k + 1)}" for k in ALL),
        ),
        "a.xlsx",
        expected(),
    ),
    "merged times": (
        as_xlsx(
            [
                ["时间", "表号", "示值"],
                *([hour(i) if k == 0 else "", METERS[k], value(k, i)] for i in range(N) for k in ALL),
            ],
            *(f"A{2 + 4 * i}:A{5 + 4 * i}" for i in range(N)),
        ),
        "a.xlsx",
        expected(),
    ),
    "the header again on each page": (
        as_csv(
            [
                *long(["表号", "时间", "示值"], lambda k, i: [METERS[k], at(i), value(k, i)], times=2),
                ["表号", "时间", "示值"],
                *([METERS[k], at(i), value(k, i)] for i in range(2, N) for k in ALL),
            ]
        ),
        "a.csv",
        expected(),
    ),
    "this time beside the time before": (
        as_csv(
            long(
                ["表号", "上次抄表时间", "上次示数", "本次抄表时间", "本次示数"],
                lambda k, i: [METERS[k], at(i - 1), value(k, i - 1), at(i), value(k, i)],
            )
        ),
        "a.csv",
        expected(),
    ),
    "a historian's tags": (
        as_csv(long(["TagName", "DateTime", "Value", "Quality"], lambda k, i: [METERS[k], at(i), value(k, i), "Good"])),
        "a.csv",
        expected(),
    ),
    "a German utility": (
        as_csv(
            long(
                ["Zählernummer", "Zeitstempel", "Zählerstand"],
                lambda k, i: [METERS[k], at(i, "%d.%m.%Y %H:%M"), str(value(k, i)).replace(".", ",")],
            ),
            ";",
            "utf-8-sig",
        ),
        "a.csv",
        expected(),
    ),
    "columns that say what they are by every cell": (
        as_csv(long(["Gerät", "Wann", "Cumulative Energy (kWh)"], lambda k, i: [METERS[k], at(i), value(k, i)], POWER)),
        "a.csv",
        expected(POWER),
    ),
    "voltages without a unit beside the dial": (
        as_csv(
            long(
                ["表号", "时间", "A相电压", "B相电压", "正向有功总电能"],
                lambda k, i: [METERS[k], at(i), 231.2, 230.8, value(k, i)],
                POWER,
            )
        ),
        "a.csv",
        expected(POWER),
    ),
    "gas as it flows and at standard state": (
        as_csv(
            long(
                ["位号", "时间", "工况累计(m3)", "标况累计(Nm3)"],
                lambda k, i: [METERS[k], at(i), value(k, i) / 7, value(k, i)],
                (3,),
            )
        ),
        "a.csv",
        expected((3,)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TAKEN)
def test_an_export_is_read_as_a_person_reads_it(case: str) -> None:
    data, name, readings = TAKEN[case]
    assert found(data, name) == readings


REFUSED: dict[str, tuple[Table, str]] = {
    "days of no month": (
        [["表号", "1日", "2日", "3日"], *([METERS[k], 1.0, 2.0, 3.0] for k in ALL)],
        "year, month and day",
    ),
    "months across, of uses": (
        [["2026年用电量统计"], ["表号", "1月", "2月", "3月"], *([METERS[k], 1.0, 2.0, 3.0] for k in ALL)],
        "what the dial shows",
    ),
    "the day on which the table was made": (
        [["制表日期：2026年6月13日"], ["表号", "示值"], *([METERS[k], value(k, 0)] for k in ALL)],
        "measured_at missing",
    ),
    "two days above": (
        [["抄表日期：2026-06-01 至 2026-06-30"], ["表号", "示值"], *([METERS[k], value(k, 0)] for k in ALL)],
        "measured_at missing",
    ),
    "spans of the day": (
        long(
            ["表号", "日期", "时段", "示值"],
            lambda k, i: [METERS[k], "2026-06-13", f"{i}:00-{i + 1}:00", value(k, i)],
        ),
        "begin or its end",
    ),
    "a meter in two columns": ([["时间", "DB-001", "总进线电能表"], *([at(i), 1.0, 2.0] for i in range(N))], "ignore"),
    "uses alone": (
        [["时间", "DB-001 用电量", "DB-002 用电量"], *([at(i), 1.0, 2.0] for i in range(N))],
        "what the dial shows",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_person_could_not_read_either_is_refused_with_the_reason(case: str) -> None:
    rows, said = REFUSED[case]
    with pytest.raises(UnreadableFile, match=said):
        checked(as_csv(rows), "a.csv")


MONTHS = [datetime(2026, month, 1) for month in (1, 2, 3)]  # noqa: DTZ001 - as a spreadsheet has them


def month_table(*heads: Sequence[object]) -> Table:
    return [*heads, *([METERS[k], *(value(k, i) for i in range(3))] for k in POWER)]


def shown_as(form: str, rows: Table, *cells: str) -> bytes:
    book = openpyxl.load_workbook(io.BytesIO(as_xlsx(rows)))
    for cell in cells:
        book.worksheets[0][cell].number_format = form
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


BY_MONTH: dict[str, tuple[bytes, str]] = {
    "months across": (as_csv(month_table(["表号", "2026-01", "2026-02", "2026-03"])), "a.csv"),
    "Chinese months across": (as_csv(month_table(["表号", "2026年1月", "2026年2月", "2026年3月"])), "a.csv"),
    "the year in the title": (
        as_csv(month_table(["2026年抄表记录"], ["表号", "1月表底", "2月表底", "3月表底"])), "a.csv",
    ),
    "the year in the file's name": (as_csv(month_table(["表号", "1月", "2月", "3月"])), "2026年.csv"),
    "the year merged over its months": (
        as_xlsx(month_table(["表号", "2026年", "", ""], ["", "1月", "2月", "3月"]), "A1:A2", "B1:D1"), "a.xlsx",
    ),
    "names of months": (as_csv(month_table(["Meter", "Jan 2026", "Feb 2026", "Mar 2026"])), "a.csv"),
    "days that are shown as months": (
        shown_as('yyyy"年"m"月"', month_table(["表号", *MONTHS]), "B1", "C1", "D1"), "a.xlsx",
    ),
    "a row a month": (
        as_csv(long(["表号", "月份", "示值"], lambda k, i: [METERS[k], f"2026-{i + 1:02d}", value(k, i)], POWER, 3)),
        "a.csv",
    ),
    "a row a month, days that are shown as months": (
        shown_as(
            "mmm-yy",
            long(["表号", "月份", "示值"], lambda k, i: [METERS[k], MONTHS[i], value(k, i)], POWER, 3),
            *(f"B{row}" for row in range(2, 8)),
        ),
        "a.xlsx",
    ),
    "a row a month, a column a meter": (
        as_csv([["月份", *METERS[:2]], *([f"2026{i + 1:02d}", value(0, i), value(1, i)] for i in range(3))]), "a.csv",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BY_MONTH)
def test_months_without_a_day_are_asked_and_read_on_the_day_that_is_stated(case: str) -> None:
    data, name = BY_MONTH[case]
    with pytest.raises(Unsettled) as asked:
        checked(data, name)
    assert [question.option for question in asked.value.questions] == ["--reading-day"]
    days: dict[str, list[tuple[int, ...]]] = {
        "end": [(2026, 2, 1), (2026, 3, 1), (2026, 4, 1)],
        "end 23:45": [(2026, 1, 31, 23, 45), (2026, 2, 28, 23, 45), (2026, 3, 31, 23, 45)],
        "25 08:00": [(2026, 1, 25, 8), (2026, 2, 25, 8), (2026, 3, 25, 8)],
        "1": [(2026, 1, 1), (2026, 2, 1), (2026, 3, 1)],
    }
    for said, at_days in days.items():
        when = [int(datetime(*at_day, tzinfo=ZONE).timestamp()) * 1_000_000 for at_day in at_days]  # type: ignore[misc, arg-type]  # parts of a time
        readings = sorted((METERS[k], when[i], value(k, i)) for k in POWER for i in range(3))
        assert found(data, name, ReadingOptions(reading_day=said)) == readings, said


def test_months_without_a_year_are_asked_of_which() -> None:
    data = as_csv(month_table(["表号", "1月", "2月", "3月"]))
    with pytest.raises(Unsettled) as asked:
        checked(data, "a.csv")
    assert [question.option for question in asked.value.questions] == ["--reading-day", "--reading-year"]
    options = ReadingOptions(reading_day="end", reading_year="2025")
    assert len(found(data, "a.csv", options)) == 6
    assert "reading_day" in options.to_toml()
    assert "reading_year" not in options.to_toml()  # the next file may be of another
    over = as_csv(month_table(["表号", "11月", "12月", "1月"]))
    with pytest.raises(UnreadableFile, match="year, month and day"):
        found(over, "a.csv", options)


def test_days_of_the_month_that_stands_above_are_read_at_midnight() -> None:
    data = as_csv(month_table(["2026年6月抄表"], ["表号", "13日", "14日", "15日"]))
    last = int(day(2).replace(tzinfo=ZONE).timestamp()) * 1_000_000
    assert found(data, "a.csv") == [one for one in expected(POWER, day) if one[1] <= last]


def test_midnights_of_first_days_that_are_shown_as_days_or_hours_stay_as_they_are() -> None:
    rows = month_table(["表号", *MONTHS])
    assert len(found(shown_as("yyyy-mm-dd", rows, "B1", "C1", "D1"), "a.xlsx")) == 6
    hours: Table = [["表号", "时间", "示值"], *(["DB-001", MONTHS[0] + timedelta(hours=i), i] for i in range(3))]
    assert len(found(shown_as("h:mm", hours, "B2", "B3", "B4"), "a.xlsx")) == 3


@pytest.mark.parametrize("said", ["0", "29", "end of month", "25 25:00", "-1"])
def test_a_reading_day_that_not_every_month_has_is_refused(said: str) -> None:
    with pytest.raises(UnreadableFile, match="from 1 to 28"):
        ReadingOptions(reading_day=said)


def test_uses_under_the_name_of_a_dial_are_told() -> None:
    use = (3.0, 5.0, 2.0, 4.0)
    rows = long(["表号", "时间", "示值"], lambda k, i: [METERS[k], at(i), use[i % 4]], times=12)
    sound = long(["表号", "时间", "示值"], lambda k, i: [METERS[k], at(i), value(k, i)], times=12)
    assert any("what the dial shows" in line for line in checked(as_csv(rows), "a.csv").lines())
    newest_first: Table = [sound[0], *reversed(sound[1:])]
    for table in (sound, newest_first):
        assert not any("what the dial shows" in line for line in checked(as_csv(table), "a.csv").lines())


def test_a_number_of_no_meter_is_named() -> None:
    rows = long(["表号", "时间", "示值"], lambda k, i: [f"X{k}", at(i), value(k, i)])
    check = checked(as_csv(rows), "a.csv")
    assert (check.tally.total, check.tally.refused) == (4 * N, 4 * N)
    assert any("a meter of the ledger" in line and "'X0'" in line for line in check.lines())


def test_files_of_a_zip_each_name_their_meter() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for k, meter in enumerate(METERS):
            rows: Table = [["时间", "示值"], *([at(i), value(k, i)] for i in range(N))]
            archive.writestr(f"6月/{meter}.csv", as_csv(rows, encoding="gb18030"))
        archive.writestr("__MACOSX/._a.csv", b"\0\5\x16\7")
    assert found(out.getvalue(), "a.zip") == expected()


def with_formulas(**values: str) -> bytes:
    """Dials of a meter that a program wrote, the last three as formulas, some of which have a value."""
    rows = [["DB-001", hour(i), 100 + i if i < 3 else f"=C{i + 1}+1"] for i in range(6)]
    data = as_xlsx([["表号", "时间", "示值"], *rows, ["合计", "", "=SUM(C2:C7)"]])
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as book, zipfile.ZipFile(out, "w") as made:
        for part in book.infolist():
            text = book.read(part).decode()
            for cell, value in values.items():
                text = re.sub(rf'(<c r="{cell}"[^>]*><f>[^<]*</f>)(<v ?/>|<v></v>)', rf"\1<v>{value}</v>", text)
            if values.get("calculated"):
                text = text.replace('fullCalcOnLoad="1"', "")
            made.writestr(part.filename, text)
    return out.getvalue()


@pytest.mark.parametrize("values", [{}, {"C5": "0", "C6": "0", "C7": "0"}])
def test_a_formula_that_was_never_calculated_is_refused_and_its_cell_named(values: dict[str, str]) -> None:
    check = checked(with_formulas(**values), "a.xlsx")
    assert (check.tally.total, check.tally.refused, check.tally.skipped, check.tally.notes) == (6, 3, 0, 1)
    lines = check.lines("zh")
    assert any("4 个单元格的公式从未计算" in line and "C5, C6, C7, C8" in line for line in lines), lines
    assert any('"=C4+1"' in line and "第 5-7 行" in line for line in lines), lines


def test_a_formula_with_its_value_is_read() -> None:
    values = {"C5": "103", "C6": "104", "C7": "105", "C8": "615"}
    assert [one for _, _, one in found(with_formulas(**values), "a.xlsx")] == [100.0 + i for i in range(6)]
    zero = {"C5": "0", "C6": "0", "C7": "0", "C8": "0", "calculated": "yes"}
    assert [one for _, _, one in found(with_formulas(**zero), "a.xlsx")] == [100.0, 101.0, 102.0, 0.0, 0.0, 0.0]


def test_times_that_are_formulas_without_a_value_are_refused_too() -> None:
    rows = [["DB-001", hour(0) if i == 0 else f"=B{i + 1}+1/24", 100 + i] for i in range(4)]
    check = checked(as_xlsx([["表号", "时间", "示值"], *rows]), "a.xlsx")
    assert (check.tally.total, check.tally.refused) == (4, 3)
    assert any("B3, B4, B5" in line for line in check.lines())


def test_a_folder_that_was_zipped_is_read_in_spite_of_its_pictures_and_a_zip_in_a_zip_is_named() -> None:
    rows = long(["表号", "时间", "示值"], lambda k, i: [METERS[k], at(i), value(k, i)])
    folder = io.BytesIO()
    with zipfile.ZipFile(folder, "w") as archive:
        archive.writestr("6月/", b"")
        archive.writestr("6月/读数.csv", as_csv(rows, encoding="gb18030"))
        archive.writestr("6月/现场.PNG", b"\x89PNG\r\n")
        archive.writestr("6月/Thumbs.db", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
        archive.writestr("6月/~$读数.xlsx", b"\x05Wang")
    assert found(folder.getvalue(), "a.zip") == expected()
    around = io.BytesIO()
    with zipfile.ZipFile(around, "w") as archive:
        archive.writestr("june.zip", folder.getvalue())
    with pytest.raises(UnreadableFile, match=r"june\.zip: unpack it first"):
        checked(around.getvalue(), "a.zip")
