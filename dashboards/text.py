"""Words in both languages, and what the codes in the store's columns are called."""

from typing import Final, Literal, NamedTuple

from analytics.domain.ledger.vocabulary import CARRIER_WORDS, STATUS_WORDS

__all__ = [
    "BLUE", "COLUMNS", "GREEN", "GREY", "LANGUAGES", "NONE", "NONE_WHERE_EMPTY", "NO_VALUE", "ORANGE", "PURPLE",
    "SERIES", "SKY", "VALUES", "VERMILION", "YELLOW", "Language", "Text", "Word",
]  # fmt: skip

Language = Literal["zh", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")


class Text(NamedTuple):
    """The same in Chinese and English."""

    zh: str
    en: str

    def of(self, language: Language) -> str:
        """In one of them."""
        return self.zh if language == "zh" else self.en


class Word(NamedTuple):
    """What a code is called, its sign (so that colour never says it alone) and its colour."""

    text: Text
    sign: str = ""
    color: str | None = None

    def of(self, language: Language) -> str:
        """With its sign."""
        return f"{self.sign} {self.text.of(language)}".strip()


NO_VALUE: Final = Text("无数据", "no data")
"""Where nothing is known; never 0."""
NONE: Final = Text("–", "–")
"""Where it is known that there is none: a fault that stands has no end, the highest point no parent."""
_MAY_BE_NONE: Final = (
    "case_number case_state ended_at energy_unit grade magnitude_unit meter_no meters missing parent_point point"
)
NONE_WHERE_EMPTY: Final = frozenset(_MAY_BE_NONE.split())
"""Columns whose empty cells say `NONE`."""

# Okabe and Ito's colours, told apart by every kind of colour vision
BLUE: Final = "#0072B2"
SKY: Final = "#56B4E9"
GREEN: Final = "#009E73"
YELLOW: Final = "#F0E442"
ORANGE: Final = "#E69F00"
VERMILION: Final = "#D55E00"
PURPLE: Final = "#CC79A7"
GREY: Final = "#8A8A8A"

_PARTITIONS: Final = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, YELLOW, GREY)  # of the first eight
_CARRIERS: Final = {code: Text(chinese[0], code.replace("_", " ")) for code, chinese in CARRIER_WORDS.items()}
_LEVELS: Final = {
    "unit": Text("用能单位", "unit"),
    "sub_unit": Text("次级用能单位", "sub-unit"),
    "equipment": Text("主要用能设备", "main equipment"),
}
_KINDS: Final = {
    "gap": Text("缺数", "gap"),
    "silence": Text("无上报", "silence"),
    "stuck": Text("示值不变", "stuck"),
    "spike": Text("突跳", "spike"),
    "rollback": Text("示值倒退", "rollback"),
    "reset": Text("清零", "reset"),
    "zero_dip": Text("瞬时归零", "zero dip"),
    "sentinel": Text("错误码值", "error value"),
    "scale": Text("数量级错误", "wrong power of ten"),
    "ratio": Text("变比或缺相", "CT/PT ratio or phase"),
    "clock": Text("时钟偏差", "clock"),
    "duplicate": Text("重复", "duplicate"),
    "undeclared_replacement": Text("未报备换表", "undeclared replacement"),
    "gain_step": Text("误差突变", "step in error"),
    "gain_drift": Text("误差漂移", "drift of error"),
    "rollover": Text("翻转", "rollover"),
    "replacement": Text("换表", "replacement"),
    "multiplier_change": Text("倍率变更", "new multiplier"),
    "finding": Text("不符合标准", "not to standard"),
    "verification": Text("检定", "verification"),
}
_REASONS: Final = {
    "malformed": Text("无法解析", "malformed"),
    "too_large": Text("过大", "too large"),
    "unknown_unit_code": Text("未知单位", "unknown unit"),
    "unknown_meter": Text("未知器具", "unknown meter"),
    "not_installed": Text("未安装", "not installed"),
    "unknown_unit": Text("未知计量单位", "unknown unit of measurement"),
    "unit_mismatch": Text("计量单位不符", "other unit of measurement"),
    "not_a_number": Text("不是数", "not a number"),
    "future": Text("未来时间", "in the future"),
    "time_out_of_range": Text("时间超出范围", "time out of range"),
    "duplicate": Text("重复", "duplicate"),
    "conflict": Text("同时刻不同值", "conflict"),
    "wrong_partition": Text("分区错误", "wrong partition"),
    "bad_time": Text("时间有误", "bad time"),
    "missing_field": Text("缺少字段", "missing field"),
    "foreign_unit": Text("无权上报的单位", "unit of others"),
}
_SEVERITIES: Final = {
    "serious": Word(Text("严重", "serious"), "■", VERMILION),
    "warning": Word(Text("警告", "warning"), "▲", ORANGE),
    "info": Word(Text("提示", "info"), "●", SKY),
}
_COMPLIANCE: Final = {
    "compliant": Word(Text("符合", "compliant"), "✓", GREEN),
    "findings": Word(Text("有问题", "findings"), "▲", ORANGE),
    "serious": Word(Text("严重", "serious"), "■", VERMILION),
    "unknown": Word(Text("未知", "unknown"), "?", GREY),
}
_STATES: Final = _COMPLIANCE | {
    "open": Word(Text("未处理", "open"), "■", VERMILION),
    "acknowledged": Word(Text("已确认", "acknowledged"), "▲", ORANGE),
    "clearing": Word(Text("恢复中", "clearing"), "●", SKY),
    "cleared": Word(Text("已解除", "cleared"), "✓", GREEN),
    "closed": Word(Text("已结束", "closed"), "✓", GREEN),
    "withdrawn": Word(Text("已撤回", "withdrawn"), "–", GREY),
    "dispatched": Word(Text("已派单", "dispatched"), "▲", ORANGE),
    "on_site": Word(Text("现场", "on site"), "▲", ORANGE),
    "verdict": Word(Text("已判定", "judged"), "●", SKY),
    "ordered": Word(Text("限期整改", "ordered"), "▲", ORANGE),
    "recheck": Word(Text("复查", "recheck"), "●", SKY),
    "waiting": Word(Text("等待", "waiting"), "●", SKY),
    "sending": Word(Text("发送中", "sending"), "●", SKY),
    "sent": Word(Text("已发送", "sent"), "✓", GREEN),
    "failed": Word(Text("失败", "failed"), "■", VERMILION),
}
_VERIFICATION: Final = {
    "valid": Word(Text("有效", "valid"), "✓", GREEN),
    "due_90": Word(Text("90天内到期", "due in 90 d"), "●", SKY),
    "due_30": Word(Text("30天内到期", "due in 30 d"), "▲", ORANGE),
    "overdue": Word(Text("超期", "overdue"), "■", VERMILION),
    "unknown": Word(Text("未知", "unknown"), "?", GREY),
}
_VERDICTS: Final = {
    "pass": Word(Text("符合", "pass"), "✓", GREEN),
    "fail": Word(Text("不符合", "fail"), "■", VERMILION),
    "person": Word(Text("需人工判定", "a person must decide"), "?", PURPLE),
    "not_applicable": Word(Text("不适用", "not applicable"), "–", GREY),
    "faulty": Word(Text("有故障", "faulty"), "■", VERMILION),
    "sound": Word(Text("正常", "sound"), "✓", GREEN),
    "load_changed": Word(Text("负荷变化", "the load changed"), "●", SKY),
    "data_path": Word(Text("数据通道", "data path"), "▲", ORANGE),
    "observable": Word(Text("可判断", "observable"), "✓", GREEN),
    "weak": Word(Text("较弱", "weak"), "▲", ORANGE),
    "not_observable": Word(Text("不可判断", "not observable"), "?", GREY),
}

_STATUSES: Final = {code: Text(chinese[0], code.replace("_", " ")) for code, chinese in STATUS_WORDS.items()}
_EDITIONS: Final = {
    "GB 17167-2006": Text("GB 17167-2006", "GB 17167-2006"),
    "GB 17167-2006 (stands in for GB 17167-2025)": Text(
        "GB 17167-2006(暂代 GB 17167-2025)", "GB 17167-2006 (stands in for GB 17167-2025)"
    ),
    "online monitoring of key units": Text("重点用能单位在线监测", "online monitoring of key units"),
}
_MAGNITUDES: Final = {
    "share": Text("%", "%"),  # the boards say it in percent
    "decades": Text("个数量级", "powers of ten"),
    "readings": Text("条读数", "readings"),
    "h": Text("小时", "h"),
    "s": Text("秒", "s"),
}
_ACTIONS: Final = {
    "open": Text("立案", "open"),
    "dispatch": Text("派单", "dispatch"),
    "arrive": Text("到场", "arrive"),
    "verdict": Text("判定", "verdict"),
    "order": Text("责令整改", "order"),
    "corrected": Text("已整改", "corrected"),
    "pass": Text("复查通过", "pass"),
    "fail": Text("复查不通过", "fail"),
    "close": Text("结案", "close"),
    "hand_over": Text("移交", "hand over"),
    "comment": Text("备注", "comment"),
    "attach": Text("附件", "attach"),
}
_QUESTIONS: Final = {
    "drift": Text("误差漂移", "drift"),
    "ratio": Text("变比或缺相", "ratio or phase"),
    "stuck": Text("走字卡停", "stuck dial"),
}
_WHY: Final = {
    "the balance shows it": "平衡关系可以看出",
    "no complete balance and no second meter holds this one to account": "没有完整的平衡,也没有第二块表可以对照",
    "the ledger does not declare that the children cover the parent wholly": "台账没有声明下级齐全",
    "the parent or a child has no meter": "上级或某个下级没有装表",
    "the balance does not close: something unmetered uses energy too": "平衡不闭合:还有未计量的用能",
    "too few measured days so far": "实测天数还太少",
    "hours are missing at the parent or a child": "上级或某个下级有缺数的小时",
    "the meter's share of the parent is too small for the noise of the balance": (
        "该表占上级的份额太小,淹没在平衡的噪声里"
    ),
    "the load hardly varies, or follows that of others too closely to be told apart": (
        "负荷几乎不变,或与其他表同步,分不开"
    ),
    "its power register shows an error of the counter, not of the transformers, which feed both": (
        "功率寄存器能看出计度误差,看不出互感器误差(两者同源)"
    ),
    "a power that is measured or set as primary shows it, the ledger's multiplier included": (
        "一次侧功率可以看出,台账倍率也在内"
    ),
    "the powers of its phases show a phase that is lost or reversed, and no other ratio": (
        "分相功率能看出缺相或反相,看不出其他变比错误"
    ),
    "volume and temperatures of the heat meter show it": "热量表的流量和温度可以看出",
    "the power varies too much between its samples, or the registers are too coarse": (
        "功率在两次采样之间变化太大,或示值分辨率太粗"
    ),
    "the difference of supply and return temperature is too small": "供回水温差太小",
    "nothing was read of it for a week, or hardly anything yet": "一周没有读数,或读数还太少",
    "its dial moves in nearly every hour": "几乎每小时都走字",
    "it stands still for hours now and then: a jam looks as if its users were away": (
        "不时停走几小时,卡停与停用看起来一样"
    ),
    "it has stood still as long before, and went on by itself": "以前也停走过这么久,又自行走动",
    "its dial moves too seldom, or is read too seldom": "走字或读数太稀",
}
"""Why something can or cannot be seen (`analytics.drift.observability.Reason`), in Chinese."""


def _plain(texts: dict[str, Text]) -> dict[str, Word]:
    return {code: Word(text) for code, text in texts.items()}


VALUES: Final[dict[str, dict[str, Word]]] = {
    "carrier": _plain(_CARRIERS),
    "level": _plain(_LEVELS),
    "kind": _plain(_KINDS),
    "reason": _plain(_REASONS),
    "severity": _SEVERITIES,
    "state": _STATES,
    "case_state": _STATES,
    "verification": _VERIFICATION,
    "verdict": _VERDICTS,
    "verdict_on_site": _VERDICTS,
    "observable": _VERDICTS,
    "edition": _plain(_EDITIONS),
    "status": _plain(_STATUSES),
    "magnitude_unit": _plain(_MAGNITUDES),
    "question": _plain(_QUESTIONS),
    "action": _plain(_ACTIONS),
    "why": _plain({english: Text(chinese, english) for english, chinese in _WHY.items()}),
    "fault": {"none": Word(Text("无", "none"), "✓", GREEN)} | _SEVERITIES,
    "fault_kind": {"none": Word(NONE)} | _plain(_KINDS),
}
"""What the codes of a column are called, by the column's name in a panel's SQL."""


def _coloured(texts: dict[str, Text]) -> dict[str, Word]:
    """Each with the next of the colours, so that a thing has the same one in every chart."""
    wheel = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, YELLOW)
    return {code: Word(text, "", wheel[place % len(wheel)]) for place, (code, text) in enumerate(texts.items())}


_FAULTS: Final = {
    "silence": GREY,
    "stuck": ORANGE,
    "scale": PURPLE,
    "ratio": SKY,
    "gain_step": VERMILION,
    "gain_drift": BLUE,
    "rollback": GREEN,
    "reset": YELLOW,
}
"""Colours of the faults that stand beside each other most."""

_USED_MOST: Final = {
    "electricity": BLUE,
    "natural_gas": ORANGE,
    "coal": GREY,
    "steam": VERMILION,
    "hot_water": PURPLE,
    "recoverable_residual_energy": GREEN,
    "water": SKY,
}
"""Colours of the carriers that stand beside each other most."""

_REFUSED_MOST: Final = {
    "duplicate": SKY,
    "unknown_meter": VERMILION,
    "unit_mismatch": ORANGE,
    "future": PURPLE,
    "not_installed": GREEN,
    "unknown_unit_code": YELLOW,
    "malformed": GREY,
}

SERIES: Final[dict[str, Word]] = (
    _coloured(_CARRIERS)
    | {carrier: Word(_CARRIERS[carrier], "", color) for carrier, color in _USED_MOST.items()}
    | _coloured(_KINDS)
    | {kind: Word(_KINDS[kind], "", color) for kind, color in _FAULTS.items()}
    | _coloured(_REASONS)
    | {reason: Word(_REASONS[reason], "", color) for reason, color in _REFUSED_MOST.items()}
    | _COMPLIANCE
    | _SEVERITIES
    | _VERIFICATION
    | _VERDICTS
    | {f"P{n}": Word(Text(f"P{n}", f"P{n}"), "", color) for n, color in enumerate(_PARTITIONS)}
    | {
        "measured": Word(Text("实测", "measured"), "", BLUE),
        "estimated": Word(Text("估算", "estimated"), "", ORANGE),
        "suspect": Word(Text("可疑", "suspect"), "", VERMILION),
        "revised": Word(Text("已修正", "revised"), "◆", PURPLE),
        "completeness": Word(Text("完整率", "completeness"), "", SKY),
        "amount": Word(Text("用量", "amount"), "", BLUE),
        "last_year": Word(Text("上年同期", "a year before"), "", GREY),
        "tce": Word(Text("本期", "this period"), "", BLUE),
        "tce_last_year": Word(Text("上年同期", "a year before"), "", GREY),
        "parent": Word(Text("上级表", "parent"), "", BLUE),
        "children": Word(Text("下级合计", "children"), "", GREEN),
        "losses": Word(Text("估计损耗", "losses, estimated"), "", YELLOW),
        "residual": Word(Text("差额占上级", "residual of the parent"), "", VERMILION),
        "stored": Word(Text("入库", "stored"), "", BLUE),
        "refused": Word(Text("拒收", "refused"), "", VERMILION),
        "value": Word(Text("示值", "dial")),
        "faults": Word(Text("故障", "faults")),
        "readings": Word(Text("读数", "readings")),
        "lag": Word(Text("积压", "lag")),
        "quality": Word(Text("数据质量", "quality")),
        "fence_age": Word(Text("最早未入库读数的时长", "oldest reading not stored")),
        "sample_age": Word(Text("距最近上报", "since the last sample")),
        "transaction_time": Word(Text("事务时间", "transaction"), "", BLUE),
        "database_wait": Word(Text("等待数据库", "waiting for the database"), "", VERMILION),
        "database_size": Word(Text("数据库", "database"), "", BLUE),
        "last_evidence": Word(Text("最后有数据", "last evidence")),
        "estimated_share": Word(Text("估算占比", "estimated share")),
        "stale_marks": Word(Text("待更新小时", "stale hours")),
        "stale_age": Word(Text("最早待更新", "oldest stale hour")),
        "rejected_unrelayed": Word(Text("拒收未转发", "refused, not relayed")),
        "messages_waiting": Word(Text("待发消息", "messages waiting")),
        "messages_failed": Word(Text("发送失败", "messages failed")),
    }
)
"""Name and colour of a series, by its name in a panel's SQL."""

COLUMNS: Final[dict[str, Text]] = {
    "unit_code": Text("单位代码", "unit code"),
    "unit_name": Text("用能单位", "unit"),
    "carrier": Text("能源种类", "carrier"),
    "level": Text("级别", "level"),
    "needed": Text("应配", "needed"),
    "present": Text("实配", "present"),
    "unknown_verification": Text("检定不明", "unknown"),
    "rate": Text("配备率", "rate"),
    "required": Text("要求", "required"),
    "rate_margin": Text("与要求之差", "margin"),
    "units_failing": Text("不达标单位", "failing"),
    "overdue": Text("超期", "overdue"),
    "due_30": Text("30天内到期", "due in 30 d"),
    "due_90": Text("90天内到期", "due in 90 d"),
    "unknown": Text("不明", "unknown"),
    "meters": Text("器具", "meters"),
    "age": Text("时长", "age"),
    "serious": Text("严重", "serious"),
    "warning": Text("警告", "warning"),
    "info": Text("提示", "info"),
    "severity": Text("严重程度", "severity"),
    "kind": Text("类别", "kind"),
    "fault": Text("故障", "fault"),
    "fault_kind": Text("故障类别", "kind of fault"),
    "point": Text("计量点", "point"),
    "meter_no": Text("管理编号", "meter no."),
    "started_at": Text("开始", "since"),
    "ended_at": Text("结束", "until"),
    "magnitude": Text("大小", "magnitude"),
    "magnitude_low": Text("下限", "at least"),
    "magnitude_high": Text("上限", "at most"),
    "magnitude_unit": Text("单位", "in"),
    "energy_affected": Text("涉及能量", "energy affected"),
    "energy_affected_low": Text("涉及能量下限", "energy, at least"),
    "energy_affected_high": Text("涉及能量上限", "energy, at most"),
    "energy_unit": Text("能量单位", "energy in"),
    "tce_affected": Text("涉及 tce", "tce affected"),
    "confidence": Text("置信度", "confidence"),
    "state": Text("状态", "state"),
    "grade": Text("等级", "grade"),
    "findings": Text("问题", "findings"),
    "completeness": Text("完整率", "completeness"),
    "alerts": Text("报警", "alerts"),
    "tce_year": Text("近一年 tce", "tce of 365 d"),
    "edition": Text("标准版本", "edition"),
    "person": Text("需人工判定", "for a person"),
    "judged_for": Text("判定日", "judged for"),
    "month": Text("月份", "month"),
    "amount": Text("用量", "amount"),
    "unit": Text("单位", "unit"),
    "tce": Text("折标煤 tce", "tce"),
    "last_year": Text("上年同期", "a year before"),
    "tce_last_year": Text("上年同期 tce", "tce a year before"),
    "change": Text("同比", "change"),
    "days": Text("有数据天数", "days with data"),
    "sub_unit": Text("次级用能单位", "sub-unit"),
    "name": Text("名称", "name"),
    "share": Text("占比", "share"),
    "verdict": Text("判定", "verdict"),
    "clause": Text("条款", "clause"),
    "required_zh": Text("要求", "required"),
    "found": Text("实际", "found"),
    "found_zh": Text("实际", "found"),
    "next_step_zh": Text("下一步", "what to do"),
    "next_step_en": Text("下一步", "what to do"),
    "opened_at": Text("起始", "since"),
    "pass": Text("符合", "pass"),
    "fail": Text("不符合", "fail"),
    "not_applicable": Text("不适用", "not applicable"),
    "missing": Text("缺表计量点", "points without a meter"),
    "accuracy_class": Text("准确度等级", "class"),
    "verification": Text("检定状态", "verification"),
    "verification_due": Text("有效期至", "verified until"),
    "verified_on": Text("检定日期", "verified on"),
    "cycle_months": Text("检定周期(月)", "cycle in months"),
    "place": Text("地点", "place"),
    "title_zh": Text("内容", "what"),
    "title_en": Text("内容", "what"),
    "raised_at": Text("报警时间", "raised"),
    "case_number": Text("案件", "case"),
    "case_state": Text("案件状态", "case state"),
    "parent_point": Text("上级计量点", "parent point"),
    "model": Text("型号", "model"),
    "multiplier": Text("倍率", "multiplier"),
    "status": Text("状态", "status"),
    "installed_from": Text("启用日期", "installed"),
    "question": Text("问题", "question"),
    "observable": Text("能否判断", "observable"),
    "reason": Text("原因", "reason"),
    "why": Text("原因", "reason"),
    "smallest_30d": Text("30天可见最小误差", "smallest seen in 30 d"),
    "smallest_90d": Text("90天可见最小误差", "smallest seen in 90 d"),
    "hours_typical": Text("卡停通常发现时间", "jam usually told after"),
    "hours_worst": Text("卡停最迟发现时间", "jam told after at worst"),
    "as_of": Text("截至", "as of"),
    "number": Text("案件", "case"),
    "at": Text("时间", "at"),
    "action": Text("动作", "action"),
    "by_name": Text("经办人", "by"),
    "note": Text("说明", "note"),
    "verdict_on_site": Text("现场判定", "found on site"),
    "due_on": Text("期限", "due"),
    "records": Text("记录", "records"),
    "readings": Text("读数", "readings"),
    "pending": Text("未重发", "not sent again"),
    "last_at": Text("最近", "last"),
    "topic": Text("主题", "topic"),
    "partition": Text("分区", "partition"),
    "owner": Text("工作进程", "worker"),
    "next_offset": Text("下一偏移", "next offset"),
    "moved_at": Text("推进时间", "moved"),
    "moved_ago": Text("距推进", "since then"),
    "snapshot_at": Text("快照时间", "snapshot"),
    "snapshot_bytes": Text("快照大小", "snapshot size"),
    "ledger_version": Text("台账版本", "ledger"),
    "channel": Text("渠道", "channel"),
    "messages": Text("消息", "messages"),
    "oldest_at": Text("最早", "oldest"),
    "attempts": Text("尝试次数", "attempts"),
    "last_sent_at": Text("最近发送", "last sent"),
    "last_error": Text("最近错误", "last error"),
    "table_name": Text("表", "table"),
    "bytes": Text("大小", "size"),
    "rows_about": Text("约行数", "rows, about"),
    "cases": Text("案件", "cases"),
    "verdicts": Text("已判定", "verdicts"),
    "faulty": Text("有故障", "faulty"),
    "data_path": Text("数据通道", "data path"),
    "sound": Text("正常", "sound"),
    "load_changed": Text("负荷变化", "load changed"),
    "precision": Text("准确率", "precision"),
    "median_days_to_verdict": Text("判定用时中位数(天)", "median days to verdict"),
    "revised": Text("已修正小时", "revised hours"),
}
"""What the columns of tables are called."""
