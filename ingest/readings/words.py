"""Known headers of files of readings, in Chinese and English, as plants and systems write them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from analytics.domain import registers
from analytics.domain.spelling import tidy, word_key
from analytics.domain.units import find_unit

__all__ = ["ROLES", "Title", "register_of", "title_of"]

ROLES = (
    "unit_code", "meter_no", "measured_at", "value", "unit", "register", "quality", "received_at",
    "unit_name", "serial_no", "point", "name", "date", "time", "amount", "previous",
)  # fmt: skip
"""What a column can be; the first eight are those of the interchange files."""

# Each line: role, then spellings; those before the bar are surer than those behind it.
_SPELLINGS = """
unit_code   unit_code 用能单位代码 | 单位代码 用能单位编码 用能单位编号 单位编码 单位编号 企业代码 企业编码
unit_code   | 企业编号 统一社会信用代码
unit_code   | 社会信用代码 信用代码 组织机构代码 户号 客户编号 site_code enterprise_code company_code customer_id
unit_code   | unit_id credit_code uscc energy_using_unit site site_id
unit_name   unit_name 用能单位名称 | 单位名称 企业名称 用能单位 公司名称 客户名称 户名 company enterprise
unit_name   | customer company_name site_name
meter_no    meter_no 管理编号 用能单位管理编号 表号 仪表编号 | 表计编号 电表编号 水表编号 气表编号 电能表编号
meter_no    | 热表编号 表具编号 表编号
meter_no    | 计量器具编号 计量器具管理编号 器具编号 仪表号 电表号 水表号 气表号 表计号 计量表编号 计量编号
meter_no    | 设备编号 设备号 设备id 表具号 表计
meter_no    | 资产编号 仪表 电表 水表 meter meter_id meter_number meter_code meter_num device device_id device_no
meter_no    | asset_no tag meterno. 表id
meter_no    | 表计代码 仪表代码 仪表位号 位号 电能表号 metering_device instrument_no meter#
serial_no   serial_no 出厂编号 | 出厂号 表计出厂编号 电能表出厂编号 序列号 serial serial_number meter_serial
serial_no   | meter_serial_number 通信地址 表地址
point       point 计量点编号 采集点编号 | 计量点 采集点 测点编号 测点 点号 point_id metering_point
point       | metering_point_id point_code
name        name 计量器具名称 表计名称 仪表名称 设备名称 计量点名称 测点名称 | meter_name device_name 名称
measured_at measured_at 采集时间 计量时间 抄表时间 | 日期时间 数据时间 记录时间 采样时间 读数时间 测量时间
measured_at | 统计时间 时标 时间戳 冻结时间
measured_at | 数据采集时间 抄读时间 抄录时间 示值时间 读取时间 数据时标 发生时间 timestamp datetime date_time
measured_at | time_stamp
measured_at | read_at measurement_time measured local_time ts sample_time
measured_at | date/time datetime_local
date        日期 | 抄表日期 数据日期 冻结日期 采集日期 统计日期 date day reading_day 记录日期
date        | 月份 年月 抄表月份 抄表年月 统计月份 统计年月 数据月份 month year_month reading_month
time        时间 | 时刻 抄表时刻 采集时刻 time time_of_day hour 时点
value       value 示值 读数 表底数 | 表底 表码 示数 抄表数 止码 本次示数 本次读数 当前示数 当前读数 本期示数
value       | 期末示数 累计值 累计量 累积量 累计示值
value       | 累积值 底码 表读数 表示数 数值 表显数 表计读数 电表读数 水表读数 累计读数 累计流量读数 本月示数
value       | 本月表底 现示数 本次抄表数
value       | 抄见数 表数 reading meter_reading register_value reading_value index dial dial_reading cumulative
value       | cumulative_value
value       | counter count register_reading current_reading total_reading meter_value totalizer totaliser
value       | value_read zahlerstand zählerstand
value       | 累计电量 累计用量 累计用水量 累计用电量 总用量 累计电能
previous    上次示数 | 上次读数 上期示数 上月示数 起码 期初示数 上月表底 previous previous_reading last_reading
previous    | 前次示数
amount      电量 用量 | 用电量 用水量 用气量 用汽量 能耗 消费量 消耗量 本次用量 本期用量 区间电量 增量
amount      | consumption usage energy_used
amount      | amount_used delta 日用量 日电量 分时电量 verbrauch increment
unit        unit 计量单位 单位 | 单位名 示值单位 数据单位 uom units unit_of_measure measurement_unit
unit        | unit_of_measurement einheit
register    register 寄存器 示值类型 | 数据项 读数类型 数据类型 测量项 电能类型 数据标识 示数类型 obis obis码
register    | obis_code channel quantity
register    | parameter data_item register_name 参数 参数名称 指标 抄表类型 费率类型 数据项名称 数据项目
quality     quality 质量码 质量 | 数据质量 质量标志 quality_code quality_flag 品质
meter_no    | tag_name tagname 变量名 meter_ref energy_meter energy_meter_id energy_meter_no 表计标识 仪表标识 电表id
meter_no    | zählernummer zaehlernummer zähler zählernr
measured_at | 采集日期时间 抄表日期时间 本次抄表时间 本次抄表日期 结束时间 截止时间 抄见时间 end_time data_time datatime
measured_at | date_and_time collect_time acquisition_time read_datetime period_end zeitstempel zeitpunkt ablesezeit
date        | read_date reading_date datum ablesedatum 抄见日期
time        | read_time reading_time uhrzeit 小时 整点
value       | cumulative_energy cumulative_reading cumulative_volume meter_index energy_reading accumulated_energy
value       | 标况累计 标况累计量 标况累计流量 标况总量 标况体积 标况累积量 累计电度 表计示数 zaehlerstand stand
received_at received_at 接收时间 | 上报时间 入库时间 接收时标 arrival_time received 到达时间
"""


def _table() -> Mapping[str, tuple[str, int]]:
    found: dict[str, tuple[str, int]] = {}
    for line in _SPELLINGS.strip().splitlines():
        role, *words = line.split()
        rank = 0
        for word in words:
            if word == "|":
                rank = 1
                continue
            found.setdefault(word_key(word), (role, rank))
    return MappingProxyType(found)


_TITLES = _table()
_BRACKET = re.compile(r"[(\[{<【〔「]([^()\[\]{}<>【】〔〕「」]*)[)\]}>】〕」]\s*$")
_SLASHED = re.compile(r"^(.*?\S)\s*[/:,;_\s]\s*(\S+)$")
_ZONE = re.compile(r"(?i)^(?:utc|gmt)\s*(?:([+-])(\d{1,2})(?::?(\d{2}))?)?$")
_LOCAL = frozenset({"北京时间", "当地时间", "本地时间", "local", "localtime", "cst", "东八区"})


@dataclass(frozen=True, slots=True)
class Title:
    """What a header cell says.

    Attributes
    ----------
    text : str
        As the file has it, on one line.
    name : str
        Without what stands in brackets.
    role : str or None
        One of `ROLES`, None where it is none of ours.
    rank : int
        0 for the names of the interchange files, 1 for what people also write.
    unit : str
        Unit of measurement in it, empty where there is none.
    offset_s : int or None
        Offset from UTC that it states for times. [s]
    """

    text: str
    name: str
    role: str | None
    rank: int
    unit: str
    offset_s: int | None


def title_of(cell: str) -> Title:
    """What a header cell says.

    Examples
    --------
    >>> title = title_of("示值（kWh）")
    >>> title.role, title.unit
    ('value', 'kWh')
    >>> title_of("Time [UTC+8]").offset_s, title_of("notes").role
    (28800, None)
    """
    text = " ".join(tidy(cell).split())
    name, unit, offset = text, "", None
    while bracket := _BRACKET.search(name):
        inner = bracket[1].strip()
        unit = unit or _unit(inner)
        offset = _offset(inner) if offset is None else offset
        name = name[: bracket.start()].strip()
    role, rank = _TITLES.get(word_key(name), (None, 9))
    if role is None:
        slashed = _SLASHED.match(name)
        while slashed is not None and role is None:
            found = _TITLES.get(word_key(slashed[1]))
            if found is not None and _unit(slashed[2]):
                (role, rank), unit, name = found, unit or _unit(slashed[2]), slashed[1]
            slashed = None
    return Title(text, name, role, rank, unit, offset)


def _unit(text: str) -> str:
    found = find_unit(text)
    return "" if found is None or found.symbol in {"1", "%"} else found.symbol


def _offset(text: str) -> int | None:
    if word_key(text) in _LOCAL:
        return None
    match = _ZONE.match(text)
    if match is None:
        return None
    shift = int(match[2] or 0) * 3600 + int(match[3] or 0) * 60
    return -shift if match[1] == "-" else shift


WORDS = frozenset(_TITLES)
"""All spellings of headers, folded."""

_MAIN_WORDS = frozenset(
    map(
        word_key,
        [
            "main",
            "total",
            "总",
            "总示值",
            "总电能",
            "正向有功总电能",
            "正向有功总",
            "正向有功电能",
            "正向有功总示值",
            "正向有功总电能示值",
            "正向有功总电量",
            "正向有功",
            "当前正向有功总电能",
            "有功总",
            "正向总有功",
            "正有功总",
            "累计流量",
            "累计量",
            "累积流量",
            "累计热量",
            "正向累计流量",
            "1.8.0",
            "1-0:1.8.0",
            "1-0:1.8.0*255",
            "1-1:1.8.0",
            "1-1:1.8.0*255",
            "1.0.1.8.0.255",
            "00010000",
            "0x00010000",
            "total_energy",
            "import",
            "active_energy_import",
            "total_active_energy",
            "energy_total",
            "forward_active",
            "active_energy_import_total",
            "import_active_energy",
            "active_energy_delivered",
            "kwh_del",
            "kwh_delivered",
            "ep_imp",
            "epi",
            "正向有功电度",
            "正向有功总电度",
            "有功电度",
        ],
    )
)
_OTHER_WORDS = re.compile(
    r"工况|反向|无功|尖|峰|平|谷|需量|电压|电流|功率|温度|压力|瞬时|频率|1\.8\.[1-9]|2\.8\.|[3-9]\.8\.|reverse|export|reactive|power|"
    r"voltage|current|temperature|demand|flow$|tariff",
    re.IGNORECASE,
)


def register_of(text: str) -> str | None:
    """Register that a column header or a cell names: ``main``, another one's name as it stands; None for no register.

    Examples
    --------
    >>> register_of("正向有功总"), register_of("反向有功总"), register_of("M1")
    ('main', '反向有功总', None)
    """
    seen = tidy(text)
    canonical = getattr(registers, "canonical_register", None)
    if canonical is not None:
        found = canonical(seen)
        if found is not None and (found == registers.MAIN or found != seen):
            return str(found)
    if word_key(seen) in _MAIN_WORDS:
        return registers.MAIN
    if registers.find_register(seen) is not None or _OTHER_WORDS.search(seen):
        return seen
    return None
