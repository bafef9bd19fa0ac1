"""The way of an energy manager: the plant's own list of meters and its exports, to the report, with exact amounts."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import openpyxl
import psycopg
import pytest
from click.testing import CliRunner

from deploy.cli import cli
from deploy.region.session import Place, fresh_place, working
from deploy.settings import load
from deploy.stack import Stack
from ingest.result_files import read_results

METERS = 25
STEP = timedelta(hours=6)
YEAR = datetime.now(UTC).year - 1
START, END = datetime(YEAR, 1, 1), datetime(YEAR, 7, 1)  # noqa: DTZ001 - wall clocks
UNIT = "91320000000000001X"
JUMPED, JUMP_AT, JUMP = 3, datetime(YEAR, 3, 10, 6), 50_000  # noqa: DTZ001 - likewise
"""A module of this meter was changed: its dial went on from elsewhere. [kWh on the dial]"""
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
                "200/5" if electric else "/", f"{YEAR - 1}年3月", "72个月" if electric else "24个月", "配电房", "合格",
            ]
        )  # fmt: skip
    sheet.append(["合计", METERS])
    sheet.append(["备注：空白处为不适用"])
    book.save(path)


def export(path: Path, month: int, *, jump: bool = False) -> None:
    """A month as the plant's system exports it: a column a meter, times as a spreadsheet has them."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append([f"{month}月抄表数据"])
    sheet.append(["时间", *(f"{'DB' if i < 20 else 'SB'}-{i:03d}" for i in range(METERS))])
    now = datetime(YEAR, month, 1)  # noqa: DTZ001 - a wall clock
    until = END if month == 6 else datetime(YEAR, month + 1, 1)  # noqa: DTZ001 - likewise
    while now < until or (month == 6 and now == END):
        steps = (now - START) // STEP
        beside = [JUMP if jump and i == JUMPED and now >= JUMP_AT else 0 for i in range(METERS)]
        sheet.append([now, *(1000 * i + steps * (i + 1) * 0.5 + beside[i] for i in range(METERS))])
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
    answers = ["--unit-code", UNIT, "--installed-from", f"{YEAR - 1}-12-01"]
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


@pytest.fixture
def place(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Kafka and a database of his own, and a worker between them."""
    own = fresh_place(stack.settings, access=stack.access, dsn=stack.dsn, name="manager")
    monkeypatch.setenv("METERWARDEN_DATABASE", own.dsn)
    monkeypatch.setenv("METERWARDEN_KAFKA", stack.bootstrap)
    for name in ("kafka_config", "sending"):
        monkeypatch.setattr(Stack, name, own.kafka)
    with working(own, home=tmp_path, log=tmp_path / "worker.log", tick_s=1.0):
        yield own


def settled(place: Place, wanted: str, *parameters: object) -> None:
    """Wait until a question has the answer true, and nothing waits to be added up."""
    end = time.monotonic() + 120
    query = f"select ({wanted}) and not exists (select from dirty_hour)"
    with psycopg.connect(place.dsn, autocommit=True) as connection:
        while connection.execute(query.encode(), parameters).fetchone() != (True,):
            assert time.monotonic() < end, f"must come true within 120 s: {wanted}"
            time.sleep(0.2)


ROWS = "(select count(*) from reading_hot) = %s"
AMOUNT = """
(select coalesce(sum(h.amount), 0) from consumption_hour h join metering_point p on p.id = h.point_id where p.code = %s)
    between %s and %s
"""


def sheet(out: Path, title: str) -> list[tuple[object, ...]]:
    (workbook,) = out.glob("*.xlsx")
    return list(openpyxl.load_workbook(workbook)[title].iter_rows(values_only=True))


@pytest.mark.integration
def test_from_his_two_files_to_the_report(place: Place, tmp_path: Path) -> None:
    plant_list(tmp_path / "台账.xlsx")
    months = [tmp_path / f"{month}月.xlsx" for month in range(1, 7)]
    for month, path in enumerate(months, 1):
        export(path, month, jump=True)
    answers = ["--unit-code", UNIT, "--installed-from", f"{YEAR - 1}-12-01"]
    called("ledger", "load", tmp_path / "台账.xlsx", "--accept-headers", *answers)
    called("ingest", *months, "--language", "zh")
    steps = (END - START) // STEP
    settled(place, ROWS, METERS * (steps + 1))

    each, jumped = steps * (JUMPED + 1) * 0.5 * 40, f"DB-{JUMPED:03d}"
    listed = [json.loads(line) for line in called("differences", "list", "--json").splitlines()]
    assert [(one["meter_no"], one["dial_after"] - one["dial_before"]) for one in listed] == [(jumped, JUMP + 2.0)]
    out = tmp_path / "before"
    called("report", "--unit", UNIT, "--from", f"{YEAR}-01", "--to", f"{YEAR}-06", "--out", out)
    rows = {row[:4]: row for row in sheet(out, "车间分月消费量")}
    for number, name in enumerate("一二三四五"):
        expected = [
            sum(
                days * 4 * (i + 1) * 0.5 * (40 if electric else 1)
                for i in range(METERS) if i % 5 == number and (i < 20) == electric
            )
            for electric in (True, False) for days in [(END - START).days]
        ]  # fmt: skip
        found = [rows[carrier, unit, f"{name}车间", "计量"][10] for carrier, unit in (("电力", "kWh"), ("水", "m3"))]
        lost = (JUMPED + 1) * 0.5 * 40 if number == JUMPED % 5 else 0  # of the interval of the jump nothing is known
        assert found == pytest.approx([expected[0] - lost, expected[1]], abs=1e-3)
    beside = rows["电力", "kWh", "用能单位", "未解释差额（不计入消费量）"]
    assert beside[10] == pytest.approx((JUMP + 2.0) * 40)
    (difference,) = sheet(out, "未解释差额")[1:]
    assert (difference[2], difference[6]) == (jumped, pytest.approx((JUMP + 2.0) * 40))

    at = datetime.fromisoformat(listed[0]["at"]).astimezone(load().zone).strftime("%Y-%m-%d %H:%M:%S")
    decision = (UNIT, jumped, "--at", at, "--by", "王强", "--reason", "现场核对")
    called("differences", "count", *decision)
    settled(place, AMOUNT, jumped, each + JUMP * 40 - 1e-3, each + JUMP * 40 + 1e-3)
    told = called("differences", "list")
    assert "not explained" not in told
    assert "counted by 王强: 现场核对" in told
    called("differences", "undo", *decision)
    settled(place, AMOUNT, jumped, each - 80 - 1e-3, each - 80 + 1e-3)
    settled(place, "exists (select from unexplained_difference)")
    called("differences", "leave", *decision)
    settled(place, "not exists (select from unexplained_difference)")
    settled(place, AMOUNT, jumped, each - 80 - 1e-3, each + 1e-3)
    after = tmp_path / "after"
    called("report", "--unit", UNIT, "--from", f"{YEAR}-01", "--to", f"{YEAR}-06", "--out", after)
    assert not [row for row in sheet(after, "车间分月消费量") if row[3] == "未解释差额（不计入消费量）"]
