"""The ledger forms of JJF 1356-2012, annex B: titles, heads and foot as far as they are known, and nothing else inside.

What a form has no column for stands on sheets of its own.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from openpyxl import Workbook
from openpyxl.styles import Alignment, Border, Font, Side
from openpyxl.utils import get_column_letter

from analytics.domain.words import STATUSES, Phrase
from analytics.standards.purpose import purpose_of
from dashboards.reports.content import MeterRow, UnitReport
from dashboards.reports.sheet import print_on_a4
from ingest.files.text_cells import keep_text

__all__ = ["FOOT", "LEDGER_HEADS", "TITLES", "foot_of", "form_code", "ledger_forms", "title_of"]

Say = Callable[[Phrase], str]

TITLES: Final = {
    "B.1": Phrase(zh="能源计量工作人员一览表", en="staff of energy metering"),
    "B.2": Phrase(zh="主要用能设备", en="main equipment"),
    "B.3": Phrase(zh="能源计量器具一览表", en="all energy measuring instruments"),
    "B.4": Phrase(zh="进出用能单位能源计量器具一览表", en="instruments, unit level"),
    "B.5": Phrase(zh="进出主要次级用能单位能源计量器具一览表", en="instruments, sub-unit level"),
    "B.6": Phrase(zh="主要用能设备能源计量器具一览表", en="instruments, equipment level"),
    "B.7": Phrase(zh="其他能源计量器具一览表", en="other instruments"),
    "B.8": Phrase(zh="能源计量器具配备情况统计汇总表", en="summary of equipping"),
    "B.9": Phrase(zh="能源计量器具准确度等级统计汇总表", en="summary of accuracy classes"),
    "B.10": Phrase(zh="年度能源购进、消费与库存情况表", en="energy purchased, used and in stock by year"),
}
LEDGER_HEADS: Final = (
    Phrase(zh="序号", en="no."),
    Phrase(zh="计量器具名称", en="name"),
    Phrase(zh="型号规格", en="model"),
    Phrase(zh="准确度等级", en="accuracy class"),
    Phrase(zh="测量范围", en="range"),
    Phrase(zh="生产厂家", en="manufacturer"),
    Phrase(zh="出厂编号", en="serial number"),
    Phrase(zh="用能单位管理编号", en="management number"),
    Phrase(zh="安装使用地点及用途", en="place and use"),
    Phrase(zh="检定周期/校准间隔", en="verification cycle or calibration interval"),
    Phrase(zh="状态（合格/准用/停用）", en="status (qualified, limited use, out of use)"),
)
"""Heads that the forms B.3 to B.7 have in common."""
FOOT: Final = (
    Phrase(zh="填表单位（盖章）", en="unit (seal)"),
    Phrase(zh="填表人", en="filled in by"),
    Phrase(zh="审核人", en="checked by"),
    Phrase(zh="填表日期", en="date"),
)
_LEVELS: Final = {"B.4": "unit", "B.5": "sub_unit", "B.6": "equipment"}
_KINDS: Final = {
    "standard": Phrase(zh="标准器", en="standard"),
    "portable": Phrase(zh="便携式", en="portable"),
    "residual_heat": Phrase(zh="余热余能", en="residual energy"),
    "analysis": Phrase(zh="成分分析", en="analysis"),
}
_CODES: Final = {
    "raw_coal": "01",
    "washed_coal": "02",
    "other_washed_coal": "03",
    "coal_products": "04",
    "briquette": "05",
    "coal_water_slurry": "06",
    "pulverised_coal": "07",
    "coke": "08",
    "other_coking_products": "09",
    "coke_oven_gas": "10",
    "blast_furnace_gas": "11",
    "other_coal_gas": "12",
    "natural_gas": "13",
    "lng": "14",
    "crude_oil": "15",
    "gasoline": "16",
    "kerosene": "17",
    "diesel": "18",
    "fuel_oil": "19",
    "lpg": "20",
    "refinery_gas": "21",
    "other_petroleum_products": "22",
    "heat_equivalent": "23",
    "electricity_equivalent": "24",
    "electricity_equal_value": "25",
    "other_fuel": "26",
    "coal_gangue": "27",
    "biomass": "28",
    "industrial_waste": "29",
    "municipal_solid_waste": "30",
    "total_equivalent": "31",
    "total_equal_value": "32",
    "electricity": "24",
}
"""Codes of B.10; an energy that the ledger names more widely than the form (coal) has none."""
_WIDTHS: Final = (6, 18, 14, 12, 14, 16, 16, 16, 24, 14, 14)
_LINE: Final = Side(style="thin")
_CELL: Final = Border(left=_LINE, right=_LINE, top=_LINE, bottom=_LINE)


def form_code(energy: str) -> str:
    """Code of an energy in form B.10 (01 to 32), empty where the form has none of that name.

    Examples
    --------
    >>> form_code("natural_gas"), form_code("coal")
    ('13', '')
    """
    return _CODES.get(energy, "")


def ledger_forms(book: Workbook, report: UnitReport, say: Say) -> None:
    """B.3 to B.7."""
    every = [row for row in report.meters if row.meter_no]
    _form(book, "B.3", [_line(row, say) for row in every], report, say)
    for form, level in _LEVELS.items():
        _form(book, form, [_line(row, say) for row in every if row.level == level], report, say)
    others = [_line(row, say) for row in every if row.carrier == "recoverable_residual_energy"]
    for number, one in report.instruments.items():
        place = "；".join(filter(None, (one.place, say(_KINDS[one.kind]))))
        cells = (one.name, one.model, one.accuracy, one.range, one.manufacturer, one.serial_no, number, place)
        others.append((*cells, _cycle(one.cycle_months, say), say(STATUSES[one.status])))
    _form(book, "B.7", others, report, say)


def _line(row: MeterRow, say: Say) -> Sequence[str]:
    use = [row.place]
    if purpose_of(row.purpose).trade:
        use.append(say(Phrase(zh="贸易结算", en="trade settlement")))
    status = say(STATUSES[row.status]) if row.status in STATUSES else ""
    cells = (row.name, row.model, row.accuracy_class, row.range, row.manufacturer, row.serial_no, row.meter_no)
    return (*cells, "；".join(filter(None, use)), _cycle(row.cycle_months, say), status)


def _cycle(months: float | None, say: Say) -> str:
    return "" if months is None else say(Phrase(zh=f"{months:g} 个月", en=f"{months:g} months"))


def title_of(form: str, say: Say, part: Phrase | None = None) -> str:
    """What stands above a form, and which part of it a sheet is."""
    title = say(Phrase(zh=f"表 {form} {TITLES[form].zh}", en=f"Table {form}: {TITLES[form].en}"))
    return title if part is None else title + say(Phrase(zh=f"（{part.zh}）", en=f" ({part.en})"))


def foot_of(name: str, say: Say) -> list[str]:
    """What stands below a form: the unit, who filled it in and who checked it, when."""
    blanks = (name, "", "", "")
    return [f"{say(one)}{'：' if say(one) == one.zh else ': '}{text}" for one, text in zip(FOOT, blanks, strict=True)]


def _form(book: Workbook, form: str, rows: Iterable[Sequence[str]], report: UnitReport, say: Say) -> None:
    """A form on its own sheet: title, heads, rows, foot."""
    sheet = book.create_sheet(f"{form} {say(TITLES[form])}"[:31])
    columns = len(LEDGER_HEADS)
    sheet.append([title_of(form, say)])
    sheet.merge_cells(start_row=1, start_column=1, end_row=1, end_column=columns)
    sheet["A1"].font, sheet["A1"].alignment = Font(bold=True, size=14), Alignment(horizontal="center")
    sheet.append([say(head) for head in LEDGER_HEADS])
    for number, row in enumerate(rows, 1):
        sheet.append([number, *row])
    for cells in sheet.iter_rows(min_row=2, max_row=sheet.max_row, max_col=columns):
        for cell in cells:
            cell.border, cell.alignment = _CELL, Alignment(wrap_text=True, vertical="center")
            keep_text(cell)
    for cell in sheet[2]:
        cell.font = Font(bold=True)
    words = foot_of(report.name, say)
    sheet.append([])
    sheet.append([words[0], "", "", "", words[1], "", words[2], "", words[3]])
    for i, width in enumerate(_WIDTHS, 1):
        sheet.column_dimensions[get_column_letter(i)].width = width
    sheet.freeze_panes = "A3"
    print_on_a4(sheet, "1:2")
