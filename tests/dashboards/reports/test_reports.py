"""Reports are opened again: the workbook by openpyxl, the page by an HTML parser and by a real browser."""

import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from openpyxl import load_workbook

from analytics.domain.words import Phrase
from analytics.standards.mandatory import Coverage
from analytics.standards.words import clause_name
from dashboards.reports import RegionReport, region_page, region_workbook, unit_page, unit_workbook
from dashboards.reports.content import FilledGap, OwnEnergy, RegionRow, Step
from dashboards.reports.network import network, nodes_of
from tests.dashboards.reports.reported import report

VOID = {"meta", "br", "img", "hr", "link"}


class Outline(HTMLParser):
    """Texts, and whether every tag that opens is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.linked: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.linked += [value or "" for name, value in attrs if name in {"src", "href"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(" ".join(data.split()))


def test_the_workbook_says_what_was_judged(tmp_path: Path) -> None:
    made, path = report(), tmp_path / "unit.xlsx"
    unit_workbook(made, path)
    book = load_workbook(path)
    assert book.sheetnames == [
        "首页",
        "逐条判定",
        "B.8 能源计量器具配备情况统计汇总表（按能源）",
        "B.1 能源计量工作人员一览表",
        "B.2 主要用能设备",
        "B.3 能源计量器具一览表",
        "B.4 进出用能单位能源计量器具一览表",
        "B.5 进出主要次级用能单位能源计量器具一览表",
        "B.6 主要用能设备能源计量器具一览表",
        "B.7 其他能源计量器具一览表",
        "检定校准状态明细",
        "强制检定",
        "B.8 能源计量器具配备情况统计汇总表（按器具）",
        "B.9 能源计量器具准确度等级统计汇总表",
        "能源消费明细",
        "车间分月消费量",
        "未解释差额",
        "B.10 年度能源购进、消费与库存情况表",
        "JJF 1356 审查表",
        "自查记录",
    ]
    clauses = list(book["逐条判定"].iter_rows(min_row=2, values_only=True))
    assert len(clauses) == len(made.findings)
    for row, finding in zip(clauses, made.findings, strict=True):
        assert (row[0], row[8], row[9]) == (clause_name(finding.clause).zh, finding.required.zh, finding.found.zh)
    rates = {
        (row[0], row[1]): row[2:9]
        for row in book["B.8 能源计量器具配备情况统计汇总表（按能源）"].iter_rows(min_row=3, values_only=True)
    }
    assert rates["主要用能设备", "电力"] == (2, 1, 1, 0, 50, 95, "不符合")
    form = book["B.3 能源计量器具一览表"]
    ledger = list(form.iter_rows(min_row=3, max_row=6, values_only=True))
    assert [row[7] for row in ledger] == ["M-E0", "M-E1", "M-E2", "M-G0"]
    assert ledger[1][1] == "=1+1"
    assert form["B4"].data_type == "s"  # a text that looks like a formula stays a text
    assert form["B4"].quotePrefix, "and stays one when somebody edits the cell"
    assert book["检定校准状态明细"]["C3"].value == datetime(2026, 11, 17)  # noqa: DTZ001 - a date as Excel has it
    assert len(list(book["JJF 1356 审查表"].iter_rows(min_row=2))) == 53
    energy = list(book["能源消费明细"].iter_rows(min_row=2, values_only=True))
    assert energy[0][:4] == ("用能单位", "电力", 22_000, "kWh")
    assert energy[0][4] == pytest.approx(2.7038)
    assert energy[1][4] is None  # natural gas without a calorific value
    assert energy[-1][4] is None


def test_the_workbook_carries_what_was_entered(tmp_path: Path) -> None:
    path = tmp_path / "unit.xlsx"
    unit_workbook(report(), path)
    book = load_workbook(path)

    def rows(title: str) -> list[tuple[object, ...]]:
        return list(book[title].iter_rows(min_row=2, values_only=True))

    staff = rows("B.1 能源计量工作人员一览表")
    assert book["B.1 能源计量工作人员一览表"]["A1"].value == "表 B.1 能源计量工作人员一览表"
    assert str(staff[-1][0]).startswith(
        "填表单位（盖章）：云澜<示范>化工 & 有限公司    填表人：    审核人：    填表日期："
    )
    assert "原表的表头未能核对" in str(staff[-1][0])
    assert staff[1:-2] == [
        ("王工", "计量管理员", "台账", None, "JL-001", datetime(2027, 1, 31)),  # noqa: DTZ001 - as Excel has it
        ("李工", "抄表员", None, None, None, None),
    ]
    other = rows("B.7 其他能源计量器具一览表")
    assert [(row[1], row[7], row[8], row[10]) for row in other[1:2]] == [("钳形功率表", "BX-01", "便携式", "合格")]
    stocks = rows("B.10 年度能源购进、消费与库存情况表")
    assert stocks[1:-2] == [(2025, "煤炭", None, "t", 120, 1000, 0, 20, 100, 1000, 990, 985.5, 360, "统计台账")]
    with_corrections = rows("自查记录")
    assert with_corrections[0][4] is None


def test_verification_by_law_and_what_totals_leave_out(tmp_path: Path) -> None:
    path = tmp_path / "unit.xlsx"
    made = replace(
        report(),
        coverage=[Coverage("electricity", "市院", 20, 19), Coverage("electricity", "", 2, 0)],
        own=[OwnEnergy("electricity", "kWh", 5000.0, ["PV"])],
    )
    unit_workbook(made, path)
    book = load_workbook(path)
    rows = list(book["强制检定"].iter_rows(min_row=2, values_only=True))
    assert rows == [
        ("电力", "市院", 20, 19, 95, 95, "是"),
        ("电力", "未录入证书", 2, 0, 0, 95, "否"),
        ("电力", "小计", 22, 19, 86.3636, 95, "否"),
        ("合计", None, 22, 19, 86.3636, 95, "否"),
    ]
    energy = list(book["能源消费明细"].iter_rows(min_row=2, values_only=True))
    assert energy[-1][:4] == ("自产自用（不计入合计）", "电力", 5000, "kWh")
    assert energy[-2][7] == "缺少折标系数：天然气；不计入自产自用的电力"
    page = "\n".join(Outline(unit_page(made)).texts)
    assert "电力（自产自用，不计入综合能耗）" in page
    assert "95.00 %" in page


def test_workshops_by_month_add_up_to_the_unit_and_show_what_is_assigned_and_unexplained(tmp_path: Path) -> None:
    path = tmp_path / "unit.xlsx"
    unit_workbook(report(), path)
    rows = list(load_workbook(path)["车间分月消费量"].iter_rows(values_only=True))
    assert rows[0] == (
        "能源种类", "计量单位", "次级用能单位", "口径", "2026-11", "合计", "折标量 tce（当量值）",
    )  # fmt: skip
    amounts = {row[:1] + row[2:4]: row[4] for row in rows[1:]}
    assert amounts == {
        ("电力", "一车间", "计量"): 22_000,
        ("电力", "用能单位", "未归属（含损耗）"): 0,
        ("电力", "用能单位", "用能单位合计"): 22_000,
        ("电力", "用能单位", "未解释差额（不计入消费量）"): 52_125.5,
        ("天然气", "锅炉房", "按录入比例归属"): 22_000,
        ("天然气", "用能单位", "未归属（含损耗）"): 0,
        ("天然气", "用能单位", "用能单位合计"): 22_000,
    }
    page = unit_page(report())
    assert "未解释差额：须人工判定，判定前不计入消费量" in page
    assert "1,000 → 53,125.5" in page


KEYS = re.compile(r"\b(None|nan|serious|warning|info|[a-z]+_[a-z_]+|electricity|equivalent|unit|sub)\b")
"""What a Chinese reader must not meet: names that are meant for programs."""


def test_a_chinese_report_holds_no_key_and_no_number_without_a_format(tmp_path: Path) -> None:
    made, path = report(), tmp_path / "unit.xlsx"
    unit_workbook(made, path)
    for sheet in load_workbook(path):
        for row in sheet.iter_rows():
            for cell in row:
                text = re.sub(r"（事实文件的? [^）]*）", "", cell.value) if isinstance(cell.value, str) else ""
                assert not KEYS.search(text), f"{sheet.title} {cell.coordinate}: {text}"
                if isinstance(cell.value, float) and abs(cell.value) >= 1:
                    assert cell.number_format != "General", f"{sheet.title} {cell.coordinate}: {cell.value}"
    text = "\n".join(Outline(unit_page(made)).texts).partition("\n:root")[2]
    shown = re.sub(r"（事实文件的? [^）]*）", "", text.partition("}\n")[2])
    assert not KEYS.search(shown), KEYS.search(shown)


def test_every_sheet_prints_on_a4_with_page_numbers(tmp_path: Path) -> None:
    path = tmp_path / "unit.xlsx"
    unit_workbook(report(), path)
    for sheet in load_workbook(path):
        assert (sheet.page_setup.orientation, sheet.page_setup.fitToWidth) == ("landscape", 1), sheet.title
        assert sheet.sheet_properties.pageSetUpPr is not None
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert sheet.HeaderFooter.oddFooter is not None
        assert sheet.HeaderFooter.oddFooter.center.text == "第 &P 页，共 &N 页"


HEADS = (
    "序号 · 计量器具名称 · 型号规格 · 准确度等级 · 测量范围 · 生产厂家 · 出厂编号 · 用能单位管理编号"
    " · 安装使用地点及用途 · 检定周期/校准间隔 · 状态（合格/准用/停用）"
)


@pytest.mark.parametrize(
    ("form", "title"),
    [
        ("B.3", "能源计量器具一览表"),
        ("B.4", "进出用能单位能源计量器具一览表"),
        ("B.5", "进出主要次级用能单位能源计量器具一览表"),
        ("B.6", "主要用能设备能源计量器具一览表"),
        ("B.7", "其他能源计量器具一览表"),
    ],
)
def test_a_form_has_its_title_heads_and_foot_and_nothing_else(form: str, title: str, tmp_path: Path) -> None:
    path = tmp_path / "unit.xlsx"
    unit_workbook(report(), path)
    rows = list(load_workbook(path)[f"{form} {title}"].iter_rows(values_only=True))
    assert rows[0][0] == f"表 {form} {title}"
    assert list(rows[1]) == HEADS.split(" · ")
    foot = [cell for cell in rows[-1] if cell]
    assert [str(cell).split("：")[0] for cell in foot] == ["填表单位（盖章）", "填表人", "审核人", "填表日期"]
    assert all(isinstance(row[0], int) for row in rows[2:-2])


def test_the_workbook_in_english(tmp_path: Path) -> None:
    path = tmp_path / "unit.xlsx"
    unit_workbook(report(), path, language="en")
    book = load_workbook(path)
    assert book.sheetnames[0] == "summary"
    assert [cell.value for cell in book["clauses"][1]][:3] == ["clause", "mandatory", "verdict"]
    with pytest.raises(ValueError, match="zh or en"):
        unit_workbook(report(), path, language="fr")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_is_whole_and_fetches_nothing(language: str) -> None:
    made = report()
    page = unit_page(made, language=language)
    outline = Outline(page)
    text = "\n".join(outline.texts)
    assert outline.linked == []
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "云澜<示范>化工 & 有限公司" in text
    for finding in made.findings:
        assert (finding.required.zh if language == "zh" else finding.required.en) in text
    assert ("下一步做什么" if language == "zh" else "What to do next") in text
    assert "4,321" in text  # energy measured since the verification ran out


def test_the_first_page_tells_what_to_do() -> None:
    made = report()
    steps = [step.todo.zh for step in made.steps]
    assert "请将 M-E1 送检或更换，并评估 2026-11-17 以来的数据是否受影响（JJF 1356 6.4.5）。" in steps
    assert any("加装" in step and "E3" in step for step in steps)
    page = unit_page(made)
    assert page.index("下一步做什么") < page.index("配备率与要求")


def test_what_does_not_fit_on_the_first_page_is_counted_and_stands_in_the_workbook(tmp_path: Path) -> None:
    made = report()
    more = [
        replace(
            made.findings[0], rule=f"r{i}", meter_no="", meters=(), next_step=Phrase(en=f"Do {i}.", zh=f"办理 {i}。")
        )
        for i in range(12)
    ]
    judgement = replace(made.judgement, assessment=replace(made.judgement.assessment, findings=tuple(more)))
    crowded = replace(made, judgement=judgement)
    page = unit_page(crowded)
    assert "办理 7。" in page
    assert "另有 4 项待办" in page
    unit_workbook(crowded, tmp_path / "unit.xlsx")
    steps = [row[1] for row in load_workbook(tmp_path / "unit.xlsx")["首页"].iter_rows(values_only=True)]
    assert "办理 11。" in steps


def test_one_errand_for_what_differs_in_its_meters_alone() -> None:
    made = report()
    rows = [
        replace(
            made.findings[0],
            level=level,
            meter_no="",
            meters=(name,),
            next_step=Phrase(en=f"Enter the verification of {name}.", zh=f"请补录 {name} 的检定信息。"),
        )
        for level, name in (("unit", "M-1"), ("sub_unit", "M-2"))
    ]
    assert Step.of(rows).todo == Phrase(en="Enter the verification of M-1, M-2.", zh="请补录 M-1、M-2 的检定信息。")


def test_pictures_are_sound_and_say_their_numbers() -> None:
    page = unit_page(report())
    pictures = [part.partition("</svg>")[0] + "</svg>" for part in page.split("<svg ")[1:]]
    assert len(pictures) == 5
    for picture in pictures:
        tree = ET.fromstring("<svg " + picture)
        assert tree.attrib["role"] == "img"
        assert all(float(rect.attrib["width"]) >= 0 for rect in tree.iter() if rect.tag.endswith("rect"))
    assert "1 / 2" in pictures[0]


def region() -> RegionReport:
    made = report()
    row = RegionRow(
        code=made.code,
        name=made.name,
        standing=made.standing,
        key_unit="unknown",
        tce_year=None,
        tce_month=2.5,
        first_step=made.steps[0].todo,
    )
    return RegionReport(
        as_of=date(2026, 11, 22), month="2026-11", edition=Phrase(en="E", zh="版"), rows=[row], mandatory_target=95.0
    )


def test_the_region(tmp_path: Path) -> None:
    text = "\n".join(Outline(region_page(region())).texts)
    assert "强制检定器具受检率（1 / 1，目标 ≥ 95 %）" in text
    path = tmp_path / "region.xlsx"
    region_workbook(region(), path)
    rows = list(load_workbook(path)["区域汇总"].iter_rows(min_row=2, values_only=True))
    assert [(row[0], row[2], row[15]) for row in rows] == [("U", "有不符合项", 2.5)]


def test_a_browser_shows_the_page(tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("NOT LOOKED AT IN A BROWSER: no chromium on this machine (apt-get install chromium)")
    page, picture = tmp_path / "unit.html", tmp_path / "unit.png"
    page.write_text(unit_page(report()), encoding="utf-8")
    told = subprocess.run(
        [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path}/profile",
            "--window-size=1040,2400",
            f"--screenshot={picture}",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "CONSOLE" not in told.stderr  # no errors of the page itself
    assert picture.stat().st_size > 50_000


def test_the_network_of_points_is_drawn_from_the_ledger() -> None:
    made = report()
    nodes = nodes_of(made.judgement.assessment.scene)
    assert [(one.code, one.level, one.parent, one.in_use) for one in nodes] == [
        ("E0", 0, -1, True), ("E1", 1, -1, True), ("E2", 2, -1, True), ("E3", 2, -1, False), ("G0", 0, -1, True),
    ]  # fmt: skip
    joined = [replace(node, parent=0 if node.code == "E1" else 1 if node.level == 2 else -1) for node in nodes]
    tree = ET.fromstring(network(joined, "zh"))
    texts = [str(one.text) for one in tree.iter() if one.tag.endswith("text")]
    assert "E3 · 2号空压机 · 电力" in texts
    assert "实心框为有在用器具的采集点（4 个），空心框为未安装或停用（1 个）" in texts
    assert sum(one.tag.endswith("path") for one in tree.iter()) == 3
    many = [replace(nodes[0], code=f"X{i}", level=i % 3) for i in range(900)]
    assert "另有设备级采集点 300 个未画出" in str(network(many, "zh"))


def test_evaluations_of_missing_data_stand_beside_the_totals(tmp_path: Path) -> None:
    at = datetime(2026, 11, 3, 8, tzinfo=UTC)
    gap = FilledGap(
        "E0",
        "electricity",
        at,
        at.replace(hour=11),
        21.0,
        "kWh",
        "like_days",
        "approved",
        "王工",
        "李工",
        "程序",
        "依据",
    )
    path, before = tmp_path / "unit.xlsx", report()
    unit_workbook(replace(before, gaps=[gap]), path)
    book = load_workbook(path)
    row = next(book["缺失数据评估"].iter_rows(min_row=3, values_only=True))
    assert row[:5] == ("E0", "电力", "2026-11-03 08:00", "2026-11-03 11:00", 21)
    assert row[6] == "同类日同时段平均值"
    assert row[-3:] == ("王工", "李工", "已批准")
    assert next(book["能源消费明细"].iter_rows(min_row=2, values_only=True))[2] == 22_000  # as it was measured


def test_numbers_as_people_write_them() -> None:
    page = unit_page(report())
    assert "2.2 万 kWh" in page
    assert "22,000 kWh" in unit_page(report(), language="en")


def test_sheets_print_on_a4_in_letters_that_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "unit.xlsx"
    unit_workbook(report(), path)
    for sheet in load_workbook(path).worksheets:
        assert sheet.page_setup.paperSize == int(sheet.PAPERSIZE_A4), sheet.title
        assert sheet.page_setup.fitToHeight == 0, sheet.title
        assert sum(one.width for one in sheet.column_dimensions.values()) <= 195, sheet.title
        assert all(cell.alignment.wrap_text for cell in sheet[3] if cell.value), sheet.title
