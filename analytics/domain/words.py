"""Display names in Chinese and English: one concept, one name in each language, wherever it is shown.

Boards, messages, workbooks, papers and commands take their words from here. Codes (the keys) are what is stored and
sent; they never change. Names follow JJF 1356-2012, GB 17167-2006 and the energy conservation law.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

__all__ = [
    "ALERT_STATES", "CARRIERS", "CASE_ACTIONS", "CASE_STATES", "CONSUMPTION", "DIRECTIONS", "EDITIONS",
    "GATEWAY_STAGES", "INCIDENTS", "INSTRUMENTS", "KEY_UNITS", "KINDS", "LANGUAGES", "LEVELS", "MEASURES",
    "MESSAGE_STATES", "OBSERVABILITY", "OFFICIAL_UPLOADS", "QUALITY", "REJECT_REASONS", "SEVERITIES",
    "SITE_VERDICTS", "STANDINGS", "STATES", "STATUSES", "TABLES", "VERDICTS", "VERIFICATION", "Language", "Phrase",
    "Phrases", "due_phrase", "name_of", "phrases",
]  # fmt: skip

Language = Literal["zh", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """A text in Chinese and English; keyword-only, so that the two cannot be swapped.

    Examples
    --------
    >>> Phrase(zh="停走", en="stuck").of("en")
    'stuck'
    """

    zh: str
    en: str

    def of(self, language: str) -> str:
        """The text in one language: Chinese for ``zh``, else English."""
        return self.zh if language == "zh" else self.en

    def __bool__(self) -> bool:
        """Whether the text is not empty."""
        return bool(self.zh or self.en)


Phrases = Mapping[str, Phrase]


def phrases(**names: tuple[str, str]) -> Phrases:
    """A table of names by code, each given as (Chinese, English)."""
    return MappingProxyType({code: Phrase(zh=zh, en=en) for code, (zh, en) in names.items()})


CONSUMPTION: Final = Phrase(zh="消费量", en="consumption")
"""Quantity used, as the law and the forms call it."""

KINDS: Final = phrases(
    gap=("数据缺失", "gap"),
    silence=("无上报", "silent"),
    stuck=("停走", "stuck"),
    spike=("示值跳变", "spike"),
    rollback=("示值倒走", "rollback"),
    reset=("示值清零", "reset"),
    zero_dip=("示值瞬时归零", "transient zero"),
    sentinel=("错误码示值", "error value"),
    scale=("数量级错误", "wrong power of ten"),
    ratio=("倍率或接线错误", "ratio or wiring error"),
    clock=("时钟偏差", "clock error"),
    duplicate=("重复数据", "duplicate"),
    undeclared_replacement=("疑似换表未登记", "undeclared replacement"),
    jump=("示值突增，差值不明", "jump, unexplained"),
    gain_step=("计量偏差突变", "step in error"),
    gain_drift=("计量偏差渐变", "drift in error"),
    balance_change=("平衡差额变化，原因未定", "change of a balance, cause unknown"),
    rollover=("计度器过零（满度翻转）", "rollover"),
    replacement=("换表", "replacement"),
    multiplier_change=("倍率变更", "multiplier change"),
    catch_up=("补传", "catch-up"),
    interval=("采集间隔与台账不符", "interval not as in the ledger"),
    finding=("不符合标准", "not compliant"),
    verification=("检定/校准到期", "verification due"),
)
"""Kinds of detections and events (`DetectionKind`, lower case), and of what else can raise an alert."""

SEVERITIES: Final = phrases(
    serious=("严重", "serious"),
    warning=("警告", "warning"),
    info=("提示", "info"),
)

STATES: Final = phrases(
    compliant=("符合", "compliant"),
    findings=("有不符合项", "not compliant"),
    serious=("有严重不符合项", "serious non-conformities"),
    unknown=("待人工核查", "to be checked by a person"),
)
"""Compliance state of a unit."""

KEY_UNITS: Final = phrases(
    over_10000=("年综合能耗 10,000 tce 及以上", "10,000 tce a year or more"),
    over_5000_named=("5,000 tce 及以上，已被指定", "5,000 tce or more, named"),
    over_5000=("5,000 tce 及以上，未被指定", "5,000 tce or more, not named"),
    below=("低于 5,000 tce", "below 5,000 tce"),
    unknown=("数据不足一年，未定", "less than a year of data"),
)
"""Whether a unit is a key one, by its year; limits of the shipped rules."""

VERDICTS: Final = phrases(
    **{"pass": ("符合", "compliant")},
    fail=("不符合", "not compliant"),
    person=("待人工核查", "to be checked by a person"),
    not_applicable=("不适用", "not applicable"),
)
"""Result of checking one clause."""

EDITIONS: Final = MappingProxyType(
    {
        "GB 17167-2006": Phrase(zh="GB 17167-2006", en="GB 17167-2006"),
        "GB 17167-2006 (stands in for GB 17167-2025)": Phrase(
            zh="GB 17167-2006（该版已废止；GB 17167-2025 的数据未录入，结果供参考）",
            en="GB 17167-2006 (stands in for GB 17167-2025)",
        ),
        "GB 24789-2009": Phrase(zh="GB 24789-2009", en="GB 24789-2009"),
        "GB 24789-2009 (stands in for GB/T 24789-2022, which has replaced it)": Phrase(
            zh="GB 24789-2009（已由 GB/T 24789-2022 代替，其数据未录入，结果供参考）",
            en="GB 24789-2009 (stands in for GB/T 24789-2022, which has replaced it)",
        ),
        "online monitoring of key units": Phrase(zh="重点用能单位在线监测", en="online monitoring of key units"),
    }
)
"""Editions of standards, as findings name them."""

LEVELS: Final = phrases(
    unit=("进出用能单位", "unit level"),
    sub_unit=("进出主要次级用能单位", "sub-unit level"),
    equipment=("主要用能设备", "equipment level"),
)
"""Levels of metering of GB 17167, table 3."""

DIRECTIONS: Final = phrases(
    **{"in": ("输入", "in")},
    out=("输出", "out"),
    own=("自产", "own production"),
)

CARRIERS: Final = phrases(
    electricity=("电力", "electricity"),
    coal=("煤炭", "coal"),
    coke=("焦炭", "coke"),
    crude_oil=("原油", "crude oil"),
    refined_oil=("成品油", "refined oil"),
    heavy_oil=("重油", "heavy oil"),
    residual_oil=("渣油", "residual oil"),
    lpg=("液化气", "lpg"),
    natural_gas=("天然气", "natural gas"),
    coal_gas=("煤气", "coal gas"),
    steam=("蒸汽", "steam"),
    hot_water=("热水", "hot water"),
    water=("水", "water"),
    recoverable_residual_energy=("可回收利用的余能", "recoverable residual energy"),
    other=("其他", "other"),
)
"""Energies and energy-carrying media of GB 17167, tables 1 and 3."""

INSTRUMENTS: Final = phrases(
    electricity=("电能表", "electricity meter"),
    oil_flow=("油流量表", "oil flow meter"),
    gas_flow=("气体流量表", "gas flow meter"),
    steam_flow=("蒸汽流量表", "steam flow meter"),
    water_flow=("水流量表", "water flow meter"),
    heat=("热量表", "heat meter"),
    weighing=("衡器", "weighing instrument"),
    temperature=("温度仪表", "temperature instrument"),
    pressure=("压力仪表", "pressure instrument"),
)

STATUSES: Final = phrases(
    qualified=("合格", "qualified"),
    limited=("准用", "limited use"),
    out_of_use=("停用", "out of use"),
)
"""Status of an instrument in the ledger (GB 17167 clause 5.3.1)."""

VERIFICATION: Final = phrases(
    valid=("有效", "valid"),
    due_90=("90天内到期", "due in 90 d"),
    due_30=("30天内到期", "due in 30 d"),
    overdue=("已超期", "overdue"),
    unknown=("检定（校准）信息不全", "incomplete"),
)
"""State of verification or calibration on a day."""

QUALITY: Final = phrases(
    measured=("实测", "measured"),
    estimated=("估算", "estimated"),
    rollover=("计度器过零（满度翻转）", "rollover"),
    replacement=("换表", "replacement"),
    suspect=("可疑", "suspect"),
    **{"break": ("示值中断", "break")},
    multiplier_change=("倍率变更", "multiplier change"),
    revised=("已修正", "revised"),
)
"""Quality of an hour (`HourFlag`, lower case)."""

ALERT_STATES: Final = phrases(
    open=("未处理", "open"),
    acknowledged=("已确认", "acknowledged"),
    clearing=("恢复中", "clearing"),
    cleared=("已解除", "cleared"),
    closed=("已结束", "closed"),
    withdrawn=("已撤回", "withdrawn"),
)

MESSAGE_STATES: Final = phrases(
    waiting=("等待", "waiting"),
    sending=("发送中", "sending"),
    sent=("已发送", "sent"),
    failed=("失败", "failed"),
)

CASE_STATES: Final = phrases(
    open=("待派发", "to be dispatched"),
    dispatched=("待现场核查", "visit pending"),
    on_site=("待结论", "conclusion pending"),
    verdict=("待责令限期改正或办结", "to be ordered or closed"),
    ordered=("限期改正", "correction pending"),
    recheck=("待复查", "re-check pending"),
    closed=("已办结", "closed"),
)
"""States of a verification task (核查任务), by what it waits for."""

CASE_ACTIONS: Final = phrases(
    open=("登记", "registered"),
    dispatch=("派发", "dispatched"),
    arrive=("现场核查", "on site"),
    verdict=("结论", "conclusion"),
    order=("责令限期改正", "ordered to correct"),
    corrected=("已改正", "corrected"),
    **{"pass": ("复查通过", "re-check passed")},
    fail=("复查未通过", "re-check failed"),
    close=("办结", "closed"),
    hand_over=("移交", "handed over"),
    comment=("备注", "comment"),
    attach=("附件", "attachment"),
)

SITE_VERDICTS: Final = phrases(
    faulty=("器具有故障", "meter faulty"),
    sound=("器具正常", "meter sound"),
    load_changed=("负荷变化", "load changed"),
    data_path=("采集通道故障", "data path faulty"),
)
"""What an inspector found on site."""

OBSERVABILITY: Final = phrases(
    observable=("可判断", "observable"),
    weak=("较弱", "weak"),
    not_observable=("不可判断", "not observable"),
)

REJECT_REASONS: Final = phrases(
    malformed=("无法解析", "malformed"),
    too_large=("过大", "too large"),
    unknown_unit_code=("未知用能单位", "unknown unit"),
    unknown_meter=("未知器具", "unknown meter"),
    not_installed=("未安装", "not installed"),
    unknown_unit=("未知计量单位", "unknown unit of measurement"),
    unit_mismatch=("计量单位不符", "other unit of measurement"),
    not_a_number=("不是数", "not a number"),
    future=("未来时间", "in the future"),
    time_out_of_range=("时间超出范围", "time out of range"),
    duplicate=("重复数据", "duplicate"),
    conflict=("同时刻不同值", "conflict"),
    wrong_partition=("分区错误", "wrong partition"),
    bad_time=("时间有误", "bad time"),
    missing_field=("缺少字段", "missing field"),
    foreign_unit=("无权上报的单位", "unit of others"),
)
"""Why a message or reading was not accepted (`RejectReason`, lower case)."""

STANDINGS: Final = phrases(
    idle=("无待处理数据", "nothing to do"),
    moving=("处理中", "moving"),
    busy=("正在恢复或重算", "restoring"),
    standing=("停滞", "STANDING STILL"),
    refused=("分区数不一致，已停止", "REFUSED"),
    unserved=("无工作进程处理", "NO WORKER"),
    unknown=("未知", "unknown"),
)
"""Processing state of a Kafka partition (`streams.lanes`)."""

GATEWAY_STAGES: Final = phrases(
    well=("正常", "well"),
    waiting=("读数积压", "READINGS WAIT"),
    full=("存储将满", "SPOOL NEARLY FULL"),
    silent=("长时间无送达", "NOTHING DELIVERED"),
)
"""How a gateway stands (`analytics.alerting.gateway`)."""

OFFICIAL_UPLOADS: Final = phrases(
    well=("正常", "well"),
    late=("两日未全部确认", "NOT ACKNOWLEDGED FOR TWO DAYS"),
    refused=("有数据被拒", "DATA REFUSED"),
)
"""How uploads to an official platform go (`deploy.web.watched`)."""

INCIDENTS: Final = phrases(
    log_shorter=("Kafka 日志短于已入库位置", "log shorter than what is stored"),
    log_other=("Kafka 日志与已入库内容不同", "log holds other records"),
    hole=("Kafka 丢弃了未读记录", "records dropped unread"),
    topic_anew=("主题被删除并重建", "topic made anew"),
    regrown=("分区增加，用能单位已迁移", "more partitions, units moved"),
)
"""What can happen to Kafka's log (`IncidentKind`)."""

MEASURES: Final[Phrases] = MappingProxyType(
    {
        symbol: Phrase(zh=zh, en=en)
        for symbol, zh, en in (
            ("kWh", "千瓦时", "kilowatt-hour"),
            ("MWh", "兆瓦时", "megawatt-hour"),
            ("kJ", "千焦", "kilojoule"),
            ("MJ", "兆焦", "megajoule"),
            ("GJ", "吉焦", "gigajoule"),
            ("m3", "立方米", "cubic metre"),
            ("Nm3", "立方米（标准状态）", "cubic metre at standard state"),
            ("L", "升", "litre"),
            ("t", "吨", "tonne"),
            ("kg", "千克", "kilogram"),
            ("kW", "千瓦", "kilowatt"),
            ("kVA", "千伏安", "kilovolt-ampere"),
            ("kgce", "千克标准煤", "kilogram of coal equivalent"),
            ("tce", "吨标准煤", "tonne of coal equivalent"),
            ("h", "小时", "hour"),
            ("s", "秒", "second"),
        )
    }
)
"""Units of measurement that people are shown, by their symbol."""

TABLES: Final[Mapping[str, Phrases]] = MappingProxyType(
    {
        "kind": KINDS,
        "severity": SEVERITIES,
        "state": STATES,
        "verdict": VERDICTS,
        "level": LEVELS,
        "direction": DIRECTIONS,
        "carrier": CARRIERS,
        "instrument": INSTRUMENTS,
        "status": STATUSES,
        "verification": VERIFICATION,
        "quality": QUALITY,
        "alert_state": ALERT_STATES,
        "message_state": MESSAGE_STATES,
        "case_state": CASE_STATES,
        "action": CASE_ACTIONS,
        "site_verdict": SITE_VERDICTS,
        "observable": OBSERVABILITY,
        "reason": REJECT_REASONS,
        "measure": MEASURES,
        "standing": STANDINGS,
        "gateway_stage": GATEWAY_STAGES,
        "official_upload": OFFICIAL_UPLOADS,
        "incident": INCIDENTS,
    }
)
"""All tables, by the kind of code that they name."""


def name_of(table: Phrases, code: str) -> Phrase:
    """What a code is called; a code that the table does not have stands for itself.

    Examples
    --------
    >>> name_of(CARRIERS, "natural_gas").zh, name_of(CARRIERS, "peat").en
    ('天然气', 'peat')
    """
    known = table.get(code)
    if known is not None:
        return known
    plain = code.replace("_", " ")
    return Phrase(zh=plain, en=plain)


def due_phrase(days_left: int) -> Phrase:
    """How a verification or calibration stands by the days left; the due day itself still counts.

    Parameters
    ----------
    days_left : int
        Days from today to the due day; negative once it has passed. [d]

    Examples
    --------
    >>> due_phrase(-10).zh, due_phrase(25).zh
    ('检定/校准已超期 10 天', '检定/校准将于 25 天内到期')
    """
    if days_left < 0:
        return Phrase(zh=f"检定/校准已超期 {-days_left} 天", en=f"verification overdue by {-days_left} d")
    if days_left == 0:
        return Phrase(zh="检定/校准今日到期", en="verification ends today")
    return Phrase(zh=f"检定/校准将于 {days_left} 天内到期", en=f"verification due within {days_left} d")
