"""Ledgers written as people keep them, and the empty form to fill in."""

import csv
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, tzinfo
from pathlib import Path
from typing import Any, Literal

import openpyxl
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from analytics.domain.ledger import COLUMNS, DEFAULT_ZONE, ColumnSpec, Ledger, Storage
from analytics.domain.ledger.vocabulary import CHOICES
from ingest.files.text_cells import csv_text

__all__ = ["Language", "write_ledger_csv", "write_ledger_template"]

Language = Literal["en", "zh"]

MEANING: dict[str, tuple[str, str]] = {
    "unit_code": ("unified social credit code or any unique code", "统一社会信用代码或其他唯一代码"),
    "unit_name": ("name of the energy-using unit", "用能单位名称"),
    "longitude": (
        "decimal degrees, east positive, WGS 84; with latitude or not at all; not converted from GCJ-02 or BD-09",
        "十进制度，东经为正，WGS 84（CGCS2000）坐标，与纬度同填或同空；系统不转换网络地图的GCJ-02、BD-09坐标",
    ),
    "latitude": ("decimal degrees, north positive; see longitude", "十进制度，北纬为正；要求同经度"),
    "sub_unit": ("empty at level unit", "进出用能单位一级留空"),
    "equipment": ("empty above level equipment", "主要用能设备以上级别留空"),
    "level": ("level of metering", "计量级别"),
    "point": ("code of the metering point, unique in the unit", "计量点编号，本单位内唯一"),
    "parent_point": ("point of which this one is part", "上级计量点编号，最上级留空"),
    "parent_complete": ("yes where this point's children cover it wholly", "下级计量点完全覆盖本点时填“是”"),
    "carrier": ("energy name of the standard", "能源种类"),
    "direction": ("empty means in", "留空为输入"),
    "annual_use": ("in the carrier's unit of GB 17167 table 1", "年消费量，按GB 17167表1的单位"),
    "rated_power_kw": ("kW", "千瓦"),
    "hourly_use": (
        "most in an hour, in the unit of GB 17167 table 2",
        "每小时最大消费量，按GB 17167表2的单位（t、m³、GJ）",
    ),
    "required": ("no exempts the point; empty means that tables 1 and 2 decide", "填“否”为免配；留空由表1、表2判定"),
    "exemption": (
        "where required is no: heating, auxiliary, assessable, group or below_limit",
        "免配原因：表3注1、表3注2、表3注3、表2注1、表2注2或低于限定值",
    ),
    "meter_no": ("management number; empty where there is no meter", "管理编号；未装表的采集点留空"),
    "serial_no": ("maker's serial number", "出厂编号"),
    "name": ("name of the instrument", "计量器具名称"),
    "model": ("model", "型号规格"),
    "range": ("measuring range", "测量范围"),
    "manufacturer": ("maker", "生产厂家"),
    "place": ("where it is installed", "安装使用地点"),
    "instrument": ("kind of instrument", "器具类别"),
    "purpose": ("trade, static, dynamic, or pipe diameter in mm", "贸易结算、静态、动态，或管径（mm）"),
    "accuracy_class": ("of the valid certificate, such as 0.5S", "有效证书上的等级，如0.5S"),
    "status": ("what its label says", "状态标识"),
    "verified_on": ("date of the last verification", "最近一次检定日期"),
    "cycle_months": ("months", "月"),
    "verification_due": ("last day the verification holds; two of the three suffice", "有效期至；三项填两项即可"),
    "unit": ("what the register counts in, such as kWh or ×10 kWh", "示值单位，如kWh、×10 kWh"),
    "multiplier": ("CT × PT; empty means 1", "电流互感器变比×电压互感器变比，留空为1"),
    "full_scale": ("smallest value the register cannot show", "计度器不能显示的最小值"),
    "max_rate": (
        "highest possible use per hour, in register unit × multiplier",
        "每小时最大可能消费量（示值单位×倍率）",
    ),
    "interval_s": ("seconds between readings", "采集间隔（秒）"),
    "installed_from": ("date or time", "启用日期或时间"),
    "installed_to": ("end, not included; empty while still there", "停用日期或时间（不含），在用留空"),
    "first_reading": ("dial at installation", "启用时示值"),
    "last_reading": ("dial at removal", "停用时示值"),
}
_VALIDATED_ROWS = 10_000
_HEADING = PatternFill("solid", fgColor="DDEBF7")


def _header(spec: ColumnSpec, language: Language) -> str:
    return spec.chinese if language == "zh" else spec.name


def _moment(moment: datetime, zone: tzinfo) -> str:
    """Date where it is a midnight of the zone, else the time with its offset: neither can be read otherwise."""
    local = moment.astimezone(zone)
    midnight = datetime(local.year, local.month, local.day, tzinfo=zone)
    return local.date().isoformat() if midnight.astimezone(UTC) == moment else local.isoformat(sep=" ")


def _cell(zone: tzinfo, words: dict[str, str], yes_no: tuple[str, str]) -> Callable[[Any], str]:
    def written(value: Any) -> str:
        match value:
            case None:
                return ""
            case bool():
                return yes_no[0] if value else yes_no[1]
            case datetime():
                return _moment(value, zone)
            case date():
                return value.isoformat()
            case float():
                return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
            case _:
                return words.get(value, str(value))

    return written


def write_ledger_csv(ledger: Ledger, path: Path, *, language: Language = "en", zone: tzinfo = DEFAULT_ZONE) -> int:
    """Write a ledger as a CSV file that a spreadsheet opens and `read_ledger` reads back to the same ledger.

    Returns the number of rows written. Raises `OSError` where the file cannot be written.
    """
    columns: list[Iterable[str]] = []
    for name in COLUMNS:
        words = {english: chinese[0] for english, chinese in CHOICES.get(name, {}).items()} if language == "zh" else {}
        written = _cell(zone, words, ("是", "否") if language == "zh" else ("yes", "no"))
        cells = map(written, ledger.rows.values(name))
        columns.append(map(csv_text, cells) if COLUMNS[name].storage is Storage.TEXT else cells)
    with path.open("w", encoding="utf-8-sig", newline="") as file:  # with its mark, or spreadsheets garble Chinese
        writer = csv.writer(file)
        writer.writerow([_header(spec, language) for spec in COLUMNS.values()])
        writer.writerows(zip(*columns, strict=True))
    return len(ledger.rows)


def _choices(spec: ColumnSpec, language: Language) -> list[str]:
    if spec.storage is Storage.FLAG:
        return ["是", "否"] if language == "zh" else ["yes", "no"]
    words = CHOICES.get(spec.name, {})
    return [chinese[0] if language == "zh" else english for english, chinese in words.items()]


_REQUIRED = ("unit_code", "level", "point", "carrier", "meter_no", "instrument", "unit", "installed_from")
_NEEDED = PatternFill("solid", fgColor="FCE4D6")
_PLANT = {"unit_code": "91320000000000001X", "unit_name": ("Sample Works", "示例制造有限公司"), "required": True}
_EXAMPLES: tuple[dict[str, Any], ...] = (
    {
        "level": "unit", "point": "D-01", "carrier": "electricity", "meter_no": "DB-001", "serial_no": "2021-0001",
        "name": ("main meter", "关口电能表"), "instrument": "electricity", "accuracy_class": "0.5S",
        "status": "qualified", "verified_on": "2024-03-05", "cycle_months": 72, "unit": "kWh",
        "multiplier": "10000/100×200/5", "interval_s": 900, "installed_from": "2024-03-10",
        "installed_to": "2025-06-01", "first_reading": 0, "last_reading": 4210.5,
    },
    {  # the replaced meter: it keeps its number and starts at its own reading
        "level": "unit", "point": "D-01", "carrier": "electricity", "meter_no": "DB-001", "serial_no": "2025-0347",
        "name": ("main meter", "关口电能表"), "instrument": "electricity", "accuracy_class": "0.5S",
        "status": "qualified", "verified_on": "2025-05-20", "cycle_months": 72, "unit": "kWh",
        "multiplier": "10000/100×200/5", "interval_s": 900, "installed_from": "2025-06-01", "first_reading": 0.2,
    },
    {  # the same meter before and after its current transformers were changed
        "level": "sub_unit", "sub_unit": ("workshop 1", "一车间"), "point": "D-02", "parent_point": "D-01",
        "carrier": "electricity", "meter_no": "DB-002", "serial_no": "2021-0002", "name": ("feeder", "车间电能表"),
        "instrument": "electricity", "accuracy_class": "1.0", "status": "qualified", "verified_on": "2024-03-05",
        "cycle_months": 72, "unit": "kWh", "multiplier": "200/5", "interval_s": 900,
        "installed_from": "2024-03-10", "installed_to": "2025-01-01",
    },
    {
        "level": "sub_unit", "sub_unit": ("workshop 1", "一车间"), "point": "D-02", "parent_point": "D-01",
        "carrier": "electricity", "meter_no": "DB-002", "serial_no": "2021-0002", "name": ("feeder", "车间电能表"),
        "instrument": "electricity", "accuracy_class": "1.0", "status": "qualified", "verified_on": "2024-03-05",
        "cycle_months": 72, "unit": "kWh", "multiplier": "400/5", "interval_s": 900, "installed_from": "2025-01-01",
    },
    {
        "level": "equipment", "sub_unit": ("workshop 1", "一车间"), "equipment": ("boiler", "1号锅炉"), "point": "S-01",
        "carrier": "water", "meter_no": "SB-001", "serial_no": "2022-0101", "name": ("water meter", "水表"),
        "instrument": "water_flow", "accuracy_class": "2", "status": "qualified", "verified_on": "2024-05-01",
        "cycle_months": 24, "unit": "m3", "multiplier": 1, "interval_s": 3600, "installed_from": "2024-05-10",
    },
)  # fmt: skip
"""Rows that show how it is done: a replaced meter that keeps its number, a changed transformer, equipment."""


def _example_cell(name: str, value: Any, language: Language) -> Any:
    zh = language == "zh"
    if isinstance(value, tuple):
        return value[zh]
    if isinstance(value, bool):
        return ("是" if value else "否") if zh else ("yes" if value else "no")
    if zh and isinstance(value, str) and value in CHOICES.get(name, {}):
        return CHOICES[name][value][0]
    return value


def write_ledger_template(path: Path, *, language: Language = "zh", example: bool = False) -> None:
    """Write a ledger workbook: a sheet to fill in, with choices to pick, and one that explains the columns.

    Columns that every row of a meter needs are marked. With `example` it holds rows that show how a replaced meter and
    a changed transformer are entered; they can be loaded as they are.
    """
    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.title = "台账" if language == "zh" else "ledger"
    explained: Any = book.create_sheet("说明" if language == "zh" else "columns")
    explained.append(["列", "column", "说明", "可选值"] if language == "zh" else ["column", "列", "meaning", "choices"])
    for place, spec in enumerate(COLUMNS.values(), start=1):
        _template_column(sheet, place, spec, language)
        meaning = MEANING[spec.name][language == "zh"]
        other = _header(spec, "en" if language == "zh" else "zh")
        explained.append([_header(spec, language), other, meaning, "、".join(_choices(spec, language))])
    for row, cells in enumerate(_EXAMPLES if example else (), start=2):
        for place, name in enumerate(COLUMNS, start=1):
            value = ({**_PLANT, **cells}).get(name)
            if value is not None:
                sheet.cell(row=row, column=place, value=_example_cell(name, value, language))
    sheet.freeze_panes = "A2"
    for letter, width in zip("ABCD", (22, 22, 60, 60), strict=True):
        explained.column_dimensions[letter].width = width
    book.save(path)


def _template_column(sheet: Any, place: int, spec: ColumnSpec, language: Language) -> None:
    """Header, format and choices of one column of the sheet to fill in."""
    letter = get_column_letter(place)
    head = sheet.cell(row=1, column=place, value=_header(spec, language))
    head.font, head.alignment = Font(bold=True), Alignment(horizontal="center")
    head.fill = _NEEDED if spec.name in _REQUIRED else _HEADING
    if spec.name in _REQUIRED:
        head.comment = Comment("必填" if language == "zh" else "required for a meter", "Meterwarden")
    sheet.column_dimensions[letter].width = 18
    if spec.storage is Storage.TEXT:
        sheet.column_dimensions[letter].number_format = "@"  # a number of 18 digits, or 1-2, must stay what it is
    choices = _choices(spec, language)
    if choices:
        pick = DataValidation(type="list", formula1=f'"{",".join(choices)}"', allow_blank=True)
        pick.add(f"{letter}2:{letter}{_VALIDATED_ROWS}")
        sheet.add_data_validation(pick)
