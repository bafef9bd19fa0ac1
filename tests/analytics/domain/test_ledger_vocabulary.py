"""Columns and words of the ledger, typed by hand from the interchange table and GB 17167-2006."""

import pytest

from analytics.domain.ledger import COLUMNS, Direction, Level, MeterStatus, build_ledger
from analytics.domain.ledger.trade_words import IN_USE
from analytics.domain.ledger.vocabulary import CARRIER_WORDS, CHOICES, DIRECTION_WORDS, LEVEL_WORDS, STATUS_WORDS
from analytics.domain.units import CARRIERS
from tests.ledger_rows import columns_of, metered

INTERCHANGE = """
unit_code unit_name 用能单位代码 用能单位名称
sub_unit equipment 次级用能单位 主要用能设备
level 计量级别
point parent_point 计量点编号 上级计量点
parent_complete 下级齐全
carrier direction 能源种类 流向
annual_use rated_power_kw 年用量 额定功率
required exemption 应配备 免配原因
meter_no serial_no name model 管理编号 出厂编号 计量器具名称 型号规格
range manufacturer place 测量范围 生产厂家 安装使用地点
instrument 器具类别
purpose 计量目的
accuracy_class 准确度等级
status 状态
verified_on cycle_months verification_due 检定日期 检定周期 有效期至
unit multiplier full_scale 计量单位 倍率 满度值
max_rate 最大流量(功率)
interval_s 采集周期
installed_from installed_to 启用日期 停用日期
first_reading last_reading 起始示值 终止示值
"""

ENERGIES = {
    "electricity": "电力",
    "coal": "煤炭",
    "coke": "焦炭",
    "crude_oil": "原油",
    "refined_oil": "成品油",
    "heavy_oil": "重油",
    "residual_oil": "渣油",
    "lpg": "液化气",
    "natural_gas": "天然气",
    "coal_gas": "煤气",
    "steam": "蒸汽",
    "hot_water": "热水",
    "water": "水",
    "recoverable_residual_energy": "可回收利用的余能",
    "other": "其他",
}
"""Tables 1 and 3 of GB 17167-2006, with their Chinese."""

INSTRUMENTS = [
    *("electricity", "oil_flow", "gas_flow", "steam_flow", "water_flow", "heat", "weighing", "temperature", "pressure")
]


OURS = {"hourly_use": "小时最大用量", "longitude": "经度", "latitude": "纬度"}
"""Columns that a ledger may have beside those of the interchange table."""


def test_columns_are_those_of_the_interchange_table() -> None:
    expected: dict[str, str] = {}
    for line in INTERCHANGE.strip().splitlines():
        words = line.split()
        half = len(words) // 2
        expected |= dict(zip(words[:half], words[half:], strict=True))
    assert {name: spec.chinese for name, spec in COLUMNS.items()} == expected | OURS


def test_energies_are_those_of_the_standard() -> None:
    assert {english: chinese[0] for english, chinese in CARRIER_WORDS.items()} == ENERGIES
    assert set(CARRIERS) == set(ENERGIES)


def test_words_are_those_of_the_enums() -> None:
    assert list(LEVEL_WORDS) == [level.name.lower() for level in Level]
    assert list(DIRECTION_WORDS) == [direction.name.lower() for direction in Direction]
    assert [*STATUS_WORDS, IN_USE] == [status.name.lower() for status in MeterStatus if status]
    assert list(CHOICES["instrument"]) == INSTRUMENTS


@pytest.mark.parametrize("column", list(CHOICES))
def test_no_word_means_two_things(column: str) -> None:
    spellings = [word for english, chinese in CHOICES[column].items() for word in (english, *chinese)]
    assert len(spellings) == len(set(spellings))


@pytest.mark.parametrize(
    ("column", "cell", "english"),
    [
        ("level", " 用能单位 ", "unit"),
        ("level", "UNIT", "unit"),
        ("direction", "自产", "own"),
        ("direction", None, "in"),
        ("instrument", "电能表", "electricity"),
        ("status", "准用", "limited"),
        ("status", "Out of use", "out_of_use"),
        ("purpose", "贸易结算", "trade"),
        ("purpose", "ＤＮ３００", "300"),
        ("purpose", "250 mm", "250"),
        ("purpose", "静态计量", "static"),
        ("purpose", "process control", "process control"),
        ("accuracy_class", "０.５Ｓ级", "0.5S"),
        ("accuracy_class", 1.0, "1"),
        ("unit", "ＫＷＨ", "kWh"),
        ("parent_complete", "√", True),
        ("required", 1.0, True),
        ("required", "Y", True),
        ("interval_s", "15分钟", 900.0),
        ("interval_s", "1 h", 3600.0),
        ("cycle_months", "6年", 72.0),
        ("cycle_months", "12个月", 12.0),
        ("multiplier", "１，２００", 1200.0),
        ("multiplier", "1 200", 1200.0),
        ("multiplier", "1'200.50", 1200.5),
        ("full_scale", "1e6", 1e6),
        ("place", "  two\n lines\u200b ", "two lines"),
        ("serial_no", "\ufeff00123", "00123"),
    ],
)
def test_a_cell_means_what_a_person_means_by_it(column: str, cell: object, english: object) -> None:
    ledger, faults = build_ledger(columns_of(metered("P1", "M1") | {column: cell}))
    assert faults == []
    assert ledger.rows.values(column) == [english]
