"""Ledgers as plants keep them: read as a person reads them, or refused with the reason."""

import csv
import io
import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ingest.ledgers import LedgerOptions, LedgerReport, read_ledger

ZONE = ZoneInfo("Asia/Shanghai")
UNIT = "91320583735312345X"
HEADS = (
    "单位代码", "单位名称", "级别", "计量点编号", "能源种类", "管理编号", "器具名称", "器具种类", "准确度等级",
    "出厂编号", "状态", "倍率", "单位", "检定日期", "检定周期", "有效期至", "安装日期",
)  # fmt: skip
ROW = (
    UNIT, "东海纺织有限公司", "进出用能单位", "JD-01", "电力", "DB-001", "三相电能表", "电能表", "0.5S",
    "2023001", "合格", "1", "kWh", "2023-05-06", "", "", "2023-05-10",
)  # fmt: skip


def row(**cells: str) -> list[str]:
    return [cells.get(head, cell) for head, cell in zip(HEADS, ROW, strict=True)]


def report(*rows: list[str], renamed: dict[str, str] | None = None, more: tuple[str, ...] = ()) -> LedgerReport:
    text = io.StringIO()
    heads = [(renamed or {}).get(head, head) for head in HEADS]
    csv.writer(text).writerows([[*heads, *more], *rows])
    return read_ledger(text.getvalue().encode(), zone=ZONE)


def number(found: LedgerReport, name: str) -> list[float]:
    assert not found.faults, found.faults
    values: list[float] = found.ledger.rows.number(name).tolist()
    return values


@pytest.mark.parametrize(
    ("head", "says", "cell", "name", "expected"),
    [
        ("检定周期", "检定周期（年）", "6", "cycle_months", 72.0),
        ("检定周期", "检定周期（月）", "72", "cycle_months", 72.0),
        ("检定周期", "检定周期（年）", "18个月", "cycle_months", 18.0),  # a cell that says it itself
        ("有效期至", "采集间隔（分钟）", "15", "interval_s", 900.0),
        ("有效期至", "采集间隔(s)", "900", "interval_s", 900.0),
        ("有效期至", "额定功率(MW)", "1.5", "rated_power_kw", 1500.0),
        ("有效期至", "年用电量(万kWh)", "1200", "annual_use", 12_000_000.0),
        ("有效期至", "年用电量", "1200", "annual_use", 1200.0),
    ],
)
def test_a_number_counts_in_what_its_header_states(head: str, says: str, cell: str, name: str, expected: float) -> None:
    found = report(row(**{head: cell}), renamed={head: says})
    assert number(found, name) == [expected]
    bare = re.split("[（(]", says, maxsplit=1)[0]
    changed = number(report(row(**{head: cell}), renamed={head: bare}), name) != [expected]
    assert (name in {one.column for one in found.inferred}) == changed


def test_a_use_in_coal_equivalent_is_no_use_of_the_energy() -> None:
    found = report(row(有效期至="350"), renamed={"有效期至": "年用能量(tce)"}, more=())
    assert str(number(found, "annual_use")) == "[nan]"
    assert [one.column for one in found.inferred] == ["annual_use"]


@pytest.mark.parametrize(("said", "months"), [("半年", 6), ("一年", 12), ("两年", 24), ("6y", 72)])
def test_cycles_in_words(said: str, months: float) -> None:
    assert number(report(row(检定周期=said)), "cycle_months") == [months]


def test_a_meter_that_is_verified_once_has_no_cycle() -> None:
    found = report(row(检定周期="首检"))
    assert str(number(found, "cycle_months")) == "[nan]"
    assert [one.column for one in found.inferred] == ["cycle_months"]


@pytest.mark.parametrize(("said", "faults"), [("4000", 0), ("", 0), ("40", 1)])
def test_a_multiplier_is_what_its_transformers_make(said: str, faults: int) -> None:
    found = report([*row(倍率=said), "200/5", "10/0.1"], more=("CT变比", "PT变比"))
    assert [fault.column for fault in found.faults] == ["multiplier"] * faults
    if faults:
        assert "4000" in found.faults[0].required
    else:
        assert number(found, "multiplier") == [4000.0]


def test_a_replaced_meter_needs_no_date_of_removal() -> None:
    found = report(row(), row(出厂编号="2026009", 安装日期="2026-03-01"))
    assert not found.faults, found.faults
    ends = found.ledger.installations.installed_to.tolist()
    first = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=min(ends))
    assert first.astimezone(ZONE).date() == date(2026, 3, 1)
    assert [one.column for one in found.inferred] == ["installed_to"]
    assert report(row(), row(安装日期="2026-03-01")).faults  # the same meter twice is none


def test_a_flow_meter_is_of_its_carrier_whatever_its_name() -> None:
    found = report(row(能源种类="蒸汽", 器具种类="涡街流量计", 单位="t", 准确度等级="2.5"))
    text = found.ledger.rows.text("instrument")
    assert [text.values[code] for code in text.codes.tolist()] == ["steam_flow"]


def test_a_list_without_levels_asks_for_them_and_takes_one_for_all() -> None:
    text = io.StringIO()
    csv.writer(text).writerows(
        [[cell for head, cell in zip(HEADS, cells, strict=True) if head != "级别"] for cells in (HEADS, ROW)]
    )
    data = text.getvalue().encode()
    asked = read_ledger(data, zone=ZONE)
    assert [(one.field, one.option, one.choices) for one in asked.questions] == [
        ("level", "--level", ("unit", "sub_unit", "equipment"))
    ]
    answered = read_ledger(data, zone=ZONE, options=LedgerOptions(level="unit"))
    assert not answered.faults, answered.faults
    assert not answered.questions
    assert [(one.row, one.column) for one in answered.inferred if one.column == "level"] == [(2, "level")]
    unnamed = read_ledger(data, zone=ZONE, options=LedgerOptions(level="equipment"))
    assert {fault.column for fault in unnamed.faults} >= {"equipment"}, "a level with names is not taken without them"


def test_levels_that_stand_in_the_file_are_not_asked_and_not_overruled() -> None:
    text = io.StringIO()
    csv.writer(text).writerows([[*HEADS, "次级用能单位"], [*row(级别="进出主要次级用能单位"), "一车间"]])
    found = read_ledger(text.getvalue().encode(), zone=ZONE, options=LedgerOptions(level="unit"))
    assert not found.faults, found.faults
    assert found.ledger.point_level.tolist() == [1]
    assert not report(row()).questions


def test_a_block_named_after_the_plants_edge_is_its_level() -> None:
    rows = [
        ["序号", "能源种类", "表计编号", "器具名称", "精度", "倍率", "安装位置", "出厂编号"],
        ["一、进厂总表", *[""] * 7],
        ["1", "电", "DB-001", "总表", "0.5S", "4000", "配电室", "S1"],
        ["二、空压车间", *[""] * 7],
        ["2", "电", "DB-002", "空压机", "1.0", "40", "空压房", "S2"],
        ["合计", "", "2块", *[""] * 5],
    ]
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    found = read_ledger(
        text.getvalue().encode("gb18030"), options=LedgerOptions(unit_code=UNIT, installed_from="2020-01-01")
    )
    assert not found.faults, found.faults
    assert found.ledger.point_level.tolist() == [0, 1]
    assert found.ledger.point_sub_unit == ("", "空压车间")
