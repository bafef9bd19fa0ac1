"""The ledger's columns: what each is called, how it is kept, what it belongs to."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from types import MappingProxyType

import numpy as np

__all__ = [
    "COLUMNS",
    "NO_DAY",
    "NO_INSTANT",
    "OPEN_END",
    "Belongs",
    "ColumnSpec",
    "Direction",
    "Level",
    "MeterStatus",
    "Storage",
]

NO_INSTANT = int(np.iinfo(np.int64).min)
"""Stands for an instant that is not given."""
OPEN_END = int(np.iinfo(np.int64).max)
"""End of an installation that is still there."""
NO_DAY = int(np.iinfo(np.int32).min)
"""Stands for a day that is not given."""


class Level(IntEnum):
    """Level of metering, as tables 3 and B.4-B.6 part them."""

    UNIT = 0
    SUB_UNIT = 1
    EQUIPMENT = 2


class Direction(IntEnum):
    """Which way the quantity flows at a point, seen from its unit, sub-unit or equipment."""

    IN = 0
    OUT = 1
    OWN = 2
    """Produced inside and used inside."""


class MeterStatus(IntEnum):
    """What the meter's label says (GB 17167-2006 5.3.1); in the ledger's words, 0 where it says nothing."""

    UNKNOWN = 0
    QUALIFIED = 1
    LIMITED = 2
    OUT_OF_USE = 3
    IN_USE = 4
    """In use, as plants write: it says nothing of the verification, which is then unknown."""


class Storage(Enum):
    """How a normalised column is kept."""

    TEXT = "text"
    """Dictionary-encoded strings, empty where nothing is given."""
    FLAG = "flag"
    """bool."""
    NUMBER = "number"
    """float64, NaN where nothing is given."""
    INSTANT = "instant"
    """int64 microseconds since 1970-01-01 UTC, `NO_INSTANT` or `OPEN_END` where nothing is given."""
    DAY = "day"
    """int32 days since 1970-01-01, `NO_DAY` where nothing is given."""


class Belongs(Enum):
    """What a column is a fact about; facts about one thing must agree in all its rows."""

    UNIT = "unit"
    POINT = "point"
    METER = "meter"
    INSTALLATION = "installation"


@dataclass(frozen=True, slots=True)
class ColumnSpec:
    """One column of the ledger file."""

    name: str
    chinese: str
    storage: Storage
    belongs: Belongs


def _specs(belongs: Belongs, lines: str) -> list[ColumnSpec]:
    return [
        ColumnSpec(name, chinese, Storage(storage), belongs)
        for name, chinese, storage in (line.split() for line in lines.strip().splitlines())
    ]


_UNIT = """
unit_code 用能单位代码 text
unit_name 用能单位名称 text
longitude 经度 number
latitude 纬度 number
"""
_POINT = """
sub_unit 次级用能单位 text
equipment 主要用能设备 text
level 计量级别 text
point 计量点编号 text
parent_point 上级计量点 text
parent_complete 下级齐全 flag
carrier 能源种类 text
direction 流向 text
annual_use 年用量 number
rated_power_kw 额定功率 number
hourly_use 小时最大用量 number
required 应配备 flag
exemption 免配原因 text
"""
_METER = """
meter_no 管理编号 text
serial_no 出厂编号 text
"""
_INSTALLATION = """
name 计量器具名称 text
model 型号规格 text
range 测量范围 text
manufacturer 生产厂家 text
place 安装使用地点 text
instrument 器具类别 text
purpose 计量目的 text
accuracy_class 准确度等级 text
status 状态 text
verified_on 检定日期 day
cycle_months 检定周期 number
verification_due 有效期至 day
unit 计量单位 text
multiplier 倍率 number
full_scale 满度值 number
max_rate 最大流量(功率) number
interval_s 采集周期 number
installed_from 启用日期 instant
installed_to 停用日期 instant
first_reading 起始示值 number
last_reading 终止示值 number
"""

COLUMNS: Mapping[str, ColumnSpec] = MappingProxyType(
    {
        spec.name: spec
        for spec in (
            *_specs(Belongs.UNIT, _UNIT),
            *_specs(Belongs.POINT, _POINT),
            *_specs(Belongs.METER, _METER),
            *_specs(Belongs.INSTALLATION, _INSTALLATION),
        )
    }
)
"""Every column of a ledger file, in the order in which one is written."""
