"""Which ledger column a header means, in English or Chinese, as plants write it.

Names of the interchange files and words that can mean one thing only are taken; what only looks like one of ours is
proposed, and taken when a person agrees or a profile says so.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from types import MappingProxyType

from analytics.domain.ledger import COLUMNS, LedgerFault
from analytics.domain.spelling import tidy, word_key
from analytics.domain.units import find_unit

__all__ = [
    "BRACKETED",
    "CT_RATIO",
    "HEADER_ROWS",
    "PT_RATIO",
    "WORDS",
    "Header",
    "column_of",
    "find_header",
    "proposal_of",
]

HEADER_ROWS = 20
"""A header stands within these rows: a title above it is common."""

CT_RATIO, PT_RATIO = "ct_ratio", "pt_ratio"
"""Columns that are no column of the ledger and together make the multiplier."""

BRACKETED = re.compile(r"[(\[【]([^()\[\]【】]*)[)\]】]$")
"""What stands in brackets behind a header that is folded in width: mostly its unit."""
_NOTHING: Mapping[str, str] = MappingProxyType({})

# Beside the names of the schema: words of the trade that mean one column and no other.
_ALSO = """
unit_code 单位代码 用能单位编码 用能单位编号 企业代码 企业编码 统一社会信用代码 社会信用代码 信用代码 单位编码
unit_code uscc credit_code company_code
unit_name 单位名称 企业名称 用能单位 公司名称 company company_name enterprise
longitude 经度(°) 经度(e) 东经 单位经度 企业经度 lon lng long longitude_deg
latitude 纬度(°) 纬度(n) 北纬 单位纬度 企业纬度 lat latitude_deg
sub_unit 主要次级用能单位 次级单位 车间 部门 分厂 工段 车间名称 部门名称 使用部门 使用单位 车间/部门 所属车间
sub_unit 所属部门 用能部门 区域 workshop department
equipment 用能设备 主要设备 用能设备名称 主要用能设备名称 对应设备 服务设备
level 级别 计量等级 计量级 配备级别 计量层级 表计级别 仪表级别 level_of_metering
point 计量点 采集点 能源计量采集点 采集点编号 能源计量点编号 测点编号 计量点代码 计量点号 点号 metering_point
point point_code
parent_point 上级计量点编号 上级点 上级表 上级表计 上级 父计量点 上级采集点 上级计量点代码 parent
carrier 能源种类 能源类型 能源品种 能源名称 能源介质 介质 计量介质 能源 能源类别 energy energy_type
carrier energy_carrier medium fuel
direction 流向 能源流向 输入输出 进出
annual_use 年消费量 年用能量 年耗量 年能耗 年用电量 annual_consumption
rated_power_kw 功率 设备功率 rated_power 额定功率
hourly_use 小时用量 最大小时用量 小时耗量 小时最大耗量 max_hourly_use
required 是否应配 应配 是否应配备
exemption 免配原因 不配备原因 未配备原因 免配理由
meter_no 用能单位管理编号 表计编号 仪表编号 器具编号 管理号 表号 电表编号 水表编号 气表编号 计量器具编号
meter_no 计量器具管理编号 内部编号 企业编号 资产编号 表编号 设备编号 仪表位号 位号 tag meter meter_id
meter_no meter_number
serial_no 出厂号 出厂序号 产品编号 表计出厂编号 仪器编号 制造编号 serial serial_number
name 器具名称 仪表名称 表计名称 表名 仪器名称 meter_name instrument_name
model 规格型号 型号 型号/规格 规格 型号及规格 表计型号 仪表型号 type model_no
range 量程 测量范围/量程 规格/量程 量限 measuring_range
manufacturer 制造商 厂家 制造厂 生产单位 制造单位 制造厂家 厂商 品牌 maker
place 安装位置 安装地点 使用地点 安装使用地点及用途 位置 安装场所 地点 location
instrument 器具种类 计量器具类别 计量器具种类 仪表类型 表计类型 仪表类别 表类型 表计类别 器具类型 计量器具类型
instrument instrument_type meter_type
purpose 用途 计量用途 用途/计量目的
accuracy_class 准确度 精度 精度等级 准确级 准确等级 等级 精确度 表计精度 accuracy class
status 检定状态 状态标识 状态(合格/准用/停用) 检定/校准状态 管理状态 使用状态 器具状态
verified_on 最近检定日期 检定时间 上次检定日期 检定/校准日期 检定校准日期 校准日期 本次检定日期 最近一次检定日期
verified_on 检定(校准)日期 verification_date calibration_date cal_date cal.date last_calibration last_verification
cycle_months 检定周期(月) 检定周期/校准间隔 校准间隔 检定校准周期 周期 周期(月) verification_cycle
verification_due 有效期 到期日期 检定有效期 下次检定日期 有效日期 检定到期日 有效期限 有效期至 证书有效期
verification_due valid_until due_date next_cal next_calibration next_verification calibration_due cal_due expiry_date
unit 单位 示值单位 计量单位 读数单位 unit_of_measure uom units
multiplier 倍率 综合倍率 电表倍率 变比 互感器变比 互感器倍率 计量倍率 倍数 ratio factor
ct_ratio ct变比 电流互感器变比 ct 电流变比 电流互感器 ct_ratio ta变比 流变 ct倍率
pt_ratio pt变比 电压互感器变比 pt 电压变比 电压互感器 pt_ratio tv变比 压变 pt倍率
full_scale 满度值 满码 最大示值 满量程示值 满刻度
max_rate 最大流量 最大功率 max_flow
interval_s 采集间隔 采集频率 上传间隔 采样周期 采集周期 抄表周期 interval reading_interval
installed_from 安装日期 启用时间 投用日期 投运日期 安装时间 投入使用日期 启用日期 使用日期 换装日期 installed_on
installed_from installation_date
installed_to 拆除日期 停用时间 停用日期 拆表日期 报废日期 终止日期 removed_on
first_reading 起始读数 起度 初始读数 初始示值 起始表底 底数 启用示值 装表示值 装表底数 起码
last_reading 终止读数 止度 终止表底 拆表示值 拆表底数 停用示值 末次示值 止码
"""
_SERIAL_ROW = frozenset(
    map(word_key, ("序号", "No.", "no", "编号", "行号", "#", "index", "备注", "remark", "notes", "note"))
)
_MERE_HINTS: Mapping[str, str] = MappingProxyType(
    {
        "编号": "meter_no",
        "类型": "instrument",
        "类别": "instrument",
        "种类": "carrier",
        "日期": "verified_on",
        "名称": "name",
        "部门": "sub_unit",
        "车间": "sub_unit",
        "能源": "carrier",
        "精度": "accuracy_class",
        "准确": "accuracy_class",
        "等级": "accuracy_class",
        "倍率": "multiplier",
        "变比": "multiplier",
        "位置": "place",
        "地点": "place",
        "厂": "manufacturer",
        "型号": "model",
        "规格": "model",
        "量程": "range",
        "检定": "verified_on",
        "周期": "cycle_months",
        "有效": "verification_due",
        "状态": "status",
        "单位": "unit",
        "用途": "purpose",
        "设备": "equipment",
        "信用": "unit_code",
        "采集": "interval_s",
        "上级": "parent_point",
    }
)
_ALIKE = 0.75


def _names() -> Mapping[str, str]:
    found = {word_key(spelling): spec.name for spec in COLUMNS.values() for spelling in (spec.name, spec.chinese)}
    for line in _ALSO.strip().splitlines():
        name, *words = line.split()
        for word in words:
            found.setdefault(word_key(word), name)
    return MappingProxyType(found)


_NAMES = _names()
WORDS = frozenset(_NAMES)
"""All spellings of headers, folded."""
_EXACT = frozenset(word_key(spelling) for spec in COLUMNS.values() for spelling in (spec.name, spec.chinese))


def column_of(cell: object) -> str | None:
    """English name of the column that a header cell means, None where it is not of the ledger.

    Examples
    --------
    >>> column_of("用能单位代码"), column_of("Unit Code*"), column_of("额定功率(kW)"), column_of("notes")
    ('unit_code', 'unit_code', 'rated_power_kw', None)
    >>> column_of("表计编号"), column_of("CT变比")
    ('meter_no', 'ct_ratio')
    """
    if not isinstance(cell, str):
        return None
    key = word_key(cell)
    return _NAMES.get(key) or _NAMES.get(word_key(BRACKETED.sub("", tidy(cell))))


def proposal_of(cell: object) -> str | None:
    """Column that a header may mean, where it is none that is known: to be asked, never taken in silence.

    Examples
    --------
    >>> proposal_of("电表资产编号"), proposal_of("备注"), proposal_of("Accuracy Class (%)")
    ('meter_no', None, 'accuracy_class')
    """
    if not isinstance(cell, str) or not cell.strip():
        return None
    key = word_key(BRACKETED.sub("", tidy(cell)))
    if not key or key in _SERIAL_ROW:
        return None
    known = _NAMES.get(key)
    if known is not None:
        return known
    inside = [(len(word), name) for word, name in _NAMES.items() if len(word) > 2 and word in key]
    if inside:
        return max(inside)[1]
    alike = max(((SequenceMatcher(None, word, key).ratio(), name) for word, name in _NAMES.items()), default=(0.0, ""))
    if alike[0] >= _ALIKE:
        return alike[1]
    hints = [(key.rfind(hint), name) for hint, name in _MERE_HINTS.items() if hint in key]
    return max(hints)[1] if hints else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Header row of a file.

    Attributes
    ----------
    row : int
        Its row number.
    names : tuple of str or None
        English name of each cell's column, None where it is to be passed over.
    titles : mapping of str to str
        What the file calls each column, by English name.
    unknown : tuple of str
        Headers that are no column of the ledger.
    understood : mapping of str to str
        Headers of the file's own that were taken for a column, with the column.
    proposed : mapping of str to str
        Headers that may mean a column that the file lacks otherwise: to be asked.
    unit : str
        Unit of measurement that a header states for all rows, empty where none does.
    faults : tuple of LedgerFault
        Columns that stand twice.
    """

    row: int
    names: tuple[str | None, ...]
    titles: Mapping[str, str]
    unknown: tuple[str, ...]
    understood: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    proposed: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    unit: str = ""
    faults: tuple[LedgerFault, ...] = ()

    @classmethod
    def of(
        cls, row: int, cells: Sequence[object], said: Mapping[str, str] = _NOTHING, *, proposing: bool = True
    ) -> "Header":
        """Header of a row's cells.

        Parameters
        ----------
        said : mapping of str to str
            Meanings of headers as stated by a person (a column, or ``ignore``), by header.
        proposing : bool
            Whether to look for what unknown headers may mean, which takes a while.
        """
        agreed = {word_key(header): name for header, name in said.items()}
        texts = ["" if cell is None else " ".join(str(cell).split()) for cell in cells]
        meant = [agreed.get(word_key(text)) or column_of(text) for text in texts]
        names: list[str | None] = []
        titles: dict[str, str] = {}
        faults: list[LedgerFault] = []
        exact = {name for text, name in zip(texts, meant, strict=True) if name and word_key(text) in _EXACT}
        for text, name in zip(texts, meant, strict=True):
            taken = None if name == "ignore" or (name in exact and word_key(text) not in _EXACT) else name
            if taken is not None and taken in titles:
                faults.append(LedgerFault(row, taken, "one column of this name", f"{titles[taken]} and {text}"))
                taken = None
            elif taken is not None:
                titles[taken] = text
            names.append(taken)
        unknown = [
            text[:60]
            for text, taken, name in zip(texts, names, meant, strict=True)
            if text and taken is None and name is None
        ]
        proposed = {
            text: name
            for text in (unknown if proposing else ())
            if (name := proposal_of(text)) is not None and name not in titles and word_key(text) not in agreed
        }
        understood = {
            text: name for name, text in titles.items() if word_key(text) not in _EXACT and _bare(text) not in _EXACT
        }
        return cls(
            row=row,
            names=tuple(names),
            titles=titles,
            unknown=tuple(unknown),
            understood=understood,
            proposed={text: name for text, name in proposed.items() if list(proposed.values()).count(name) == 1},
            unit=_unit_of(titles),
            faults=tuple(faults),
        )

    @property
    def weight(self) -> int:
        """How many columns of the ledger it names."""
        return len(self.titles)


def _bare(text: str) -> str:
    return word_key(BRACKETED.sub("", text))


def _unit_of(titles: Mapping[str, str]) -> str:
    for name in ("first_reading", "last_reading", "full_scale"):
        bracket = BRACKETED.search(titles.get(name, ""))
        unit = find_unit(bracket[1]) if bracket else None
        if unit is not None:
            return unit.symbol
    return ""


def find_header(rows: Sequence[Sequence[object]], said: Mapping[str, str] = _NOTHING) -> Header | None:
    """Header among the first rows of a file: the one with most of the ledger's columns, None where none has any.

    Parameters
    ----------
    rows : sequence of rows
        From row 1 on; at most `HEADER_ROWS` are looked at.
    said : mapping of str to str
        Meanings of headers as stated by a person.
    """
    best: Header | None = None
    for number, cells in enumerate(rows[:HEADER_ROWS], start=1):
        header = Header.of(number, cells, said, proposing=False)
        if header.titles and (best is None or header.weight > best.weight):
            best = header
    return None if best is None else Header.of(best.row, rows[best.row - 1], said)
