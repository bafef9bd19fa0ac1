"""The way of an energy manager: the plant's own list of meters and its exports, to amounts that are exact."""

from datetime import datetime, timedelta
from pathlib import Path

import openpyxl
from click.testing import CliRunner

from deploy.cli import cli
from ingest.result_files import read_results

METERS = 25
STEP = timedelta(hours=6)
START, END = datetime(2026, 1, 1), datetime(2026, 7, 1)  # noqa: DTZ001 - wall clocks
MOST_QUESTIONS = 6


def plant_list(path: Path) -> None:
    """A list as a plant keeps it: cover, title, headers of its own, blocks, totals, nothing of points or levels."""
    book = openpyxl.Workbook()
    cover = book.active
    assert cover is not None
    cover.title = "封面"
    cover["B4"] = "示例化纤有限公司能源计量器具台账"
    sheet = book.create_sheet("计量器具")
    sheet.append(["示例化纤有限公司能源计量器具一览表"])
    sheet.append(
        ["序号", "表计编号", "表计名称", "能源类型", "车间", "精度", "变比", "检定日期", "检定周期", "安装位置", "状态"]
    )
    for i in range(METERS):
        electric = i < 20
        sheet.append(
            [
                i + 1, f"{'DB' if electric else 'SB'}-{i:03d}", "三相四线电能表" if electric else "水表",
                "电" if electric else "自来水", f"{'一二三四五'[i % 5]}车间", "一级" if electric else "2级",
                "200/5" if electric else "/", "2025年3月", "72个月" if electric else "24个月", "配电房", "合格",
            ]
        )  # fmt: skip
    sheet.append(["合计", METERS])
    sheet.append(["备注：空白处为不适用"])
    book.save(path)


def export(path: Path, month: int) -> None:
    """A month as the plant's system exports it: a column a meter, times as a spreadsheet has them."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append([f"{month}月抄表数据"])
    sheet.append(["时间", *(f"{'DB' if i < 20 else 'SB'}-{i:03d}" for i in range(METERS))])
    now = datetime(2026, month, 1)  # noqa: DTZ001 - a wall clock
    until = END if month == 6 else datetime(2026, month + 1, 1)  # noqa: DTZ001 - likewise
    while now < until or (month == 6 and now == END):
        steps = (now - START) // STEP
        sheet.append([now, *(1000 * i + steps * (i + 1) * 0.5 for i in range(METERS))])
        now += STEP
    book.save(path)


def called(*words: str | Path) -> str:
    result = CliRunner().invoke(cli, [*map(str, words)])
    assert result.exit_code == 0, result.output
    return result.output


def test_from_his_two_files_to_exact_amounts_with_few_questions(tmp_path: Path) -> None:
    plant_list(tmp_path / "台账.xlsx")
    for month in range(1, 7):
        export(tmp_path / f"{month}月.xlsx", month)

    asked = CliRunner().invoke(cli, ["ledger", "check", str(tmp_path / "台账.xlsx"), "--language", "zh"])
    questions = [line for line in asked.output.splitlines() if line.startswith("待定")]
    assert "表计编号 → 用能单位管理编号" in asked.output
    answers = ["--unit-code", "91320000000000001X", "--installed-from", "2025-12-01"]
    assert len(questions) == len(answers) // 2 <= MOST_QUESTIONS

    completed = tmp_path / "完整台账.xlsx"
    told = called("ledger", "check", tmp_path / "台账.xlsx", *answers, "--completed", completed, "--language", "zh")
    assert "表计 25 块" in told
    assert "跳过合计、备注行 2 行" in told
    assert "推断" in told

    out = tmp_path / "results"
    months = [str(tmp_path / f"{month}月.xlsx") for month in range(1, 7)]
    called("backfill", "--ledger", completed, "--readings", *months, "--out", out, "--zone", "Asia/Shanghai")
    amounts: dict[str, float] = {}
    for row in read_results(out, "consumption_hour").to_pylist():
        if row["amount"] is not None:
            amounts[row["point"]] = amounts.get(row["point"], 0.0) + row["amount"]
    steps = (END - START) // STEP
    expected = {
        f"{'DB' if i < 20 else 'SB'}-{i:03d}": steps * (i + 1) * 0.5 * (40 if i < 20 else 1) for i in range(METERS)
    }
    assert amounts.keys() == expected.keys()
    assert all(abs(amounts[point] - expected[point]) < 1e-3 for point in expected)
    assert read_results(out, "rejected").num_rows == 0
