"""One set of readings written in every way that plants and systems write them comes back the same."""

import csv
import io
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.domain.ledger import build_ledger
from ingest.readings import MeterDirectory, ReadingOptions, UnreadableFile, Unsettled, open_readings
from ingest.readings.check import check_readings

ZONE = ZoneInfo("Asia/Shanghai")
NOW = 1_795_220_100_000_000
START = datetime(2026, 6, 13, 22, 45)  # noqa: DTZ001 - a wall clock; past the 12th, so that its dates decide their order
METERS = ("DB-001", "DB-002", "SB-007")
ROWS = 9


def directory() -> MeterDirectory:
    ledger, faults = build_ledger(
        {
            "unit_code": ["9132X"] * 3, "level": ["unit"] * 3, "point": ["P1", "P2", "P3"],
            "carrier": ["electricity", "electricity", "water"], "meter_no": list(METERS),
            "instrument": ["electricity", "electricity", "water_flow"], "unit": ["kWh", "kWh", "m3"],
            "installed_from": ["2020-01-01"] * 3,
        }
    )  # fmt: skip
    assert not faults
    return MeterDirectory.of(ledger)


READINGS = [
    (START + timedelta(minutes=15 * i), meter, 12_345.25 + 100 * k + i)
    for i in range(ROWS)
    for k, meter in enumerate(METERS)
]


def midnight(moment: datetime, form: str) -> str:
    """Midnight as 24:00 of the day before."""
    if (moment.hour, moment.minute) != (0, 0):
        return moment.strftime(form + " %H:%M")
    return (moment - timedelta(days=1)).strftime(form) + " 24:00"


DATES: dict[str, Callable[[datetime], str]] = {
    "ISO with an offset": lambda t: t.strftime("%Y-%m-%dT%H:%M:%S+08:00"),
    "ISO": lambda t: t.strftime("%Y-%m-%d %H:%M:%S"),
    "slashes": lambda t: f"{t.year}/{t.month}/{t.day} {t.hour}:{t.minute:02d}",
    "Chinese": lambda t: f"{t.year}年{t.month}月{t.day}日 {t.hour}时{t.minute}分",
    "24:00": lambda t: midnight(t, "%Y-%m-%d"),
    "day first": lambda t: t.strftime("%d/%m/%Y %H:%M"),
    "month first": lambda t: t.strftime("%m/%d/%Y %I:%M %p"),
    "points": lambda t: t.strftime("%d.%m.%Y %H:%M"),
    "epoch": lambda t: str(int(t.replace(tzinfo=ZONE).timestamp())),
    "epoch ms": lambda t: str(int(t.replace(tzinfo=ZONE).timestamp()) * 1000),
    "compact": lambda t: t.strftime("%Y%m%d%H%M%S"),
    "serial": lambda t: f"{(t - datetime(1899, 12, 30)) / timedelta(days=1):.9f}",  # noqa: DTZ001 - likewise
    "full width": lambda t: t.strftime("%Y-%m-%d %H:%M").translate({i: i + 0xFEE0 for i in range(0x30, 0x3A)}),
}  # fmt: skip
NUMBERS: dict[str, Callable[[float], str]] = {
    "point": lambda v: f"{v:.2f}",
    "thousands": lambda v: f"{v:,.2f}",
    "comma": lambda v: f"{v:.2f}".replace(".", ","),
    "points and comma": lambda v: f"{v:,.2f}".translate(str.maketrans(",.", ".,")),
    "blanks": lambda v: f"{v:,.2f}".replace(",", "\u00a0"),
}  # fmt: skip
HEADERS = {
    "en": ("unit_code", "meter_no", "measured_at", "value"),
    "en, as systems": ("Site", "Meter No.", "Timestamp", "Reading"),
    "zh": ("用能单位代码", "管理编号", "采集时间", "示值"),
    "zh, as plants": ("企业编码", "表计编号", "抄表时间", "本次示数"),
}
TITLES: tuple[list[list[str]], ...] = ([], [["某某公司 6 月抄表记录"]], [["Report"], ["制表人：张三"], []])


def table(layout: str, header: str, date: str, number: str) -> list[list[str]]:
    written, valued = DATES[date], NUMBERS[number]
    unit, meter, time, value = HEADERS[header]
    if layout == "wide":
        rows = [[time, *METERS]]
        for i in range(ROWS):
            chunk = READINGS[i * 3 : i * 3 + 3]
            rows.append([written(chunk[0][0]), *(valued(one[2]) for one in chunk)])
        return rows
    return [[unit, meter, time, value], *(["9132X", m, written(t), valued(v)] for t, m, v in READINGS)]


def as_csv(rows: list[list[str]], delimiter: str, encoding: str) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue().encode(encoding)


def as_xlsx(rows: list[list[str]], *, hidden: bool) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "数据"
    for row in rows:
        sheet.append(row)
    if hidden:
        cover = book.create_sheet("封面", 0)
        cover["A1"] = "某某公司"
        book.create_sheet("字典", 1).sheet_state = "hidden"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def found(data: bytes, name: str) -> list[tuple[str, str, int, float, str]]:
    opened = open_readings(data, name=name, directory=directory(), latest_us=NOW)
    parts = list(opened.parts(zone=ZONE, received_at=NOW))
    assert not any(part.faults for part in parts)
    return sorted(
        (
            block.unit_code, block.meters.names[int(block.meter[i])], int(block.measured_at[i]), float(block.value[i]),
            block.units[int(block.unit[i])],
        )
        for part in parts
        for block in part.blocks
        for i in range(len(block))
    )  # fmt: skip


EXPECTED = sorted(
    ("9132X", m, int(t.replace(tzinfo=ZONE).timestamp()) * 1_000_000, v, "m3" if m == "SB-007" else "kWh")
    for t, m, v in READINGS
)


@given(
    layout=st.sampled_from(["long", "wide"]),
    header=st.sampled_from(list(HEADERS)),
    date=st.sampled_from(list(DATES)),
    number=st.sampled_from(list(NUMBERS)),
    title=st.sampled_from(TITLES),
    file=st.sampled_from(["xlsx", "xlsx with a cover", ",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le"]),
)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_same_readings_come_back_however_they_are_written(
    *, layout: str, header: str, date: str, number: str, title: list[list[str]], file: str, encoding: str
) -> None:
    rows = [*title, *table(layout, header, date, number)]
    data = as_xlsx(rows, hidden="cover" in file) if file.startswith("xlsx") else as_csv(rows, file, encoding)
    assert found(data, "export") == EXPECTED


def test_traditional_headers_in_big5_are_read() -> None:
    rows = [["用能單位代碼", "管理編號", "採集時間", "示值（kWh）", "備註"]]
    rows += [
        ["9132X", "DB-001", t.strftime("%Y/%m/%d %H:%M"), f"{v:.2f}", "正常運行"]
        for t, m, v in READINGS
        if m == METERS[0]
    ]
    assert found(as_csv(rows, ",", "big5"), "r.csv") == [row for row in EXPECTED if row[1] == METERS[0]]


def test_what_nothing_decides_is_asked_with_an_example_and_an_option_settles_it() -> None:
    rows = [["unit_code", "meter_no", "time", "value"], ["9132X", "DB-001", "02/01/2024 00:00", "1,234"]]
    data = as_csv(rows, ";", "utf-8")
    with pytest.raises(Unsettled, match=r"02/01/2024.*--dates.*'1,234'.*--decimal") as error:
        open_readings(data, directory=directory(), latest_us=NOW)
    assert [question.field for question in error.value.questions] == ["dates", "decimal"]
    opened = open_readings(
        data, directory=directory(), latest_us=NOW, options=ReadingOptions(dates="day-first", decimal="comma")
    )
    (block,) = next(iter(opened.parts(zone=ZONE, received_at=NOW))).blocks
    assert block.value.tolist() == [1.234]
    assert np.datetime64(int(block.measured_at[0]), "us") == np.datetime64("2024-01-01T16:00")


def test_a_profile_keeps_what_was_settled(tmp_path: Path) -> None:
    said = ReadingOptions(dates="day-first", encoding="gb18030", columns={"表底（正向）": "value"}, delimiter="\t")
    (tmp_path / "p.toml").write_text(said.to_toml(), encoding="utf-8")
    assert ReadingOptions.from_toml(tmp_path / "p.toml") == said
    (tmp_path / "p.toml").write_text("[readings]\ncolour = 'red'\n")
    with pytest.raises(UnreadableFile, match="got colour"):
        ReadingOptions.from_toml(tmp_path / "p.toml")


def test_a_check_says_what_would_become_of_a_file() -> None:
    rows = [["unit_code", "meter_no", "time", "value", "unit"]]
    rows += [["9132X", "DB-001", f"2026-06-01 0{i}:00", str(100 + i), "kWh"] for i in range(4)]
    rows += [["9132X", "XX-9", "2026-06-01 00:00", "5", "kWh"], ["9132X", "DB-002", "2026-06-01 00:00", "5", "m3"]]
    rows += [["9132X", "DB-002", "2019-06-01 00:00", "5", "kWh"], ["9132X", "DB-001", "2026-06-01 05:00", "—", "kWh"]]
    opened = open_readings(as_csv(rows, ",", "utf-8"), directory=directory(), latest_us=NOW)
    check = check_readings(opened, "r.csv", zone=ZONE, received_at=NOW, directory=directory())
    told = check.to_object("zh")
    assert (told["readings"], told["refused"], told["blank"]) == (7, 3, 1)
    assert {fault["reason"] for fault in told["refusals"]} == {"unknown_meter", "unit_mismatch", "not_installed"}
    assert told["missing"] == [{"unit_code": "9132X", "meter_no": "SB-007"}]
    meter = next(one for one in told["meters"] if one["meter_no"] == "DB-001")
    assert (meter["readings"], meter["interval_s"]) == (4, 3600)
    assert check.tally.worst is None
    assert any("XX-9" in line for line in check.lines("en"))
